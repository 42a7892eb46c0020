"""Several seeds of a system: means, spread, paired differences, families."""

import pytest

from emolab.errors import InputError
from emolab.scoring import mer2024
from emolab.scoring.grouping import lexicon_grouping
from emolab.scoring.runs import difference_row, family_differences, runs_row
from emolab.scoring.settings import ScoringSettings

TRUTH = {"a": ["happy"], "b": ["sad", "angry"], "c": ["afraid"], "d": ["calm"]}
GOOD = {"a": ["joyful"], "b": ["unhappy"], "c": ["afraid"], "d": ["calm"]}
POOR = {"a": ["sad"], "b": ["sad"], "c": [], "d": ["calm", "bored"]}
SETTINGS = ScoringSettings(bootstrap=500)


def avg(run):
    return mer2024.score(TRUTH, run, lexicon_grouping(TRUTH, run)).values()["avg"]


def test_a_row_is_the_mean_over_its_runs_with_their_sd():
    row = runs_row("both", TRUTH, [GOOD, POOR], SETTINGS)
    mean = (avg(GOOD) + avg(POOR)) / 2
    assert row["avg"] == pytest.approx(mean, abs=1e-9) and (row["n"], row["seeds"]) == (4, 2)
    assert row["avg_sd"] == pytest.approx(abs(avg(GOOD) - avg(POOR)) / 2**0.5, abs=1e-9)
    assert row["labels_per_clip"] == pytest.approx(1.0)
    assert row["interval"]["avg"][0] <= row["avg"] <= row["interval"]["avg"][1]
    alone = runs_row("one", TRUTH, [GOOD], SETTINGS)
    assert alone["avg_sd"] is None and alone["avg"] == pytest.approx(avg(GOOD), abs=1e-9)
    assert alone["level1_precision"] == pytest.approx(1.0)


def test_a_difference_is_paired_and_shows_each_seed():
    row = difference_row("good − poor", TRUTH, [GOOD, GOOD], [POOR, GOOD], SETTINGS)
    assert row["avg"] == pytest.approx((avg(GOOD) - avg(POOR)) / 2, abs=1e-9) and row["seeds"] == 2
    assert row["by_seed"] == f"+0.000 to {avg(GOOD) - avg(POOR):+.3f}"
    assert 0 < row["p"] <= 1 and row["interval"]["avg"][0] <= row["avg"] <= row["interval"]["avg"][1]
    same = difference_row("same", TRUTH, [GOOD], [GOOD], SETTINGS)
    assert same["avg"] == 0 and same["p"] == 1 and same["by_seed"] is None
    with pytest.raises(InputError, match="same clips"):
        difference_row("x", TRUTH, [GOOD], [{"a": ["happy"]}], SETTINGS)


def test_families_lose_and_win_recall():
    rows = {row["name"]: row for row in family_differences(TRUTH, [POOR], [GOOD], resamples=200)}
    happy = next(row for name, row in rows.items() if "happ" in name or "joy" in name)
    assert (happy["first"], happy["second"], happy["difference"], happy["n"]) == (0, 1, -1, 1)
    assert sum(row["n"] for row in rows.values()) == 5
    assert all(row["interval"]["difference"][0] <= row["difference"] for row in rows.values())
