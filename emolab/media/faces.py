"""Faces cut out of a clip's frames, aligned as ArcFace and OpenFace do, and kept on disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from emolab.media import kept
from emolab.media.detector import Face, detect
from emolab.media.errors import MediaError
from emolab.media.sampling import SampledFrames
from emolab.media.settings import FaceSettings

# Part of the cache key: raise it when finding or cutting changes what comes out.
_CACHE_VERSION = 2

# Where a 112 x 112 crop has eyes, nose tip and mouth corners: the template of ArcFace (Deng et al., CVPR 2019) and
# InsightFace.
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
_SIDE = 112
_LEAST = 16  # pixels a side of a crop at its own resolution


@dataclass(frozen=True)
class FaceCrops:
    """What a clip's frames show of its person; one entry a frame, except in `images`: those with a face alone.

    `images` are [side, side, 3] uint8 RGB, `found` counts the faces, `faces` are those chosen, and `native` is the
    side in pixels that the crop covers in the frame as decoded (None: no face, or not known). `problem` is one sentence
    about damage to the video, else None.
    """

    images: list[np.ndarray]
    found: list[int]
    native: list[float | None]
    faces: list[Face | None]
    problem: str | None = None


class NoFaceError(MediaError):
    """No frame of the clip shows a face; `frames` is how many were looked at."""

    def __init__(self, message: str, frames: int = 0):
        super().__init__(message)
        self.frames = frames


def align(image: np.ndarray, face: Face, size: int | None) -> np.ndarray:
    """The face turned upright, eyes, nose and mouth near their places in `TEMPLATE`: [size, size, 3] uint8 RGB.

    A similarity transform (shift, turn, scale) by least squares over the five points. `size` None keeps the picture's
    resolution, though not below 16 pixels. What lies outside of the picture is black, as OpenFace has it.
    """
    import cv2

    side = size or max(_LEAST, round(native_side(face)))
    turn, shift = _similarity(face.points, TEMPLATE * side / _SIDE)
    # Where the crop is much smaller than the face, warping alone would skip pixels: shrink by whole pixels first.
    step = max(1, int(1 / abs(turn) + 1e-9))  # sums may give 9.999… for 10
    if step > 1:
        height, width = image.shape[0] // step, image.shape[1] // step
        image = cv2.resize(image[: height * step, : width * step], (width, height), interpolation=cv2.INTER_AREA)
        turn, shift = turn * step, shift + turn * (step - 1) * (1 + 1j) / 2
    matrix = np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
    return cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderValue=0)


def native_side(face: Face) -> float:
    """Pixels a side of the square of the picture that an aligned crop shows."""
    return float(_SIDE / abs(_similarity(face.points, TEMPLATE)[0]))


def find_faces(sampled: SampledFrames, settings: FaceSettings, size: int | None) -> FaceCrops:
    """The chosen face of each frame, cut out at `size` (None: at the frame's resolution)."""
    crops, found, native, chosen = [], [], [], []
    for image in sampled.images:
        faces = detect(image, settings)
        found.append(len(faces))
        chosen.append(faces[0] if faces else None)
        native.append(native_side(faces[0]) if faces else None)
        if faces:
            crops.append(align(image, faces[0], size))
    return FaceCrops(crops, found, native, chosen, sampled.problem)


def cached_faces(
    sample: Callable[[], SampledFrames],
    settings: FaceSettings,
    size: int | None,
    cache_dir: str | os.PathLike,
    key: str,
) -> FaceCrops:
    """`find_faces`, kept in `cache_dir` at `settings.size`; a damaged entry is made anew. For another `size` the faces
    that are kept are cut out of the frames again, not searched again.

    `key` says which frames these are; `sample` decodes them and is called only where they are needed.
    """
    said = (_CACHE_VERSION, key, settings.size, settings.choose, settings.confidence)
    entry = kept.entry_of(Path(cache_dir), repr(said), ".faces.npz")
    try:
        crops = _load(entry)
    except kept.UNREADABLE:
        crops = find_faces(sample(), settings, settings.size)
        _store(entry, crops)
    if size == settings.size:
        return crops
    pairs = zip(sample().images, crops.faces, strict=True) if any(crops.found) else ()
    return replace(crops, images=[align(image, face, size) for image, face in pairs if face])


def need_a_face(crops: FaceCrops, name: str) -> FaceCrops:
    """The same crops. Raises NoFaceError where no frame has a face."""
    if any(crops.found):
        return crops
    count = len(crops.found)
    raise NoFaceError(
        f"{name}: no face was found in any of its {count} frames; show the clip by the view 'frame' or leave it out.",
        count,
    )


def _similarity(points: np.ndarray, target: np.ndarray) -> tuple[complex, complex]:
    """(turn, shift) with turn * point + shift nearest to `target` by least squares (Umeyama 1991, no mirroring)."""
    here, there = (places[:, 0] + 1j * places[:, 1] for places in (points, target))
    middle = here - here.mean()
    turn = (middle.conj() @ (there - there.mean())) / (middle.conj() @ middle).real
    return turn, there.mean() - turn * here.mean()


# --- keeping


def _load(entry: Path) -> FaceCrops:
    images, problem, arrays = kept.load(entry)
    found = arrays["found"].tolist()
    faces = [Face(tuple(row[:4].tolist()), float(row[4]), row[5:].reshape(5, 2)) for row in arrays["faces"]]
    chosen = [faces.pop(0) if count else None for count in found]
    return FaceCrops(images, found, [native_side(face) if face else None for face in chosen], chosen, problem)


def _store(entry: Path, crops: FaceCrops) -> None:
    rows = [(*face.box, face.score, *face.points.ravel()) for face in crops.faces if face]
    faces = np.array(rows, np.float64).reshape(-1, 15)
    kept.store(entry, crops.images, crops.problem, found=np.array(crops.found), faces=faces)
