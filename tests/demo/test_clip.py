"""The shipped CLIP: its form, what it sees in drawn strangers, and the script that trains it."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoImageProcessor, AutoTokenizer, CLIPModel

from emolab.demo.clip_model import SIDE, WIDTH, caption
from emolab.demo.emotions import EMOTIONS
from emolab.demo.scenario import stable_rng
from emolab.demo.train_clip import picture, pixel_values, train
from emolab.engine.weights import SHIPPED

FOLDER = SHIPPED / "clip"


@pytest.fixture(scope="module")
def clip():
    return CLIPModel.from_pretrained(FOLDER, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def strangers():
    """64 frames of people that no training drew."""
    return [picture("test-clip", index) for index in range(64)]


@torch.no_grad()
def found_captions(clip, strangers):
    """How often a frame finds its own caption among 64, and a caption its frame."""
    rng = stable_rng("test-clip", "captions")
    said = [caption(each.scenario, rng) for each in strangers]
    told = AutoTokenizer.from_pretrained(FOLDER)(said, padding=True, return_tensors="pt")
    scores = clip(pixel_values=pixel_values(strangers), **told).logits_per_image
    right = torch.arange(64)
    return [(scores.argmax(way) == right).float().mean().item() for way in (1, 0)]


def test_it_is_a_small_fp16_clip_with_a_card(clip, fp16_with_a_card):
    assert clip.config.projection_dim == WIDTH and clip.config.vision_config.image_size == SIDE
    card, last = fp16_with_a_card(FOLDER, 3.5e6)
    assert all(f"{last[name]:.3f}" in card for name in ("captions_of_64", "face", "posture", "scene"))


def test_frames_of_strangers_find_their_captions(clip, strangers):
    assert min(found_captions(clip, strangers)) > 0.2  # chance: 0.016


def test_weights_that_learnt_nothing_do_not(clip, strangers):
    torch.manual_seed(0)
    assert max(found_captions(CLIPModel(clip.config).eval(), strangers)) < 0.1


def test_pixels_are_the_image_processors(strangers):
    asked = AutoImageProcessor.from_pretrained(FOLDER)
    images = [np.moveaxis(each.pixels, 0, -1) for each in strangers[:3]]
    assert torch.allclose(asked(images, return_tensors="pt").pixel_values, pixel_values(strangers[:3]), atol=1e-5)


def test_every_emotion_word_can_be_written(clip):
    asked = AutoTokenizer.from_pretrained(FOLDER)
    for emotion in EMOTIONS.values():
        for word in emotion.words:
            ids = asked(word, add_special_tokens=False).input_ids
            assert asked.decode(ids) == word and max(ids) < clip.config.text_config.vocab_size


def test_training_writes_a_whole_checkpoint_and_the_same_twice(tmp_path):
    first, second = (train(tmp_path / name, scale=0.001, workers=0, seed=3) for name in ("a", "b"))
    assert first == second and first["held_out"] == 128
    weights = [load_file(tmp_path / name / "model.safetensors") for name in ("a", "b")]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    log = [json.loads(line) for line in (tmp_path / "a" / "training_log.jsonl").read_text().splitlines()]
    assert [row.get("phase") for row in log] == ["see", "contrast", None]
    assert CLIPModel.from_pretrained(tmp_path / "a").config.projection_dim == WIDTH
