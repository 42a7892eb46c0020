"""Contact sheets of found faces: what the finder saw in each frame, and the crops that a model gets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from emolab.inspect.style import plain
from emolab.media.faces import Face, FaceCrops

_COLOUR = "#ffd500"


class SheetItem(NamedTuple):
    """One clip: what to call it, its drawn frames ([height, width, 3] uint8 RGB) and the faces found in them."""

    title: str
    frames: Sequence[np.ndarray]
    crops: FaceCrops


def contact_sheet(items: Sequence[SheetItem], corpus: str = "", choose: str = "largest") -> Figure:
    """Two lines a clip: its frames with box and points of the chosen face, below each its crop or what is wrong.

    `choose` is the setting by which one of several faces was taken.
    """
    if not items:
        figure = plt.figure(figsize=(4, 0.6))
        figure.text(0, 0.5, "no clip to show")
        return figure
    columns = max(1, *(len(item.frames) for item in items))
    figure, axes = plt.subplots(2 * len(items), columns, figsize=(1.75 * columns, 3.4 * len(items)), squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for number, item in enumerate(items):
        above, below = axes[2 * number], axes[2 * number + 1]
        above[0].set_title(plain(item.title, 110), loc="left", fontsize=8.5)
        images = iter(item.crops.images)
        for column, (frame, count, face) in enumerate(
            zip(item.frames, item.crops.found, item.crops.faces, strict=True)
        ):
            above[column].imshow(frame)
            if face:
                _mark(above[column], frame, face)
            if count:
                below[column].imshow(next(images))
            said = "no face" if not count else f"{count} faces, the {plain(choose)}" if count > 1 else ""
            below[column].text(0.5, -0.04, said, transform=below[column].transAxes, fontsize=8, ha="center", va="top")
    figure.subplots_adjust(hspace=0.22, wspace=0.03)
    if corpus:
        figure.text(0.99, 0.005, plain(corpus), fontsize=8, ha="right", transform=figure.transFigure)
    return figure


def _mark(axis: Axes, frame: np.ndarray, face: Face) -> None:
    x0, y0, x1, y1 = face.box
    axis.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=_COLOUR, linewidth=1.2))
    axis.scatter(*face.points.T, s=7, color=_COLOUR, edgecolors="black", linewidths=0.4)
    axis.set_xlim(-0.5, frame.shape[1] - 0.5)  # the box may reach beyond the frame
    axis.set_ylim(frame.shape[0] - 0.5, -0.5)
