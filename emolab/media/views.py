"""What a model is shown of a clip: whole frames, the face alone, or both (Table 2's question)."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np

from emolab.corpora.clip import Clip
from emolab.errors import InputError
from emolab.media.errors import MediaError
from emolab.media.faces import FaceCrops, NoFaceError, cached_faces, find_faces, need_a_face
from emolab.media.openface import read_openface
from emolab.media.probe import probe
from emolab.media.sampling import SampledFrames, cached_frames, draw_key, six_frames
from emolab.media.settings import VIEWS, FaceSettings, FrameSettings


@dataclass(frozen=True)
class ClipView:
    """Pictures [height, width, 3] uint8 RGB as a model gets them. Frames without a face give no crop.

    `faces` counts the faces of each drawn frame and `native` is the side in pixels of its crop before any resizing
    (None: no face, or not known, as with OpenFace); both are None in the view `frame`, which looks for none. `problem`
    is one sentence about damage to the video, else None.
    """

    images: list[np.ndarray]
    faces: list[int] | None = None
    native: list[float | None] | None = None
    problem: str | None = None


def clip_frames(clip: Clip, frames: FrameSettings, seed: int, cache_dir: Path | None = None) -> SampledFrames:
    """The drawn frames of a clip (section 2.1). Raises MediaError where there is no picture."""
    if clip.video is None:
        raise MediaError(f"{clip.clip_id}: has no video, and the model needs pictures; give its file.")
    drawn = {"clip_id": clip.clip_id, "seed": seed, "parts": frames.parts, "draw": frames.draw}
    if frames.cache and cache_dir is not None:
        return cached_frames(clip.video, cache_dir=cache_dir, **drawn)
    return six_frames(clip.video, **drawn)


def clip_view(
    clip: Clip,
    view: str,
    frames: FrameSettings,
    faces: FaceSettings,
    seed: int = 0,
    cache_dir: Path | None = None,
) -> ClipView:
    """What a model sees of a clip in one of VIEWS; the same input gives the same pictures.

    Crops are kept in `cache_dir` when the settings say so. Raises NoFaceError where a view that needs faces finds none
    in any frame, MediaError where there is no picture.
    """
    if view not in VIEWS:
        raise InputError(f"view is {view!r}; one of {', '.join(VIEWS)}.")
    draw = cache(partial(clip_frames, clip, frames, seed, cache_dir))
    if view == "frame":
        return ClipView(draw().images, problem=draw().problem)
    size = None if view == "face_large" else faces.size
    crops = need_a_face(clip_faces(clip, frames, faces, seed, cache_dir, size=size), clip.clip_id)
    images = crops.images
    if view == "face_frame":
        images = [*images, *draw().images]
    elif view == "face_large":
        images = [_square(crop, min(draw().images[0].shape[:2])) for crop in images]
    elif view == "frame_small":
        images = _small(draw().images, [min(side, faces.size) for side in _sides(crops)])
    return ClipView(images, crops.found, crops.native, crops.problem)


def clip_faces(
    clip: Clip,
    frames: FrameSettings,
    faces: FaceSettings,
    seed: int = 0,
    cache_dir: Path | None = None,
    size: int | None = 112,
) -> FaceCrops:
    """The faces in the drawn frames of a clip, also where there is none in any. `size` None: at the frame's resolution.

    OpenFace's crops are taken at the same frames; their own resolution is 112, and how large the face was is not known.
    """
    draw = partial(clip_frames, clip, frames, seed, cache_dir)
    if faces.source == "openface":
        sampled = draw()
        crops = read_openface(faces.openface, clip.clip_id, sampled.positions, probe(clip.video).frames)
        none = [None] * len(crops)
        images = [_square(crop, size or len(crop)) for crop in crops if crop is not None]
        return FaceCrops(images, [int(crop is not None) for crop in crops], none, none, sampled.problem)
    if faces.cache and cache_dir is not None and clip.video is not None:
        key = draw_key(clip.video, clip_id=clip.clip_id, seed=seed, parts=frames.parts, draw=frames.draw)
        return cached_faces(draw, faces, size, cache_dir, key)
    return find_faces(draw(), faces, size)


def face_counts(views: Iterable[ClipView | MediaError]) -> dict:
    """How often faces were found; an error takes the place of a view that could not be made, for want of a face or of
    a picture.

    clips (that have a picture), clips_without_face, frames, frames_without_face, frames_with_several (faces),
    native_side: the median side in pixels of crops before resizing (None where not known), clips_without_picture.
    """
    views = list(views)
    errors = [view for view in views if isinstance(view, NoFaceError)]
    unseen = sum(isinstance(view, MediaError) for view in views) - len(errors)
    found = [count for view in views if isinstance(view, ClipView) for count in view.faces or ()]
    native = [side for view in views if isinstance(view, ClipView) for side in view.native or () if side is not None]
    lost = sum(error.frames for error in errors)
    return {
        "clips": len(views) - unseen,
        "clips_without_face": len(errors),
        "frames": len(found) + lost,
        "frames_without_face": found.count(0) + lost,
        "frames_with_several": sum(count > 1 for count in found),
        "native_side": statistics.median(native) if native else None,
        "clips_without_picture": unseen,
    }


def _sides(crops: FaceCrops) -> list[float]:
    """For each frame the side of its crop as decoded; the mean of the others where it has none."""
    own = [
        side or len(crops.images[0]) if count else None for side, count in zip(crops.native, crops.found, strict=True)
    ]
    mean = statistics.fmean(side for side in own if side)
    return [side or mean for side in own]


def _square(image: np.ndarray, side: int) -> np.ndarray:
    return _resized(image, side, side)


def _small(images: list[np.ndarray], sides: list[float]) -> list[np.ndarray]:
    """Frames shrunk to as many pixels as a square of each side; none is enlarged."""
    small = []
    for image, side in zip(images, sides, strict=True):
        height, width = image.shape[:2]
        scale = min(1.0, side / (width * height) ** 0.5)
        small.append(_resized(image, max(1, round(width * scale)), max(1, round(height * scale))))
    return small


def _resized(image: np.ndarray, width: int, height: int) -> np.ndarray:
    import cv2

    if image.shape[:2] == (height, width):
        return image
    shrinks = width * height < image.shape[0] * image.shape[1]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
