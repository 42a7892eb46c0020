"""Self-training: what the heads are sure of on unlabelled clips trains them again, as long as it helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from emolab.corpora.clip import SIX_WAY
from emolab.discriminative.fit import Job, fit
from emolab.discriminative.head import Head
from emolab.discriminative.settings import FUSIONS, FusionSettings, ModalityDropout, SelfTrainingSettings
from emolab.errors import InputError


def self_train(
    jobs: Sequence[Job],
    heads: Sequence[Head],
    pool: np.ndarray,
    settings: SelfTrainingSettings,
    fusion: FusionSettings,
    *,
    drop: ModalityDropout | None,
    truth: np.ndarray | None = None,
    folds: Sequence[int] | None = None,
    shuffled: int | None = None,
    progress: bool = True,
    device: str = "cpu",
) -> tuple[list[Head], list[dict]]:
    """Rounds of pseudo-labels on the unlabelled rows `pool` of the jobs' tables; the best head of each job, and a row a
    job and round.

    A clip joins a job with the class that its best head so far gives a calibrated probability at the class's threshold
    or above; with `agreement`, if a head of the other kind of fusion, trained on the labelled clips alone, names the
    same class. Heads are trained from scratch on labelled and pseudo-labelled clips. A job goes on while the weighted
    F1 of its validation clips rises, and keeps its best head.

    Rows: job, seed, fold, round, candidates (sure enough), pseudo (of them agreed upon), by_class, purity (share of
    right ones; None without `truth` or without any), valid_before, valid_after (None where nothing was trained),
    accepted. `truth` [rows of the table] measures the purity and does nothing else; -1 is a clip of none of the six
    emotions, so that any guess is wrong. `shuffled` is a control: with this seed the classes of each round change hands
    among their clips, so that they teach nothing but how common each class is.

    Raises InputError where a clip of the pool has a class, trains or validates.
    """
    heads, pool = list(heads), np.asarray(pool)
    _check(jobs, pool)
    kind = heads[0].kind
    others: list[Head] = []
    if settings.agreement and settings.rounds:
        (other,) = set(FUSIONS) - {kind}
        others = fit(jobs, fusion, kind=other, drop=drop, progress=progress, device=device)
    rows: list[dict] = []
    active = list(range(len(jobs)))
    for number in range(1, settings.rounds + 1):
        taught: dict[int, Job] = {}
        told: dict[int, dict] = {}
        for k in active:
            probabilities = heads[k].probabilities(jobs[k].features, rows=pool, device=device)
            guess, sure = confident(probabilities, settings.thresholds)
            agreed = sure
            if others:
                theirs = others[k].probabilities(jobs[k].features, rows=pool, device=device)
                agreed = sure & (confident(theirs, [0.0] * len(SIX_WAY))[0] == guess)
            if shuffled is not None:
                guess = guess.copy()
                guess[agreed] = np.random.default_rng([shuffled, number, k]).permutation(guess[agreed])
            about = {"job": k, "seed": jobs[k].seed, "fold": None if folds is None else int(folds[k]), "round": number}
            told[k] = about | _counts(pool[agreed], guess[agreed], int(sure.sum()), truth)
            if agreed.any():
                taught[k] = _with(jobs[k], pool[agreed], guess[agreed])
        new = fit(list(taught.values()), fusion, kind=kind, drop=drop, progress=progress, device=device)
        trained = dict(zip(taught, new, strict=True))
        for k in active:
            before, head = heads[k].valid_f1, trained.get(k)
            accepted = head is not None and head.valid_f1 > before
            after = None if head is None else head.valid_f1
            rows.append(told[k] | {"valid_before": before, "valid_after": after, "accepted": accepted})
            if accepted:
                heads[k] = head
        active = [row["job"] for row in rows if row["round"] == number and row["accepted"]]
        if not active:
            break
    return heads, rows


def confident(probabilities: np.ndarray, thresholds: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """The likeliest class [n] of probabilities [n, 6], and whether it reaches that class's threshold [n]; a clip that a
    head cannot judge (NaN) has class -1 and does not."""
    known = np.isfinite(probabilities).all(axis=1)
    guess = np.where(known, np.nan_to_num(probabilities).argmax(axis=1), -1)
    return guess, known & (np.nan_to_num(probabilities).max(axis=1) >= np.asarray(thresholds)[guess])


def _counts(rows: np.ndarray, guess: np.ndarray, candidates: int, truth: np.ndarray | None) -> dict:
    numbers = np.bincount(guess, minlength=len(SIX_WAY)).tolist()
    purity = None if truth is None or not len(rows) else float((truth[rows] == guess).mean())
    by_class = dict(zip(SIX_WAY, numbers, strict=True))
    return {"candidates": candidates, "pseudo": len(rows), "by_class": by_class, "purity": purity}


def _with(job: Job, rows: np.ndarray, classes: np.ndarray) -> Job:
    targets = job.targets.copy()
    targets[rows] = classes
    return replace(job, train=np.concatenate([job.train, rows]), targets=targets)


def _check(jobs: Sequence[Job], pool: np.ndarray) -> None:
    """Raise InputError where a clip that has a class, or trains or validates any head, is to be guessed at."""
    for job in jobs:
        leaked = np.union1d(pool[job.targets[pool] >= 0], np.intersect1d(pool, [*job.train, *job.valid]))
        if len(leaked):
            raise InputError(f"{job.features.clip_ids[int(leaked[0])]} is labelled; it cannot be pseudo-labelled.")
