"""Figures of six-way emotion: confusion matrix, what a missing modality and noise cost, rounds of self-training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from emolab.corpora.clip import SIX_WAY
from emolab.inspect.style import plain

_MARKERS, _LINES = "os^Dv", ("-", "--", ":", "-.")


def confusion_matrix(table: np.ndarray, corpus: str = "", title: str = "Confusion") -> Figure:
    """True class by predicted class (last column: no answer, left out where there is none): shares of each true class
    with counts below. `table` [6, 7] as `SixWayScores.confusion` gives it (means over seeds)."""
    answered = table[:, :-1] if not table[:, -1].any() else table
    names = [*SIX_WAY, "no answer"][: answered.shape[1]]
    totals = answered.sum(1, keepdims=True)
    shares = np.divide(answered, totals, out=np.zeros_like(answered, float), where=totals > 0)
    figure, axis = plt.subplots(figsize=(6.2, 5.2), layout="constrained")
    axis.imshow(shares, cmap="Greys", vmin=0, vmax=1)
    for (y, x), share in np.ndenumerate(shares):
        colour = "white" if share > 0.55 else "black"
        axis.text(
            x, y, f"{100 * share:.0f} %\n{answered[y, x]:.4g}", ha="center", va="center", fontsize=8, color=colour
        )
    axis.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axis.set_yticks(
        range(len(SIX_WAY)), [f"{name} (n = {n:.4g})" for name, n in zip(SIX_WAY, totals[:, 0], strict=True)]
    )
    axis.set(xlabel="predicted", ylabel="true")
    axis.set_title(_title(title, corpus), fontsize=11)
    return figure


def missing_curves(rows: Sequence[Mapping], corpus: str = "") -> Figure:
    """Weighted F1 against the share of tested clips that lack a modality, one panel a modality and a curve a system;
    `rows` as `robustness` gives them, with their intervals."""
    modalities = list(dict.fromkeys(row["modality"] for row in rows))
    figure, axes = plt.subplots(
        1, max(1, len(modalities)), figsize=(10, 3.6), sharey=True, squeeze=False, layout="constrained"
    )
    for axis, modality in zip(axes[0], modalities, strict=False):
        _curves(axis, [row for row in rows if row["modality"] == modality], "rate", scale=100)
        axis.set(xlabel=f"clips without {plain(modality)} (%)")
    axes[0, 0].set(ylabel="weighted F1 (%)")
    if rows:
        axes[0, 0].legend(fontsize=8, loc="lower left")
    figure.suptitle(_title("A modality is missing when tested", corpus), fontsize=11)
    return figure


def noise_curves(rows: Sequence[Mapping], corpus: str = "") -> Figure:
    """Weighted F1 against the signal-to-noise ratio (`snr` in dB; None is no noise, at the left), a curve a system."""
    levels = sorted({row["snr"] for row in rows if row["snr"] is not None}, reverse=True)
    place = {None: 0} | {level: number for number, level in enumerate(levels, 1)}
    figure, axis = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    _curves(axis, [row | {"place": place[row["snr"]]} for row in rows], "place")
    axis.set_xticks(range(len(place)), ["none", *(f"{level:g} dB" for level in levels)])
    axis.set(xlabel="white noise: signal-to-noise ratio", ylabel="weighted F1 (%)")
    if rows:
        axis.legend(fontsize=8)
    axis.set_title(_title("Noise in the sound when tested", corpus), fontsize=11)
    return figure


def round_curves(systems: Mapping[str, Sequence[Mapping]], corpus: str = "") -> Figure:
    """Self-training: pseudo-labels, their purity, and the change of the validation score in each round; a faint line a
    head, the mean over heads strong; a cross where the round was not accepted. Rows as `self_train` gives them."""
    figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.4), layout="constrained")
    measures = ("pseudo-labels", "purity (%)", "validation weighted F1, after − before")
    for number, (name, rows) in enumerate(systems.items()):
        colour, line = f"C{number % 10}", _LINES[number % len(_LINES)]
        values = [_round_values(row) for row in rows]
        for axis, measure in zip(axes, range(3), strict=True):
            for job in dict.fromkeys(row["job"] for row in rows):
                own = [(r["round"], v[measure]) for r, v in zip(rows, values, strict=True) if r["job"] == job]
                axis.plot(*zip(*own, strict=True), line, color=colour, linewidth=0.6, alpha=0.35)
            rounds = sorted({row["round"] for row in rows})
            means = [_mean(v[measure] for r, v in zip(rows, values, strict=True) if r["round"] == at) for at in rounds]
            axis.plot(rounds, means, line, marker=_MARKERS[number % len(_MARKERS)], color=colour, label=plain(name, 40))
        ended = [(r["round"], v[2]) for r, v in zip(rows, values, strict=True) if not r["accepted"]]
        if ended:
            axes[2].plot(*zip(*ended, strict=True), "x", color=colour, markersize=5)
    for axis, measure in zip(axes, measures, strict=True):
        axis.set(xlabel="round", ylabel=measure)
        axis.xaxis.get_major_locator().set_params(integer=True)
    axes[2].axhline(0, color="0.6", linewidth=0.8)
    if any(systems.values()):
        axes[0].legend(fontsize=8)
    figure.suptitle(_title("Self-training (× the round was refused)", corpus), fontsize=11)
    return figure


def _round_values(row: Mapping) -> tuple[float, float, float]:
    purity = np.nan if row["purity"] is None else 100 * row["purity"]
    change = np.nan if row["valid_after"] is None else row["valid_after"] - row["valid_before"]
    return float(row["pseudo"]), purity, change


def _mean(values) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else np.nan


def _curves(axis: Axes, rows: Sequence[Mapping], key: str, scale: float = 1) -> None:
    for number, name in enumerate(dict.fromkeys(row["name"] for row in rows)):
        own = [row for row in rows if row["name"] == name]
        x, y = [scale * row[key] for row in own], [100 * row["weighted_f1"] for row in own]
        bounds = [row["interval"].get("weighted_f1", [row["weighted_f1"]] * 2) for row in own]
        low, high = ([100 * edge for edge in side] for side in zip(*bounds, strict=True))
        marker, line = _MARKERS[number % len(_MARKERS)], _LINES[number % len(_LINES)]
        axis.plot(x, y, line, marker=marker, color=f"C{number % 10}", label=plain(f"{name} (n = {own[0]['n']})", 48))
        axis.fill_between(x, low, high, color=f"C{number % 10}", alpha=0.12, linewidth=0)
    axis.grid()


def _title(title: str, corpus: str) -> str:
    return ", ".join(filter(None, [title, plain(corpus)]))
