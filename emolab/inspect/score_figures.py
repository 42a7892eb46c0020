"""Figures of scores. They can be read in greyscale: by marker, hatching and numbers, never by colour alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from emolab.inspect.style import plain
from emolab.labels.lexicon import family_of
from emolab.scoring.clips import LabelSets
from emolab.scoring.grouping import clean_labels
from emolab.scoring.match import match

_MARKERS = "osD^vP*Xh<>"


def precision_recall(
    rows: Sequence[Mapping],
    precision: str = "accuracy",
    recall: str = "recall",
    corpus: str = "",
) -> Figure:
    """Recall against precision of score rows (see `table_row`; baselines are hollow), with iso-Avg and iso-F lines.

    Bars are the rows' intervals. For the wheel metrics name `level1_precision` and `level1_recall`. `corpus` goes into
    the title, here and in the other figures: whose clips these are.
    """
    figure, axis = plt.subplots(figsize=(9.2, 5.2), layout="constrained")
    bounds = [edge for row in rows for name in (precision, recall) for edge in row["interval"].get(name, ())]
    points = [row[name] for row in rows for name in (precision, recall)]
    iso = recall_precision_axis(axis, [*points, *bounds], precision)
    score_points(axis, rows, precision, recall)
    axis.set_title(
        titled(f"Recall against {precision.rpartition('_')[2]}", corpus, [row["n"] for row in rows]), loc="left"
    )
    handles = [*axis.get_legend_handles_labels()[0], *iso]
    figure.legend(handles=handles, loc="outside right upper", fontsize=8)
    return figure


def recall_precision_axis(axis: Axes, values: Sequence[float], precision: str) -> list[Line2D]:
    """Make an axis the square around `values` (0..1, of both measures) with iso-Avg and iso-F lines; returns what
    explains them in a legend. `precision` names the measure."""
    percents = [100 * value for value in values]
    low, high = max(0.0, min([*percents, 100]) - 6), min(100.0, max([*percents, 0]) + 6)
    axis.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    axis.set(xlabel=f"{precision.rpartition('_')[2]} (%)", ylabel="recall (%)")
    _iso_lines(axis, low, high)
    return [
        Line2D([], [], color="0.6", linestyle="--", linewidth=0.8, label="equal Avg = (P + R) / 2"),
        Line2D([], [], color="0.6", linestyle=":", linewidth=1.1, label="equal F = 2PR / (P + R)"),
    ]


def score_points(axis: Axes, rows: Sequence[Mapping], precision: str, recall: str) -> None:
    """Score rows on such an axis, with their intervals; baselines are hollow."""
    for number, row in enumerate(rows):
        x, y = 100 * row[precision], 100 * row[recall]
        edges = [row["interval"].get(name) for name in (precision, recall)]
        errors = [
            np.abs(np.array(edge) * 100 - at)[:, None] if edge else None for edge, at in zip(edges, (x, y), strict=True)
        ]
        baseline = bool(row.get("baseline"))
        style = {"color": "0.45", "markerfacecolor": "white"} if baseline else {"color": f"C{number % 10}"}
        label = ("baseline: " if baseline else "") + plain(row["name"], 48)
        marker = _MARKERS[number % len(_MARKERS)]
        axis.errorbar(x, y, errors[1], errors[0], marker, markersize=8, elinewidth=0.9, label=label, zorder=3, **style)


def _iso_lines(axis: Axes, low: float, high: float) -> None:
    x = np.linspace(max(low, 0.1), high, 400)
    step = 5 if high - low < 50 else 10
    for level in np.arange(step, 100, step):
        with np.errstate(divide="ignore"):
            curves = {"--": 2 * level - x, ":": np.where(2 * x > level, level * x / (2 * x - level), np.nan)}
        for style, y in curves.items():
            inside = (y >= low) & (y <= high)
            if inside.sum() < 2:
                continue
            axis.plot(x[inside], y[inside], style, color="0.6", linewidth=0.8 if style == "--" else 1.1, zorder=1)
            if style == "--":
                at = np.flatnonzero(inside)[inside.sum() // 20]
                axis.text(
                    x[at],
                    y[at],
                    f"{level:.0f}",
                    fontsize=7,
                    color="0.4",
                    zorder=2,
                    ha="center",
                    va="center",
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
                )


def recall_precision(truth: LabelSets, predictions: LabelSets, by: str = "family") -> list[dict]:
    """Rows of `by` (lexicon `family`, or the `label` itself), true and predicted labels, recall and precision (None
    without such labels), most common first.

    Over the clips that stand in both; a label that the lexicon does not know counts for no family. A true label is
    recalled and a predicted one is right if the other side holds a label of its family.
    """
    name_of = {"family": family_of, "label": str}[by]
    true, predicted, missed, spurious = Counter(), Counter(), Counter(), Counter()
    for clip in truth.keys() & predictions.keys():
        found = match(truth[clip], predictions[clip])
        true.update(map(name_of, clean_labels(truth[clip])))
        predicted.update(map(name_of, clean_labels(predictions[clip])))
        missed.update(map(name_of, found.missed))
        spurious.update(map(name_of, found.spurious))
    rows = [
        {
            by: name,
            "true": true[name],
            "predicted": predicted[name],
            "recall": 1 - missed[name] / true[name] if true[name] else None,
            "precision": 1 - spurious[name] / predicted[name] if predicted[name] else None,
        }
        for name in true.keys() | predicted.keys()
        if name is not None
    ]
    return sorted(rows, key=lambda row: (-row["true"], -row["predicted"], row[by]))


def recall_precision_bars(
    truth: LabelSets, predictions: LabelSets, by: str = "family", most: int = 20, corpus: str = ""
) -> Figure:
    """Recall and precision of the `most` common families or labels, with how many labels each rests on."""
    rows = recall_precision(truth, predictions, by)[:most]
    figure, axis = plt.subplots(figsize=(7.5, 1.2 + 0.34 * max(len(rows), 1)), layout="constrained")
    at = np.arange(len(rows))
    for part, count, offset, style in (
        ("recall", "true", -0.2, {"color": "0.35"}),
        ("precision", "predicted", 0.2, {"color": "white", "edgecolor": "0.35", "hatch": "////"}),
    ):
        axis.barh(at + offset, [100 * (row[part] or 0) for row in rows], 0.38, label=part, **style)
        for y, row in zip(at, rows, strict=True):
            value = "–" if row[part] is None else f"{100 * row[part]:.0f} %"
            axis.text(100 * (row[part] or 0) + 1, y + offset, f"{value} of {row[count]}", va="center", fontsize=6.5)
    axis.set_yticks(at, [plain(row[by]) for row in rows])
    axis.margins(y=0.01)
    axis.invert_yaxis()
    axis.set(xlim=(0, 115), xlabel="recall, of true labels; precision, of predicted labels (%)", ylabel=by)
    clips = len(truth.keys() & predictions.keys())
    axis.set_title(titled(f"Recall and precision by {by}", corpus, [clips]))
    axis.legend(fontsize=8, loc="lower right")
    return figure


def spurious_words(truth: LabelSets, predictions: LabelSets, most: int = 20, corpus: str = "") -> Figure:
    """The words that are most often predicted without a true label of their family: in how many clips, and how often
    they are right."""
    wrong, right = Counter(), Counter()
    clips = truth.keys() & predictions.keys()
    for clip in clips:
        found = match(truth[clip], predictions[clip])
        wrong.update(found.spurious)
        right.update(found.matched)
    words = sorted(wrong, key=lambda word: (-wrong[word], word))[:most]
    figure, axis = plt.subplots(figsize=(7.5, 1.2 + 0.26 * max(len(words), 1)), layout="constrained")
    share = 100 / max(len(clips), 1)
    axis.barh(
        words_at := np.arange(len(words)), [wrong[word] * share for word in words], color="0.35", label="spurious"
    )
    axis.barh(
        words_at, [right[word] * share for word in words], left=[wrong[word] * share for word in words],
        color="white", edgecolor="0.35", hatch="////", label="matched",
    )  # fmt: skip
    axis.set_yticks(words_at, [plain(word) for word in words])
    axis.margins(y=0.01)
    axis.invert_yaxis()
    axis.set(xlabel="clips that the word is predicted for (%)", ylabel="predicted word")
    axis.set_title(titled("Most frequent spurious words", corpus, [len(clips)]))
    axis.legend(fontsize=8, loc="lower right")
    return figure


def titled(what: str, corpus: str, clips: Sequence[int]) -> str:
    """A figure's title: what it shows, whose clips these are, and how many."""
    numbers = sorted(set(clips)) or [0]
    n = f"n = {' to '.join(map(str, numbers[:: len(numbers) - 1 or 1]))} clips"
    return ", ".join(filter(None, [what, plain(corpus), n]))
