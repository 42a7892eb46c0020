"""What the fusion playground computes: label sets, scores and chips of one setting, remembered."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from emolab.errors import InputError
from emolab.fusion.panel import Panel
from emolab.labels.lexicon import family_of
from emolab.scoring.clips import LabelSets
from emolab.scoring.grouping import clean_labels
from emolab.scoring.match import match

MEASURES = {"precision": "precision", "recall": "recall", "f": "F", "avg": "Avg", "labels_per_clip": "labels/clip"}
PAGE = 20  # clips that a view is sent at once
_REMEMBERED = 128  # settings


@dataclass(frozen=True)
class Knob:
    """The one number that a strategy is tuned by, from `low` to `high` in steps. InputError for an empty range."""

    label: str
    low: float
    high: float
    step: float
    start: float

    def __post_init__(self) -> None:
        if not (self.step > 0 and self.low <= self.start <= self.high):
            raise InputError(f"knob {self.label!r}: start lies between low and high, and step is above 0")

    @property
    def steps(self) -> int:
        """How many steps there are after `low`."""
        return math.floor((self.high - self.low) / self.step + 1e-9)

    def at(self, value: float) -> float:
        """The step nearest to a value. InputError for one outside of the range."""
        if not isinstance(value, int | float) or not self.low <= value <= self.high:
            raise InputError(f"{self.label}: {value} does not lie between {self.low:g} and {self.high:g}")
        return self._value(min(round((value - self.low) / self.step), self.steps))

    def spread(self, most: int) -> list[float]:
        """At most `most` steps, evenly from `low` to `high`."""
        count = min(most, self.steps + 1)
        return [self._value(round(self.steps * n / max(1, count - 1))) for n in range(count)]

    def _value(self, step: int) -> float:
        return round(self.low + step * self.step, 9)


@dataclass(frozen=True)
class Knobbed:
    """A strategy as the playground shows it. `fuse(panel, value)` gives the labels of its clips; `value` is None for
    one without a knob."""

    name: str
    about: str
    knob: Knob | None
    fuse: Callable[[Panel, float | None], LabelSets]

    def setting(self, value: float | None) -> str:
        """A value in words."""
        return "no setting" if self.knob is None else f"{self.knob.label} {value:g}"


class Fused(NamedTuple):
    """The labels of one setting and their scores (the keys of `MEASURES`, and n)."""

    labels: LabelSets
    scores: dict[str, float]


class Bench:
    """Fuses the members that are chosen by the strategy that is chosen. InputError without strategies, and for two of
    one name."""

    def __init__(
        self,
        panel: Panel,
        truth: LabelSets,
        score: Callable[[LabelSets], Mapping[str, float]],
        strategies: Sequence[Knobbed],
        corpus: str,
        points: Sequence[Mapping],
    ) -> None:
        self.strategies = {strategy.name: strategy for strategy in strategies}
        if not strategies or len(self.strategies) < len(strategies):
            raise InputError("the playground needs strategies of different names, at least one")
        self.panel, self.truth, self.corpus, self.points = panel, truth, corpus, points
        self.clip_ids = [clip for clip in panel.clip_ids if clip in truth]
        self._score = score
        self._remembered = lru_cache(_REMEMBERED)(self._fuse)

    def fused(self, members: Iterable[str], strategy: str, value: float | None) -> Fused:
        """Labels and scores of a setting. InputError where no member is chosen, for an unknown member or strategy, a
        value outside of the knob's range, and for what the strategy itself refuses."""
        if not (members := list(members)):
            raise InputError("no member is chosen; tick at least one")
        chosen = set(self.panel.pick(members).names)
        if strategy not in self.strategies:
            raise InputError(f"no strategy is called {strategy!r}; known are {', '.join(self.strategies)}")
        knob = self.strategies[strategy].knob
        names = tuple(name for name in self.panel.names if name in chosen)
        return self._remembered(names, strategy, knob and knob.at(value))

    def _fuse(self, names: tuple[str, ...], strategy: str, value: float | None) -> Fused:
        labels = self.strategies[strategy].fuse(self.panel.pick(names), value)
        scores = self._score(labels)
        return Fused(labels, {"n": int(scores["n"])} | {measure: float(scores[measure]) for measure in MEASURES})

    def find(self, labels: LabelSets, wanted: str) -> list[str]:
        """The labelled clips whose id, or one of whose true or fused labels, holds a text."""
        wanted = wanted.strip().lower()
        return [
            clip
            for clip in self.clip_ids
            if clip in labels and any(wanted in text.lower() for text in (clip, *self.truth[clip], *labels[clip]))
        ]

    def chips(self, clip: str, labels: LabelSets, members: Iterable[str]) -> list[dict]:
        """The labels of a clip, their sign (✓ matched, − missed, + spurious) and the chosen members who said each."""
        panel = self.panel.pick(members)
        found = match(self.truth[clip], labels[clip])
        signed = (("✓", found.matched), ("−", found.missed), ("+", found.spurious))
        return [
            {"sign": sign, "label": label, "said": _said(panel, clip, label)}
            for sign, words in signed
            for label in words
        ]


def _said(panel: Panel, clip: str, label: str) -> list[str]:
    """The members that said a label or another word of its family, with that word."""
    family, said = family_of(label), []
    for member in panel.members:
        own = clean_labels(member.labels.get(clip, ()))
        kin = [word for word in own if word == label or (family and family_of(word) == family)]
        if kin:
            said.append(member.name if label in kin else f"{member.name} (as {', '.join(kin)})")
    return said
