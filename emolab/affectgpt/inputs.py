"""What AffectGPT is given of a clip: frames or face crops, and pieces of sound (section 2.2). No torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from emolab.corpora.clip import Clip
from emolab.corpora.stills import IMAGE_SUFFIXES
from emolab.media.audio import read_clips
from emolab.media.errors import MediaError
from emolab.media.faces import NoFaceError
from emolab.media.probe import open_media
from emolab.media.sampling import content_hash, draw_key
from emolab.media.settings import FaceSettings, FrameSettings, SoundSettings
from emolab.media.views import clip_frames, clip_view


@dataclass(frozen=True)
class Inputs:
    """`frames` are [height, width, 3] uint8 RGB (None: nothing to be seen), `sound` float32 [clips, samples] (None:
    nothing to be heard), `problems` one sentence for each modality that is missing or damaged."""

    frames: list[np.ndarray] | None
    sound: np.ndarray | None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class InputMaker:
    """`clip_inputs` with its settings, to be called with a clip alone; `key` says what decides the result."""

    frames: FrameSettings
    faces: FaceSettings
    view: str
    sound: SoundSettings
    seed: int = 0
    cache_dir: Path | None = None

    def __call__(self, clip: Clip) -> Inputs:
        return clip_inputs(clip, self.frames, self.faces, self.view, self.sound, self.seed, self.cache_dir)

    def key(self, clip: Clip) -> str:
        """Content of the clip's files and all settings that matter: seed and clip_id only where frames are drawn at
        random or OpenFace's crops are read, faces not for whole frames. Raises MediaError for a missing file."""
        seen = heard = ""
        if clip.video is not None and is_still(clip):
            seen = content_hash(clip.video)
        elif clip.video is not None:
            drawn = {"clip_id": clip.clip_id, "seed": self.seed, "parts": self.frames.parts, "draw": self.frames.draw}
            seen = f"{draw_key(clip.video, **drawn)}\0{self.view}"
            if self.view != "frame":
                faces = self.faces
                seen += f"\0{faces.source}\0{faces.choose}\0{faces.size}\0{faces.confidence}"
                seen += f"\0{faces.openface}\0{clip.clip_id}" if faces.source == "openface" else ""
        file = _sound_file(clip)
        if file is not None:
            heard = f"{content_hash(file)}\0{self.sound}"
        return f"{seen}\0\0{heard}"


def clip_inputs(
    clip: Clip,
    frames: FrameSettings,
    faces: FaceSettings,
    view: str,
    sound: SoundSettings,
    seed: int = 0,
    cache_dir: Path | None = None,
) -> Inputs:
    """Pictures of a clip in one of VIEWS, and its sound: that of `clip.audio`, or else of the video.

    A modality that is not there (no picture, no face in the view `face`, no sound track, a sound that is too short, a
    track of which nothing decodes) is None and said in `problems`; silence is heard as it is. A still image is one
    frame in any view, and has no sound (MiniGPT-4's pairs). Raises MediaError for a file that is missing or is no media
    file, and where there is nothing to see, to hear or to read.
    """
    seen, why_unseen = _see(clip, frames, faces, view, seed, cache_dir)
    heard, why_unheard = _hear(clip, sound)
    problems = tuple(problem for problem in (why_unseen, why_unheard) if problem)
    if seen is None and heard is None and not clip.transcript.strip():
        reasons = " ".join(problems) or "no picture and no sound."
        raise MediaError(f"{clip.clip_id}: nothing of it can be seen, heard or read: {reasons}")
    return Inputs(seen, heard, problems)


def is_still(clip: Clip) -> bool:
    """Whether the clip's picture is an image file."""
    return clip.video is not None and Path(clip.video).suffix.lower() in IMAGE_SUFFIXES


def _see(
    clip: Clip, frames: FrameSettings, faces: FaceSettings, view: str, seed: int, cache_dir: Path | None
) -> tuple[list[np.ndarray] | None, str | None]:
    if clip.video is None:
        return None, f"{clip.clip_id} has no picture."
    if is_still(clip):
        return [_still(Path(clip.video))], None
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


def _hear(clip: Clip, sound: SoundSettings) -> tuple[np.ndarray | None, str | None]:
    file = _sound_file(clip)
    if file is None:
        return None, None if is_still(clip) else f"{clip.clip_id} has no sound."
    name = Path(file).name
    try:
        heard = read_clips(file, sound.clips, sound.seconds, sound.rate)
    except MediaError as error:
        with open_media(file):
            pass
        return None, str(error)
    if not heard.duration:
        return None, f"{name} has no sound."
    if heard.duration < sound.shortest:
        return None, f"{name} has {heard.duration:.2f} s of sound, less than {sound.shortest:g} s; it is not heard."
    if not np.isfinite(heard.samples).all():
        return None, f"{name} is damaged: its sound holds values that are no numbers; it is not heard."
    return heard.samples, None


def _sound_file(clip: Clip) -> str | None:
    return clip.audio or (None if is_still(clip) else clip.video)


def _still(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return np.array(ImageOps.exif_transpose(image).convert("RGB"))
    except FileNotFoundError:
        raise MediaError(f"{path.name} cannot be read (No such file or directory); check the path.") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = type(error).__name__
        raise MediaError(f"{path.name} cannot be opened as an image ({reason}); copy it again or convert it.") from None
