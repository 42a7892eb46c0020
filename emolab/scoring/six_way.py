"""Six-way emotion, one class a clip: weighted F1 and accuracy (MER2024-SEMI's measures), with seeds and folds.

Classes are numbers 0 to 5 in the order of `emolab.corpora.clip.SIX_WAY`. None is a clip without an answer: a miss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import stdtrit

from emolab.errors import InputError
from emolab.scoring.clips import ClipScores, average, spread
from emolab.scoring.intervals import bootstrap_intervals, compare
from emolab.scoring.settings import ScoringSettings

CLASSES = 6
Truth = Mapping[str, int]
Predicted = Mapping[str, int | None]
_SHAPE = (CLASSES, CLASSES + 1)  # true class; predicted class, or last no answer


class SixWayScores(ClipScores):
    """`columns` [n, 42]: one-hot of (true class, predicted class or none); averaged over seeds they are shares.

    The scores of averaged columns are those of all seeds' answers in one confusion table.
    """

    def summarise(self, totals: np.ndarray) -> dict[str, np.ndarray]:
        """`weighted_f1`, `accuracy`, `macro_f1`, see `measures`."""
        return measures(totals.reshape(*totals.shape[:-1], *_SHAPE))

    def confusion(self) -> np.ndarray:
        """[6, 7]: true class by predicted class or, last, none; the mean over seeds where these were averaged."""
        return self.columns.sum(axis=0).reshape(_SHAPE)


class _Losses(ClipScores):
    """`columns` [n, 84]: those of the same clips with everything there, then with something hidden."""

    def summarise(self, totals: np.ndarray) -> dict[str, np.ndarray]:
        full, hidden = (measures(half.reshape(*half.shape[:-1], *_SHAPE)) for half in np.split(totals, 2, axis=-1))
        return {name: full[name] - hidden[name] for name in full}


def measures(table: np.ndarray) -> dict[str, np.ndarray]:
    """Weighted F1, accuracy and macro F1 [...] of confusion tables [..., 6, 7].

    As scikit-learn has them (`f1_score` with zero_division=0): F of a class that is never named or never true is 0;
    `macro_f1` leaves out classes that are neither.
    """
    hits = np.diagonal(table, axis1=-2, axis2=-1)
    true, named = table.sum(axis=-1), table[..., :CLASSES].sum(axis=-2)
    met = true + named > 1e-9  # sums of thirds are 0 but for the last bits
    f = np.divide(2 * hits, true + named, out=np.zeros(met.shape), where=met)
    n = true.sum(axis=-1)
    return {
        "weighted_f1": (f * true).sum(axis=-1) / n,
        "accuracy": hits.sum(axis=-1) / n,
        "macro_f1": f.sum(axis=-1) / met.sum(axis=-1),
    }


def confusion(true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """[6, 7] counts of classes [n] by predicted classes [n], -1 being no answer."""
    cells = true * _SHAPE[1] + predicted % _SHAPE[1]
    return np.bincount(cells, minlength=_SHAPE[0] * _SHAPE[1]).reshape(_SHAPE)


def weighted_f1(true: np.ndarray, predicted: np.ndarray) -> float:
    """Weighted F1 of classes [n] and predicted classes [n], -1 being no answer."""
    return float(measures(confusion(true, predicted))["weighted_f1"])


def six_way_score(truth: Truth, predictions: Predicted) -> SixWayScores:
    """Score the clips that stand in both; `counts` has those without prediction (missing) and without truth (unknown).

    InputError for a class that is none of the six, and if no clip can be scored.
    """
    clip_ids = tuple(clip for clip in truth if clip in predictions)
    if not clip_ids:
        raise InputError("no clip can be scored: truth and predictions have no clip id in common")
    true = np.array([_class(clip, truth[clip]) for clip in clip_ids])
    named = np.array([CLASSES if predictions[clip] is None else _class(clip, predictions[clip]) for clip in clip_ids])
    counts = {"missing": len(truth) - len(clip_ids), "unknown": len(predictions) - len(clip_ids)}
    counts["unanswered"] = int((named == CLASSES).sum())
    columns = np.eye(_SHAPE[0] * _SHAPE[1])[true * _SHAPE[1] + named]
    return SixWayScores(clip_ids, columns, float((named < CLASSES).mean()), counts)


def six_way_row(
    name: str,
    truth: Truth,
    runs: Sequence[Predicted],
    folds: Mapping[str, int] | None,
    settings: ScoringSettings,
    seed: int = 0,
) -> dict:
    """One row of one run a seed: name, n, seeds, weighted_f1, accuracy, macro_f1 (all seeds' answers in one table),
    weighted_f1_sd (between seeds), fold_mean, fold_sd, interval.

    `fold_mean` and `fold_sd` are of the weighted F1 over folds, each fold's averaged over the seeds; None without
    folds. Intervals resample clips, each with all its runs; that of fold_mean is Student's over the folds, which share
    training clips, so that it is somewhat too narrow (Bengio & Grandvalet 2004).
    """
    scores = _scores(truth, runs)
    score = average(scores)
    intervals = bootstrap_intervals(score, settings.bootstrap, seed, settings.confidence)
    over_folds: dict[str, float | None] = {"fold_mean": None, "fold_sd": None}
    if folds is not None:
        values = _fold_values(scores, folds)
        told = spread(values)
        over_folds = {"fold_mean": told["mean"], "fold_sd": told["sd"]}
        if len(values) > 1:
            half = stdtrit(len(values) - 1, (1 + settings.confidence) / 2) * told["sd"] / len(values) ** 0.5
            intervals["fold_mean"] = [float(told["mean"] - half), float(told["mean"] + half)]
    return {
        "name": name,
        "n": score.n,
        "seeds": len(runs),
        **score.values(),
        "weighted_f1_sd": score.spread["weighted_f1"]["sd"] if len(runs) > 1 else None,
        **over_folds,
        "interval": intervals,
    }


def six_way_difference(
    name: str,
    truth: Truth,
    first_runs: Sequence[Predicted],
    second_runs: Sequence[Predicted],
    settings: ScoringSettings,
    seed: int = 0,
) -> dict:
    """First minus second, paired by clip: name, n, seeds, weighted_f1, accuracy, macro_f1, p (of the weighted F1, swap
    test over clips, see `compare`; neither p nor interval without resamples), by_seed (lowest and highest difference of
    weighted F1 over the seeds, where both have as many runs), interval."""
    return _difference(name, _scores(truth, first_runs), _scores(truth, second_runs), settings, seed)


def loss_difference(
    name: str,
    truth: Truth,
    first: tuple[Sequence[Predicted], Sequence[Predicted]],
    second: tuple[Sequence[Predicted], Sequence[Predicted]],
    settings: ScoringSettings,
    seed: int = 0,
) -> dict:
    """What the first system loses minus what the second loses, each given as its runs (with everything there, with
    something hidden); columns as in `six_way_difference`, paired by clip. Above 0 the first loses more."""
    return _difference(name, _losses(truth, *first), _losses(truth, *second), settings, seed)


def _difference(
    name: str, ours: Sequence[ClipScores], theirs: Sequence[ClipScores], settings: ScoringSettings, seed: int
) -> dict:
    found = compare(average(ours), average(theirs), max(settings.bootstrap, 1), seed, settings.confidence)
    by_seed = None
    if len(ours) == len(theirs) > 1:
        pairs = zip(ours, theirs, strict=True)
        told = spread(a.values()["weighted_f1"] - b.values()["weighted_f1"] for a, b in pairs)
        by_seed = f"{told['min']:+.3f} to {told['max']:+.3f}"
    return {
        "name": name,
        "n": ours[0].n,
        "seeds": max(len(ours), len(theirs)),
        **{key: each.difference for key, each in found.items()},
        "p": found["weighted_f1"].p if settings.bootstrap else None,
        "by_seed": by_seed,
        "interval": {key: each.interval for key, each in found.items()} if settings.bootstrap else {},
    }


def _class(clip: str, value: int) -> int:
    if not 0 <= value < CLASSES:
        raise InputError(f"{clip}: its class is {value!r}; give a number from 0 to {CLASSES - 1}")
    return int(value)


def _scores(truth: Truth, runs: Sequence[Predicted]) -> list[SixWayScores]:
    """Of each run. Raises InputError unless all are of the same clips: they could not be averaged."""
    scores = [six_way_score(truth, run) for run in runs]
    if not scores or any(each.clip_ids != scores[0].clip_ids for each in scores):
        raise InputError("runs of one system hold the same clips, and there is at least one; predict every clip")
    return scores


def _losses(truth: Truth, full: Sequence[Predicted], hidden: Sequence[Predicted]) -> list[_Losses]:
    if len(full) != len(hidden):
        raise InputError("what is hidden is compared seed by seed; give as many runs with it as without")
    scores = _scores(truth, [*full, *hidden])
    pairs = zip(scores[: len(full)], scores[len(full) :], strict=True)
    return [_Losses(a.clip_ids, np.hstack([a.columns, b.columns]), a.labels_per_clip) for a, b in pairs]


def _fold_values(scores: Sequence[SixWayScores], folds: Mapping[str, int]) -> list[float]:
    numbers = np.array([folds[clip] for clip in scores[0].clip_ids])
    columns = np.stack([each.columns for each in scores])  # [seeds, n, 42]
    totals = [columns[:, numbers == fold].sum(axis=1) for fold in np.unique(numbers)]
    return [float(scores[0].summarise(each)["weighted_f1"].mean()) for each in totals]
