"""Face crops that OpenFace cut beforehand, as MER2024 ships them (openface_face/)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emolab.media.errors import MediaError
from emolab.media.sampling import content_hash

_SIDE = 112


def read_openface(
    root: str | os.PathLike, clip_id: str, positions: Sequence[int], n_frames: int
) -> list[np.ndarray | None]:
    """The crops [112, 112, 3] uint8 RGB at `positions` of a video of `n_frames`; None where OpenFace saw no face.

    Read from <root>/<clip_id>/<clip_id>.npy or <root>/<clip_id>.npy, uint8 [T, 112, 112, 3], only where needed. Where
    T is not `n_frames`, the crop at the same share of the clip. The files hold BGR: MERTools writes them as cv2.imread
    gives OpenFace's pictures (feature_extraction/visual/extract_openface.py), and AffectGPT turns them to RGB on
    reading (func_opencv_to_decord). A black crop and an array without crops mean no face. Raises MediaError for a
    missing or unfit file.
    """
    path = _path(Path(root), clip_id)
    try:
        crops = np.load(path, mmap_mode="r", allow_pickle=False)  # pickles can run code
    except (OSError, ValueError, EOFError) as error:
        raise MediaError(
            f"{path.name} cannot be read as an array of numbers ({error}); copy it again from the data set."
        ) from error
    if not isinstance(crops, np.ndarray):
        crops.close()
        raise MediaError(f"{path.name} is an archive, not one array; give OpenFace's crops as .npy.")
    if not crops.size:  # what np.save makes of an empty list
        return [None] * len(positions)
    if crops.dtype != np.uint8 or crops.shape[1:] != (_SIDE, _SIDE, 3):
        raise MediaError(
            f"{path.name} holds {crops.dtype} {list(crops.shape)}; OpenFace's crops are uint8 [frames, 112, 112, 3]."
        )
    chosen = [crops[min(position * len(crops) // n_frames, len(crops) - 1)] for position in positions]
    return [np.ascontiguousarray(crop[..., ::-1]) if crop.any() else None for crop in chosen]


def openface_key(root: str | Path, clip_id: str) -> str:
    """What decides a clip's crops: their place and content (empty where there are none)."""
    try:
        path = _path(Path(root), clip_id)
        return f"{root}\0{clip_id}\0{content_hash(path)}"
    except MediaError:
        return f"{root}\0{clip_id}\0"


def _path(root: Path, clip_id: str) -> Path:
    name = f"{clip_id}.npy"
    if Path(name).name != name or clip_id in (".", "..") or "\\" in name or "\0" in name:
        raise MediaError(f"{clip_id!r} cannot be a file's name, so it has no OpenFace crops; rename the clip.")
    for path in (root / clip_id / name, root / name):
        if os.path.isfile(path):  # also of a name that no file can have
            return path
    raise MediaError(f"{name} is not in {root}; give the folder openface_face of the data set in faces.openface.")
