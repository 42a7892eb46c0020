"""The vectors of a set of clips, one a modality, with a mask of what is there. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from emolab.discriminative.settings import MODALITIES
from emolab.errors import InputError


@dataclass(frozen=True)
class Extracted:
    """One modality of some clips: `vectors` float32 [clips, width], a row of NaN where `present` [clips] says no.

    `problems` tells in one sentence a clip why it is absent, or what of it is damaged; `identity` changes with the
    weights and settings that made the vectors, and with the content that they are of.
    Raises InputError where the arrays do not fit together.
    """

    clip_ids: tuple[str, ...]
    vectors: np.ndarray
    present: np.ndarray
    problems: Mapping[str, str] = field(default_factory=dict)
    identity: str = ""

    def __post_init__(self) -> None:
        _check("features", self.clip_ids, self.vectors, self.present)


@dataclass(frozen=True)
class FeatureTable:
    """Several modalities of the same clips: `vectors` modality → float32 [clips, width], `present` bool [clips, 3] in
    the order of MODALITIES. What is absent is a row of NaN, so that a forgotten mask shows.

    Nothing is changed in place: `replace`, `update`, `take` and `hide` give new tables that share what stays the same.
    Raises InputError where the arrays do not fit together.
    """

    clip_ids: tuple[str, ...]
    vectors: Mapping[str, np.ndarray]
    present: np.ndarray

    def __post_init__(self) -> None:
        if sorted(self.vectors) != sorted(MODALITIES) or self.present.shape != (len(self), len(MODALITIES)):
            raise InputError(f"A table of features has the modalities {', '.join(MODALITIES)}, each with its mask.")
        if len(set(self.clip_ids)) != len(self):
            raise InputError("A table of features names a clip twice; give each clip once.")
        for column, modality in enumerate(MODALITIES):
            _check(modality, self.clip_ids, self.vectors[modality], self.present[:, column])

    def __len__(self) -> int:
        return len(self.clip_ids)

    @property
    def widths(self) -> dict[str, int]:
        """Modality → numbers in each of its vectors."""
        return {modality: self.vectors[modality].shape[1] for modality in MODALITIES}

    def replace(self, modality: str, extracted: Extracted) -> FeatureTable:
        """The table with other vectors of one modality. Raises InputError for those of other clips."""
        column = _column(modality)
        if extracted.clip_ids != self.clip_ids:
            raise InputError(f"The features of {modality} are of other clips, or of the same in another order.")
        present = self.present.copy()
        present[:, column] = extracted.present
        return replace(self, vectors={**self.vectors, modality: extracted.vectors}, present=present)

    def update(self, modality: str, extracted: Extracted) -> FeatureTable:
        """The table with other vectors of one modality for some of its clips. Raises InputError for a clip that it does
        not have, and for vectors of another width."""
        column, row_of = _column(modality), {clip_id: row for row, clip_id in enumerate(self.clip_ids)}
        if stray := [clip_id for clip_id in extracted.clip_ids if clip_id not in row_of]:
            raise InputError(f"The features of {modality} are of {stray[0]}, which the table does not have.")
        vectors, present = self.vectors[modality].copy(), self.present.copy()
        if vectors.shape[1] != extracted.vectors.shape[1]:
            widths = f"{extracted.vectors.shape[1]} numbers, those of the table {vectors.shape[1]}"
            raise InputError(f"The features of {modality} have {widths}; take them by the same encoder.")
        rows = [row_of[clip_id] for clip_id in extracted.clip_ids]
        vectors[rows], present[rows, column] = extracted.vectors, extracted.present
        return replace(self, vectors={**self.vectors, modality: vectors}, present=present)

    def take(self, rows: Sequence[int] | np.ndarray) -> FeatureTable:
        """Some of the rows, in the order given: indices, or a mask."""
        chosen = np.arange(len(self))[np.asarray(rows, dtype=None if len(rows) else int)]
        return FeatureTable(
            tuple(self.clip_ids[row] for row in chosen),
            {modality: vectors[chosen] for modality, vectors in self.vectors.items()},
            self.present[chosen],
        )

    def hide(self, rows: Sequence[int] | np.ndarray, modality: str) -> FeatureTable:
        """The table whose `rows` (indices, or a mask) lack a modality: NaN, and so said by the mask."""
        column, rows = _column(modality), np.asarray(rows, dtype=None if len(rows) else int)
        vectors, present = self.vectors[modality].copy(), self.present.copy()
        vectors[rows], present[rows, column] = np.nan, False
        return replace(self, vectors={**self.vectors, modality: vectors}, present=present)


def combine(parts: Mapping[str, Extracted]) -> FeatureTable:
    """One table of all modalities. Raises InputError where one is missing, or they are not of the same clips."""
    if sorted(parts) != sorted(MODALITIES):
        raise InputError(f"A table of features needs {', '.join(MODALITIES)}, not {', '.join(parts) or 'nothing'}.")
    first = parts[MODALITIES[0]].clip_ids
    for modality in MODALITIES:
        if parts[modality].clip_ids != first:
            raise InputError(f"The features of {modality} are of other clips than those of {MODALITIES[0]}.")
    vectors = {modality: parts[modality].vectors for modality in MODALITIES}
    return FeatureTable(first, vectors, np.stack([parts[modality].present for modality in MODALITIES], 1))


def _column(modality: str) -> int:
    if modality not in MODALITIES:
        raise InputError(f"There is no modality {modality!r}; one of {', '.join(MODALITIES)}.")
    return MODALITIES.index(modality)


def _check(name: str, clip_ids: Sequence[str], vectors: np.ndarray, present: np.ndarray) -> None:
    """Raise InputError unless the vectors are numbers exactly where the mask says so, and NaN elsewhere."""
    if vectors.ndim != 2 or vectors.dtype != np.float32 or present.dtype != bool:
        raise InputError(f"{name}: vectors are float32 [clips, width], their mask is bool [clips].")
    if not len(clip_ids) == len(vectors) == len(present):
        raise InputError(f"{name}: {len(clip_ids)} clips, {len(vectors)} vectors and {len(present)} masks do not fit.")
    wrong = np.flatnonzero(np.where(present, ~np.isfinite(vectors).all(1), ~np.isnan(vectors).all(1)))
    if len(wrong):
        raise InputError(
            f"{name} of {clip_ids[wrong[0]]}: a vector that is there holds numbers alone, one that is absent NaN alone."
        )
