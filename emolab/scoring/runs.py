"""Several runs (seeds) of one system on the same clips: one row with their spread, and paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from emolab.labels.lexicon import families, family_of
from emolab.scoring.clips import ClipScores, LabelSets, average, spread
from emolab.scoring.evaluate import Metric, mer2024_metric, profile_wheels, wheel_metric
from emolab.scoring.grouping import clean_labels
from emolab.scoring.intervals import bootstrap_intervals, compare
from emolab.scoring.settings import ScoringSettings

Runs = Sequence[LabelSets]  # one prediction set a seed, all of the same clips


def runs_row(name: str, truth: LabelSets, runs: Runs, settings: ScoringSettings, seed: int = 0, **options) -> dict:
    """One row: name, n, seeds, avg, accuracy, recall (MER2024), precision, recall and F by wheel families (level 1),
    labels_per_clip, avg_sd (between seeds), interval.

    Scores are averaged over the runs clip by clip; intervals resample clips, each with all its runs. `options` go to
    `mer2024_metric` (ask, cache, judge).
    """
    scores = {"mer2024": _average(_mer2024(settings, options), truth, runs)}
    scores["wheel"] = _average(wheel_metric(profile_wheels(settings)), truth, runs)
    values = {kind: score.values() for kind, score in scores.items()}
    intervals = {
        kind: bootstrap_intervals(score, settings.bootstrap, seed, settings.confidence)
        for kind, score in scores.items()
    }
    names = {"mer2024": ("avg", "accuracy", "recall"), "wheel": ("level1_precision", "level1_recall", "level1_f")}
    kept = [(kind, each) for kind, group in names.items() for each in group]
    ours = scores["mer2024"]
    return {
        "name": name,
        "n": ours.n,
        "seeds": len(runs),
        **{each: values[kind][each] for kind, each in kept},
        "labels_per_clip": ours.labels_per_clip,
        "avg_sd": ours.spread["avg"]["sd"] if len(runs) > 1 else None,
        "interval": {each: intervals[kind][each] for kind, each in kept if each in intervals[kind]},
    }


def difference_row(
    name: str, truth: LabelSets, first: Runs, second: Runs, settings: ScoringSettings, seed: int = 0, **options
) -> dict:
    """First minus second, paired by clip: name, n, seeds, avg, accuracy, recall, interval, p (of Avg, swap test over
    clips, see `compare`; neither without resamples), and by_seed: the lowest and highest difference of Avg over the
    seeds, where both have as many runs."""
    metric = _mer2024(settings, options)
    ours, theirs = ([metric.score(truth, run) for run in runs] for runs in (first, second))
    found = compare(average(ours), average(theirs), max(settings.bootstrap, 1), seed, settings.confidence)
    by_seed = None
    if len(ours) == len(theirs) > 1:
        told = spread(a.values()["avg"] - b.values()["avg"] for a, b in zip(ours, theirs, strict=True))
        by_seed = f"{told['min']:+.3f} to {told['max']:+.3f}"
    return {
        "name": name,
        "n": ours[0].n,
        "seeds": max(len(ours), len(theirs)),
        **{key: each.difference for key, each in found.items()},
        "p": found["avg"].p if settings.bootstrap else None,
        "by_seed": by_seed,
        "interval": {key: each.interval for key, each in found.items()} if settings.bootstrap else {},
    }


def family_differences(
    truth: LabelSets, first: Runs, second: Runs, *, resamples: int = 10_000, seed: int = 0, confidence: float = 0.95
) -> list[dict]:
    """Recall of each lexicon family under both, and first minus second: name, n (clips that truly hold it), first,
    second, difference, interval; most common first. A true family is recalled if a predicted label belongs to it."""
    clips = [clip for clip in truth if all(clip in run for run in (*first, *second))]
    true = {clip: {family_of(label) for label in clean_labels(truth[clip])} for clip in clips}
    named = [
        [{clip: {family_of(label) for label in clean_labels(run[clip])} for clip in clips} for run in runs]
        for runs in (first, second)
    ]
    rows, rng, tail = [], np.random.default_rng(seed), (1 - confidence) / 2
    for family in families():
        holding = [clip for clip in clips if family in true[clip]]
        if not holding:
            continue
        a, b = (
            np.mean([[family in run[clip] for clip in holding] for run in runs], axis=0, dtype=float) for runs in named
        )
        draws = rng.multinomial(len(holding), np.full(len(holding), 1 / len(holding)), size=resamples) / len(holding)
        low, high = np.quantile(draws @ (a - b), [tail, 1 - tail]) if resamples else (None, None)
        found = {"first": float(a.mean()), "second": float(b.mean()), "difference": float((a - b).mean())}
        interval = {"difference": [float(low), float(high)]} if resamples else {}
        rows.append({"name": family, "n": len(holding), **found, "interval": interval})
    return sorted(rows, key=lambda row: (-row["n"], row["name"]))


def _mer2024(settings: ScoringSettings, options: Mapping) -> Metric:
    return mer2024_metric(settings.grouping, runs=settings.judge_runs, **options)


def _average(metric: Metric, truth: LabelSets, runs: Runs) -> ClipScores:
    return average(metric.score(truth, run) for run in runs)
