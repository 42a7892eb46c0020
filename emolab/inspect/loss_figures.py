"""Loss curves: as a figure, and live in a notebook while a training runs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from emolab.inspect.style import plain

_LINES = ("-", "--", ":", "-.")


def loss_curves(
    logs: Mapping[str, Sequence[Mapping]],
    corpus: str = "",
    window: int = 9,
    unit: str = "step",
    loss: str = "loss of the answer's tokens",
) -> Figure:
    """Training loss against step, one curve a log (rows of `unit` and `loss`, see `engine/training_log.py`): each step
    faint, the mean of the last `window` steps strong."""
    figure, axis = plt.subplots(figsize=(7.5, 3.6), layout="constrained")
    for number, (name, rows) in enumerate(logs.items()):
        steps, losses = [row[unit] for row in rows], np.array([row["loss"] for row in rows], float)
        smooth = [losses[max(0, i - window + 1) : i + 1].mean() for i in range(len(losses))]
        colour, line = f"C{number % 10}", _LINES[number % len(_LINES)]
        axis.plot(steps, losses, color=colour, linewidth=0.6, alpha=0.35)
        axis.plot(steps, smooth, line, color=colour, label=plain(name))
    axis.set(xlabel=unit, ylabel=loss, ylim=(0, None))
    smoothed = f"mean of {window} {unit}s" if window > 1 else ""
    axis.set_title(", ".join(filter(None, ["Training loss", plain(corpus), smoothed])))
    if logs:
        axis.legend(fontsize=8)
    return figure


class LiveLoss:
    """Draws the curve of a running training below the cell, at most every few seconds; for `finetune(watch=...)`."""

    def __init__(self, name: str, corpus: str = "", every: float = 3.0) -> None:
        self._name, self._corpus, self._every = name, corpus, every
        self._drawn, self._handle = 0.0, None

    def __call__(self, rows: Sequence[Mapping]) -> None:
        from IPython.display import display

        last = rows[-1]
        if time.monotonic() - self._drawn < self._every and last["step"] < last["steps"]:
            return
        left = f"step {last['step']} of {last['steps']}, {last['remaining'] or '?'} left"
        figure = loss_curves({f"{self._name}: {left}": rows}, self._corpus)
        if self._handle is None:
            self._handle = display(figure, display_id=True)
        else:
            self._handle.update(figure)
        plt.close(figure)
        self._drawn = time.monotonic()
