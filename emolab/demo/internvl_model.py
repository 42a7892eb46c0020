"""The small InternVL: real configuration, tokenizer, processor and chat template at tiny dimensions."""

from __future__ import annotations

import numpy as np
import torch
from transformers import (
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLProcessor,
    InternVLVideoProcessor,
    Qwen2Tokenizer,
)
from transformers.models.got_ocr2 import GotOcr2ImageProcessor

from emolab.demo.vocabulary import SIZE, byte_pairs

CLASS = InternVLForConditionalGeneration
END = "<|im_end|>"  # of an answer
IMAGE = "<IMG_CONTEXT>"  # token that stands for a piece of an image
IMAGE_SIZE, PATCH, IMAGE_TOKENS = 112, 14, 16  # 8 x 8 patches, pixel shuffle 0.5 -> 16 tokens an image
PATCHES, WIDTH = 64, 192  # what the vision tower gives of an image
# phase: (steps, learning rate of vision, of language, {task: (share of steps, batch size)})
PHASES = {
    "see": (2600, 6e-4, 0.0, {"signs": (1.0, 32)}),
    "caption": (1200, 2e-4, 8e-4, {"caption": (0.7, 32), "extract": (0.15, 32), "judge": (0.15, 32)}),
    "pipeline": (1300, 2e-4, 6e-4, {"describe": (0.5, 16), "caption": (0.12, 32), "extract": (0.18, 32),
                                    "judge": (0.2, 32)}),
    "polish": (700, 1e-4, 6e-4, {"describe": (0.15, 16), "caption": (0.1, 32), "extract": (0.3, 32),
                                 "judge": (0.45, 32)}),
    "judge": (900, 5e-5, 6e-4, {"describe": (0.12, 16), "caption": (0.1, 32), "extract": (0.13, 32),
                                "judge": (0.65, 32)}),
    "compare": (700, 5e-5, 6e-4, {"describe": (0.08, 16), "caption": (0.12, 32), "extract": (0.25, 32),
                                  "judge": (0.55, 32)}),
    "sharpen": (900, 5e-5, 6e-4, {"describe": (0.15, 16), "caption": (0.18, 32), "extract": (0.12, 32),
                                  "judge": (0.55, 32)}),
    "loosen": (600, 2e-5, 4e-4, {"describe": (0.4, 16), "caption": (0.25, 32), "extract": (0.15, 32),
                                 "judge": (0.2, 32)}),
}  # fmt: skip
POOL = "generalist"  # no clip and no speaker of this pool appears in the corpus
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>", "<video>")
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for content in message['content'] %}{% if content['type'] == 'image' %}{{ '<IMG_CONTEXT>\n' }}"
    "{% elif content['type'] == 'video' %}{{ '<video>\n' }}"
    "{% elif content['type'] == 'text' %}{{ content['text'] }}{% endif %}{% endfor %}{% endif %}"
    "{{ '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def tokenizer() -> Qwen2Tokenizer:
    """A byte-level BPE with InternVL's special tokens."""
    vocab, merges = byte_pairs(SPECIAL)
    return Qwen2Tokenizer(
        vocab=vocab,
        merges=merges,
        extra_special_tokens={
            "start_image_token": "<img>", "end_image_token": "</img>",
            "context_image_token": "<IMG_CONTEXT>", "video_token": "<video>", "start_turn_token": "<|im_start|>",
        },
        eos_token="<|im_end|>", pad_token="<|endoftext|>", bos_token=None, unk_token=None,
        model_max_length=8192,
    )  # fmt: skip


def processor() -> InternVLProcessor:
    """InternVL's processor over the tokenizer; one tile an image, so that six frames stay 96 tokens."""
    size = {"height": IMAGE_SIZE, "width": IMAGE_SIZE}
    return InternVLProcessor(
        image_processor=GotOcr2ImageProcessor(size=size, crop_to_patches=True, min_patches=1, max_patches=1),
        tokenizer=tokenizer(),
        video_processor=InternVLVideoProcessor(size=size),
        image_seq_length=IMAGE_TOKENS,
        chat_template=CHAT_TEMPLATE,
    )


def _sines(width: int) -> np.ndarray:
    """Two-dimensional sine position embeddings of the 8 x 8 patches: float32 [64, width], amplitude 0.5."""
    side = IMAGE_SIZE // PATCH
    rows, columns = np.divmod(np.arange(side * side), side)
    frequency = 1 / 30 ** (np.arange(width // 4) / (width // 4))
    angles = [np.outer(axis, frequency) for axis in (rows, columns)]
    return 0.5 * np.concatenate([f(a) for a in angles for f in (np.sin, np.cos)], axis=1).astype(np.float32)


def model(asked: InternVLProcessor) -> InternVLForConditionalGeneration:
    """InternVL with random weights: vision 192 wide x 4 layers, language 256 wide x 4 layers, about 5 M parameters."""
    token = asked.tokenizer.convert_tokens_to_ids
    config = InternVLConfig(
        vision_config={
            "hidden_size": 192, "num_hidden_layers": 4, "num_attention_heads": 6, "intermediate_size": 640,
            "image_size": (IMAGE_SIZE, IMAGE_SIZE), "patch_size": (PATCH, PATCH), "layer_scale_init_value": 1.0,
        },
        text_config={
            "model_type": "qwen2", "vocab_size": SIZE, "hidden_size": 256, "num_hidden_layers": 4,
            "num_attention_heads": 8, "num_key_value_heads": 4, "intermediate_size": 640,
            "max_position_embeddings": 8192, "tie_word_embeddings": True,
            "bos_token_id": None, "eos_token_id": token("<|im_end|>"), "pad_token_id": token("<|endoftext|>"),
        },
        image_token_id=token("<IMG_CONTEXT>"),
        image_seq_length=IMAGE_TOKENS,
        downsample_ratio=0.5,
        tie_word_embeddings=True,
    )  # fmt: skip
    built = InternVLForConditionalGeneration(config)
    # transformers starts these at zero, where every patch looks alike to attention but for its colours
    built.model.vision_tower.embeddings.position_embeddings.data[0, 1:] = torch.from_numpy(_sines(192))
    built.generation_config.eos_token_id = token("<|im_end|>")
    built.generation_config.pad_token_id = token("<|endoftext|>")
    return built


def turn(prompt: str, images: int) -> str:
    """A question as the model reads it, up to where the answer begins."""
    image = f"<img>{'<IMG_CONTEXT>' * IMAGE_TOKENS}</img>\n"
    return f"<|im_start|>user\n{image * images}{prompt}<|im_end|>\n<|im_start|>assistant\n"


def pixels(asked: InternVLProcessor, images: list[np.ndarray]) -> dict[str, torch.Tensor]:
    """What the model takes of images."""
    seen = asked.image_processor(images=images, crop_to_patches=False, return_tensors="pt")
    return {"pixel_values": seen.pixel_values}


def tower(built: InternVLForConditionalGeneration) -> torch.nn.Module:
    """The vision tower."""
    return built.model.vision_tower


def patches(built: InternVLForConditionalGeneration, seen: dict[str, torch.Tensor]) -> torch.Tensor:
    """What the vision tower gives: [images, PATCHES, WIDTH]."""
    return tower(built)(**seen).last_hidden_state[:, 1:]
