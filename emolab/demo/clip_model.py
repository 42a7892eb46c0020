"""The small CLIP: real configuration, tokenizer and image processor at tiny dimensions, and what its captions say."""

from __future__ import annotations

import json

import numpy as np
import torch
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

from emolab.demo.emotions import EMOTIONS
from emolab.demo.scenario import Scenario, scenario, stable_rng
from emolab.demo.texts import FACE, POSTURE, SCENE

SIDE, PATCH, PATCHES, WIDTH = 112, 16, 49, 128
SIZE = 512  # entries of the vocabulary
POOL = "clip"  # no clip and no speaker of this pool appears in the corpus


def caption(s: Scenario, rng: np.random.Generator) -> str:
    """What the web would write below a picture: who, mostly where, often posture and face, and now and then what is
    felt. So the features tell of much besides the emotion: what prompts for emotion have left to add."""
    he = "he" if s.person.gender == "man" else "she"
    said = [f"a photo of a {s.person.gender}"]
    if rng.random() < 0.7:
        said.append(SCENE[s.scene])
    if rng.random() < 0.3:
        said.append(f"with {'glasses' if s.person.glasses else f'{s.person.hair_style} hair'}")
    if rng.random() < 0.5:
        said.append(f", {he} {rng.choice(POSTURE[s.posture])}")
    if rng.random() < 0.6:
        said.append(f", {he} {rng.choice(FACE[s.face])}")
    shown = {s.shown_by[channel] for channel in ("face", "posture", "scene")} - {None}
    if shown and rng.random() < 0.35:
        family = next(each for each in s.families if each in shown)
        said.append(f", {he} seems {rng.choice(EMOTIONS[family].words)}")
    return " ".join(said).replace(" ,", ",")


def tokenizer(texts: int = 6000) -> CLIPTokenizer:
    """CLIP's tokenizer (lower case, end-of-word marks) trained on captions; every emotion word occurs."""
    words = " ".join(word for emotion in EMOTIONS.values() for word in emotion.words)
    lines = [caption(scenario("tokenizer", i), stable_rng("clip", "tokenizer", i)) for i in range(texts)]
    trained = CLIPTokenizer().train_new_from_iterator([*lines, *[f"{words} neutral"] * 50], SIZE, show_progress=False)
    state = json.loads(trained.backend_tokenizer.to_str())["model"]
    merges = [tuple(pair) for pair in state["merges"]]
    special = [trained.bos_token, trained.eos_token]
    tokens = [*special, *sorted(state["vocab"].keys() - set(special))]  # the trainer's own order changes between runs
    vocab = {token: number for number, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=77)


def image_processor() -> CLIPImageProcessor:
    """CLIP's image processor for pictures of 112 pixels."""
    return CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})


def model(asked: CLIPTokenizer) -> CLIPModel:
    """CLIPModel with random weights: vision 128 wide × 4 layers, text 96 wide × 3 layers, about 1.4 M parameters."""
    config = CLIPConfig(
        text_config={
            "vocab_size": len(asked), "hidden_size": 96, "intermediate_size": 288, "num_hidden_layers": 3,
            "num_attention_heads": 4, "bos_token_id": asked.bos_token_id, "eos_token_id": asked.eos_token_id,
            "pad_token_id": asked.pad_token_id,
        },
        vision_config={
            "hidden_size": WIDTH, "intermediate_size": 384, "num_hidden_layers": 4, "num_attention_heads": 4,
            "image_size": SIDE, "patch_size": PATCH,
        },
        projection_dim=WIDTH,
    )  # fmt: skip
    return CLIPModel(config)


def patches(built: CLIPModel, pixel_values: torch.Tensor) -> torch.Tensor:
    """What the vision tower gives of the patches: [images, PATCHES, WIDTH]."""
    return built.vision_model(pixel_values=pixel_values).last_hidden_state[:, 1:]
