"""Self-training: what joins, what it brings, when it stops; a poisoned round."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emolab.corpora.clip import SIX_WAY
from emolab.discriminative.fit import Job, fit
from emolab.discriminative.self_training import confident, self_train
from emolab.discriminative.settings import FusionSettings, ModalityDropout, SelfTrainingSettings
from emolab.errors import InputError

BLOBS = runpy.run_path(str(Path(__file__).with_name("blobs.py")))
FUSION = FusionSettings(hidden=32, dropout=0.2, epochs=12, batch_size=16, learning_rate=4e-3)
DROP = ModalityDropout(0.2, 0.2, 0.2)
RNG = np.random.default_rng(0)
TRUTH = np.concatenate([np.arange(36) % 6, np.arange(90) % 6, RNG.integers(0, 6, 240)])  # train, valid, pool
TRAIN, VALID, POOL = np.split(np.arange(366), [36, 126])
KNOWN = np.where(np.arange(366) < 126, TRUTH, -1)
TABLE = BLOBS["table"](TRUTH, noise=1.6)


def trained(table=TABLE, targets=KNOWN, seeds=(0, 1, 2)):
    jobs = [Job(table, TRAIN, targets, VALID, seed) for seed in seeds]
    return jobs, fit(jobs, FUSION, drop=DROP, progress=False)


def grown(jobs, heads, settings, table=TABLE, **more):
    return self_train(jobs, heads, POOL, settings, FUSION, drop=DROP, progress=False, **more)


@pytest.fixture(scope="module")
def start():
    return trained()


def test_sure_guesses_of_like_clips_help(start):
    jobs, heads = start
    best, rows = grown(jobs, heads, SelfTrainingSettings(2, [0.8] * 6), truth=TRUTH, folds=[4, 5, 6])
    assert [(row["job"], row["seed"], row["fold"]) for row in rows if row["round"] == 1] == [
        (0, 0, 4),
        (1, 1, 5),
        (2, 2, 6),
    ]
    first = [row for row in rows if row["round"] == 1]
    assert sum(row["accepted"] for row in first) >= 2
    assert np.mean([head.valid_f1 for head in best]) > np.mean([head.valid_f1 for head in heads]) + 0.02
    for row in rows:
        assert row["candidates"] == row["pseudo"] == sum(row["by_class"].values()) > 0
        assert row["purity"] > 0.7 and list(row["by_class"]) == list(SIX_WAY)
        assert row["accepted"] == (row["valid_after"] > row["valid_before"])
    for k, head in enumerate(best):  # rounds go on while they are accepted, from what the last one brought
        own = [row for row in rows if row["job"] == k]
        assert all(row["accepted"] for row in own[:-1]) and len(own) == (2 if own[0]["accepted"] else 1)
        values = [heads[k].valid_f1] + [row["valid_after"] for row in own if row["accepted"]]
        assert [row["valid_before"] for row in own] == (values if not own[-1]["accepted"] else values[:-1])
        assert head.valid_f1 == values[-1] and head.seed == jobs[k].seed
    assert all(np.array_equal(job.targets, KNOWN) and np.array_equal(job.train, TRAIN) for job in jobs)


def test_the_truth_measures_and_does_nothing_else(start):
    jobs, heads = start
    settings = SelfTrainingSettings(1, [0.8] * 6)
    without, bare = grown(jobs, heads, settings)
    turned, told = grown(jobs, heads, settings, truth=(TRUTH + 1) % 6)
    assert [row | {"purity": None} for row in told] == bare and all(row["purity"] < 0.3 for row in told)
    for a, b in zip(without, turned, strict=True):
        assert np.array_equal(a.probabilities(TABLE), b.probabilities(TABLE))
    nowhere, told = grown(jobs, heads, settings, truth=np.full(366, -1))
    assert all(row["purity"] == 0 for row in told)  # clips of none of the six emotions: every guess is wrong


def test_a_poisoned_round_hurts_and_is_stopped():
    """All thresholds 0, and many more clips that show none of the emotions, but something else, and strongly."""
    truth = np.arange(36 + 240 + 600) % 6
    train, valid, pool = np.split(np.arange(len(truth)), [36, 276])
    known = np.isin(np.arange(len(truth)), pool, invert=True)
    good = BLOBS["table"](truth, noise=1.6, seed=4)
    odd = BLOBS["table"](np.where(known, truth, -1), noise=4.0, seed=4)
    mixed = {name: np.where(known[:, None], good.vectors[name], odd.vectors[name]) for name in good.vectors}
    jobs = [Job(replace(good, vectors=mixed), train, np.where(known, truth, -1), valid, seed) for seed in range(3)]
    heads = fit(jobs, FUSION, drop=DROP, progress=False)
    settings = SelfTrainingSettings(3, [0.0] * 6)
    best, rows = self_train(jobs, heads, pool, settings, FUSION, drop=DROP, truth=truth, progress=False)
    first = [row for row in rows if row["round"] == 1]
    assert all(row["pseudo"] == row["candidates"] == 600 and row["purity"] < 0.3 for row in first)
    assert np.mean([row["valid_after"] - row["valid_before"] for row in first]) < -0.02
    stopped = [row["job"] for row in first if not row["accepted"]]
    assert len(stopped) >= 2 and all(best[k] is heads[k] for k in stopped)
    assert all(row["job"] not in stopped for row in rows if row["round"] > 1)


def test_shuffled_pseudo_labels_hurt(start):
    """The control: as many clips of each class as the heads guess, but by chance which ones."""
    jobs, heads = start
    settings = SelfTrainingSettings(2, [0.0] * 6)
    _, honest = grown(jobs, heads, replace(settings, rounds=1), truth=TRUTH)
    best, rows = grown(jobs, heads, settings, truth=TRUTH, shuffled=3)
    plain = {row["job"]: row for row in honest}
    assert [row["round"] for row in rows] == [1, 1, 1] and best == heads  # none helped, so none went on
    for row in rows:
        same = ("seed", "candidates", "pseudo", "by_class", "valid_before")
        assert {key: row[key] for key in same} == {key: plain[row["job"]][key] for key in same}
        assert row["pseudo"] == 240 and row["purity"] < 0.28 < 0.6 < plain[row["job"]]["purity"]
        assert row["valid_after"] < row["valid_before"] - 0.1 and row["accepted"] is False
    assert grown(jobs, heads, settings, truth=TRUTH, shuffled=3)[1] == rows
    other = grown(jobs, heads, settings, truth=TRUTH, shuffled=4)[1]
    assert [row["purity"] for row in other] != [row["purity"] for row in rows]


def test_agreement_takes_fewer_and_purer_ones(start):
    jobs, heads = start
    _, alone = grown(jobs, heads, SelfTrainingSettings(1, [0.5] * 6), truth=TRUTH)
    _, both = grown(jobs, heads, SelfTrainingSettings(1, [0.5] * 6, agreement=True), truth=TRUTH)
    for a, b in zip(alone, both, strict=True):
        assert a["pseudo"] == a["candidates"] == b["candidates"] > b["pseudo"] > 0
    assert np.mean([row["purity"] for row in both]) > np.mean([row["purity"] for row in alone])


def test_without_anything_sure_nothing_is_trained(start):
    jobs, heads = start
    best, rows = grown(jobs, heads, SelfTrainingSettings(3, [1.0] * 6))
    assert best == heads and len(rows) == 3
    assert {(row["pseudo"], row["purity"], row["valid_after"], row["accepted"]) for row in rows} == {
        (0, None, None, False)
    }
    assert grown(jobs, heads, SelfTrainingSettings(0)) == (heads, [])


def test_thresholds_are_of_each_class():
    probabilities = np.full((4, 6), 0.02)
    probabilities[[0, 1, 2], [0, 4, 4]] = [0.9, 0.9, 0.8]
    probabilities[3] = np.nan
    guess, sure = confident(probabilities, [0.99, 0.99, 0.99, 0.99, 0.85, 0.85])
    assert guess.tolist() == [0, 4, 4, -1] and sure.tolist() == [False, True, False, False]
    assert confident(probabilities, [0.0] * 6)[1].tolist() == [True, True, True, False]


def test_labelled_clips_are_not_guessed_at(start):
    jobs, heads = start
    for pool, clip in ((np.append(POOL, 5), "c0005"), (np.append(POOL, 100), "c0100")):
        with pytest.raises(InputError, match=f"{clip} is labelled"):
            self_train(jobs, heads, pool, SelfTrainingSettings(), FUSION, drop=DROP, progress=False)
