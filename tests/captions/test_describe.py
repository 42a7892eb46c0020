"""Captions of images: rows, errors, and what the shipped captioners see."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from emolab.captions.describe import describe
from emolab.demo.draw import Stage
from emolab.demo.scenario import scenario
from emolab.demo.texts import POSTURE, SCENE
from emolab.engine.chat import ChatModel
from emolab.engine.rows import RowFile
from emolab.engine.settings import ModelSettings

SHIPPED = {
    "first": ModelSettings("shipped:qwen3_vl", "qwen3_vl", batch_size=12, max_new_tokens=96, device="cpu"),
    "second": ModelSettings("shipped:glm4v", "glm4v", template="glm4v", batch_size=12, max_new_tokens=96, device="cpu"),
}


@pytest.mark.parametrize("role", SHIPPED)
def test_a_shipped_captioner_sees_the_picture_and_a_broken_one_is_one_bad_row(tmp_path, role):
    images = [{"image_id": f"i{i}", "clip_id": f"c{i}", "image": f"i{i}.png"} for i in range(24)]
    scenarios = [scenario("describe-test", i) for i in range(24)]
    for row, s in zip(images, scenarios, strict=True):
        Image.fromarray(Stage(s).frame(0.7)).save(tmp_path / row["image"])
    (tmp_path / "i3.png").write_bytes(b"not a picture")
    (tmp_path / "i5.png").unlink()
    with RowFile(tmp_path / "answers.jsonl") as answers:
        rows = describe(images, tmp_path, ChatModel(SHIPPED[role]), role, answers, progress=False)
    assert [row["image_id"] for row in rows] == [row["image_id"] for row in images]
    assert {row["captioner"] for row in rows} == {role}
    bad = [row for row in rows if row["error"]]
    assert [row["image_id"] for row in bad] == ["i3", "i5"] and all(row["text"] == "" for row in bad)
    assert "i3.png" in bad[0]["error"]
    good = [(row["text"], s) for row, s in zip(rows, scenarios, strict=True) if not row["error"]]
    assert np.mean([SCENE[s.scene] in text for text, s in good]) > 0.8
    assert np.mean([any(phrase in text for phrase in POSTURE[s.posture]) for text, s in good]) > 0.3  # of ten
    assert all("seems" in text and text.endswith(".") for text, _ in good)


def test_a_caption_that_was_cut_off_is_no_caption(tmp_path):
    Image.fromarray(Stage(scenario("describe-test", 0)).frame(0.7)).save(tmp_path / "a.png")
    model = ChatModel(replace(SHIPPED["first"], max_new_tokens=5))
    image = {"image_id": "a", "clip_id": "a", "image": "a.png"}
    with RowFile(tmp_path / "answers.jsonl") as answers:
        (row,) = describe([image], tmp_path, model, "first", answers, progress=False)
    assert row["text"] == "" and "max_new_tokens" in row["error"]
