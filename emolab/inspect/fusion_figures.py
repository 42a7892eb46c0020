"""Figures of the co-judgment: the plane of strategies, who contributes what, and what each label costs.

They can be read in greyscale: by marker, line, hatching and numbers, never by colour alone."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from textwrap import fill

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from emolab.inspect.score_figures import recall_precision_axis, score_points, titled
from emolab.inspect.style import plain

_LINES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)))
_MARKERS = "osD^v"
_RIGHT = {"facecolor": "0.35", "edgecolor": "0.35"}
_WRONG = {"facecolor": "white", "edgecolor": "0.35", "hatch": "////"}
_PANELS = 6


def plane(
    rows: Sequence[Mapping],
    curves: Mapping[str, Sequence[Mapping]],
    corpus: str,
    paper: Sequence[Mapping] = (),
    precision: str = "level1_precision",
    recall: str = "level1_recall",
) -> Figure:
    """Recall against precision: score rows as points with their intervals (baselines hollow), each strategy's curve
    over its knob, and rows of another data set as numbered hollow stars; with iso-F and iso-Avg lines.

    `rows` as `table_row` gives them; `curves`: strategy -> rows in the order of its knob, each with `setting` (text)
    and the measures; `paper`: rows with a name and the measures.
    """
    everything = [*rows, *(point for points in curves.values() for point in points), *paper]
    values = [row[name] for row in everything for name in (precision, recall)]
    bounds = [edge for row in rows for name in (precision, recall) for edge in row["interval"].get(name, ())]
    entries = len(rows) + len(curves) + len(paper)
    figure, axis = plt.subplots(figsize=(9.6, max(5.6, 1.2 + 0.19 * entries)), layout="constrained")
    iso = recall_precision_axis(axis, [*values, *bounds], precision)
    score_points(axis, rows, precision, recall)
    taken = [(100 * row[precision], 100 * row[recall]) for row in paper]
    names = [row["name"] for row in rows]
    for number, (name, points) in enumerate(curves.items()):
        # the colour of the strategy's own point (the first of `vote 2`, `vote 3`), where it has one
        colour = next((i for i, each in enumerate(names) if each.startswith(name)), number + len(rows)) % 10
        x, y = ([100 * point[measure] for point in points] for measure in (precision, recall))
        axis.plot(
            x, y, linestyle=_LINES[number % len(_LINES)], linewidth=1.9, color=f"C{colour}",
            marker=_MARKERS[number % len(_MARKERS)], markersize=4.5, zorder=4,
            label=f"{plain(name, 40)}, over its setting",
        )  # fmt: skip
        for at, point in zip(zip(x, y, strict=True), points, strict=True):
            _note(axis, at, plain(str(point["setting"]), 16), taken)
    if paper:
        axis.plot([], [], linestyle="none", label="of another data set, not comparable:")
    for number, row in enumerate(paper, 1):
        at = 100 * row[precision], 100 * row[recall]
        label = f"{number}  {plain(row['name'], 44)}"
        axis.plot(*at, "*", markersize=12, color="0.25", markerfacecolor="white", label=label, zorder=5)
        axis.annotate(str(number), at, (6, 4), textcoords="offset points", fontsize=7, zorder=6)
    axis.set_title(
        titled(f"Recall against {precision.rpartition('_')[2]}", corpus, [row["n"] for row in rows]), loc="left"
    )
    rows_first = sorted(axis.get_legend_handles_labels()[0], key=lambda each: not isinstance(each, ErrorbarContainer))
    figure.legend(handles=[*rows_first, *iso], loc="outside right upper", fontsize=8)
    return figure


def _note(axis: Axes, at: tuple[float, float], text: str, taken: list[tuple[float, float]]) -> None:
    """The setting beside a point of a curve, unless another one stands there."""
    reach = (axis.get_xlim()[1] - axis.get_xlim()[0]) / 22
    if all(abs(at[0] - x) > reach or abs(at[1] - y) > reach / 2 for x, y in taken):
        taken.append(at)
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6}
        axis.annotate(text, at, (5, 5), textcoords="offset points", fontsize=7, color="0.15", zorder=6, bbox=box)


def contributions(said: Sequence[tuple[Collection[str], bool]], corpus: str, most: int = 20) -> Figure:
    """UpSet plot (Lex and others 2014) of what `emolab.fusion.contributions.contributed` gives: which sets of members
    say the same label, with how many of those labels are right; the `most` frequent sets, and at the left all labels
    of each member."""
    sets = Counter(frozenset(names) for names, _ in said)
    right = Counter(frozenset(names) for names, is_right in said if is_right)
    shown = sorted(sets, key=lambda each: (-sets[each], len(each), sorted(each)))[:most]
    if not shown:
        figure = plt.figure(figsize=(4, 0.6))
        figure.text(0, 0.5, "no label to show")
        return figure
    members = Counter(name for names, _ in said for name in names)
    right_of = Counter(name for names, is_right in said if is_right for name in names)
    order = sorted(members, key=lambda name: (-members[name], name))
    if len(order) == 1:
        order.append(f"no other than {order[0]}")  # marsilea orders two sets or more
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas deprecates what marsilea calls
        figure = _upset(order, {each: sets[each] for each in shown}, right, members, right_of)
    n = sum(sets.values())
    rest = len(sets) - len(shown)
    share = 100 * (1 - sum(sets[each] for each in shown) / n)
    more = f"the {len(shown)} largest of {len(sets)} sets; the other {rest} hold {share:.0f} %" if rest else "all sets"
    title = f"Who says which labels, {plain(corpus)}, n = {n} labels ({more})"
    figure.suptitle(title, x=0.02, y=0.99, ha="left", va="bottom", fontsize=11)
    return figure


def _upset(
    order: list[str],
    sets: Mapping[frozenset[str], int],
    right: Counter[frozenset[str]],
    members: Counter[str],
    right_of: Counter[str],
) -> Figure:
    from marsilea.plotter import Labels, StackBar
    from marsilea.upset import Upset, UpsetData

    held = np.array([[name in each for name in order] for each in sets]).repeat(list(sets.values()), axis=0)
    data = UpsetData(held.astype(int), sets_names=order, items=range(len(held)))
    upset = Upset(
        data, sets_order=order, sort_subsets="-cardinality",
        add_intersections=False, add_sets_size=False, add_labels=False,
        width=max(3.2, 0.33 * len(sets)), height=max(0.5, 0.27 * len(order)), radius=40,
    )  # fmt: skip
    columns = [frozenset(name for name, has in zip(order, key, strict=True) if has) for key in upset.subset_order]
    for side, counts, correct, keys, size in (
        ("top", sets, right, columns, 2.2),
        ("left", members, right_of, order, 1.7),
    ):
        stack = np.array([[correct[key] for key in keys], [counts[key] - correct[key] for key in keys]])
        bars = StackBar(stack, items=["right", "wrong"], colors=["0.35", "white"], edgecolor="0.35", width=0.7)
        upset.add_plot(side, bars, size=size, pad=0.12, name=side)
    upset.add_right(Labels([plain(name) for name in order], fontsize=9), pad=0.1)
    upset.render()
    for side in ("top", "left"):
        axis = upset.get_ax(side)
        for bar in axis.containers[1]:
            bar.set_hatch("////")
    top = upset.get_ax("top")
    for bar, key in zip(top.containers[0], columns, strict=True):
        at = bar.get_x() + bar.get_width() / 2, sets[key]
        top.annotate(
            f"{100 * right[key] / sets[key]:.0f} %", at, (0, 2), textcoords="offset points", ha="center", fontsize=6.5
        )
    top.set_ylabel("labels (above: share that is right)", fontsize=8)
    top.legend(
        handles=[Patch(**_RIGHT, label="right"), Patch(**_WRONG, label="wrong")],
        fontsize=8,
        loc="upper left",
        bbox_to_anchor=(1, 1),
    )
    upset.get_ax("left").set_xlabel("labels of each member", fontsize=9)
    return upset.figure


def word_bars(rows: Sequence[Mapping], corpus: str, most: int = 10) -> Figure:
    """The `most` frequent words of each member: in how many clips they are right (to the right) and wrong (left).
    Rows as `word_rows` gives them; the first six members have a panel, the others are named."""
    members = list(dict.fromkeys(row["member"] for row in rows))
    shown, rest = members[:_PANELS], members[_PANELS:]
    columns = min(3, max(1, len(shown)))
    lines = max(1, -(-len(shown) // columns))
    figure, axes = plt.subplots(
        lines, columns, figsize=(max(5.0, 3.7 * columns), 1.0 + (0.8 + 0.2 * most) * lines),
        sharex=True, squeeze=False, layout="constrained",
    )  # fmt: skip
    for axis in axes.flat[len(shown) :]:
        axis.set_axis_off()
    reach = 1
    for axis, name in zip(axes.flat, shown, strict=False):
        own = [row for row in rows if row["member"] == name]
        top = sorted(own, key=lambda row: (-row["right"] - row["wrong"], row["word"]))[:most]
        at = np.arange(len(top))
        for side, sign, style in (("right", 1, _RIGHT), ("wrong", -1, _WRONG)):
            axis.barh(at, [sign * row[side] for row in top], 0.75, label=side, **style)
            for y, row in zip(at, top, strict=True):
                where = (sign * row[side], y), (sign * 2, 0)
                align = "left" if sign > 0 else "right"
                axis.annotate(
                    str(row[side]), *where, textcoords="offset points", ha=align, va="center_baseline", fontsize=6.5
                )
        reach = max([reach, *(row[side] for row in top for side in ("right", "wrong"))])
        axis.set_yticks(at, [plain(row["word"], 22) for row in top], fontsize=8)
        axis.invert_yaxis()
        axis.axvline(0, color="0.2", linewidth=0.8)
        axis.xaxis.set_major_formatter(lambda value, _: f"{abs(value):.0f}")
        count = sum(row["right"] + row["wrong"] for row in own)
        axis.set_title(f"{plain(name)} ({len(own)} words, {count} labels)", fontsize=8.5)
    axes[0, 0].set_xlim(-1.2 * reach, 1.2 * reach)
    if shown:
        axes[0, 0].legend(fontsize=7, loc="lower right")
    labels = sum(row["right"] + row["wrong"] for row in rows)
    figure.suptitle(f"Words of each member, {plain(corpus)}, n = {labels} labels", fontsize=11)
    more = "\n" + fill(f"not shown: {', '.join(plain(name) for name in rest)}", 38 * columns) if rest else ""
    figure.supxlabel(f"clips in which the word is wrong ← → right{more}", fontsize=8.5)
    return figure


def cost(rows: Sequence[Mapping], corpus: str, measures: Sequence[str] = ("level1_f", "level1_avg")) -> Figure:
    """Labels per clip against F and Avg (one panel each): score rows as `table_row` gives them, with their intervals;
    baselines are hollow."""
    figure, axes = plt.subplots(
        1, len(measures), figsize=(4.1 * len(measures) + 2.6, max(4.2, 1 + 0.19 * len(rows))),
        squeeze=False, layout="constrained",
    )  # fmt: skip
    for axis, measure in zip(axes[0], measures, strict=True):
        for number, row in enumerate(rows):
            y = 100 * row[measure]
            edges = row["interval"].get(measure)
            error = np.abs(np.array(edges) * 100 - y)[:, None] if edges else None
            baseline = bool(row.get("baseline"))
            style = {"color": "0.45", "markerfacecolor": "white"} if baseline else {"color": f"C{number % 10}"}
            label = ("baseline: " if baseline else "") + plain(row["name"], 48)
            marker = "osD^vP*Xh<>"[number % 11]
            axis.errorbar(
                row["labels_per_clip"], y, error, None, marker, markersize=7, elinewidth=0.9, label=label, **style
            )
        kind = measure.rpartition("_")[2]
        axis.set(xlabel="labels per clip", ylabel=f"{'F' if kind == 'f' else kind.capitalize()} (%)")
        axis.set_xlim(0, 1.08 * max((row["labels_per_clip"] for row in rows), default=1))
        axis.grid()
    handles = axes[0, 0].get_legend_handles_labels()[0]
    figure.legend(handles=handles, loc="outside right upper", fontsize=8)
    figure.suptitle(titled("What labels cost", corpus, [row["n"] for row in rows]), fontsize=11)
    return figure
