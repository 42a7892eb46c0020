"""Six-way scores: equal to scikit-learn's, and their rows over seeds, folds and clips."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from emolab.corpora.clip import SIX_WAY
from emolab.errors import InputError
from emolab.scoring.clips import average
from emolab.scoring.intervals import bootstrap_intervals
from emolab.scoring.settings import ScoringSettings
from emolab.scoring.six_way import (
    CLASSES,
    confusion,
    loss_difference,
    six_way_difference,
    six_way_row,
    six_way_score,
    weighted_f1,
)

SETTINGS = ScoringSettings(bootstrap=500)


def drawn(seed, n=60, true=6, named=6, right=0.5):
    """Truth and predictions as {clip: class}; `true` and `named` say how many classes occur at all."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, true, n)
    guess = np.where((rng.random(n) < right) & (truth < named), truth, rng.integers(0, named, n))
    return tuple({f"c{k}": int(each) for k, each in enumerate(values)} for values in (truth, guess))


def theirs(true, named):
    weighted, macro = (f1_score(true, named, average=each, zero_division=0) for each in ("weighted", "macro"))
    return {"weighted_f1": weighted, "accuracy": accuracy_score(true, named), "macro_f1": macro}


def test_there_are_as_many_classes_as_emotions():
    assert len(SIX_WAY) == CLASSES


@pytest.mark.parametrize(("true", "named"), [(6, 6), (3, 6), (6, 2), (2, 5), (1, 1)])
def test_equal_to_scikit_learn_also_where_classes_are_lacking(true, named):
    truth, guess = drawn(true * 10 + named, true=true, named=named)
    score = six_way_score(truth, guess)
    t, g = list(truth.values()), list(guess.values())
    assert score.values() == pytest.approx(theirs(t, g), abs=1e-12)
    assert (score.confusion()[:, :6] == confusion_matrix(t, g, labels=range(6))).all()
    assert (confusion(np.array(t), np.array(g)) == score.confusion()).all()
    assert weighted_f1(np.array(t), np.array(g)) == pytest.approx(theirs(t, g)["weighted_f1"], abs=1e-12)


def test_resamples_are_scored_as_scikit_learn_scores_them():
    truth, guess = drawn(1, n=12)
    score = six_way_score(truth, guess)
    draws = np.random.default_rng(0).integers(0, 12, (40, 12))
    found = score.summarise(np.stack([score.columns[draw].sum(axis=0) for draw in draws]))
    t, g = np.array(list(truth.values())), np.array(list(guess.values()))
    for row, draw in enumerate(draws):
        assert {name: values[row] for name, values in found.items()} == pytest.approx(theirs(t[draw], g[draw]))
    low, high = bootstrap_intervals(score, 300)["weighted_f1"]
    assert low < score.values()["weighted_f1"] < high


def test_no_answer_is_a_miss_and_no_class():
    truth = {"a": 0, "b": 0, "c": 1}
    score = six_way_score(truth, {"a": 0, "b": None, "c": 1, "x": 3})
    wanted = f1_score([0, 0, 1], [0, -1, 1], labels=[0, 1], average="weighted")
    assert score.values() == pytest.approx({"weighted_f1": wanted, "accuracy": 2 / 3, "macro_f1": (2 / 3 + 1) / 2})
    assert score.confusion()[0, 6] == 1 and weighted_f1(np.array([0, 0, 1]), np.array([0, -1, 1])) == wanted
    assert score.counts == {"missing": 0, "unknown": 1, "unanswered": 1}


def test_seeds_are_averaged_in_one_table():
    truth, first = drawn(2)
    second = {clip: (each + 1) % 6 if k % 4 == 0 else each for k, (clip, each) in enumerate(first.items())}
    mean = average(six_way_score(truth, run) for run in (first, second))
    both = theirs([*truth.values(), *truth.values()], [*first.values(), *second.values()])
    assert mean.values() == pytest.approx(both, abs=1e-12)


def test_a_row_has_its_folds_and_intervals():
    truth, first = drawn(3)
    second = {clip: (each + 1) % 6 if k % 4 == 0 else each for k, (clip, each) in enumerate(first.items())}
    folds = {clip: k % 5 for k, clip in enumerate(truth)}
    row = six_way_row("base", truth, [first, second], folds, SETTINGS)
    values = []
    for fold in range(5):
        clips = [clip for clip in truth if folds[clip] == fold]
        runs = [theirs([truth[c] for c in clips], [run[c] for c in clips])["weighted_f1"] for run in (first, second)]
        values.append(np.mean(runs))
    assert (row["n"], row["seeds"], row["name"]) == (60, 2, "base")
    assert row["fold_mean"] == pytest.approx(np.mean(values)) and row["fold_sd"] == pytest.approx(
        np.std(values, ddof=1)
    )
    wanted = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    assert row["interval"]["fold_mean"] == pytest.approx(wanted)
    assert row["interval"]["weighted_f1"][0] < row["weighted_f1"] < row["interval"]["weighted_f1"][1]
    ends = [six_way_score(truth, run).values()["weighted_f1"] for run in (first, second)]
    assert row["weighted_f1_sd"] == pytest.approx(np.std(ends, ddof=1))
    alone = six_way_row("base", truth, [first], None, ScoringSettings(bootstrap=0))
    assert alone["fold_mean"] is alone["fold_sd"] is alone["weighted_f1_sd"] is None and alone["interval"] == {}


def test_a_difference_is_paired():
    truth, poor = drawn(4, right=0.2)
    good = {clip: each if k % 5 else poor[clip] for k, (clip, each) in enumerate(truth.items())}
    row = six_way_difference("good − poor", truth, [good, good, good], [poor, poor, good], SETTINGS)
    alone = six_way_score(truth, good).values()["weighted_f1"]
    assert row["weighted_f1"] == pytest.approx(
        alone - six_way_row("", truth, [poor, poor, good], None, SETTINGS)["weighted_f1"]
    )
    assert row["p"] < 0.01 and row["interval"]["weighted_f1"][0] > 0 and row["by_seed"].startswith("+0.000 to +0.")
    same = six_way_difference("same", truth, [poor], [poor], SETTINGS)
    assert (same["weighted_f1"], same["p"], same["by_seed"]) == (0, 1, None)
    quick = six_way_difference("same", truth, [poor], [poor], ScoringSettings(bootstrap=0))
    assert quick["p"] is None and quick["interval"] == {}


def test_losses_are_compared_on_the_same_clips():
    truth, poor = drawn(5, right=0.0)
    good = dict(truth)
    half = {clip: each if k % 2 else poor[clip] for k, (clip, each) in enumerate(truth.items())}
    row = loss_difference("plain − dropout", truth, ([good], [poor]), ([good], [half]), SETTINGS)
    f = [six_way_score(truth, each).values()["weighted_f1"] for each in (good, poor, half)]
    assert row["weighted_f1"] == pytest.approx((f[0] - f[1]) - (f[0] - f[2])) and row["weighted_f1"] > 0
    assert row["p"] < 0.05 and row["interval"]["weighted_f1"][0] > 0
    with pytest.raises(InputError, match="seed by seed"):
        loss_difference("x", truth, ([good], []), ([good], [half]), SETTINGS)


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(InputError, match="no clip"):
        six_way_score({"a": 0}, {"b": 0})
    with pytest.raises(InputError, match="a: its class is 6"):
        six_way_score({"a": 0}, {"a": 6})
    with pytest.raises(InputError, match="same clips"):
        six_way_row("x", {"a": 0, "b": 1}, [{"a": 0, "b": 1}, {"a": 0}], None, SETTINGS)
