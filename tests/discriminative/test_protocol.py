"""The protocol: who tests what, robustness curves, rows for the co-judgment."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emolab.corpora.clip import SIX_WAY
from emolab.discriminative.fit import Job, fit
from emolab.discriminative.protocol import (
    WORDS,
    averaged,
    classes_of,
    hidden_rows,
    out_of_fold,
    plan,
    prediction_rows,
    robustness,
)
from emolab.discriminative.settings import MODALITIES, FusionSettings
from emolab.errors import InputError
from emolab.labels.lexicon import family_of
from emolab.scoring.settings import ScoringSettings
from emolab.scoring.six_way import six_way_row

BLOBS = runpy.run_path(str(Path(__file__).with_name("blobs.py")))
TARGETS = np.where(np.arange(100) < 10, -1, np.arange(100) % 6)
LABELLED = np.random.default_rng(1).permutation(np.arange(10, 100))
FOLDS = np.arange(90) % 3
TABLE = BLOBS["table"](TARGETS, noise=1.2, absent=0.1)
SCORING = ScoringSettings(bootstrap=200)


@pytest.fixture(scope="module")
def done():
    """(heads, jobs, splits) of three folds and two seeds."""
    splits = plan(LABELLED, TARGETS, FOLDS, [3, 5])
    jobs = [Job(TABLE, split.train, TARGETS, split.valid, split.seed) for split in splits]
    settings = FusionSettings(hidden=32, epochs=15, batch_size=16, learning_rate=4e-3)
    return fit(jobs, settings, drop=settings.drop, progress=False), jobs, splits


def test_a_fold_tests_the_next_validates_the_rest_trains():
    folds = np.arange(90) % 5
    splits = plan(LABELLED, TARGETS, folds, [0, 7])
    assert [(split.seed, split.fold) for split in splits] == [(seed, fold) for seed in (0, 7) for fold in range(5)]
    for split in splits:
        assert set(split.test) == set(LABELLED[folds == split.fold])
        assert set(split.valid) == set(LABELLED[folds == (split.fold + 1) % 5])
        together = np.concatenate([split.train, split.valid, split.test])
        assert sorted(together) == sorted(LABELLED) and len(split.train) == 54
    for a, b in zip(splits[:5], splits[5:], strict=True):  # one set of folds for all seeds
        assert np.array_equal(a.test, b.test)
    with pytest.raises(InputError, match="2 folds"):
        plan(LABELLED, TARGETS, FOLDS % 2, [0])
    with pytest.raises(InputError, match="Row 4 of the features is labelled, but has no class"):
        plan(np.append(LABELLED, 4), TARGETS, np.append(FOLDS, 0), [0])


def test_every_labelled_clip_is_judged_by_the_head_that_has_not_seen_it(done):
    heads, jobs, splits = done
    found = out_of_fold(*done)
    assert list(found) == [3, 5]
    for head, split in zip(heads, splits, strict=True):
        own = head.probabilities(TABLE)
        assert found[split.seed][split.test] == pytest.approx(own[split.test], abs=1e-6)
    for each in found.values():
        assert np.isfinite(each[LABELLED]).all() and np.isnan(each[:10]).all()
    truth = {TABLE.clip_ids[row]: int(TARGETS[row]) for row in LABELLED}
    runs = [classes_of(TABLE.clip_ids, each, LABELLED) for each in found.values()]
    folds = {TABLE.clip_ids[row]: int(fold) for row, fold in zip(LABELLED, FOLDS, strict=True)}
    row = six_way_row("base", truth, runs, folds, SCORING)
    assert row["weighted_f1"] > 0.6 and row["n"] == 90 and row["fold_sd"] < 0.3


def test_a_tested_clip_that_was_trained_on_is_refused(done):
    heads, jobs, splits = done
    leaky = [splits[0]._replace(test=splits[0].valid), *splits[1:]]
    with pytest.raises(InputError, match="has trained or validated the head"):
        out_of_fold(heads, jobs, leaky)
    other = replace(TABLE, clip_ids=TABLE.clip_ids[::-1])
    with pytest.raises(InputError, match="the same clips"):
        out_of_fold(heads, [*jobs[:5], replace(jobs[5], features=other)], splits)
    with pytest.raises(InputError, match="the same clips"):
        averaged(heads[:2], [TABLE, other])


def test_heads_are_averaged_as_probabilities(done):
    heads, _, _ = done
    wanted = np.mean([head.probabilities(TABLE) for head in heads], axis=0)
    assert averaged(heads, [TABLE] * 6) == pytest.approx(wanted, abs=1e-12)
    gone = TABLE
    for name in MODALITIES:
        gone = gone.hide([2], name)
    told = averaged(heads, [gone] * 6)
    assert np.isnan(told[2]).all() and np.isfinite(told[3:]).all()


def test_more_hidden_clips_hold_the_fewer():
    masks = [hidden_rows(LABELLED, rate, 100, 4) for rate in (0, 0.25, 0.5, 1)]
    assert [mask.sum() for mask in masks] == [0, 22, 45, 90] and not masks[-1][:10].any()
    for fewer, more in zip(masks, masks[1:], strict=False):
        assert (fewer <= more).all()
    assert np.array_equal(masks[1], hidden_rows(LABELLED[::-1], 0.25, 100, 4))
    assert not np.array_equal(masks[1], hidden_rows(LABELLED, 0.25, 100, 5))


def test_robustness_is_the_score_without_what_is_hidden(done):
    heads, jobs, splits = done
    rows = robustness("base", *done, SCORING, rates=(0, 0.5, 1))
    assert [(row["modality"], row["rate"]) for row in rows] == [(m, r) for m in MODALITIES for r in (0, 0.5, 1)]
    plain = {row["weighted_f1"] for row in rows if row["rate"] == 0}
    assert len(plain) == 1
    by_hand = {seed: np.full((100, 6), np.nan) for seed in (3, 5)}
    for head, split in zip(heads, splits, strict=True):
        by_hand[split.seed][split.test] = head.probabilities(TABLE, ["video"])[split.test]
    truth = {TABLE.clip_ids[row]: int(TARGETS[row]) for row in LABELLED}
    runs = [classes_of(TABLE.clip_ids, each, LABELLED) for each in by_hand.values()]
    wanted = six_way_row("base", truth, runs, None, SCORING)["weighted_f1"]
    video = {row["rate"]: row["weighted_f1"] for row in rows if row["modality"] == "video"}
    assert video[1] == pytest.approx(wanted) and video[1] < video[0]
    assert all(row["n"] == 90 and row["interval"]["weighted_f1"][0] <= row["weighted_f1"] for row in rows)
    some = {"video": hidden_rows(LABELLED, 0.5, 100, 1)}  # as in `rows`: seed 0, the second modality
    told = [classes_of(TABLE.clip_ids, each, LABELLED) for each in out_of_fold(*done, some).values()]
    assert six_way_row("base", truth, told, None, SCORING)["weighted_f1"] == pytest.approx(video[0.5])


def test_prediction_rows_have_one_or_two_words():
    probabilities = np.full((3, 6), 0.01)
    probabilities[0, [5, 0]] = 0.6, 0.36
    probabilities[1, [3, 1]] = 0.9, 0.06
    probabilities[2] = np.nan
    rows = prediction_rows(["a", "b", "c"], probabilities, "fusion@x", 3)
    assert [row["labels"] for row in rows] == [["surprised", "neutral"], ["sad"], []]
    assert [row["error"] is None for row in rows] == [True, True, False] and rows[2]["error"].startswith("c: none")
    assert rows[0]["probabilities"]["surprise"] == 0.6 and rows[2]["probabilities"] is None
    assert all((row["model"], row["seed"], row["text"]) == ("fusion@x", 3, "") for row in rows)
    assert prediction_rows(["b"], probabilities[1:2], "m", 0, least=0.05)[0]["labels"] == ["sad", "angry"]
    assert [family_of(word) for word in WORDS] == [family_of(name) for name in SIX_WAY] and None not in map(
        family_of, WORDS
    )
