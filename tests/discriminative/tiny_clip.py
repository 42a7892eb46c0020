"""A real CLIP at tiny dimensions, with its tokenizer and image processor."""

import string

import torch
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

SIDE = 32


def tokenizer() -> CLIPTokenizer:
    """A letter is a token; the end has the highest id, as in OpenAI's vocabulary."""
    letters = [letter + end for end in ("", "</w>") for letter in string.ascii_lowercase + "."]
    vocab = {token: number for number, token in enumerate([*letters, "<|startoftext|>", "<|endoftext|>"])}
    return CLIPTokenizer(vocab=vocab, merges=[])


def clip(seed: int = 0) -> CLIPModel:
    asked = tokenizer()
    torch.manual_seed(seed)
    small = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
    ids = {f"{name}_token_id": getattr(asked, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    text = {"vocab_size": len(asked), "hidden_size": 12, **small, **ids}
    vision = {"hidden_size": 16, "image_size": SIDE, "patch_size": 16, **small}
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=10)).eval()


def image_processor() -> CLIPImageProcessor:
    return CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})


def save(folder, seed: int = 0) -> str:
    for part in (clip(seed), tokenizer(), image_processor()):
        part.save_pretrained(folder)
    return str(folder)
