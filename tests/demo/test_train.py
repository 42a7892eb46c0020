"""The training script on a handful of steps: every phase runs, what it leaves is a checkpoint, and it can go on."""

import json

import pytest
import torch
from safetensors import safe_open

from emolab.captions.similarity import read_score
from emolab.demo.lessons import TASKS
from emolab.demo.train import FAMILIES, Batches, train


@pytest.mark.parametrize("name", FAMILIES)
def test_a_few_steps_leave_a_checkpoint_from_which_training_goes_on(tmp_path, monkeypatch, name):
    family = FAMILIES[name]
    small = {
        phase: (2, *rest[:2], {t: (share, 2) for t, (share, _) in rest[2].items()})
        for phase, (_, *rest) in family.PHASES.items()
    }
    monkeypatch.setattr(family, "PHASES", small)
    log = train(name, tmp_path, workers=0)
    assert [row["phase"] for row in log] == list(small)
    with safe_open(tmp_path / "model.safetensors", framework="pt") as tensors:
        names = set(tensors.keys())
        assert {tensors.get_slice(each).get_dtype() for each in names} == {"F16"}
    assert not any("lm_head" in each for each in names)  # tied, stored once
    again = train(name, tmp_path, workers=0, start_at=list(small)[-1])
    assert len(again) == len(log) + 1 and again[: len(log)] == log
    assert [json.loads(line) for line in (tmp_path / "training_log.jsonl").read_text().splitlines()] == again


def test_lessons_use_the_pipelines_prompts_and_answer_in_their_form():
    for name, make in TASKS.items():
        for index in range(20):
            lesson = make("test", index)
            assert len(lesson.images) == (6 if name == "describe" else name.startswith("caption"))
            assert make("test", index).answer == lesson.answer
            if name == "judge":
                assert read_score(lesson.answer) == float(lesson.answer.split()[-1])
            elif name in ("describe", "extract"):
                assert lesson.answer.endswith("]")


def test_the_captioners_grow_up_with_different_emotions():
    from emolab.demo.emotions import EMOTIONS, WORD_TO_FAMILY

    def first_named(task):
        answers = [TASKS[task]("test", i).answer for i in range(150)]
        words = [answer.split("seems ")[1].split()[0].rstrip(".,") for answer in answers]
        return [list(EMOTIONS).index(WORD_TO_FAMILY[word]) % 2 for word in words]

    first, second = first_named("caption_first"), first_named("caption_second")
    assert sum(first) / len(first) > 0.6 and sum(second) / len(second) < 0.4


@pytest.mark.parametrize(("name", "phase"), [("internvl", "pipeline"), ("qwen3_vl", "caption"), ("glm4v", "caption")])
def test_only_answers_are_learnt(name, phase):
    family = FAMILIES[name]
    batch = next(iter(Batches(family, phase, family.processor(), 1)))
    learnt = batch["labels"] != -100
    assert torch.equal(batch["labels"][learnt], batch["input_ids"][learnt])
    assert not (learnt & (batch["attention_mask"] == 0)).any()
    assert (learnt.sum(1) < batch["attention_mask"].sum(1)).all() and learnt.any(1).all()


@pytest.mark.parametrize("name", ["internvl", "qwen3_vl", "glm4v"])
def test_the_model_is_taught_in_the_form_in_which_ms_swift_asks(name):
    from PIL import Image
    from swift.infer_engine import InferRequest

    from emolab.engine.chat import ChatModel
    from emolab.engine.settings import ModelSettings

    family, lesson = FAMILIES[name], TASKS["caption"]("test", 1)
    template = "glm4v" if name == "glm4v" else None
    model = ChatModel(ModelSettings(path=f"shipped:{name}", model_type=name, template=template, device="cpu"))
    model.load()
    message = {"role": "user", "content": "<image>" + lesson.prompt}
    asked = model._engine.template.encode(
        vars(InferRequest(messages=[message], images=[Image.fromarray(lesson.images[0])]))
    )
    tokenizer = model._engine.processor.tokenizer
    assert list(asked["input_ids"]) == tokenizer(family.turn(lesson.prompt, 1)).input_ids
    seen = family.pixels(model._engine.processor, lesson.images)["pixel_values"]
    assert torch.equal(asked["pixel_values"].reshape(seen.shape), seen)
