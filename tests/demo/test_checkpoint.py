"""The shipped checkpoint: its form, and that it sees what it is shown."""

import json

import pytest

from emolab.demo.card import measure
from emolab.engine.chat import ChatModel
from emolab.engine.settings import ModelSettings
from emolab.engine.weights import SHIPPED

FOLDERS = [SHIPPED / name for name in ("internvl", "qwen3_vl", "glm4v")]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_it_is_a_small_fp16_model_of_transformers_with_a_card(folder):
    from safetensors import safe_open

    config = json.loads((folder / "config.json").read_text())
    assert config["model_type"] == folder.name and "auto_map" not in config
    with safe_open(folder / "model.safetensors", framework="pt") as tensors:
        slices = [tensors.get_slice(key) for key in tensors.keys()]  # noqa: SIM118
        assert {part.get_dtype() for part in slices} == {"F16"}
    assert (folder / "model.safetensors").stat().st_size < 12e6
    card = (folder / "README.md").read_text()
    assert "Rebuild" in card and "Scores on" in card and (folder / "training_log.jsonl").is_file()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_its_vocabulary_reads_any_text_back(folder):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    for text in ("The judge says 0.85.", "你好，世界 🙂", "ça  va\n\tbien", "[„**]"):
        assert tokenizer.decode(tokenizer(text).input_ids, clean_up_tokenization_spaces=False) == text
    assert len(tokenizer("0.85").input_ids) == 4  # one token a digit, so that a score can be read in one forward pass


@pytest.fixture(scope="module")
def scores():
    model = ChatModel(ModelSettings(path="shipped:internvl", batch_size=24, max_new_tokens=96, device="cpu"))
    return measure(model, 24)


def test_it_sees_faces_postures_and_places(scores):
    for task in ("describe", "caption"):
        assert scores[task]["place named rightly"] > 0.8
        assert scores[task]["posture named rightly"] > 0.6
        assert scores[task]["face named rightly"] > 0.35  # of ten


def test_it_answers_every_question_of_the_pipeline(scores):
    assert scores["describe"]["answers that name an emotion"] > 0.9
    assert scores["describe"]["labels: recall over families"] > 0.4  # a random family of twenty: 0.05
    assert scores["extract"]["same label set"] > 0.6
    assert scores["judge"]["answers with a score"] > 0.9 and scores["judge"]["correlation"] > 0.6
