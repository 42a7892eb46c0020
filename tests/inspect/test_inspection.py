"""Clips and answers as columns: signs and scores are those of the scores, whatever the order."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from emolab.corpora.clip import Clip
from emolab.errors import InputError
from emolab.inspect.inspection import ANSWERED, FAILED, NOT_ASKED, Inspection, clip_scores
from emolab.inspect.reading import as_answers, as_clips
from emolab.labels.lexicon import families
from emolab.scoring.grouping import lexicon_grouping
from emolab.scoring.match import match
from emolab.scoring.mer2024 import score

GOLDEN = Path(__file__).resolve().parents[2].parent / "shared" / "golden"
CLIPS = [
    Clip("a", labels=("happy", "Joyful", "calm"), transcript="Line one\nline two", split="train", corpus="x"),
    Clip("b", labels=("angry",), split="test", corpus="x"),
    Clip("c"),
]
ANSWERS = {
    "one": {"a": {"labels": ["glad", "angry"]}, "b": {"labels": []}, "c": {"labels": ["sad"]}},
    "two": {"a": {"labels": ["calm"]}, "b": {"labels": [], "error": "b: cannot be read."}},
}


@pytest.fixture
def small():
    return Inspection(CLIPS, ANSWERS, "test")


def decoded(inspection, positions=None):
    """What a view reads out of the index: id -> [chips of truth, chips of each model], and the other columns."""
    about, (ids, split, corpus, offsets, chips, status, f, disagreement, truth) = inspection.index(positions)
    offsets, chips = np.frombuffer(offsets, np.uint32), np.frombuffer(chips, np.uint32)
    slots = len(about["models"]) + 1
    found = {}
    for number, clip in enumerate(ids.decode().split("\n")):
        at = offsets[number * slots : number * slots + slots + 1]
        found[clip] = [
            [("·✓−+"[chip % 4], about["labels"][chip // 4]) for chip in chips[start:end]]
            for start, end in zip(at, at[1:], strict=False)
        ]
    rest = {"status": np.frombuffer(status, np.uint8).reshape(-1, slots - 1).tolist(),
            "f": np.frombuffer(f, np.float32).reshape(-1, slots - 1), "truth": list(truth),
            "split": [about["splits"][code] for code in split], "corpus": [about["corpora"][code] for code in corpus],
            "disagreement": np.frombuffer(disagreement, np.float32)}  # fmt: skip
    return found, rest


def test_signs_by_synonyms_in_the_order_said(small):
    chips, rest = decoded(small)
    assert chips["a"] == [
        [("·", "happy"), ("·", "joyful"), ("·", "calm")],
        [("✓", "glad"), ("+", "angry"), ("−", "calm")],
        [("✓", "calm"), ("−", "happy"), ("−", "joyful")],
    ]
    assert chips["b"] == [[("·", "angry")], [("−", "angry")], []]  # an error says and misses nothing
    assert chips["c"] == [[], [("·", "sad")], []]  # without a truth nothing is right or wrong
    assert rest["status"] == [[ANSWERED, ANSWERED], [ANSWERED, FAILED], [ANSWERED, NOT_ASKED]]
    assert rest["truth"] == [1, 1, 0] and rest["split"] == ["train", "test", ""] and rest["corpus"] == ["x", "x", ""]
    assert rest["f"][0] == pytest.approx([0.5, 2 / 3]) and rest["f"][1, 0] == 0
    assert np.isnan(rest["f"][1, 1]) and np.isnan(rest["f"][2]).all()
    assert rest["disagreement"][0] == 1 and np.isnan(rest["disagreement"][1:]).all()
    assert small.texts() == b"Line one line two\n\n"  # one line a clip


def test_a_part_of_the_clips_in_another_order(small):
    whole, part = decoded(small)[0], decoded(small, [2, 0])[0]
    assert list(part) == ["c", "a"] and all(part[clip] == whole[clip] for clip in part)


def test_worst_first_and_unknown_last(small):
    assert small.worst().tolist() == [1, 0, 2]


def test_against_another_truth(small):
    other = small.against({"a": ["angry"], "c": ["sorrow"]})
    chips, rest = decoded(other)
    assert chips["a"][1] == [("+", "glad"), ("✓", "angry")] and chips["c"][1] == [("✓", "sad")]
    assert chips["b"] == decoded(small)[0]["b"] and rest["truth"] == [1, 1, 1]
    assert decoded(other.against(None))[0] == decoded(small)[0]


def test_a_clip_that_comes_later_equals_one_that_was_there(small):
    grown = Inspection(CLIPS[:2], ANSWERS, "test")
    row = ANSWERS["one"]["c"]
    assert grown.add(CLIPS[2], {"one": row}) == 2
    (one, rest), (other, same) = decoded(grown), decoded(small)
    assert one == other and all(np.array_equal(rest[key], same[key], equal_nan=key[0] in "fd") for key in rest)


def test_detail(small):
    detail = small.detail(0)
    assert detail["truth"] == ["happy", "joyful", "calm"] and detail["clip"]["transcript"] == "Line one\nline two"
    assert detail["models"][0]["scores"] == {"accuracy": 0.5, "recall": 0.5, "f": 0.5}
    failed, missing = small.detail(1)["models"][1], small.detail(2)["models"][1]
    assert failed["error"] == "b: cannot be read." and failed["scores"] is None
    assert missing == {"name": "two", "status": NOT_ASKED}
    assert small.detail(2)["models"][0]["scores"] is None and small.detail(2)["truth"] is None


def test_prompts_and_other_columns_of_a_row():
    rows = {"a": {"labels": [], "prompt_id": "internvl-zero-shot-2.1", "seed": 0, "model": "m@1", "empty": ""}}
    more = {"a": {"labels": [], "prompt_id": "affectgpt-trimodal", "modalities": ["audio"]}}
    entries = Inspection(CLIPS[:1], {"one": rows, "two": more}, "").detail(0)["models"]
    assert "are Line one\nline two. Assuming" in entries[0]["prompt"]
    assert entries[0]["facts"] == {"model": "m@1", "seed": "0"}
    assert "Close your eyes" in entries[1]["prompt"] and "pictures of this video are missing" in entries[1]["prompt"]


def test_counts_and_rows(small):
    counts = {row.pop("name"): row for row in small.counts()}
    assert counts["one"] == {"asked": 3, "answered": 3, "errors": 0, "all found": 0, "nothing found": 1}
    assert counts["two"] == {"asked": 2, "answered": 1, "errors": 1, "all found": 0, "nothing found": 0}
    row = small.row(1)
    assert list(row) == small.columns and row["one"] == [] and row["two"] is None and row["truth"] == ["angry"]


def test_nothing_to_show_and_ids_that_stand_twice_are_refused():
    with pytest.raises(InputError, match="nothing to inspect"):
        Inspection([], ANSWERS, "")
    with pytest.raises(InputError, match="nothing to inspect"):
        Inspection(CLIPS, {}, "")
    with pytest.raises(InputError, match="'a' stands twice"):
        Inspection([*CLIPS, CLIPS[0]], ANSWERS, "")
    with pytest.raises(InputError, match="256 values of split"):
        Inspection([Clip(str(n), split=str(n)) for n in range(256)], ANSWERS, "").index()


def test_scores_of_a_clip_are_those_of_the_metric():
    rng = random.Random(0)
    words = [word for family in families().values() for word in family[:3]] + ["xyzzy", "not happy"]
    truth = {str(n): rng.sample(words, rng.randint(1, 5)) for n in range(300)}
    said = {clip: rng.sample(words, rng.randint(0, 5)) + rng.sample(own, 1) for clip, own in truth.items()}
    official = score(truth, said, lexicon_grouping(truth, said))
    own = [clip_scores(match(truth[clip], said[clip]))[:2] for clip in official.clip_ids]
    assert np.abs(np.array(own) - official.columns).max() < 1e-12


@pytest.mark.skipif(not GOLDEN.is_dir(), reason="the official files (shared/golden) are not here")
def test_published_predictions_of_real_models():
    inspection = Inspection(
        as_clips(GOLDEN / "mer2024-ov" / "check-openset.csv"), as_answers(GOLDEN / "ov-merd-predictions"), "real"
    )
    about, _ = inspection.index()
    models = {model["name"]: model for model in about["models"]}
    assert len(models) == 15 and about["n"] == 332
    truth = {clip.clip_id: list(clip.labels) for clip in inspection.clips}
    said = as_answers(GOLDEN / "ov-merd-predictions" / "SALMONN" / "subtitle-openset.npz")["subtitle-openset"]
    predicted = {clip: row["labels"] for clip, row in said.items()}
    expected = score(truth, predicted, lexicon_grouping(truth, predicted)).avg
    assert models["SALMONN/subtitle"]["avg"] == pytest.approx(expected, abs=1e-9)
    assert inspection.detail(0)["models"][0]["text"]  # the description lies beside the labels


def test_what_cannot_be_sent_is_replaced():
    broken = "half \ud800"
    inspection = Inspection(
        [Clip("a", labels=(broken,), transcript=broken)], {broken: {"a": {"labels": [broken], "text": broken}}}, "x"
    )
    about, buffers = inspection.index()
    for part in (about, inspection.detail(0), [bytes(each).decode("latin-1") for each in buffers]):
        json.dumps(part, ensure_ascii=False).encode()
    assert inspection.texts() == b"half ?"
