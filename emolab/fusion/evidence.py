"""What the members of a panel say about a clip, as numbers: weighted vote shares by cluster, and their descriptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import sparse
from scipy.optimize import nnls

from emolab.fusion.meanings import Meanings
from emolab.fusion.panel import Member, Panel


def votes(member: Member, clip_ids: Sequence[str], meanings: Meanings) -> tuple[sparse.csr_matrix, np.ndarray]:
    """What a member says, [n, D] by cluster (1, or its probability where it gives some), and who was asked, [n]."""
    sets = [member.probabilities.get(clip) or member.labels.get(clip, ()) for clip in clip_ids]
    return meanings.matrix(sets), np.array([clip in member.labels for clip in clip_ids], float)


def member_weights(panel: Panel, meanings: Meanings, held: np.ndarray, counts: np.ndarray) -> dict[str, float]:
    """Name -> weight of each member's votes, summing to 1: the non-negative least squares of the true clusters (`held`
    [n, D], see `true_arrays`) on the members' votes, both less their means, over all clips and clusters at once.

    A member that only repeats others gets little. Half of each weight is the mean over the members of the same variant
    (what follows the last slash of a name): weights of single members are noisy with some hundred clips.
    """
    truth = (held - held.mean(axis=0)) * counts
    gram, target = np.zeros((len(panel.members),) * 2), np.zeros(len(panel.members))
    said = []
    for member in panel.members:
        each = votes(member, panel.clip_ids, meanings)[0].toarray()
        said.append((each - each.mean(axis=0)) * counts)
    for row, each in enumerate(said):
        target[row] = np.vdot(each, truth)
        gram[row] = [np.vdot(each, other) for other in said]
    # Cholesky-free: nnls of the normal equations' square root gives the same minimum with [members x members] numbers
    values, vectors = np.linalg.eigh(gram)
    kept = values > 1e-9 * max(values.max(), 1e-300)
    root = np.sqrt(values[kept])[:, None] * vectors[:, kept].T
    found, _ = nnls(root, (vectors[:, kept].T @ target) / np.sqrt(values[kept])) if kept.any() else (target * 0, 0)
    if not found.any():
        found = np.ones(len(panel.members))
    own = dict(zip(panel.names, found / found.sum(), strict=True))
    return {name: (own[name] + weight_of(f"/{variant(name)}", own)) / 2 for name in own}


def variant(name: str) -> str:
    """What follows the last slash of a member's name: how the model was asked."""
    return name.rpartition("/")[2]


def weight_of(name: str, weights: Mapping[str, float]) -> float:
    """The weight of a member; of one that was not there in fitting, the mean of its variant's or else of all."""
    if name in weights:
        return weights[name]
    alike = [weight for known, weight in weights.items() if variant(known) == variant(name)]
    return float(np.mean(alike or list(weights.values())))


def vote_shares(panel: Panel, meanings: Meanings, weights: Mapping[str, float]) -> np.ndarray:
    """[n, D]: weighted share of the members asked about a clip that named the cluster; 0 where nobody was asked."""
    shares = sparse.csr_matrix((len(panel.clip_ids), len(meanings.columns)))
    asked = np.zeros(len(panel.clip_ids))
    for member in panel.members:
        weight = weight_of(member.name, weights)
        said, was_asked = votes(member, panel.clip_ids, meanings)
        shares, asked = shares + weight * said, asked + weight * was_asked
    return shares.toarray() / np.maximum(asked, 1e-12)[:, None]


def descriptions(panel: Panel) -> list[list[str]]:
    """The members' descriptions of each clip."""
    return [[each.texts[clip] for each in panel.members if clip in each.texts] for clip in panel.clip_ids]
