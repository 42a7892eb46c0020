"""The first small captioner: Qwen3-VL's configuration, tokenizer, processor and chat form at tiny dimensions."""

from __future__ import annotations

import numpy as np
import torch
from transformers import (
    Qwen2Tokenizer,
    Qwen2VLImageProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)

from emolab.demo.vocabulary import SIZE, byte_pairs

CLASS = Qwen3VLForConditionalGeneration
END = "<|im_end|>"  # of an answer
IMAGE = "<|image_pad|>"  # token that stands for a piece of an image
IMAGE_SIZE, PATCH, IMAGE_TOKENS = 224, 28, 16  # 8 x 8 patches, merged 2 x 2 -> 16 tokens an image
PATCHES, WIDTH = 64, 160  # what the vision tower gives of an image
# phase: (steps, learning rate of vision, of language, {task: (share of steps, batch size)})
PHASES = {
    "see": (1800, 8e-4, 0.0, {"signs": (1.0, 32)}),
    "caption": (800, 3e-4, 1e-3, {"caption_first": (1.0, 32)}),
}
POOL = "captioner-first"  # no clip and no speaker of this pool appears in the corpus
SPECIAL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
    "<|video_pad|>",
)  # fmt: skip
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for content in message['content'] %}"
    "{% if content['type'] == 'image' %}{{ '<|vision_start|><|image_pad|><|vision_end|>' }}"
    "{% elif content['type'] == 'text' %}{{ content['text'] }}{% endif %}{% endfor %}{% endif %}"
    "{{ '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def processor() -> Qwen3VLProcessor:
    """Qwen3-VL's processor; drawn images of 224 x 224 become 16 tokens."""
    vocab, merges = byte_pairs(SPECIAL)
    tokenizer = Qwen2Tokenizer(
        vocab=vocab, merges=merges, extra_special_tokens=list(SPECIAL[3:]),
        eos_token=END, pad_token="<|endoftext|>", bos_token=None, unk_token=None, model_max_length=8192,
    )  # fmt: skip
    pixels_of = {"shortest_edge": IMAGE_SIZE**2, "longest_edge": IMAGE_SIZE**2}
    patch = {"patch_size": PATCH, "temporal_patch_size": 2, "merge_size": 2, "image_mean": [0.5] * 3}
    return Qwen3VLProcessor(
        image_processor=Qwen2VLImageProcessor(size=pixels_of, image_std=[0.5] * 3, **patch),
        tokenizer=tokenizer,
        video_processor=Qwen3VLVideoProcessor(size=pixels_of, image_std=[0.5] * 3, **patch),
        chat_template=CHAT_TEMPLATE,
    )


def model(asked: Qwen3VLProcessor) -> Qwen3VLForConditionalGeneration:
    """Qwen3-VL with random weights: vision 160 wide x 4 layers (DeepStack after the second), language 192 x 4."""
    token = asked.tokenizer.convert_tokens_to_ids
    config = Qwen3VLConfig(
        vision_config={
            "depth": 4, "hidden_size": WIDTH, "num_heads": 5, "intermediate_size": 480, "patch_size": PATCH,
            "spatial_merge_size": 2, "temporal_patch_size": 2, "out_hidden_size": 192,
            "num_position_embeddings": PATCHES, "deepstack_visual_indexes": [1],
        },
        text_config={
            "vocab_size": SIZE, "hidden_size": 192, "num_hidden_layers": 4, "num_attention_heads": 6,
            "num_key_value_heads": 3, "head_dim": 32, "intermediate_size": 512, "max_position_embeddings": 8192,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e5, "mrope_section": [6, 5, 5],
                                "mrope_interleaved": True},
            "pad_token_id": token("<|endoftext|>"), "tie_word_embeddings": True,
        },
        image_token_id=token("<|image_pad|>"), video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"), vision_end_token_id=token("<|vision_end|>"),
        tie_word_embeddings=True,
    )  # fmt: skip
    built = Qwen3VLForConditionalGeneration(config)
    built.generation_config.eos_token_id = token(END)
    built.generation_config.pad_token_id = token("<|endoftext|>")
    return built


def turn(prompt: str, images: int) -> str:
    """A question as the model reads it, up to where the answer begins."""
    image = f"<|vision_start|>{'<|image_pad|>' * IMAGE_TOKENS}<|vision_end|>"
    return f"<|im_start|>user\n{image * images}{prompt}<|im_end|>\n<|im_start|>assistant\n"


def pixels(asked: Qwen3VLProcessor, images: list[np.ndarray]) -> dict[str, torch.Tensor]:
    """What the model takes of images."""
    seen = asked.image_processor(images=images, return_tensors="pt")
    return {"pixel_values": seen.pixel_values, "image_grid_thw": seen.image_grid_thw}


def tower(built: Qwen3VLForConditionalGeneration) -> torch.nn.Module:
    """The vision tower."""
    return built.model.visual


def patches(built: Qwen3VLForConditionalGeneration, seen: dict[str, torch.Tensor]) -> torch.Tensor:
    """What the vision tower gives: [images, PATCHES, WIDTH], in the order of the 2 x 2 blocks."""
    given = tower(built)(seen["pixel_values"], grid_thw=seen["image_grid_thw"])
    return given.last_hidden_state.view(-1, PATCHES, WIDTH)
