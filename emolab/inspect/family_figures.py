"""Differences between two systems, emotion by emotion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from emolab.inspect.style import plain


def family_difference_bars(
    rows: Sequence[Mapping], first: str, second: str, corpus: str = "", most: int = 20
) -> Figure:
    """Recall of the `most` common families under `second` (hollow) and `first` (full), joined by a line, and their
    difference with its interval beside it; rows as `family_differences` gives them."""
    rows = sorted(rows[:most], key=lambda row: row["difference"])
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(9.2, 1.3 + 0.28 * max(len(rows), 1)), sharey=True, layout="constrained"
    )
    at = np.arange(len(rows))
    for y, row in zip(at, rows, strict=True):
        left.plot([100 * row["first"], 100 * row["second"]], [y, y], color="0.7", zorder=1)
        low, high = row["interval"].get("difference", [row["difference"]] * 2)
        right.plot([100 * low, 100 * high], [y, y], color="0.35", linewidth=1)
    left.plot([100 * row["first"] for row in rows], at, "o", color="0.2", label=plain(first))
    left.plot([100 * row["second"] for row in rows], at, "s", color="0.2", markerfacecolor="white", label=plain(second))
    right.plot([100 * row["difference"] for row in rows], at, "o", color="0.2")
    right.axvline(0, color="0.6", linewidth=0.8)
    left.set_yticks(at, [f"{plain(row['name'])} ({row['n']})" for row in rows], fontsize=8)
    left.set(xlabel="recall (%)", xlim=(-3, 103))
    right.set(xlabel=f"{plain(first)} − {plain(second)} (points), with interval")
    left.legend(fontsize=8)
    figure.suptitle(", ".join(filter(None, ["Recall by family (clips that hold it)", plain(corpus)])), fontsize=11)
    return figure
