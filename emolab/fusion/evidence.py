"""What the members of a panel say about a clip, as numbers: weighted vote shares by cluster, and their descriptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import nnls

from emolab.fusion.meanings import Meanings
from emolab.fusion.panel import Member, Panel

_LEAST = 0.1  # of all weight, shared by all members alike


@dataclass(frozen=True, eq=False)
class Votes:
    """What a member says, [n, D] by cluster (1, or its probability where it gives some), and of which clips it was
    asked, [n]."""

    said: sparse.csr_matrix
    asked: np.ndarray


def votes(panel: Panel, meanings: Meanings) -> dict[str, Votes]:
    """Name -> votes of each member of the panel."""
    return {member.name: _votes(member, panel.clip_ids, meanings) for member in panel.members}


def _votes(member: Member, clip_ids: Sequence[str], meanings: Meanings) -> Votes:
    sets = [member.probabilities.get(clip) or member.labels.get(clip, ()) for clip in clip_ids]
    return Votes(meanings.matrix(sets), np.array([clip in member.labels for clip in clip_ids], float))


def member_weights(cast: Mapping[str, Votes], held: np.ndarray, counts: np.ndarray) -> dict[str, float]:
    """Name -> weight of each member's votes, summing to 1: the non-negative least squares of the true clusters (`held`
    [n, D], see `true_arrays`) on the members' votes, both less their means, over all clips and clusters at once.

    A clip that a member was not asked about says nothing of its votes. One that only repeats others gets little, but
    none gets nothing: it may be the only one to have answered a clip. Half of each weight is the mean over the
    members of the same variant (what follows the last slash of a name): single weights are noisy with some hundred
    clips.
    """
    truth = (held - held.sum(axis=0, where=counts) / np.maximum(counts.sum(axis=0), 1)) * counts
    centred = []
    for each in cast.values():
        asked = each.asked[:, None]
        said = each.said.toarray()
        centred.append(((said - said.sum(axis=0) / max(asked.sum(), 1)) * asked * counts).ravel())
    votes_of = np.stack(centred)
    gram, target = votes_of @ votes_of.T, votes_of @ truth.ravel()
    # a square root of the normal equations: the same minimum, with [members x members] numbers
    values, vectors = np.linalg.eigh(gram)
    kept = values > 1e-9 * max(values.max(), 1e-300)
    root = np.sqrt(values[kept])[:, None] * vectors[:, kept].T
    found, _ = nnls(root, (vectors[:, kept].T @ target) / np.sqrt(values[kept])) if kept.any() else (target * 0, 0)
    alike = np.full(len(cast), 1 / len(cast))
    found = (1 - _LEAST) * found / found.sum() + _LEAST * alike if found.any() else alike
    own = {name: float(weight) for name, weight in zip(cast, found, strict=True)}
    return {name: (own[name] + _mean_of_variant(name, own)) / 2 for name in own}


def variant(name: str) -> str:
    """What follows the last slash of a member's name: how the model was asked."""
    return name.rpartition("/")[2]


def weight_of(name: str, weights: Mapping[str, float]) -> float:
    """The weight of a member; of one that was not there in fitting, the mean of its variant's or else of all."""
    return weights[name] if name in weights else _mean_of_variant(name, weights)


def _mean_of_variant(name: str, weights: Mapping[str, float]) -> float:
    alike = [weight for known, weight in weights.items() if variant(known) == variant(name)]
    return float(np.mean(alike or list(weights.values())))


def vote_shares(cast: Mapping[str, Votes], weights: Mapping[str, float]) -> np.ndarray:
    """[n, D]: weighted share of the members asked about a clip that named the cluster; 0 where nobody was asked."""
    weighed = [(weight_of(name, weights), each) for name, each in cast.items()]
    said = sum(weight * each.said for weight, each in weighed)
    asked = sum(weight * each.asked for weight, each in weighed)
    return said.toarray() / np.maximum(asked, 1e-12)[:, None]


def descriptions(panel: Panel) -> list[list[str]]:
    """The members' descriptions of each clip."""
    return [[each.texts[clip] for each in panel.members if clip in each.texts] for clip in panel.clip_ids]
