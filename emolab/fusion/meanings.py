"""What a label means, in every view that scores look at: the wheels' clusters and the lexicon's families."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import compress

import numpy as np
from scipy import sparse

from emolab.errors import InputError
from emolab.labels.lexicon import family_of, in_english
from emolab.labels.wheel import Wheels
from emolab.scoring.clips import LabelSets

MER2024 = "mer2024"  # the view of the MER2024 metric with the lexicon's groups


@dataclass(frozen=True, eq=False)
class Meanings:
    """Clusters of labels, as columns of a matrix.

    `columns`: (view, cluster) of each column; `views`: the views' names, the wheels' or `mer2024`, whose cluster is the
    lexicon family or else the label itself; `view_of` [D]: the number of each column's view. A cluster without a column
    counts for nothing. Chinese labels are looked up by the English word of their family.
    """

    wheels: Wheels
    views: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        index = {column: number for number, column in enumerate(self.columns)}
        views = {view: number for number, view in enumerate(self.views)}
        object.__setattr__(self, "view_of", np.array([views[view] for view, _ in self.columns], np.int64))
        wheels = self.wheels

        @lru_cache(maxsize=65536)
        def find(label: str) -> tuple[int, ...]:
            return tuple(index[each] for each in clusters_of(label, wheels) if each in index)

        object.__setattr__(self, "find", find)  # label -> its columns

    def matrix(self, sets: Sequence[Sequence[str] | Mapping[str, float]]) -> sparse.csr_matrix:
        """[clips, D]: 1 where a label of the set falls into the cluster; of a mapping (label -> probability) the sum of
        the labels' probabilities, at most 1."""
        numbers: dict[str, int] = {}
        rows, labels, values = [], [], []
        for row, each in enumerate(sets):
            chances = each.values() if isinstance(each, Mapping) else (1.0,) * len(each)
            for label, chance in zip(each, chances, strict=True):
                rows.append(row)
                labels.append(numbers.setdefault(label, len(numbers)))
                values.append(chance)
        said = sparse.csr_matrix((values, (rows, labels)), shape=(len(sets), len(numbers)), dtype=float)
        found = [(number, column) for label, number in numbers.items() for column in self.find(label)]
        ones, at = np.ones(len(found)), tuple(np.array(found, np.int64).reshape(-1, 2).T)
        clusters = said @ sparse.csr_matrix((ones, at), shape=(len(numbers), len(self.columns)))
        clusters.data = np.minimum(clusters.data, 1.0)
        return clusters

    def by_view(self, sets: Sequence[Sequence[str]]) -> np.ndarray:
        """[clips, V]: how many clusters of each view a set of labels holds."""
        found = self.matrix(sets)
        chosen = sparse.csr_matrix((np.ones(len(self.columns)), (np.arange(len(self.columns)), self.view_of)))
        return (found @ chosen).toarray() if len(self.columns) else np.zeros((len(sets), len(self.views)))


@lru_cache(maxsize=65536)
def clusters_of(label: str, wheels: Wheels) -> tuple[tuple[str, str], ...]:
    """(view, cluster) of a label in every view that knows it."""
    found = zip(wheels.views, wheels.find(in_english(label)), strict=True)
    return (*((view, cluster) for view, cluster in found if cluster), (MER2024, family_of(label) or label))


def meanings_of(sets: Iterable[Iterable[str]], wheels: Wheels, objective: Mapping[str, float]) -> Meanings:
    """The meanings of all labels in some label sets, in the views that `objective` weighs (see `view_weights`)."""
    every = (*wheels.views, MER2024)
    views = tuple(compress(every, view_weights(objective, every)))
    labels = {label for each in sets for label in each}
    found = {each for label in labels for each in clusters_of(label, wheels) if each[0] in views}
    return Meanings(wheels, views, tuple(sorted(found)))


def view_weights(objective: Mapping[str, float], views: Sequence[str]) -> np.ndarray:
    """[V] weights that sum to 1: each kind of view (level1, level2, m1, m2, mer2024) has its weight in `objective`,
    shared equally by its views. InputError for a kind that these wheels do not have."""
    kinds = [view.partition("/")[0] for view in views]
    for kind, weight in objective.items():
        if weight and kind not in kinds:
            raise InputError(
                f"objective {kind!r} is none of {', '.join(dict.fromkeys(kinds))}, which these wheels have"
            )
    weights = np.array([objective.get(kind, 0.0) / kinds.count(kind) for kind in kinds])
    return weights / weights.sum()


def true_arrays(
    meanings: Meanings, truth: LabelSets, clip_ids: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of clips with known truth G: `held` [n, D], 1 where the cluster is in G; `share` [n, D], 1 / |G| there (what the
    cluster adds to recall if it is found); `counts` [n, D], whether G has any cluster in the column's view."""
    sets = [truth[clip] for clip in clip_ids]
    held = meanings.matrix(sets).toarray()
    sizes = meanings.by_view(sets)[:, meanings.view_of]
    return held, held / np.maximum(sizes, 1), sizes > 0
