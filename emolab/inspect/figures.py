"""Figures for notebooks and reports. Signs, not only colours, say what is right: ✓ matched, − missed, + spurious, and ·
where no truth is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from emolab.corpora.clip import Clip
from emolab.inspect.style import plain
from emolab.scoring.grouping import clean_labels
from emolab.scoring.match import match

COLOURS = {"✓": "#1b7837", "−": "#7f7f7f", "+": "#c51b7d", "·": "#000000"}  # also told apart without colour vision


def prediction_sheet(
    clips: Sequence[Clip], rows: Sequence[dict], frames: Sequence[Sequence[np.ndarray]], corpus: str = ""
) -> Figure:
    """One line a clip: the frames that the model saw ([height, width, 3] uint8 each), below them truth and prediction.

    `rows` are the Prediction rows of `clips`, in order; labels are compared by the lexicon's families.
    """
    if not clips:
        figure = plt.figure(figsize=(4, 0.6))
        figure.text(0, 0.5, "no clip to show")
        return figure
    columns = max(map(len, frames))
    figure, axes = plt.subplots(len(clips), columns, figsize=(1.75 * columns, 2.45 * len(clips)), squeeze=False)
    for line, clip, row, images in zip(axes, clips, rows, frames, strict=True):
        for axis in line:
            axis.set_axis_off()
        for axis, image in zip(line, images, strict=False):
            axis.imshow(image)
        spoken = f"   “{clip.transcript}”" if clip.transcript else ""
        line[0].set_title(plain(f"{clip.clip_id}{spoken}", 110), loc="left", fontsize=8.5)
        below = {"xy": (0, 0), "xycoords": "axes fraction", "textcoords": "offset points", "va": "top"}
        at = 0.0  # points, for frames are wide or narrow
        for sign, word in _signed(clip, row["labels"]):
            text = plain(f"{sign} {word}")
            line[0].annotate(text, xytext=(at, -4), fontsize=8.5, color=COLOURS[sign], **below)
            at += 7 * len(text) + 12
        if row["error"]:
            line[0].annotate(plain(row["error"], 110), xytext=(0, -17), fontsize=8, **below)
    figure.subplots_adjust(hspace=0.42, wspace=0.03)
    if corpus:
        figure.text(0.99, 0.005, plain(corpus), fontsize=8, ha="right", transform=figure.transFigure)
    return figure


def _signed(clip: Clip, said: Sequence[str]) -> Iterator[tuple[str, str]]:
    if clip.labels is None:
        yield from (("·", word) for word in clean_labels(said))
        return
    found = match(clip.labels, said)
    for sign, words in (("✓", found.matched), ("−", found.missed), ("+", found.spurious)):
        yield from ((sign, word) for word in words)
