"""Scores with their intervals, one line a system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from emolab.inspect.style import plain

_MARKS = "^sD"


def interval_dots(
    rows: Sequence[Mapping],
    corpus: str = "",
    title: str = "",
    measures: Sequence[str] = ("accuracy", "recall", "avg"),
    called: str = "Avg",
) -> Figure:
    """The last of `measures` (full, with its interval; `called` so in words) and the others (hollow) of each row, top
    to bottom: of `runs_row` as it stands, of `six_way_row` with other measures."""
    *others, main = measures
    marks = dict(zip(others, _MARKS, strict=False)) | {main: "o"}  # the main one last: it lies on top
    figure, axis = plt.subplots(figsize=(7.2, 1.3 + 0.36 * max(len(rows), 1)), layout="constrained")
    for y, row in enumerate(rows):
        low, high = row["interval"].get(main, [row[main]] * 2)
        axis.plot([100 * low, 100 * high], [y, y], color="0.35", linewidth=1.2, zorder=1)
        for measure, mark in marks.items():
            fill = "0.15" if measure == main else "white"
            axis.plot(
                100 * row[measure],
                y,
                mark,
                color="0.15",
                markerfacecolor=fill,
                label=measure.replace("_", " ") if y == 0 else None,
            )
    axis.set_yticks(range(len(rows)), [f"{plain(row['name'], 48)} (n = {row['n']})" for row in rows], fontsize=8)
    axis.invert_yaxis()
    axis.set(xlabel=f"score (%), 95 % interval of {called} over clips")
    axis.grid(axis="x")
    if rows:
        axis.legend(fontsize=8)
    axis.set_title(", ".join(filter(None, [plain(title, 80), plain(corpus)])), fontsize=11)
    return figure
