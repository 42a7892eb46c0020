"""Uncertainty over clips: bootstrap intervals, and paired comparison of two prediction files."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from emolab.errors import InputError
from emolab.scoring.clips import ClipScores

_CELLS_AT_ONCE = 4_000_000  # resampled weights held in memory: 32 MB


@dataclass(frozen=True)
class Difference:
    """First minus second score: value, [low, high] and the p of the swap test (see `compare`)."""

    difference: float
    interval: list[float]
    p: float


def bootstrap_intervals(
    score: ClipScores, resamples: int = 10_000, seed: int = 0, level: float = 0.95
) -> dict[str, list[float]]:
    """Score name -> [low, high] of the scores' percentile interval (Efron 1979) over clips drawn with replacement.

    Clips are drawn once for all scores: draw counts [resamples, n] times `score.columns` [n, m] are the totals, so that
    a mean of several wheels' F is recomputed in full, with the clips that each wheel skips. The same seed gives the
    same interval; 0 resamples give no intervals.
    """
    if not resamples:
        return {}
    totals = np.concatenate(list(_resampled(score.columns, resamples, seed)))
    return {name: _interval(values, level) for name, values in score.summarise(totals).items()}


def compare(
    first: ClipScores, second: ClipScores, resamples: int = 10_000, seed: int = 0, level: float = 0.95
) -> dict[str, Difference]:
    """Score name -> paired difference of two prediction files on the same clips.

    The interval draws the same clips for both (paired bootstrap). The p value is two-sided: in each permutation, the
    two files swap their predictions for a random half of the clips (Fisher's paired randomisation test, as advised for
    F-like scores by Yeh 2000); p = (1 + differences at least as large) / (1 + permutations). InputError if the clips
    are not the same, ValueError without resamples.
    """
    if first.clip_ids != second.clip_ids:
        raise InputError("two prediction files can be compared on the same clips only; score both on common clips")
    if resamples < 1:
        raise ValueError("a comparison needs resamples")
    both = np.hstack([first.columns, second.columns])
    width = first.columns.shape[1]
    drawn = [_differences(first, totals[:, :width], totals[:, width:]) for totals in _resampled(both, resamples, seed)]
    totals = both.sum(axis=0)
    seen = _differences(first, totals[:width], totals[width:])
    swapped = []
    for moved in _swapped(first.columns - second.columns, resamples, seed):
        swapped.append(_differences(first, totals[:width] - moved, totals[width:] + moved))
    compared = {}
    for name, value in seen.items():
        # 1e-12: a swap that changes nothing in truth may differ in the last bit of the sum
        larger = sum(int((np.abs(each[name]) >= abs(value) - 1e-12).sum()) for each in swapped)
        interval = _interval(np.concatenate([each[name] for each in drawn]), level)
        compared[name] = Difference(float(value), interval, (1 + larger) / (1 + resamples))
    return compared


def _differences(score: ClipScores, first: np.ndarray, second: np.ndarray) -> dict[str, np.ndarray]:
    ours, theirs = score.summarise(first), score.summarise(second)
    return {name: ours[name] - theirs[name] for name in ours}


def _resampled(columns: np.ndarray, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Totals [some, m] of clips drawn with replacement, in parts."""
    n = len(columns)
    if n * resamples <= _CELLS_AT_ONCE:
        yield _drawn_once(n, resamples, seed) @ columns
        return
    rng = np.random.default_rng(seed)
    for size in _parts(n, resamples):
        yield _drawn(n, size, rng) @ columns


@lru_cache(maxsize=2)  # the rows of a table are resampled alike: 26 MB for 332 clips
def _drawn_once(n: int, resamples: int, seed: int) -> np.ndarray:
    return _drawn(n, resamples, np.random.default_rng(seed))


def _drawn(n: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """[size, n] how often each clip is drawn."""
    draws = rng.integers(0, n, (size, n)) + n * np.arange(size)[:, None]
    return np.bincount(draws.ravel(), minlength=size * n).reshape(size, n).astype(float)


def _swapped(differences: np.ndarray, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """What the first file's totals lose [some, m] when each clip is swapped with a chance of one half, in parts."""
    rng = np.random.default_rng(seed)
    for size in _parts(len(differences), resamples):
        yield rng.integers(0, 2, (size, len(differences)), np.int8).astype(float) @ differences


def _parts(n: int, resamples: int) -> Iterator[int]:
    rows = max(1, _CELLS_AT_ONCE // n)
    for start in range(0, resamples, rows):
        yield min(rows, resamples - start)


def _interval(values: np.ndarray, level: float) -> list[float]:
    tail = (1 - level) / 2
    return [float(each) for each in np.quantile(values, [tail, 1 - tail])]
