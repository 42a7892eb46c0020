"""What the kernel regression gets wrong about all clusters alike, learned from all of them together.

With some hundred clips a regression to single clusters is held back too far, and knows of no cluster that only one can
be the likeliest of its view. One linear correction for each kind of view, shared by its clusters, sees many examples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_FEATURES = 11
_PENALTY = 0.01  # of the squared coefficients, per example, features having mean 0 and variance 1


@dataclass(frozen=True, eq=False)
class Correction:
    """Per kind of view: means, deviations [kinds, features], and coefficients [kinds, features + 1, 2] (the last of a
    constant) of what to add to p and to r. `view_of`, `kind_of` [D]: each cluster's view and the kind of it; `prior`
    [D]: the share of clips that hold it."""

    view_of: np.ndarray
    kind_of: np.ndarray
    prior: np.ndarray
    means: np.ndarray
    deviations: np.ndarray
    coefficients: np.ndarray

    def __call__(self, p: np.ndarray, r: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """p and r [n, D], corrected and within 0 and 1."""
        corrected = np.stack([p, r])
        for kind in range(len(self.means)):
            clusters = np.flatnonzero(self.kind_of == kind)
            if not len(clusters):
                continue
            found = _features(p, r, self.prior, shares, self.view_of, clusters)
            found = (found - self.means[kind]) / self.deviations[kind]
            added = found @ self.coefficients[kind, :-1] + self.coefficients[kind, -1]
            corrected[:, :, clusters] += np.moveaxis(added, -1, 0)
        return tuple(np.clip(corrected, 0, 1))


def fit_correction(
    p: np.ndarray,
    r: np.ndarray,
    shares: np.ndarray,
    held: np.ndarray,
    share: np.ndarray,
    counts: np.ndarray,
    view_of: np.ndarray,
    kind_of: np.ndarray,
) -> Correction:
    """Ridge regression of what p and r (of clips left out) are off from the truth (`held`, `share`, where `counts`, see
    `true_arrays`; all [n, D]), for each kind of view over all clips and clusters at once."""
    prior = held.sum(axis=0, where=counts) / np.maximum(counts.sum(axis=0), 1)
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for kind in range(kind_of.max() + 1):
        clusters = np.flatnonzero(kind_of == kind)
        known = counts[:, clusters]
        if not known.any():  # no true label stands in any view of this kind
            found.append((np.zeros(_FEATURES), np.ones(_FEATURES), np.zeros((_FEATURES + 1, 2))))
            continue
        features = _features(p, r, prior, shares, view_of, clusters)[known]
        off = np.stack([(held - p)[:, clusters][known], (share - r)[:, clusters][known]], axis=-1)
        mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-6
        scaled, level = (features - mean) / deviation, off.mean(axis=0)
        gram = scaled.T @ scaled + _PENALTY * len(scaled) * np.eye(scaled.shape[1])
        slopes = np.linalg.solve(gram, scaled.T @ (off - level))
        found.append((mean, deviation, np.vstack([slopes, level])))
    means, deviations, coefficients = map(np.stack, zip(*found, strict=True))
    return Correction(view_of, kind_of, prior, means, deviations, coefficients)


def _features(
    p: np.ndarray, r: np.ndarray, prior: np.ndarray, shares: np.ndarray, view_of: np.ndarray, clusters: np.ndarray
) -> np.ndarray:
    """[n, clusters, features] of what is believed and said of a cluster, alone and beside the others of its view."""
    p, r = np.clip(p, 0, 1), np.clip(r, 0, 1)
    views, place = np.unique(view_of[clusters], return_inverse=True)
    columns = [np.flatnonzero(view_of == view) for view in views]
    total = np.stack([p[:, each].sum(axis=1) for each in columns], axis=1)[:, place]
    top = np.stack([p[:, each].max(axis=1) for each in columns], axis=1)[:, place]
    said = np.stack([shares[:, each].sum(axis=1) for each in columns], axis=1)[:, place]
    p, r, votes = p[:, clusters], r[:, clusters], shares[:, clusters]
    beside = [p / np.maximum(total, 1e-6), top, p * top, p * (p >= top), votes / np.maximum(said, 1e-9)]
    alone = [p, r, p * p, np.broadcast_to(prior[clusters], p.shape), votes, np.sqrt(votes)]
    return np.stack([*alone, *beside], axis=-1)
