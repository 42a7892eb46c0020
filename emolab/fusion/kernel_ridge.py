"""Kernel ridge regression on the evidence of a clip, with the leave-one-out error in closed form (Allen 1974)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import sparse

_WIDTHS = (0.5, 1.0)  # of the kernel: the squared distance of two clips, in the mean
_TEXT = (0.0, 0.5, 1.0)  # how much the descriptions count beside the votes
_RIDGES = (0.15, 0.3, 0.6)
_LEVEL = 10.0  # added to the kernel: a mean level that the ridge hardly holds back
_TUNED_AT_MOST = 1000  # clips
_CLIPS_AT_ONCE = 2048


@dataclass(frozen=True, eq=False)
class Regression:
    """What `fit` has learned from m clips: their vote shares [m, D] and description words [m, W], the scales of the
    squared distances between votes and between words, and the dual coefficients [m, k] of k targets."""

    shares: np.ndarray
    words: sparse.csr_matrix
    scales: np.ndarray
    dual: np.ndarray

    def predict(self, shares: np.ndarray, words: sparse.csr_matrix) -> np.ndarray:
        """[n, k] of the evidence of n clips."""
        found = [
            _kernel(shares[part], words[part], self.shares, self.words, self.scales) @ self.dual
            for part in (slice(at, at + _CLIPS_AT_ONCE) for at in range(0, len(shares), _CLIPS_AT_ONCE))
        ]
        return np.concatenate(found) if found else np.zeros((0, self.dual.shape[1]))


def fit(
    shares: np.ndarray, words: sparse.csr_matrix, targets: np.ndarray, importance: np.ndarray
) -> tuple[Regression, np.ndarray]:
    """The regression of `targets` [m, k], and what it predicts of each clip when that is left out [m, k].

    Kernel exp(-distance); its width, the weight of the words and the ridge are those of the least leave-one-out error,
    squared and weighed by the targets' `importance` [k], on at most 1,000 clips.
    """
    some = slice(None, None, -(-len(shares) // _TUNED_AT_MOST))
    apart = [_squared(each[some], each[some]) for each in (shares, words)]
    means = [float(each.mean()) for each in apart]
    wanted = targets[some] * np.sqrt(importance)
    alike, found = wanted @ wanted.T, []  # all that the error asks of the targets
    for width, of_words in product(_WIDTHS, _TEXT if means[1] else (0.0,)):
        scales = np.array([width, width * of_words]) / np.maximum(means, 1e-12)
        values, vectors = np.linalg.eigh(np.exp(-scales[0] * apart[0] - scales[1] * apart[1]) + _LEVEL)
        turned = vectors.T @ alike @ vectors
        for ridge in _RIDGES:
            shrunk = vectors / (values + ridge)
            squares = ((shrunk @ turned) * shrunk).sum(axis=1) / (shrunk * vectors).sum(axis=1) ** 2
            found.append((float(squares.sum()), width, of_words, ridge))
    _, width, of_words, ridge = min(found)
    scales = np.array([width, width * of_words]) / np.maximum(means, 1e-12)
    dual, off = solve(_kernel(shares, words, shares, words, scales), targets, ridge)
    return Regression(shares, words, scales, dual), targets - off


def solve(kernel: np.ndarray, targets: np.ndarray, ridge: float) -> tuple[np.ndarray, np.ndarray]:
    """Dual coefficients [m, k], and how far each target is off when its clip is left out [m, k]."""
    inverse = np.linalg.inv(kernel + ridge * np.eye(len(kernel)))
    dual = inverse @ targets
    return dual, dual / np.diag(inverse)[:, None]


def _kernel(shares, words, of_shares, of_words, scales: np.ndarray) -> np.ndarray:
    return np.exp(-scales[0] * _squared(shares, of_shares) - scales[1] * _squared(words, of_words)) + _LEVEL


def _squared(first: np.ndarray | sparse.csr_matrix, second: np.ndarray | sparse.csr_matrix) -> np.ndarray:
    """[n, m] squared distances between rows."""
    dot = first @ second.T
    lengths = [
        np.asarray((each.multiply(each) if sparse.issparse(each) else each**2).sum(axis=1)).ravel()
        for each in (first, second)
    ]
    return np.maximum(lengths[0][:, None] + lengths[1] - 2 * (dot.toarray() if sparse.issparse(dot) else dot), 0)
