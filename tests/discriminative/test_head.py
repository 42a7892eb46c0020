"""A head's probabilities, its temperature and its files."""

import json
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from emolab.discriminative.fit import Job, fit
from emolab.discriminative.head import Head, best_temperature
from emolab.discriminative.settings import FUSIONS, FusionSettings
from emolab.errors import InputError, RunError

BLOBS = runpy.run_path(str(Path(__file__).with_name("blobs.py")))
CLASSES = np.arange(90) % 6
TABLE = BLOBS["table"](CLASSES, absent=0.2)


@pytest.fixture(scope="module", params=FUSIONS)
def head(request):
    job = Job(TABLE, np.arange(60), CLASSES, np.arange(60, 80), 7)
    settings = FusionSettings(hidden=16, epochs=10, batch_size=16, learning_rate=4e-3)
    return fit([job], settings, kind=request.param, drop=settings.drop, progress=False)[0]


def test_probabilities_are_of_clips_with_anything_left(head):
    told = head.probabilities(TABLE)
    assert told.shape == (90, 6) and told.sum(axis=1) == pytest.approx(1)
    some = np.array([80, 3, 3])
    assert head.probabilities(TABLE, rows=some) == pytest.approx(told[some], abs=1e-6)
    hidden = head.probabilities(TABLE, ["audio", "video"])
    assert np.array_equal(np.isfinite(hidden).all(axis=1), TABLE.present[:, 2])
    table = TABLE.hide(np.arange(90), "audio").hide(np.arange(90), "video")
    assert np.array_equal(head.probabilities(table), hidden, equal_nan=True)
    assert np.isnan(head.probabilities(TABLE, ["audio", "video", "text"])).all()


def test_probabilities_are_calibrated_on_the_validation_clips(head):
    told = head.probabilities(TABLE)
    flat = replace(head, temperature=2 * head.temperature).probabilities(TABLE)
    assert flat == pytest.approx(softmax(np.log(told) / 2, axis=1), abs=1e-6)
    valid = np.arange(60, 80)

    def loss(temperature):
        each = replace(head, temperature=temperature).probabilities(TABLE, rows=valid)
        return -np.log(each[np.arange(20), CLASSES[valid]]).mean()

    assert 0.051 < head.temperature < 19.9
    assert all(loss(head.temperature) < loss(head.temperature * by) for by in (0.5, 0.9, 1.1, 2))


def test_a_wrong_table_is_refused(head):
    narrow = replace(TABLE, vectors={**TABLE.vectors, "text": TABLE.vectors["text"][:, :4]})
    with pytest.raises(InputError, match="trained on vectors of the widths"):
        head.probabilities(narrow)
    with pytest.raises(InputError, match="no modality 'smell'"):
        head.probabilities(TABLE, ["smell"])


def test_a_temperature_is_found_again():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(40_000, 6)) * 2
    targets = (softmax(logits, axis=1).cumsum(axis=1) > rng.random((40_000, 1))).argmax(axis=1)
    for true in (0.2, 1.0, 6.0):
        found = best_temperature(logits * true, targets)
        assert found == pytest.approx(true, rel=0.03)
        loss = [-log_softmax(logits * true / t, axis=1)[np.arange(40_000), targets].mean() for t in (found, true, 1)]
        assert loss[0] <= min(loss[1:]) + 1e-9
    sure = np.eye(6)[targets] / 2
    assert best_temperature(sure, targets) == pytest.approx(0.05, rel=1e-3)
    assert best_temperature(sure, (targets + 1) % 6) == pytest.approx(20, rel=1e-3)


def test_a_head_is_the_same_after_its_files(head, tmp_path):
    head.save(tmp_path / "head")
    again = Head.load(tmp_path / "head")
    assert np.array_equal(again.probabilities(TABLE), head.probabilities(TABLE))
    for name in ("kind", "settings", "widths", "temperature", "valid_f1", "history", "seed"):
        assert getattr(again, name) == getattr(head, name)
    assert sorted(path.name for path in (tmp_path / "head").iterdir()) == ["head.json", "head.safetensors"]


def test_damaged_files_are_refused(head, tmp_path):
    def damaged(name, change, message):
        head.save(tmp_path)
        path = tmp_path / name
        path.write_bytes(change(path.read_bytes()))
        with pytest.raises(InputError, match=message):
            Head.load(tmp_path)

    def said(**more):
        return lambda content: json.dumps(json.loads(content) | more).encode()

    with pytest.raises(InputError, match="holds no whole head"):
        Head.load(tmp_path)
    damaged("head.safetensors", lambda content: content[:-1] + bytes([content[-1] ^ 1]), "checksum does not fit")
    damaged("head.safetensors", lambda content: content[: len(content) // 2], "checksum does not fit")
    damaged("head.json", lambda content: content[:40], "is damaged")
    damaged("head.json", lambda content: b"[]", "is damaged")
    damaged("head.json", said(widths=head.widths | {"text": 9}), "not of the shape")
    damaged("head.json", said(kind="other"), "not of the shape")
    damaged("head.json", said(extra=1), "is damaged")
    damaged("head.json", said(settings={"hidden": 3, "drop": {}}), "is damaged")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        head.save(tmp_path / "file" / "head")
