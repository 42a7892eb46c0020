"""The second small captioner: GLM-4.1V's configuration, tokenizer, processor and chat form at tiny dimensions."""

from __future__ import annotations

import numpy as np
import torch
from transformers import Glm4vConfig, Glm4vForConditionalGeneration, Glm4vImageProcessor, Glm4vProcessor, Qwen2Tokenizer
from transformers.models.glm4v.video_processing_glm4v import Glm4vVideoProcessor

from emolab.demo.vocabulary import SIZE, byte_pairs

CLASS = Glm4vForConditionalGeneration
END = "<|user|>"  # GLM ends an answer by giving the word back
IMAGE = "<|image|>"  # token that stands for a piece of an image
IMAGE_SIZE, PATCH, IMAGE_TOKENS = 112, 14, 16  # 8 x 8 patches, merged 2 x 2 -> 16 tokens an image
PATCHES, WIDTH = 16, 192  # what the vision tower gives of an image
# phase: (steps, learning rate of vision, of language, {task: (share of steps, batch size)})
PHASES = {
    "see": (2000, 8e-4, 0.0, {"signs": (1.0, 32)}),
    "caption": (1600, 3e-4, 1e-3, {"caption_second": (1.0, 32)}),
}
POOL = "captioner-second"  # no clip and no speaker of this pool appears in the corpus
SPECIAL = (
    "<|endoftext|>", "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>",
    "<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_video|>", "<|end_of_video|>", "<|image|>", "<|video|>",
)  # fmt: skip
CHAT_TEMPLATE = (
    "[gMASK]<sop>{% for message in messages %}{{ '<|' + message['role'] + '|>\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for content in message['content'] %}"
    "{% if content['type'] == 'image' %}{{ '<|begin_of_image|><|image|><|end_of_image|>' }}"
    "{% elif content['type'] == 'text' %}{{ content['text'] }}{% endif %}{% endfor %}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)


def processor() -> Glm4vProcessor:
    """GLM-4.1V's processor; square images become 112 x 112 and 16 tokens."""
    vocab, merges = byte_pairs(SPECIAL)
    tokenizer = Qwen2Tokenizer(
        vocab=vocab, merges=merges, extra_special_tokens=list(SPECIAL[1:]),
        eos_token="<|endoftext|>", pad_token="<|endoftext|>", bos_token=None, unk_token=None, model_max_length=8192,
    )  # fmt: skip
    pixels_of = {"shortest_edge": 2 * IMAGE_SIZE**2, "longest_edge": 2 * IMAGE_SIZE**2}  # counted over two frames
    patch = {"patch_size": PATCH, "temporal_patch_size": 2, "merge_size": 2}
    return Glm4vProcessor(
        image_processor=Glm4vImageProcessor(size=pixels_of, **patch),
        tokenizer=tokenizer,
        video_processor=Glm4vVideoProcessor(size=pixels_of, **patch),
        chat_template=CHAT_TEMPLATE,
    )


def model(asked: Glm4vProcessor) -> Glm4vForConditionalGeneration:
    """GLM-4.1V with random weights: vision 160 wide x 4 layers, language 192 wide x 4 layers."""
    token = asked.tokenizer.convert_tokens_to_ids
    config = Glm4vConfig(
        vision_config={
            "depth": 4, "hidden_size": 160, "num_heads": 5, "intermediate_size": 384, "image_size": IMAGE_SIZE,
            "patch_size": PATCH, "spatial_merge_size": 2, "temporal_patch_size": 2, "out_hidden_size": WIDTH,
        },
        text_config={
            "vocab_size": SIZE, "hidden_size": 192, "num_hidden_layers": 4, "num_attention_heads": 6,
            "num_key_value_heads": 3, "intermediate_size": 512, "max_position_embeddings": 8192,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 3, 3],
                                "partial_rotary_factor": 0.5},
            "pad_token_id": token("<|endoftext|>"), "eos_token_id": token(END), "tie_word_embeddings": True,
        },
        image_token_id=token("<|image|>"), video_token_id=token("<|video|>"),
        image_start_token_id=token("<|begin_of_image|>"), image_end_token_id=token("<|end_of_image|>"),
        video_start_token_id=token("<|begin_of_video|>"), video_end_token_id=token("<|end_of_video|>"),
        tie_word_embeddings=True,
    )  # fmt: skip
    built = Glm4vForConditionalGeneration(config)
    built.generation_config.eos_token_id = [token(END), token("<|endoftext|>")]
    built.generation_config.pad_token_id = token("<|endoftext|>")
    return built


def turn(prompt: str, images: int) -> str:
    """A question as the model reads it, up to where the answer begins."""
    image = f"<|begin_of_image|>{'<|image|>' * IMAGE_TOKENS}<|end_of_image|>"
    return f"[gMASK]<sop><|user|>\n{image * images}{prompt}<|assistant|>\n"


def pixels(asked: Glm4vProcessor, images: list[np.ndarray]) -> dict[str, torch.Tensor]:
    """What the model takes of images."""
    seen = asked.image_processor(images=images, return_tensors="pt")
    return {"pixel_values": seen.pixel_values, "image_grid_thw": seen.image_grid_thw}


def tower(built: Glm4vForConditionalGeneration) -> torch.nn.Module:
    """The vision tower."""
    return built.model.visual


def patches(built: Glm4vForConditionalGeneration, seen: dict[str, torch.Tensor]) -> torch.Tensor:
    """What the vision tower gives: [images, PATCHES, WIDTH], in the order of the 2 x 2 blocks, each one patch."""
    given = tower(built)(seen["pixel_values"], grid_thw=seen["image_grid_thw"])
    return given.last_hidden_state.view(-1, PATCHES, WIDTH)
