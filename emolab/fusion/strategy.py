"""What every way to fuse has in common: it is fitted (or has nothing to learn), then makes label sets of a panel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from emolab.fusion.panel import Panel
from emolab.scoring.clips import LabelSets

Fuse = Callable[[Panel], dict[str, list[str]]]  # every clip of the panel -> its labels


@dataclass(frozen=True)
class Strategy:
    """`fit(panel, truth)` gives the function that fuses. A strategy that `learns` is fitted to the true labels of
    calibration clips and has to be scored on others (`emolab.fusion.held_out`); one that does not ignores the truth.
    `threads`: fitting is mostly linear algebra, so that several folds are fitted faster side by side."""

    name: str
    about: str
    fit: Callable[[Panel, LabelSets], Fuse]
    learns: bool = False
    threads: bool = False
