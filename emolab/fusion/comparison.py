"""Strategies side by side: each under every metric, whichever it was tuned for, with intervals and paired tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emolab.fusion.panel import Member
from emolab.scoring.baselines import constant_list, shuffled_truth
from emolab.scoring.clips import ClipScores, LabelSets, average
from emolab.scoring.evaluate import Metric, mer2024_metric, profile_wheels, wheel_metric
from emolab.scoring.intervals import bootstrap_intervals, compare
from emolab.scoring.runs import Runs
from emolab.scoring.settings import ScoringSettings

WHEEL = ("level1_f", "level1_precision", "level1_recall", "level2_f", "m1_f", "m2_f")
MER2024 = ("avg", "accuracy", "recall")


@dataclass(frozen=True)
class Judged:
    """One strategy's scores of all its runs, averaged clip by clip: by the wheels and by the MER2024 metric."""

    name: str
    wheel: ClipScores
    mer2024: ClipScores
    runs: int


class Comparison:
    """Scores the strategies of one corpus. `truth`: clips with known labels, of which those with predictions count;
    `options` go to `mer2024_metric` (ask, cache, judge)."""

    def __init__(self, truth: LabelSets, settings: ScoringSettings, seed: int = 0, **options) -> None:
        self.truth, self.settings, self.seed = truth, settings, seed
        self._wheel: Metric = wheel_metric(profile_wheels(settings))
        self._mer2024: Metric = mer2024_metric(settings.grouping, runs=settings.judge_runs, **options)

    def judge(self, name: str, runs: Runs) -> Judged:
        """Score the runs (seeds) of one strategy. Words that a cached grouping does not hold join it by the lexicon: it
        was made for one file of predictions."""
        wheel = average(self._wheel.score(self.truth, each) for each in runs)
        return Judged(name, wheel, average(self._mer2024.baseline(self.truth, each) for each in runs), len(runs))

    def row(self, judged: Judged) -> dict:
        """name, n, runs, the scores of `WHEEL` (those that the wheels give) and `MER2024` in 0..1, labels_per_clip,
        level1_f_sd (between runs), interval."""
        row = {"name": judged.name, "n": judged.wheel.n, "runs": judged.runs}
        interval = {}
        for score, names in ((judged.wheel, WHEEL), (judged.mer2024, MER2024)):
            values = score.values()
            bounds = bootstrap_intervals(score, self.settings.bootstrap, self.seed, self.settings.confidence)
            row |= {name: values[name] for name in names if name in values}
            interval |= {name: bounds[name] for name in names if name in bounds}
        row["labels_per_clip"] = judged.wheel.labels_per_clip
        row["level1_f_sd"] = judged.wheel.spread["level1_f"]["sd"] if judged.runs > 1 else None
        return {**row, "interval": interval}

    def baselines(self, shuffles: int = 10) -> list[dict]:
        """Rows of the constant list (the five most common labels of the other clips) and of shuffled truth."""
        rows = [self.row(self.judge("constant list (5 most common, leave-one-out)", [constant_list(self.truth)]))]
        if runs := shuffled_truth(self.truth, shuffles, self.seed):
            rows.append(self.row(self.judge(f"shuffled truth (mean of {shuffles})", runs)))
        return [{**row, "baseline": kind} for row, kind in zip(rows, ("constant", "shuffled"), strict=False)]

    def difference(self, first: Judged, second: Judged) -> dict:
        """First minus second, paired by clip: name, n, level1_f, level2_f, avg, their intervals, and p of level1_f and
        of avg (swap test over clips, see `compare`; no intervals and p without resamples)."""
        found = {}
        for one, two in ((first.wheel, second.wheel), (first.mer2024, second.mer2024)):
            found |= compare(one, two, max(self.settings.bootstrap, 1), self.seed, self.settings.confidence)
        names, tested = ("level1_f", "level2_f", "avg"), bool(self.settings.bootstrap)
        return {
            "name": f"{first.name} − {second.name}",
            "n": first.wheel.n,
            **{name: found[name].difference for name in names},
            "p_level1_f": found["level1_f"].p if tested else None,
            "p_avg": found["avg"].p if tested else None,
            "interval": {name: found[name].interval for name in names} if tested else {},
        }


def answers(member: Member, clip_ids: Sequence[str]) -> dict[str, list[str]]:
    """A single member's label sets of these clips; a clip that it did not answer has none, and scores nothing."""
    return {clip: list(member.labels.get(clip, ())) for clip in clip_ids}
