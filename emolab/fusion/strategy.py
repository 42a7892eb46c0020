"""What every way to fuse has in common: it is fitted (or has nothing to learn), then makes label sets of a panel."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from emolab.errors import InputError
from emolab.extensions import Registry, told
from emolab.fusion.panel import Panel
from emolab.fusion.settings import STRATEGIES
from emolab.scoring.clips import LabelSets
from emolab.scoring.grouping import clean_labels

Function = TypeVar("Function", bound=Callable[..., Any])
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


REGISTERED: Registry[Strategy] = Registry("fusion strategy", STRATEGIES)


def strategy(name: str, *, learns: bool = False) -> Callable[[Function], Function]:
    """Register a function as the strategy NAME: `fuse(panel)` gives clip -> labels for every clip of the panel,
    whatever members it has. Where it `learns` it is `fit(panel, truth)` instead, which gives such a `fuse`. Labels are
    lower-cased, each once; a clip that is left out, or whose labels are no list of text, is an InputError."""

    def register(function: Function) -> Function:
        def fit(panel: Panel, truth: LabelSets) -> Fuse:
            if not learns:
                return partial(_fused, name, function)
            with told(f"fusion strategy {name!r}"):
                return partial(_fused, name, function(panel, truth))

        about = (inspect.getdoc(function) or name).split("\n")[0]
        REGISTERED.add(name, Strategy(name, about, fit, learns=learns))
        return function

    return register


def _fused(name: str, fuse: Fuse, panel: Panel) -> dict[str, list[str]]:
    with told(f"fusion strategy {name!r}"):
        found = fuse(panel)
        fused = {clip: found.get(clip) for clip in panel.clip_ids}
    for clip, labels in fused.items():
        if not isinstance(labels, list | tuple) or not all(isinstance(label, str) for label in labels):
            raise InputError(
                f"fusion strategy {name!r}: gives clip {clip!r} {labels!r:.60}, which is no list of labels."
            )
    return {clip: clean_labels(labels) for clip, labels in fused.items()}
