"""InternVL3.5 in its real shapes with random weights, and what a question costs it at least (the roofline).

The shapes are those of the checkpoints OpenGVLab/InternVL3_5-{8B,2B,1B}-HF: a vision tower InternViT-300M (24 layers of
1024, 448 pixels in patches of 14, 256 tokens an image after the pixel shuffle) and the language models Qwen3-8B, -1.7B
and -0.6B. Input and output words are not tied: InternVL's model card counts 0.8 and 2.0 billion weights of language in
the small ones. `tiny` runs the same code in seconds on a CPU.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emolab.engine.weights import SHIPPED

if TYPE_CHECKING:
    from transformers import InternVLConfig

QWEN3 = {"num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151_936}
SMALL = {**QWEN3, "num_hidden_layers": 28, "num_attention_heads": 16}
LANGUAGE = {
    "8B": {
        **QWEN3, "num_hidden_layers": 36, "num_attention_heads": 32, "hidden_size": 4096, "intermediate_size": 12_288
    },
    "2B": {**SMALL, "hidden_size": 2048, "intermediate_size": 6144},
    "1B": {**SMALL, "hidden_size": 1024, "intermediate_size": 3072},
    "tiny": {
        "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 2048, "num_hidden_layers": 2, "hidden_size": 64,
        "intermediate_size": 128, "num_attention_heads": 4,
    },
}  # fmt: skip
VISION = {"attention_bias": True}  # else transformers' defaults, which are InternViT-300M's
TINY_VISION = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
    "image_size": (56, 56),
}  # fmt: skip


def configuration(name: str) -> InternVLConfig:
    """The configuration of a key of LANGUAGE, with the token ids of the shipped vocabulary."""
    from transformers import AutoConfig, InternVLConfig

    shipped = AutoConfig.from_pretrained(SHIPPED / "internvl")
    vision = {**VISION, **(TINY_VISION if name == "tiny" else {})}
    special = {key: getattr(shipped.text_config, key) for key in ("eos_token_id", "pad_token_id", "bos_token_id")}
    language = {"model_type": "qwen3", "max_position_embeddings": 40_960, **LANGUAGE[name], **special}
    return InternVLConfig(
        vision_config=vision,
        text_config={**language, "rope_parameters": {"rope_type": "default", "rope_theta": 1e6}},
        image_token_id=shipped.image_token_id, image_seq_length=4 if name == "tiny" else 256, downsample_ratio=0.5,
        tie_word_embeddings=False,
    )  # fmt: skip


def write(name: str, folder: Path, device: str, dtype: str) -> None:
    """A checkpoint with random weights that never ends an answer, with the shipped words and as many without meaning as
    the vocabulary lacks."""
    import torch
    from transformers import InternVLForConditionalGeneration

    config = configuration(name)
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, dtype))
    try:
        with torch.device(device):
            model = InternVLForConditionalGeneration(config)
    finally:
        torch.set_default_dtype(before)
    tokenizer = json.loads((SHIPPED / "internvl" / "tokenizer.json").read_text("utf-8"))
    with torch.no_grad():  # logits of 0: another word is always likelier than the end
        model.lm_head.weight[[each["id"] for each in tokenizer["added_tokens"]]] = 0
    model.generation_config.eos_token_id = config.text_config.eos_token_id
    model.generation_config.pad_token_id = config.text_config.pad_token_id
    model.save_pretrained(folder)
    words = tokenizer["model"]["vocab"]
    words |= {f"Ġword{number}": number for number in range(len(words), config.text_config.vocab_size)}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    for file in ("tokenizer_config.json", "chat_template.jinja"):
        shutil.copy2(SHIPPED / "internvl" / file, folder / file)
    seen = json.loads((SHIPPED / "internvl" / "processor_config.json").read_text("utf-8"))
    seen["image_seq_length"] = config.image_seq_length
    for part in ("image_processor", "video_processor"):
        seen[part]["size"] = dict(zip(("height", "width"), config.vision_config.image_size, strict=True))
    (folder / "processor_config.json").write_text(json.dumps(seen), encoding="utf-8")


@dataclass(frozen=True)
class Roofline:
    """The least time of a batch on a device that does `flops` a second and moves `bytes` a second.

    Counted are two operations a weight and token (four times the width a pair of tokens in attention, half of the pairs
    where it is causal), and as bytes the weights once a step and the keys and values of every token before it. Left out
    are norms, activations and what the framework does: a share of 100 % cannot be reached.
    """

    flops: float
    bytes: float
    size: int  # bytes of a weight

    def seconds(self, config: InternVLConfig, batch: int, tokens: int, images: int, written: int) -> float:
        """Of `batch` questions of `tokens` each (those of `images` among them), each answered in `written` tokens."""
        c = config.text_config
        body, head = language_weights(config), c.hidden_size * c.vocab_size
        wide = c.num_attention_heads * head_width(config) * c.num_hidden_layers
        first = max(batch * reading_flops(config, tokens, images) / self.flops, self.size * (body + head) / self.bytes)
        kept = 2 * c.num_hidden_layers * c.num_key_value_heads * head_width(config) * (tokens + written / 2)
        moved = self.size * (body + head + batch * kept)
        done = batch * (2 * (body + head) + 4 * wide * (tokens + written / 2))
        return first + (written - 1) * max(moved / self.bytes, done / self.flops)


def head_width(config: InternVLConfig) -> int:
    """Of one head of attention in the language model; Qwen2's configuration does not say it."""
    c = config.text_config
    return getattr(c, "head_dim", None) or c.hidden_size // c.num_attention_heads


def language_weights(config: InternVLConfig) -> int:
    """Of the layers of the language model, without the words."""
    c = config.text_config
    attention = 2 * c.hidden_size * head_width(config) * (c.num_attention_heads + c.num_key_value_heads)
    return c.num_hidden_layers * (attention + 3 * c.hidden_size * c.intermediate_size)


def reading_flops(config: InternVLConfig, tokens: int, images: int) -> float:
    """Of a question of `tokens`, up to the first word of the answer; attention looks back only."""
    c = config.text_config
    attention = 2 * c.num_hidden_layers * c.num_attention_heads * head_width(config) * tokens**2
    words = 2 * language_weights(config) * tokens + 2 * c.hidden_size * c.vocab_size
    return words + attention + images * vision_flops(config)


def vision_flops(config: InternVLConfig) -> float:
    """Of one image, with the projection to the language model."""
    c, into = config.vision_config, config.text_config.hidden_size
    patches = (c.image_size[0] // c.patch_size[0]) * (c.image_size[1] // c.patch_size[1])
    layer = 4 * c.hidden_size**2 + 2 * c.hidden_size * c.intermediate_size
    tower = c.num_hidden_layers * (2 * layer * (patches + 1) + 4 * c.hidden_size * (patches + 1) ** 2)
    folded = int(c.hidden_size / config.downsample_ratio**2)
    projected = 2 * (folded * into + into**2) * config.image_seq_length
    return tower + 2 * 3 * c.patch_size[0] * c.patch_size[1] * c.hidden_size * patches + projected
