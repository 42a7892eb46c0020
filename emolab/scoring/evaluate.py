"""Score several prediction sets on the same clips by one metric: rows with intervals, baselines last."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from emolab.errors import InputError
from emolab.labels.wheel import Wheels, own_wheels, read_wheels
from emolab.scoring import mer2024, wheel
from emolab.scoring.clips import LabelSets, average
from emolab.scoring.endpoint import Ask
from emolab.scoring.grouping import completed_by_lexicon, file_grouping, lexicon_grouping, model_grouping
from emolab.scoring.intervals import bootstrap_intervals
from emolab.scoring.metrics import METRICS
from emolab.scoring.settings import ScoringSettings
from emolab.scoring.table import Scorer, baseline_rows, table_row


@dataclass(frozen=True)
class Metric:
    """How predictions are scored, how baselines are, and which score ranks them (None: the first one)."""

    score: Scorer
    baseline: Scorer
    headline: str | None = None


def mer2024_metric(
    grouping: str,
    *,
    ask: Ask | None = None,
    cache: str | Path | None = None,
    judge: str = "model",
    runs: int = 1,
    strict: bool = False,
) -> Metric:
    """The MER2024 metric with labels grouped by `lexicon`, `none`, a JSON file of cached groupings, or `chat`.

    `chat` asks a model through `ask` (its answers kept in `cache`, see `model_grouping`) and averages `runs` of them;
    baselines get one run. With a cached file, words of the baselines that it does not hold join it by the lexicon:
    else every synonym would count as a miss.
    """
    if grouping == "chat":
        if ask is None:
            raise InputError(
                "scoring.grouping is chat, but no chat model is at hand; take lexicon or a file of groups."
            )

        def judged(truth: LabelSets, predictions: LabelSets, runs: int = runs) -> mer2024.Score:
            names = [judge, *(f"{judge}, run {number}" for number in range(2, runs + 1))]
            groupings = (model_grouping(truth, predictions, ask, cache, name) for name in names)
            return average(mer2024.score(truth, predictions, each, strict=strict) for each in groupings)

        return Metric(judged, lambda truth, predictions: judged(truth, predictions, 1), "avg")
    if grouping in ("lexicon", "none"):

        def scored(truth: LabelSets, predictions: LabelSets, strict: bool = strict) -> mer2024.Score:
            groups = lexicon_grouping(truth, predictions) if grouping == "lexicon" else None
            return mer2024.score(truth, predictions, groups, strict=strict)

        return Metric(scored, lambda truth, predictions: scored(truth, predictions, False), "avg")
    cached = file_grouping(grouping)
    return Metric(
        lambda truth, predictions: mer2024.score(truth, predictions, cached, strict=strict),
        lambda truth, predictions: mer2024.score(truth, predictions, completed_by_lexicon(cached, truth, predictions)),
        "avg",
    )


def wheel_metric(wheels: Wheels, preset: str | None = None, *, strict: bool = False) -> Metric:
    """The wheel metrics; the preset's score ranks, or else level-1 F."""
    wheel.check_preset(preset, wheels)
    return Metric(
        lambda truth, predictions: wheel.score(truth, predictions, wheels, preset=preset, strict=strict),
        lambda truth, predictions: wheel.score(truth, predictions, wheels, preset=preset),
        "score" if preset else "level1_f",
    )


def registered_metric(name: str, *, strict: bool = False) -> Metric:
    """A metric that an extension registered. InputError names the known ones."""
    if name not in METRICS:
        known = ", ".join(("mer2024", "wheel", *METRICS))
        raise InputError(f"no metric {name!r}; there are {known}, or what a file in extensions/ registers")
    return Metric(partial(METRICS[name].score, strict=strict), METRICS[name].score)


def profile_wheels(settings: ScoringSettings) -> Wheels:
    """The wheels that a profile scores by: the official tables it names, or emolab's own."""
    return read_wheels(settings.tables, settings.edition) if settings.tables else own_wheels()


def score_table(
    truth: LabelSets,
    predictions: Mapping[str, LabelSets],
    settings: ScoringSettings,
    metric: str = "mer2024",
    *,
    seed: int = 0,
    ask: Callable[[list[str]], list[str]] | None = None,
    cache: Path | None = None,
    judge: str = "model",
) -> list[dict]:
    """One row a prediction set, in the order given, then the constant list and the shuffled truth on all clips of
    `truth`; `metric` is `mer2024`, `wheel` or a registered one; `judge` names the model behind `ask`. Each set is
    scored on the clips that it predicts (n tells how many). With several judge runs, `avg_sd` is the sd of Avg over
    them."""
    if metric == "wheel":
        metric = wheel_metric(profile_wheels(settings))
    elif metric == "mer2024":
        metric = mer2024_metric(settings.grouping, ask=ask, cache=cache, judge=judge, runs=settings.judge_runs)
    else:
        metric = registered_metric(metric)
    rows = []
    for name, labels in predictions.items():
        result = metric.score(truth, labels)
        extra = {"avg_sd": result.spread["avg"]["sd"], "judge_runs": settings.judge_runs} if result.spread else {}
        intervals = bootstrap_intervals(result, settings.bootstrap, seed, settings.confidence)
        rows.append(table_row(name, result, intervals, **extra))
    baselines = baseline_rows(
        truth, metric.baseline, resamples=settings.bootstrap, seed=seed, level=settings.confidence
    )
    return rows + baselines
