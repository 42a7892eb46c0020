"""Choosing the label set with the best expected score.

A score of a view (see `emolab.scoring.wheel`) rests on two numbers of a clip: precision |G∩P| / |P| and recall
|G∩P| / |G|. With P chosen and the truth G unknown, their expectations are exact sums over the clusters c of P:

    E[precision] = sum of p(c) / |P|,  p(c) = Pr(c in G);    E[recall] = sum of r(c),  r(c) = E[1(c in G) / |G|]

so that p and r, given that the clip counts in that view (its truth maps there), are all that has to be estimated, and
no independence of clusters is assumed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emolab.fusion.meanings import Meanings

_CLIPS_AT_ONCE = 512
_HALVINGS = 5


def choose(
    p: np.ndarray,
    r: np.ndarray,
    words: Sequence[str],
    meanings: Meanings,
    weights: np.ndarray,
    tradeoff: float,
    most: int,
) -> list[list[str]]:
    """For each clip, words added one by one, always the one with the largest weighted mean over views of
    tradeoff x E[precision] + (1 - tradeoff) x E[recall], and of the sets met on the way (up to `most` words) the best.

    `p`, `r` [n, D] by cluster; `weights` [V] of the views. Of words that mean the same in every view, the first of
    `words` is taken.
    """
    table = np.full((len(words), len(meanings.views)), len(meanings.columns))  # the last column: no cluster there
    for row, word in enumerate(words):
        for column in meanings.find(word):
            table[row, meanings.view_of[column]] = column
    used = np.flatnonzero(weights)
    _, different = np.unique(table[:, used], axis=0, return_index=True)
    different = np.sort(different)  # the first word of each meaning
    table, words = table[different][:, used], [words[number] for number in different]
    chosen: list[list[int]] = []
    for start in range(0, len(p), _CLIPS_AT_ONCE):
        part = slice(start, start + _CLIPS_AT_ONCE)
        chosen += _greedy(p[part], r[part], table, weights[used], tradeoff, most)
    return [[words[number] for number in each] for each in chosen]


def _greedy(
    p: np.ndarray, r: np.ndarray, table: np.ndarray, weights: np.ndarray, tradeoff: float, most: int
) -> list[list[int]]:
    n, none = len(p), p.shape[1]
    # [n, words, views], in single precision: this is where a fit spends its time
    worth_p, worth_r = (np.pad(each, ((0, 0), (0, 1))).astype(np.float32)[:, table] for each in (p, r))
    weights = weights.astype(np.float32)
    taken = np.zeros((n, none + 1), bool)
    taken[:, none] = True
    sum_p, sum_r, size = (np.zeros((n, 1, table.shape[1]), np.float32) for _ in range(3))
    clips, best, kept = np.arange(n), np.zeros(n), np.zeros(n, int)
    chosen = np.zeros((n, most), int)
    for step in range(most):
        new = ~taken[:, table]
        precision = (sum_p + new * worth_p) / np.maximum(size + new, 1)
        value = (np.float32(tradeoff) * precision + np.float32(1 - tradeoff) * (sum_r + new * worth_r)) @ weights
        value[~new.any(axis=2)] = -1.0  # a word that means nothing new
        word = value.argmax(axis=1)
        chosen[:, step] = word
        better = value[clips, word] > best + 1e-6
        best[better], kept[better] = value[clips, word][better], step + 1
        added = new[clips, word]
        sum_p[:, 0] += added * worth_p[clips, word]
        sum_r[:, 0] += added * worth_r[clips, word]
        size[:, 0] += added
        taken[clips[:, None], table[word]] = True
    return [words[:length].tolist() for words, length in zip(chosen, kept, strict=True)]


def best_tradeoff(
    p: np.ndarray,
    r: np.ndarray,
    held: np.ndarray,
    words: Sequence[str],
    meanings: Meanings,
    weights: np.ndarray,
    most: int,
) -> float:
    """The trade-off that gives the best F = 2PR / (P + R) of mean precision P and mean recall R on clips whose true
    clusters `held` [n, D] are known.

    F grows with P as 2R² / (P + R)² and with R as 2P² / (P + R)²; at its maximum over all ways to choose, the choice
    weighs precision by R² / (P² + R²). That weight falls as the trade-off rises, so they meet where bisection finds it.
    """
    sides = [np.flatnonzero(meanings.view_of == view) for view in range(len(meanings.views))]
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        tradeoff = (low + high) / 2
        chosen = meanings.matrix(choose(p, r, words, meanings, weights, tradeoff, most)).toarray()
        precision = recall = 0.0
        for side, weight in zip(sides, weights, strict=True):
            true, hits = held[:, side].sum(axis=1), (held[:, side] * chosen[:, side]).sum(axis=1)
            counts = true > 0
            if weight and counts.any():
                precision += weight * float((hits / np.maximum(chosen[:, side].sum(axis=1), 1))[counts].mean())
                recall += weight * float((hits[counts] / true[counts]).mean())
        if recall**2 > tradeoff * (precision**2 + recall**2):
            low = tradeoff
        else:
            high = tradeoff
    return (low + high) / 2
