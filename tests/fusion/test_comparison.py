"""Strategies under every metric."""

import pytest

from emolab.fusion.comparison import MER2024, WHEEL, Comparison, answers
from emolab.fusion.panel import Member
from emolab.labels.wheel import own_wheels
from emolab.scoring import wheel
from emolab.scoring.evaluate import mer2024_metric
from emolab.scoring.settings import ScoringSettings

TRUTH = {f"c{i}": [("happy", "sad", "angry")[i % 3], "worried"] for i in range(12)}
GOOD = {clip: labels[:1] for clip, labels in TRUTH.items()}
BAD = {clip: ["calm"] for clip in TRUTH}


def test_a_row_holds_every_metric_as_scored_elsewhere():
    comparison = Comparison(TRUTH, ScoringSettings(bootstrap=200))
    row = comparison.row(comparison.judge("good", [GOOD]))
    expected = wheel.score(TRUTH, GOOD, own_wheels()).values() | mer2024_metric("lexicon").score(TRUTH, GOOD).values()
    names = [name for name in (*WHEEL, *MER2024) if name in row]
    assert names == ["level1_f", "level1_precision", "level1_recall", "level2_f", "avg", "accuracy", "recall"]
    assert all(row[name] == pytest.approx(expected[name]) for name in names)
    assert row["runs"] == 1 and row["level1_f_sd"] is None and row["n"] == 12
    assert set(row["interval"]) == set(names)


def test_runs_are_averaged_and_differ():
    comparison = Comparison(TRUTH, ScoringSettings(bootstrap=0))
    row = comparison.row(comparison.judge("both", [GOOD, BAD]))
    assert row["runs"] == 2 and row["level1_f_sd"] > 0.3 and row["interval"] == {}


def test_differences_are_paired():
    comparison = Comparison(TRUTH, ScoringSettings(bootstrap=300))
    good, bad = comparison.judge("good", [GOOD]), comparison.judge("bad", [BAD])
    found = comparison.difference(good, bad)
    assert found["level1_f"] > 0.5 and found["p_level1_f"] < 0.01 and found["interval"]["avg"][0] > 0
    same = comparison.difference(good, good)
    assert same["level1_f"] == 0 and same["p_level1_f"] == 1


def test_baselines_come_with_their_kind():
    kinds = [row["baseline"] for row in Comparison(TRUTH, ScoringSettings(bootstrap=0)).baselines()]
    assert kinds == ["constant", "shuffled"]


def test_a_clip_that_a_member_did_not_answer_scores_nothing():
    assert answers(Member("a", {"x": ["happy"]}), ["x", "y"]) == {"x": ["happy"], "y": []}
