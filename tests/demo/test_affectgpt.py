"""The shipped AffectGPT: it sees, hears and reads what is drawn; and the script that trains it."""

import json

import pytest
import torch
from safetensors import safe_open
from transformers import AutoTokenizer

from emolab.affectgpt.settings import MODALITIES, AffectSettings
from emolab.demo.affectgpt_lessons import tell
from emolab.demo.card_affectgpt import measure
from emolab.demo.scenario import scenario, stable_rng
from emolab.demo.texts import VOICE
from emolab.demo.train_affectgpt import train
from emolab.engine.weights import SHIPPED


@pytest.mark.parametrize(("name", "limit"), [("llama", 3e6), ("affectgpt", 4e6)])
def test_its_parts_are_small_fp16_weights_with_a_card(name, limit):
    folder = SHIPPED / name
    with safe_open(folder / "model.safetensors", framework="pt") as tensors:
        slices = [tensors.get_slice(key) for key in tensors.keys()]  # noqa: SIM118
        assert {part.get_dtype() for part in slices} == {"F16"}
    assert (folder / "model.safetensors").stat().st_size < limit
    assert "Rebuild" in (folder / "README.md").read_text()


def test_its_vocabulary_reads_any_text_back():
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED / "llama")
    for text in ("He feels happy and proud.###", "你好，世界 🙂", "ça  va\n\tbien"):
        assert tokenizer.decode(tokenizer(text).input_ids, clean_up_tokenization_spaces=False) == text


@pytest.fixture(scope="module")
def scores():
    settings = AffectSettings(device="cpu", temperature=0.0, max_new_tokens=64)
    return {row["given"]: row for row in measure(settings, 24)}


def test_it_sees_hears_and_reads(scores):
    whole = scores[MODALITIES]
    assert whole["scene"] > 0.7 and whole["voice"] > 0.6 and whole["words"] > 0.5
    assert whole["face"] > 0.3 and whole["posture"] > 0.3  # of ten each
    assert scores["audio",]["voice"] > 0.6 and scores["video",]["scene"] > 0.7


def test_it_tells_of_nothing_that_is_not_given(scores):
    assert "voice" not in scores["video",]["example"] and "words" not in scores["audio", "video"]["example"]


def test_a_lesson_tells_of_what_is_given_alone():
    for index in range(20):
        s = scenario("test", index)
        told = tell(s, stable_rng("test", index), ["audio"])
        assert any(f"voice is {word}." in told for word in VOICE[s.voice]) and "words" not in told


def test_the_script_gives_the_same_parts_for_the_same_seed(tmp_path):
    torch.set_num_threads(1)
    weights = []
    for name in ("first", "second"):
        log = train(tmp_path / name, count=8, scale=0.0001, workers=0)
        assert [row["phase"] for row in log] == ["align", "tell", "prune"]
        weights.append((tmp_path / name / "affectgpt" / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]
    config = json.loads((tmp_path / "first" / "affectgpt" / "config.json").read_text())
    assert config["model_type"] == "affectgpt"
