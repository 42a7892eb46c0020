"""What can be seen and heard of a clip; what is missing or damaged is None, with one sentence why. No torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from emolab.corpora.clip import Clip
from emolab.corpora.stills import IMAGE_SUFFIXES
from emolab.media.errors import MediaError
from emolab.media.faces import NoFaceError
from emolab.media.openface import openface_key
from emolab.media.probe import open_media
from emolab.media.sampling import content_hash, draw_key
from emolab.media.settings import FaceSettings, FrameSettings
from emolab.media.stills import read_image
from emolab.media.views import clip_frames, clip_view


def see(
    clip: Clip, frames: FrameSettings, faces: FaceSettings, view: str, seed: int = 0, cache_dir: Path | None = None
) -> tuple[list[np.ndarray] | None, str | None]:
    """Pictures [height, width, 3] uint8 RGB of a clip in one of VIEWS, and one sentence about what is damaged.

    No picture, and no face in the view `face`, is None. A still image is one frame in any view. Raises MediaError for a
    file that is missing or is no media file, and for OpenFace's crops that are missing.
    """
    if clip.video is None:
        return None, f"{clip.clip_id} has no picture."
    if is_still(clip):
        return [read_image(clip.video)], None
    try:
        seen = clip_view(clip, view, frames, faces, seed, cache_dir)
        return seen.images, seen.problem
    except NoFaceError as error:
        return None, str(error)
    except MediaError:
        with open_media(clip.video):  # raises where the file is missing, or no media file
            pass
        try:
            clip_frames(clip, frames, seed, cache_dir)
        except MediaError as error:  # it has no picture, or none of it decodes
            return None, str(error)
        raise  # OpenFace's crops are missing or unfit


def seen_key(clip: Clip, frames: FrameSettings, faces: FaceSettings, view: str, seed: int) -> str:
    """What decides the pictures of a clip: the file's content, and seed and clip_id only where frames are drawn at
    random or OpenFace's crops are read, faces not for whole frames. Raises MediaError for a missing file."""
    if clip.video is None:
        return ""
    if is_still(clip):
        return content_hash(clip.video)
    key = draw_key(clip.video, clip_id=clip.clip_id, seed=seed, parts=frames.parts, draw=frames.draw) + f"\0{view}"
    if view != "frame":
        key += f"\0{faces.source}\0{faces.choose}\0{faces.size}\0{faces.confidence}"
        key += f"\0{openface_key(faces.openface, clip.clip_id)}" if faces.source == "openface" else ""
    return key


def hear(
    clip: Clip, read: Callable[[str], tuple[np.ndarray, float]], shortest: float
) -> tuple[np.ndarray | None, str | None]:
    """The sound of a clip, that of `clip.audio` or else of the video; `read` gives samples and seconds of a file.

    No sound track, one shorter than `shortest` seconds and one of which nothing decodes is None; silence is heard as it
    is, and a still image has no sound to miss. Raises MediaError for a file that is missing or is no media file.
    """
    file = sound_file(clip)
    if file is None:
        return None, None if is_still(clip) else f"{clip.clip_id} has no sound."
    name = Path(file).name
    try:
        samples, seconds = read(file)
    except MediaError as error:
        with open_media(file):
            pass
        return None, str(error)
    if not seconds:
        return None, f"{name} has no sound."
    if seconds < shortest:
        return None, f"{name} has {seconds:.2f} s of sound, less than {shortest:g} s; it is not heard."
    if not np.isfinite(samples).all():
        return None, f"{name} is damaged: its sound holds values that are no numbers; it is not heard."
    return samples, None


def sound_file(clip: Clip) -> str | None:
    """The file that holds the clip's sound; None where there is none."""
    return clip.audio or (None if is_still(clip) else clip.video)


def is_still(clip: Clip) -> bool:
    """Whether the clip's picture is an image file."""
    return clip.video is not None and Path(clip.video).suffix.lower() in IMAGE_SUFFIXES
