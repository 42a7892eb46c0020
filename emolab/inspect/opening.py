"""The inspector on any clips and predictions: as a widget, and as a page that needs no kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emolab.corpora.clip import Clip
from emolab.errors import InputError
from emolab.inspect.annotation_file import AnnotationFile
from emolab.inspect.inspection import Inspection
from emolab.inspect.inspector import Inspector
from emolab.inspect.inspector_page import InspectorExamples, write_page
from emolab.inspect.live import LivePanel, Predictor
from emolab.inspect.media import Look, Media
from emolab.inspect.reading import as_answers, as_clips
from emolab.media.settings import FaceSettings, FrameSettings

SIX_FRAMES = Look("six random frames, seed 0", FrameSettings(), FaceSettings())
CONVERTED, RECEIVED = "converted", "received"  # folders of videos that are the inspector's own


def view(
    clips: Any,
    predictions: Any,
    *,
    corpus: str = "",
    folder: str | Path = "inspector",
    looks: Sequence[Look] = (SIX_FRAMES,),
    author: str | None = None,
    predictors: Sequence[Predictor] = (),
    headless: bool = False,
    page: str | None = None,
) -> Inspector | InspectorExamples:
    """The inspector of clips and what models said of them; where there is no browser (`headless`) a few examples as
    HTML and text, with a link to the page at `page`.

    `clips` and `predictions`: rows, DataFrames, label sets, files or folders, see `as_clips` and `as_answers`.
    `corpus`: whose clips these are, for the heading. `folder`: where annotations.jsonl, exports, converted and received
    videos lie (made when the first is written). `looks`: how the models drew their frames. `predictors`: models that a
    new video can be given to. InputError for what cannot be read.
    """
    folder = Path(folder)
    inspection = inspect(clips, predictions, corpus, predictors, folder)
    media = Media(looks, folder / CONVERTED)
    if headless:
        return InspectorExamples(inspection, media, page)
    live = LivePanel(predictors, folder / RECEIVED) if predictors else None
    return Inspector(inspection, media, AnnotationFile(folder / "annotations.jsonl"), author=author, live=live)


def page(
    clips: Any,
    predictions: Any,
    path: str | Path,
    *,
    corpus: str = "",
    looks: Sequence[Look] = (SIX_FRAMES,),
    most: int = 2000,
    pictures: int = 200,
) -> Path:
    """Write the inspector as one HTML file that loads nothing: the `most` worst clips, frames of the first `pictures`
    of them. Filters and sorts work in it; videos, annotations and models need a kernel. Arguments as in `view`."""
    inspection = inspect(clips, predictions, corpus)
    return write_page(inspection, path, Media(looks, None), most=most, pictures=pictures)


def inspect(
    clips: Any, predictions: Any, corpus: str, predictors: Sequence[Predictor] = (), folder: Path | None = None
) -> Inspection:
    """Clips and predictions as the inspector holds them, with a place for each predictor's answers. What it
    converted and received in `folder` is no clip. InputError where the predictions are of other clips."""
    answers: dict[str, Mapping] = as_answers(predictions)
    own = [folder / CONVERTED, folder / RECEIVED] if folder else []
    found = [clip for clip in as_clips(clips) if not any(_lies_in(each, clip) for each in own)]
    known, answered = {clip.clip_id for clip in found}, [clip for rows in answers.values() for clip in rows]
    if answered and known.isdisjoint(answered):
        some = f"clips such as {next(iter(known))!r}" if known else "no clips"
        raise InputError(f"the predictions are of {answered[0]!r} and others, but there are {some}; use the same ids")
    return Inspection(found, answers | {p.name: {} for p in predictors if p.name not in answers}, corpus)


def _lies_in(folder: Path, clip: Clip) -> bool:
    return bool(clip.video) and Path(clip.video).absolute().is_relative_to(folder.absolute())
