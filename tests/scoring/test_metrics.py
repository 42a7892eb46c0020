"""Registered metrics: what they are given, what comes of their numbers, and what they may not give."""

import numpy as np
import pytest

from emolab.errors import InputError
from emolab.scoring.evaluate import registered_metric, score_table
from emolab.scoring.intervals import bootstrap_intervals, compare
from emolab.scoring.metrics import METRICS, metric
from emolab.scoring.settings import ScoringSettings

TRUTH = {"a": ["Happy", "happy ", ""], "b": ["sad"], "c": ["angry"]}
SAID = {"a": ["glad"], "b": ["sad", "tired"], "z": ["calm"]}


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch):
    monkeypatch.setattr(METRICS, "_entries", {})


def test_means_over_the_clips_in_both():
    seen = []

    @metric("mine")
    def measured(true, said):
        seen.append((true, said))
        return {"right": bool(set(true) & set(said)), "said": len(said) / 4}

    found = registered_metric("mine").score(TRUTH, SAID)
    assert seen == [(["happy"], ["glad"]), (["sad"], ["sad", "tired"])]
    assert (found.n, found.clip_ids, found.labels_per_clip) == (2, ("a", "b"), 1.5)
    assert found.values() == {"right": 0.5, "said": 0.375} and found.counts == {"missing": 1, "unknown": 1}
    intervals = bootstrap_intervals(found, 200)
    assert intervals["right"] == [0, 1] and compare(found, found, 50)["right"].p == 1
    rows = score_table(TRUTH, {"x": SAID}, ScoringSettings(bootstrap=20), "mine")
    assert [row["n"] for row in rows] == [2, 3, 3] and all("right" in row["interval"] for row in rows)
    with pytest.raises(InputError, match="strict scoring refuses: 1 clip"):
        registered_metric("mine", strict=True).score(TRUTH, SAID)


def test_a_score_of_sums_is_recomputed_in_every_resample():
    truth = {str(i): ["x"] * (i % 3 > 0) for i in range(60)}

    @metric("micro", summarise=lambda sums: {"f": 2 * sums["hits"] / (sums["true"] + sums["said"]).clip(1)})
    def counted(true, said):
        return {"hits": len({*true} & {*said}), "true": len(true), "said": len(said)}

    found = registered_metric("micro").score(truth, dict.fromkeys(truth, ["x"]))
    assert found.values() == {"f": 2 * 40 / 100}
    drawn = np.random.default_rng(0).integers(0, 60, (4000, 60))
    hits = found.columns[:, 0][drawn].sum(1)
    expected = np.quantile(2 * hits / (hits + 60), [0.025, 0.975])
    assert bootstrap_intervals(found, 4000)["f"] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("gives", "summarise", "cause"),
    [
        (lambda true, said: {}, None, "gives no score"),
        (lambda true, said: None, None, "AttributeError: 'NoneType' object has no attribute 'items'"),
        (lambda true, said: {"x": "much"}, None, "ValueError: could not convert string to float: 'much'"),
        (lambda true, said: {"x": float("nan")}, None, "the score 'x' is not a number for all clips"),
        (lambda true, said: dict.fromkeys(said, 1), None, "gives other names for clip 'b' than for 'a'"),
        (lambda true, said: {"n": 1}, None, "call the score 'n' otherwise"),
        (lambda true, said: {"x": 0}, lambda sums: {"y": sums["x"] / sums["x"]}, "the score 'y' is not a number"),
        (lambda true, said: {"x": 0}, lambda sums: {"y": sums["z"]}, "KeyError: 'z'"),
        (lambda true, said: {"x": 0}, lambda sums: {"y": [1, 2]}, "the score 'y' is not a number for all clips"),
    ],
)
def test_what_is_no_score_is_one_sentence(gives, summarise, cause):
    metric("mine", summarise)(gives)
    with pytest.raises(InputError, match="metric 'mine'") as raised:
        registered_metric("mine").score(TRUTH, SAID).values()
    assert cause in str(raised.value)


def test_names():
    with pytest.raises(InputError, match="emolab itself has a metric 'mer2024'"):
        metric("mer2024")(len)
    with pytest.raises(InputError, match="no metric 'mine'; there are mer2024, wheel, or what a file in extensions/"):
        score_table(TRUTH, {"x": SAID}, ScoringSettings(), "mine")
