"""Table 3: our rows beside the paper's, and every way to hide what a clip has."""

from __future__ import annotations

import pytest

from emolab.affectgpt.table3 import PAPER_TABLE_3, SUBSETS, paper_rows, table3
from emolab.scoring.runs import runs_row
from emolab.scoring.settings import ScoringSettings

TRUTH = {"a": ["happy", "calm"], "b": ["sad"], "c": ["angry", "worried"]}
GOOD = {"a": ["joyful", "calm"], "b": ["sad"], "c": ["furious"]}
POOR = {"a": ["sad"], "b": ["sad"], "c": ["happy"]}
SETTINGS = ScoringSettings(bootstrap=200)


def test_the_papers_row():
    assert PAPER_TABLE_3 == {"AffectGPT-sft": (0.7429, 0.6775, 0.8083)}
    (row,) = paper_rows()
    assert row == {"name": "paper: AffectGPT-sft", "n": 66, "avg": 0.7429, "accuracy": 0.6775, "recall": 0.8083}
    assert row["avg"] == pytest.approx((row["accuracy"] + row["recall"]) / 2)


def test_ours_stand_beside_the_papers():
    ours, start, constant, shuffled = table3(
        TRUTH, {"AffectGPT-sft": [GOOD, POOR], "start": [POOR]}, SETTINGS, source=TRUTH
    )
    assert "train split" in constant["name"] and shuffled["seeds"] == 10 and constant["n"] == ours["n"]
    assert ours["name"] == "AffectGPT-sft" and ours["n"] == 3 and ours["seeds"] == 2
    told = {key: ours.pop(key) for key in ("paper_avg", "paper_accuracy", "paper_recall")}
    assert list(told.values()) == [0.7429, 0.6775, 0.8083]
    assert [start.pop(key) for key in told] == [None] * 3
    assert ours == runs_row("AffectGPT-sft", TRUTH, [GOOD, POOR], SETTINGS)
    assert start == runs_row("start", TRUTH, [POOR], SETTINGS) and start["recall"] < ours["recall"]


def test_every_set_of_modalities_once():
    assert SUBSETS == [
        ("audio",), ("video",), ("text",), ("audio", "video"), ("audio", "text"), ("video", "text"),
        ("audio", "video", "text"),
    ]  # fmt: skip
