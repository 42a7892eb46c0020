"""The emotion-wheel metrics: M1 (word forms), M2 (synonyms) and M3 (five wheels at two levels).

Labels are mapped to clusters (`emolab.labels.wheel`) and compared as sets, clip by clip; labels without a cluster are
dropped from both sides. Precision |G∩P| / |P| and recall |G∩P| / |G| are means over the clips whose truth maps, so n
differs by wheel; an empty prediction gives 0 and 0. F is made of those two means, wheel by wheel, and a level's score
is the mean over the wheels: the reported F is therefore not the harmonic mean of the reported P and R (OV-MER, section
on metrics; MER-UniBench; MER2025 and MER2026, track 2).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from emolab.errors import InputError
from emolab.labels.wheel import Wheels
from emolab.scoring.clips import ClipScores, LabelSets
from emolab.scoring.grouping import clean_labels
from emolab.scoring.mer2024 import refuse
from emolab.scoring.settings import PRESETS

_EDITION_OF = {"mer2025": "2025", "mer2026": "2026"}
_KINDS = ("level1", "level2", "m1", "m2")


@dataclass(frozen=True)
class WheelScore(ClipScores):
    """Scores of one prediction file; `columns` [n, 4 x views] holds precision, recall, hits and whether a clip counts.

    `unmapped` counts labels without any cluster, true and predicted together.
    """

    wheels: Wheels | None = None
    preset: str | None = None
    unmapped: dict[str, int] = field(default_factory=dict)

    def summarise(self, totals: np.ndarray) -> dict[str, np.ndarray]:
        """`level1_f`, `level1_precision`, `level1_recall`, `level1_avg` ((P + R) / 2), the same for level2, and for m1
        and m2 where the wheels have them (their precision is called accuracy), and `score`, the preset's.

        F is 0 where P + R is 0: the 2026 code does so, the 2025 code divides by zero there.
        """
        precision, recall, hits, clips = np.moveaxis(totals.reshape(*totals.shape[:-1], 4, -1), -2, 0)
        clips = np.maximum(clips, 1)
        precision, recall, hits = precision / clips, recall / clips, hits / clips
        both = precision + recall
        f = np.divide(2 * precision * recall, both, out=np.zeros_like(both), where=both > 0)
        found = {}
        for kind, views in self._views().items():
            p, r = precision[..., views].mean(axis=-1), recall[..., views].mean(axis=-1)
            name = "precision" if kind.startswith("level") else "accuracy"
            found |= {f"{kind}_f": f[..., views].mean(axis=-1), f"{kind}_{name}": p, f"{kind}_recall": r}
            found[f"{kind}_avg"] = (p + r) / 2
        if self.preset == "ov-merd":
            found["score"] = f.mean(axis=-1)
        elif self.preset == "mer2025":
            found["score"] = (found["level1_f"] + found["level2_f"]) / 2
        elif self.preset == "hit-rate":
            found["score"] = hits[..., self._views()["level1"]].mean(axis=-1)
        elif self.preset:
            found["score"] = found["level1_f"]
        return found

    def clips_by_view(self) -> dict[str, int]:
        """How many clips each view scores: those whose truth maps there."""
        counted = self.columns.reshape(self.n, 4, -1)[:, 3].sum(axis=0)
        return {view: int(count) for view, count in zip(self.wheels.views, counted, strict=True)}

    def _views(self) -> dict[str, list[int]]:
        kinds = [view.partition("/")[0] for view in self.wheels.views]
        return {kind: [i for i, each in enumerate(kinds) if each == kind] for kind in _KINDS if kind in kinds}


def score(
    truth: LabelSets, predictions: LabelSets, wheels: Wheels, *, preset: str | None = None, strict: bool = False
) -> WheelScore:
    """Score `predictions` against `truth` on the clips that stand in both.

    Counted are clips of one side only (`missing`, `unknown`; the official code fails there), clips without true or
    predicted labels (`empty_truth`, `empty_predictions`), and labels without a cluster (`unmapped_truth`,
    `unmapped_predictions`). `strict` refuses missing and unknown clips and clips without a true label. InputError also
    if no clip can be scored, and for a preset that these wheels cannot give. For the published numbers of a file, its
    cells have to be read as officially done, see `emolab.scoring.files.official_cell`.
    """
    check_preset(preset, wheels)
    clip_ids = [clip for clip in truth if clip in predictions]
    if not clip_ids:
        raise InputError("no clip can be scored: truth and predictions have no clip id in common")
    counts = {"missing": len(truth) - len(clip_ids), "unknown": len(predictions) - len(clip_ids)}
    sides = [[truth[clip] for clip in clip_ids], [predictions[clip] for clip in clip_ids]]
    clusters = _Clusters(wheels)
    true, predicted = (_Side(side, clusters) for side in sides)
    counts["empty_truth"] = int((true.sizes == 0).sum())
    counts["empty_predictions"] = int((predicted.sizes == 0).sum())
    unmapped = [side.unmapped(clusters) for side in (true, predicted)]
    counts["unmapped_truth"], counts["unmapped_predictions"] = (each.total() for each in unmapped)
    if strict:
        refuse(counts)

    n, views = len(clip_ids), len(wheels.views)
    columns = np.zeros((4, views, n))
    for view in range(views):
        ours, theirs = true.pairs(view, clusters), predicted.pairs(view, clusters)
        hits = np.intersect1d(ours, theirs, assume_unique=True)
        in_truth, in_prediction, in_both = (
            np.bincount(pairs // clusters.base, minlength=n) for pairs in (ours, theirs, hits)
        )
        counted = in_truth > 0
        columns[0, view] = counted * in_both / np.maximum(in_prediction, 1)
        columns[1, view] = in_both / np.maximum(in_truth, 1)
        columns[2, view] = in_both
        columns[3, view] = counted
    if not columns[3].any():
        raise InputError("no clip can be scored: none of the true labels stands in the wheels")
    ranked = sum(unmapped, Counter()).most_common()
    return WheelScore(
        tuple(clip_ids), columns.reshape(4 * views, n).T.copy(), float(predicted.sizes.mean()), counts,
        wheels=wheels, preset=preset, unmapped=dict(sorted(ranked, key=lambda item: (-item[1], item[0]))),
    )  # fmt: skip


def check_preset(preset: str | None, wheels: Wheels) -> None:
    """InputError for an unknown preset, and for one that needs other tables."""
    if preset is None:
        return
    if preset not in PRESETS:
        raise InputError(f"preset {preset!r} is none of {', '.join(PRESETS)}")
    if preset == "ov-merd" and "m1" not in wheels.views:
        raise InputError("preset ov-merd is a mean over the official tables; name their folder with --tables")
    if wheels.edition != "own" and _EDITION_OF.get(preset, wheels.edition) != wheels.edition:
        raise InputError(f"preset {preset} is defined by edition {_EDITION_OF[preset]}, not {wheels.edition}")


@lru_cache(maxsize=65536)
def _names(label: str, wheels: Wheels) -> tuple[str | None, ...]:
    """Clusters of a label in each view and the cleaned label itself; nothing for an empty one."""
    cleaned = clean_labels([label])
    return (*wheels.find(cleaned[0]), cleaned[0]) if cleaned else ()


class _Clusters:
    """Numbers for labels and for their clusters in each view; a label is looked up once."""

    def __init__(self, wheels: Wheels) -> None:
        self.wheels = wheels
        self.rows: dict[str, int] = {}  # label as it stands in the file -> row of `table`
        self.numbers: dict[str, int] = {}  # cluster or cleaned label -> number
        self.table: list[list[int]] = []  # by row: number of the cluster in each view (-1: none), of the label itself

    def rows_of(self, labels: set[str]) -> dict[str, int]:
        """Label -> its row, -1 for an empty one."""
        numbers = self.numbers
        for label in labels - self.rows.keys():
            names = _names(label, self.wheels)
            self.rows[label] = len(self.table) if names else -1
            if names:
                self.table.append([-1 if each is None else numbers.setdefault(each, len(numbers)) for each in names])
        return self.rows

    @property
    def base(self) -> int:
        return len(self.numbers) + 1

    def column(self, view: int) -> np.ndarray:
        """Numbers [rows] of one view; -1 is the labels themselves."""
        return np.array([row[view] for row in self.table], np.int64)


class _Side:
    """Truth or predictions, flattened: clip and label row of each of its labels, once a clip."""

    def __init__(self, sets: Sequence[Sequence[str]], clusters: _Clusters) -> None:
        row_of = clusters.rows_of({label for labels in sets for label in labels})
        rows = np.array([row_of[label] for labels in sets for label in labels], np.int64)
        clips = np.repeat(np.arange(len(sets)), [len(labels) for labels in sets])
        self.clips, self.rows = clips[rows >= 0], rows[rows >= 0]
        self.distinct = self.pairs(-1, clusters)
        self.sizes = np.bincount(self.distinct // clusters.base, minlength=len(sets))
        self.labels = self.distinct % clusters.base

    def pairs(self, view: int, clusters: _Clusters) -> np.ndarray:
        """Sorted unique clip x base + cluster of one view."""
        if not len(self.rows):
            return np.zeros(0, np.int64)
        numbers = clusters.column(view)[self.rows]
        pairs = np.sort(self.clips[numbers >= 0] * clusters.base + numbers[numbers >= 0])
        return pairs[np.diff(pairs, prepend=-1) > 0]  # np.unique hashes, which takes twenty times as long

    def unmapped(self, clusters: _Clusters) -> Counter[str]:
        """Label -> clips that hold it, for labels without a cluster in any view."""
        without = {row[-1] for row in clusters.table if max(row[:-1]) < 0}
        names = {number: name for name, number in clusters.numbers.items() if number in without}
        counted = zip(*np.unique(self.labels, return_counts=True), strict=True)
        return Counter({names[number]: int(count) for number, count in counted if number in names})
