"""The protocol: folds times seeds, every labelled clip judged by heads that have not seen it, modalities taken away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from emolab.corpora.clip import SIX_WAY
from emolab.discriminative.settings import MODALITIES
from emolab.errors import InputError
from emolab.scoring.settings import ScoringSettings
from emolab.scoring.six_way import six_way_row

if TYPE_CHECKING:  # nothing here needs torch itself
    from emolab.discriminative.fit import Job
    from emolab.discriminative.head import Head
    from emolab.discriminative.table import FeatureTable

WORDS = tuple("surprised" if name == "surprise" else name for name in SIX_WAY)  # as open-vocabulary labels
RATES = (0.0, 0.25, 0.5, 0.75, 1.0)


class Split(NamedTuple):
    """Who trains, validates and tests one head, as rows of the table."""

    seed: int
    fold: int
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray


def plan(labelled: np.ndarray, targets: np.ndarray, folds: np.ndarray, seeds: Iterable[int]) -> list[Split]:
    """The splits of every seed and fold: fold k tests, the next one validates, the rest trains.

    `labelled` are rows of the table, `folds` the fold of each (the same for all seeds), `targets` the classes of all
    rows. Raises InputError for a labelled row without a class, or fewer than three folds.
    """
    labelled, numbers = np.asarray(labelled), np.unique(folds)
    if (targets[labelled] < 0).any():
        raise InputError(f"Row {labelled[targets[labelled] < 0][0]} of the features is labelled, but has no class.")
    if len(numbers) < 3:
        raise InputError(f"{len(numbers)} folds: one tests, one validates, others train; make at least three.")
    splits = []
    for seed in seeds:
        for k, fold in enumerate(numbers):
            following = numbers[(k + 1) % len(numbers)]
            test, valid = folds == fold, folds == following
            splits.append(Split(seed, int(fold), labelled[~test & ~valid], labelled[valid], labelled[test]))
    return splits


def out_of_fold(
    heads: Sequence[Head],
    jobs: Sequence[Job],
    splits: Sequence[Split],
    hidden: Mapping[str, np.ndarray] | None = None,
    device: str = "cpu",
) -> dict[int, np.ndarray]:
    """seed → calibrated probabilities [rows of the table, 6] of every labelled clip by the head that has not seen it;
    NaN for other clips, and for those of which nothing is there. `hidden` takes modalities from clips: name → bool
    [rows of the table]. Raises InputError where a head has trained or validated on a clip that it is to be tested on,
    or where the jobs' tables are of different clips."""
    found = {}
    for head, job, split in zip(heads, jobs, splits, strict=True):
        features = job.features
        if features.clip_ids != jobs[0].features.clip_ids:
            raise InputError("The heads of several folds are tested on tables of the same clips, in the same order.")
        if len(seen := np.intersect1d(split.test, [*job.train, *job.valid])):
            raise InputError(
                f"{features.clip_ids[int(seen[0])]} has trained or validated the head that is tested on it."
            )
        table = features.take(split.test)
        for modality, rows in (hidden or {}).items():
            table = table.hide(rows[split.test], modality)
        all_rows = found.setdefault(split.seed, np.full((len(features), len(SIX_WAY)), np.nan))
        all_rows[split.test] = head.probabilities(table, device=device)
    return found


def averaged(heads: Sequence[Head], tables: Sequence[FeatureTable], device: str = "cpu") -> np.ndarray:
    """Mean [n, 6] of the calibrated probabilities of all heads, each on its own table of the same clips, as the toolkit
    averages its folds on the test clips. NaN for a clip that one of them cannot judge."""
    if any(table.clip_ids != tables[0].clip_ids for table in tables):
        raise InputError("Heads are averaged over tables of the same clips, in the same order.")
    total = np.zeros((len(tables[0]), len(SIX_WAY)))
    for head, table in zip(heads, tables, strict=True):
        total += head.probabilities(table, device=device)
    return total / len(heads)


def classes_of(clip_ids: Sequence[str], probabilities: np.ndarray, rows: np.ndarray) -> dict[str, int | None]:
    """clip_id → likeliest class of some rows of probabilities [n, 6], None where these are NaN: what `six_way_row`
    scores."""
    told = np.isfinite(probabilities).all(axis=1)
    return {clip_ids[row]: int(probabilities[row].argmax()) if told[row] else None for row in rows}


def hidden_rows(rows: np.ndarray, rate: float, count: int, seed: int) -> np.ndarray:
    """bool [count]: the share `rate` of `rows` drawn by `seed`. A higher rate adds to those of a lower one."""
    drawn = np.random.default_rng(seed).permutation(np.sort(rows))
    mask = np.zeros(count, dtype=bool)
    mask[drawn[: round(rate * len(drawn))]] = True
    return mask


def robustness(
    name: str,
    heads: Sequence[Head],
    jobs: Sequence[Job],
    splits: Sequence[Split],
    settings: ScoringSettings,
    *,
    seed: int = 0,
    rates: Sequence[float] = RATES,
    device: str = "cpu",
) -> list[dict]:
    """Out-of-fold scores as each modality is taken from more and more of the tested clips: the columns of
    `six_way_row`, and modality, rate.

    Which clips lose it depends on `seed` and the modality alone, so that systems can be compared point by point.
    """
    clip_ids, targets = jobs[0].features.clip_ids, jobs[0].targets
    tested = np.unique(np.concatenate([split.test for split in splits]))
    truth = {clip_ids[row]: int(targets[row]) for row in tested}
    rows = []
    for number, modality in enumerate(MODALITIES):
        for rate in rates:
            hidden = {modality: hidden_rows(tested, rate, len(clip_ids), seed * len(MODALITIES) + number)}
            found = out_of_fold(heads, jobs, splits, hidden, device)
            runs = [classes_of(clip_ids, each, tested) for each in found.values()]
            rows.append(six_way_row(name, truth, runs, None, settings, seed) | {"modality": modality, "rate": rate})
    return rows


def prediction_rows(
    clip_ids: Sequence[str], probabilities: np.ndarray, model: str, seed: int, least: float = 0.25
) -> list[dict]:
    """One Prediction row a clip for the co-judgment: clip_id, model, text (none), labels, probabilities, seed, error.

    `labels` are the word of the likeliest class, and that of the second if its probability is at least `least`. A clip
    of NaN has none, and an error.
    """
    rows = []
    for clip_id, each in zip(clip_ids, probabilities, strict=True):
        row = {"clip_id": clip_id, "model": model, "text": "", "labels": [], "probabilities": None, "seed": seed}
        if np.isfinite(each).all():
            first, second = np.argsort(-each, kind="stable")[:2]
            row["labels"] = [WORDS[first]] + [WORDS[second]] * bool(each[second] >= least)
            row["probabilities"] = dict(zip(SIX_WAY, map(float, each), strict=True))
            rows.append(row | {"error": None})
        else:
            rows.append(row | {"error": f"{clip_id}: none of sound, pictures and words is there to judge by."})
    return rows
