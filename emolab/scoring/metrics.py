"""Metrics that extensions register: what each clip adds, and the scores that its sums or means give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from emolab.errors import InputError
from emolab.extensions import Registry, told
from emolab.scoring.clips import ClipScores, LabelSets
from emolab.scoring.grouping import clean_labels
from emolab.scoring.mer2024 import refuse

Measure = Callable[[list[str], list[str]], Mapping[str, float]]
Summarise = Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]
_TAKEN = frozenset(  # by what stands beside the scores in tables and in the JSON of `emolab score`
    "name n interval intervals labels_per_clip baseline baselines table metric counts over_files comparisons".split()
)


@dataclass(frozen=True)
class RegisteredScore(ClipScores):
    """`columns` [n, m] holds what `measure` gave of each clip, under m `names`."""

    metric: RegisteredMetric = field(kw_only=True)
    names: tuple[str, ...] = field(kw_only=True)

    def summarise(self, totals: np.ndarray) -> dict[str, np.ndarray]:
        """The means of what was measured, or what the metric's own `summarise` makes of the sums."""
        sums = dict(zip(self.names, np.moveaxis(totals, -1, 0), strict=True))
        if self.metric.summarise is None:
            scores = {name: value / self.n for name, value in sums.items()}
        else:
            with told(f"metric {self.metric.name!r}"), np.errstate(divide="ignore", invalid="ignore"):
                scores = {str(name): np.asarray(each, float) for name, each in self.metric.summarise(sums).items()}
        for name, values in scores.items():
            if name in _TAKEN:
                raise InputError(f"metric {self.metric.name!r}: call the score {name!r} otherwise; that is a column.")
            if values.shape != totals.shape[:-1] or not np.isfinite(values).all():
                raise InputError(f"metric {self.metric.name!r}: the score {name!r} is not a number for all clips.")
        return scores


@dataclass(frozen=True)
class RegisteredMetric:
    """See `metric`."""

    name: str
    measure: Measure
    summarise: Summarise | None = None

    def score(self, truth: LabelSets, predictions: LabelSets, *, strict: bool = False) -> RegisteredScore:
        """Score the clips that stand in both; `strict` refuses others. InputError where there is none, and for what
        the metric should not give."""
        clips = [clip for clip in truth if clip in predictions]
        counts = {"missing": len(truth) - len(clips), "unknown": len(predictions) - len(clips)}
        if strict:
            refuse(counts)
        if not clips:
            raise InputError("no clip can be scored: truth and predictions have no clip id in common")
        sizes, measured = [], []
        for clip in clips:
            true, said = clean_labels(truth[clip]), clean_labels(predictions[clip])
            sizes.append(len(said))
            with told(f"metric {self.name!r}"):
                measured.append({str(name): float(value) for name, value in self.measure(true, said).items()})
            if measured[-1].keys() != measured[0].keys():
                raise InputError(f"metric {self.name!r}: gives other names for clip {clip!r} than for {clips[0]!r}.")
        names = tuple(measured[0])
        if not names:
            raise InputError(f"metric {self.name!r}: gives no score; a mapping of name to number is wanted.")
        columns = np.array([[each[name] for name in names] for each in measured])
        return RegisteredScore(tuple(clips), columns, float(np.mean(sizes)), counts, metric=self, names=names)


METRICS: Registry[RegisteredMetric] = Registry("metric", ("mer2024", "wheel"))


def metric(name: str, summarise: Summarise | None = None) -> Callable[[Measure], Measure]:
    """Register a function as the metric NAME: `measure(true, said)` takes a clip's true and predicted labels
    (lower-case, each once, in order) and gives name -> number.

    The scores are the means of these over clips, in 0..1; the first of them ranks. With `summarise` they are what it
    makes of the sums: name -> array (of any shape: one number, or one a resample) to score -> array of that shape, as
    an F score needs them.
    """

    def register(measure: Measure) -> Measure:
        METRICS.add(name, RegisteredMetric(name, measure, summarise))
        return measure

    return register
