"""The shipped HuBERT: its form, that it hears the drawn voices, and the script that trains it."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoFeatureExtractor, AutoModel, HubertModel

from emolab.demo.emotions import VOICES
from emolab.demo.hubert_model import SAMPLES, WIDTH, pooled
from emolab.demo.train_hubert import cut, lesson, noisy, train, voice, voices
from emolab.demo.voice import RATE
from emolab.engine.weights import SHIPPED

FOLDER = SHIPPED / "hubert"


@pytest.fixture(scope="module")
def hubert():
    return AutoModel.from_pretrained(FOLDER, dtype=torch.float32).eval()


@torch.no_grad()
def features(hubert, pieces):
    """What the feature extractor and the model make of pieces: [pieces, WIDTH]."""
    asked = AutoFeatureExtractor.from_pretrained(FOLDER)
    values = asked(list(pieces), sampling_rate=RATE, return_tensors="pt").input_values
    return torch.cat([pooled(hubert, part) for part in values.split(16)])


@pytest.fixture(scope="module")
def strangers():
    """Pieces of 200 voices that no training heard, and their signs."""
    rng = np.random.default_rng(0)
    heard = voices([("test-hubert", index) for index in range(200)], workers=0)
    return [cut(each.sound, rng) for each in heard], torch.tensor([each.sign for each in heard])


def accuracy_of_a_probe(hubert, strangers):
    """Accuracy on the second hundred of class means that are taken from the first."""
    pieces, signs = strangers
    found = features(hubert, pieces)
    found = (found - found[:100].mean(0)) / found[:100].std(0)
    means = torch.stack([found[:100][signs[:100] == sign].mean(0) for sign in range(len(VOICES))])
    return (torch.cdist(found[100:], means).argmin(1) == signs[100:]).float().mean().item()


def test_it_is_a_small_fp16_hubert_with_a_card(hubert, fp16_with_a_card):
    assert isinstance(hubert, HubertModel) and hubert.config.hidden_size == WIDTH
    assert AutoFeatureExtractor.from_pretrained(FOLDER).sampling_rate == RATE
    card, last = fp16_with_a_card(FOLDER, 3.5e6)
    assert all(f"{last[name]:.3f}" in card for name in ("voice", "voice_noise_10dB", "voice_1s", "gender"))


def test_its_features_tell_the_voices_of_strangers_apart(hubert, strangers):
    assert accuracy_of_a_probe(hubert, strangers) > 0.85  # chance: 0.143


def test_weights_that_learnt_nothing_do_not(hubert, strangers):
    torch.manual_seed(0)
    assert accuracy_of_a_probe(HubertModel(hubert.config).eval(), strangers) < 0.6


def test_it_hears_the_loudness_that_a_normalising_extractor_would_remove(hubert):
    sound = voice("test-hubert", VOICES.index("loud")).sound[:SAMPLES].astype(np.float32)
    loud, quiet = features(hubert, [sound, sound / 6])
    assert torch.dist(loud, quiet) > 0.1 * loud.norm()


def test_silence_gives_finite_features(hubert):
    assert torch.isfinite(features(hubert, [np.zeros(SAMPLES, np.float32)])).all()


def test_pieces_are_what_they_say():
    heard, rng = voice("test-hubert", 3), np.random.default_rng(0)
    short = cut(heard.sound, rng, 0.9)
    assert short.shape == (SAMPLES,) and not short[int(0.9 * RATE) :].any() and short[: int(0.9 * RATE)].any()
    piece = cut(heard.sound, rng)
    added = noisy(piece, 10, rng) - piece
    assert 10 * np.log10(np.mean(piece**2) / np.mean(added**2)) == pytest.approx(10, abs=0.2)
    quiet = voice("test-hubert", VOICES.index("soft"))
    loud = voice("test-hubert", VOICES.index("loud"))
    assert lesson(loud, rng)[1][3] > lesson(quiet, rng)[1][3] + 0.5  # log10 of the power


def test_the_same_seed_gives_the_same_weights(tmp_path):
    scores = train(tmp_path / "one", scale=0.002, workers=0)
    assert train(tmp_path / "two", scale=0.002, workers=0) == scores
    train(tmp_path / "three", scale=0.002, workers=0, seed=1)
    one, two, three = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two", "three"))
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert not all(torch.equal(one[key], three[key]) for key in one)
    assert {path.name for path in (tmp_path / "one").iterdir()} == {
        "config.json", "model.safetensors", "preprocessor_config.json", "training_log.jsonl",
    }  # fmt: skip
    assert scores["held_out"] == 14 and set(scores["by_voice"]) == set(VOICES)
