"""Scoring what learns: every clip is fused by a strategy that was fitted to other clips."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from emolab.errors import InputError
from emolab.fusion.panel import Panel
from emolab.fusion.strategy import Strategy
from emolab.scoring.clips import LabelSets

Model = TypeVar("Model")


def folds(clip_ids: Sequence[str], count: int, seed: int) -> list[list[str]]:
    """The clips in `count` random parts of equal size (give or take one), the same for the same clips in any order."""
    if len(clip_ids) < count:
        raise InputError(f"{len(clip_ids)} clips with true labels make no {count} folds; take fewer folds")
    ordered = np.array(sorted(clip_ids), object)
    shuffled = ordered[np.random.default_rng(seed).permutation(len(ordered))]
    return [list(shuffled[start::count]) for start in range(count)]


def out_of_fold(strategy: Strategy, panel: Panel, truth: LabelSets, count: int, seed: int) -> dict[str, list[str]]:
    """Every clip of the panel with its labels, fused by what was fitted without it; clips without truth are fused by
    what all labelled clips have taught. A strategy that does not learn sees no truth at all."""
    if not strategy.learns:
        return strategy.fit(panel, {})(panel)
    fused: dict[str, list[str]] = {}
    for fuse, held in fitted(strategy.fit, panel, truth, count, seed, strategy.threads):
        fused |= fuse(panel.on(held))
    unlabelled = [clip for clip in panel.clip_ids if clip not in fused]
    if unlabelled:
        labelled = panel.on(clip for clip in panel.clip_ids if clip in fused)
        fused |= strategy.fit(labelled, {clip: truth[clip] for clip in labelled.clip_ids})(panel.on(unlabelled))
    return {clip: fused[clip] for clip in panel.clip_ids}


def fitted(
    fit: Callable[[Panel, LabelSets], Model],
    panel: Panel,
    truth: LabelSets,
    count: int,
    seed: int,
    threads: bool = True,
) -> list[tuple[Model, tuple[str, ...]]]:
    """For each fold, what `fit` makes of the other folds' clips and truth, and the clips held out from it; with
    `threads` the folds are fitted side by side."""
    from joblib import Parallel, delayed
    from threadpoolctl import threadpool_limits

    parts = list(splits(panel, truth, count, seed))
    with threadpool_limits(1):  # of the linear algebra within a fit
        models = Parallel(n_jobs=min(len(parts), os.cpu_count() or 1) if threads else 1, prefer="threads")(
            delayed(fit)(taught, {clip: truth[clip] for clip in taught.clip_ids}) for taught, _ in parts
        )
    return [(model, held.clip_ids) for model, (_, held) in zip(models, parts, strict=True)]


def splits(panel: Panel, truth: LabelSets, count: int, seed: int) -> Iterator[tuple[Panel, Panel]]:
    """(panel to fit to, panel held out) for each fold of the clips that have true labels."""
    labelled = [clip for clip in panel.clip_ids if truth.get(clip)]
    for held in folds(labelled, count, seed):
        inside = set(held)
        yield panel.on(clip for clip in labelled if clip not in inside), panel.on(held)


def models_left_out(
    strategy: Strategy, panel: Panel, truth: LabelSets, fitted_with: Sequence[str], count: int, seed: int
) -> dict[str, list[str]]:
    """Fused labels of the members that are not in `fitted_with`, by what was fitted to those that are, and, as in
    `out_of_fold`, without the clip's own truth."""
    others = [name for name in panel.names if name not in set(fitted_with)]
    unseen, fused = panel.pick(others), {}
    for fuse, held in fitted(strategy.fit, panel.pick(fitted_with), truth, count, seed, strategy.threads):
        fused |= fuse(unseen.on(held))
    return fused
