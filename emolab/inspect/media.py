"""What the inspector shows of a clip's file: the video as a browser can play it, the frames and faces that models saw,
a small picture."""

from __future__ import annotations

import hashlib
import json
import math
import mimetypes
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from PIL import Image

from emolab.corpora.clip import Clip
from emolab.errors import InputError
from emolab.inspect.pictures import jpeg
from emolab.media.convert import convert
from emolab.media.decode import middle_frame
from emolab.media.errors import MediaError
from emolab.media.probe import MediaHeader, read_duration, read_header
from emolab.media.sampling import SampledFrames
from emolab.media.senses import is_still, see
from emolab.media.settings import FaceSettings, FrameSettings
from emolab.media.views import clip_faces, clip_frames

LIMIT = 64 * 2**20  # bytes of a file that travel as messages
CHUNK = 4 * 2**20
_THUMBS = 4096  # small pictures that are kept: some 4 to 8 KB each
# What Chromium and Firefox play: container -> type, codecs of the picture, codecs of the sound
_PLAYED = {
    "mp4": ("video/mp4", {"h264", "av1", "vp9"}, {"aac", "mp3", "opus", "flac"}),
    "webm": ("video/webm", {"vp8", "vp9", "av1"}, {"opus", "vorbis"}),
    "ogg": ("audio/ogg", set(), {"opus", "vorbis", "flac"}),
    "mp3": ("audio/mpeg", set(), {"mp3"}),
    "flac": ("audio/flac", set(), {"flac"}),
    "wav": ("audio/wav", set(), {"pcm_s16le", "pcm_u8", "pcm_f32le"}),
}
_EIGHT_BIT = ("yuv420p", "yuvj420p")  # of H.264 nothing else is played everywhere


@dataclass(frozen=True)
class Look:
    """How some models looked at clips: which frames are drawn, and how faces are found in them."""

    name: str
    frames: FrameSettings
    faces: FaceSettings
    seed: int = 0
    cache_dir: Path | None = None


class Media:
    """Files of clips for a browser; answers are JSON-able. `looks` are what can be asked of `frames` and `faces`.

    Converted copies are kept in `folder` (None: nothing can be converted); files of more than `limit` bytes do not
    travel in chunks. A clip without a video but with sound is played by its sound.
    """

    def __init__(self, looks: Sequence[Look], folder: Path | None, limit: int = LIMIT):
        self.looks, self.limit = tuple(looks), limit
        self._folder = folder
        self._thumb = lru_cache(maxsize=_THUMBS)(_thumb)

    # --- playing

    def describe(self, clip: Clip) -> dict[str, Any]:
        """What can be played of a clip, from the header alone: `state` (file, still, none, missing, damaged), `name`,
        `url` below the Jupyter server's base (None: not served), `bytes`, `type`, `codecs`, `likely` (browsers play
        it), `duration` in seconds, `fps`, `width`, `height`, `has_video`, `has_audio`, `limit`, `converted`, and
        `text`, a sentence about what is amiss."""
        said = {"state": "none", "url": None, "name": "", "bytes": 0, "type": "", "codecs": "", "likely": False}
        said |= {"duration": None, "fps": 0.0, "width": 0, "height": 0, "has_video": False, "has_audio": False}
        said |= {"limit": self.limit, "converted": False, "text": None}
        if not _file(clip):
            return said | {"text": "This clip has no video."}
        source, shown = Path(_file(clip)), self._shown(clip)
        said["name"] = _readable(source.name)
        try:
            what = _describe_still(clip) if is_still(clip) else _describe_file(read_header(shown), shown)
            said |= what | {"bytes": shown.stat().st_size, "url": self._url(shown), "converted": shown != source}
        except MediaError as error:
            return said | {"state": "damaged" if os.path.isfile(source) else "missing", "text": _readable(error)}
        if said["url"] is None and said["bytes"] > self.limit:
            said["text"] = (
                f"{said['name']} has {said['bytes'] / 1e6:,.0f} MB, too much to send, and lies outside of the folder "
                "that JupyterLab serves; make a small copy, or start JupyterLab in a folder above it."
            )
        return said

    def chunk(self, clip: Clip, start: int, size: int = CHUNK) -> tuple[dict[str, int], bytes]:
        """`size` bytes from `start` of the file that is played, fewer at its end: `from` and `bytes` (all of it).
        InputError for a file that is gone or larger than `limit`."""
        if not _file(clip):
            raise InputError(f"{clip.clip_id} has no video; there is nothing to play.")
        shown = self._shown(clip)
        try:
            total = shown.stat().st_size
            if not shown.is_file():
                raise InputError(f"{shown.name} is not a file; give a video file.")
            if total > self.limit:
                most = f"{self.limit / 1e6:,.0f} MB"
                raise InputError(f"{shown.name} has {total / 1e6:,.0f} MB, more than {most}; make a small copy of it.")
            if not 0 <= start <= total:
                raise InputError(f"{shown.name} has {total} bytes, and none at {start}; open the clip again.")
            with shown.open("rb") as file:
                file.seek(start)
                return {"from": start, "bytes": total}, file.read(size)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"{shown.name} cannot be read ({reason}); check the path.") from error

    def convert(self, clip: Clip, progress: Callable[[float], None]) -> None:
        """Make a copy that browsers play (480 pixels high at most); `describe` and `chunk` use it from then on, also in
        later sessions. `progress` gets 0..1. InputError without a folder for copies, and where nothing decodes."""
        if not _file(clip) or is_still(clip):
            raise InputError(f"{clip.clip_id} has no video; there is nothing to convert.")
        target = self._copy(clip)
        if target is None:
            raise InputError(f"{clip.clip_id}: there is no folder for converted copies; give view(..., folder=...).")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                convert(_file(clip), target, progress=progress)
        except OSError as error:
            raise InputError(f"{target.parent}: cannot be written ({error.strerror}); free space there.") from error
        progress(1.0)

    def duration(self, clip: Clip) -> float:
        """Seconds that the header says; NaN where it does not or cannot be read."""
        if not _file(clip) or is_still(clip):
            return math.nan
        try:
            return read_duration(_file(clip))
        except MediaError:
            return math.nan

    # --- pictures

    def frames(self, clip: Clip, look: int, side: int = 320) -> tuple[dict[str, Any], list[bytes]]:
        """The frames that models with the look at this position saw, as JPEG at most `side` pixels high: `times` in
        seconds, `frames` (their numbers), `problem` (what is damaged, or why there are none)."""
        seen = self._look(look)
        try:
            drawn = self._drawn(clip, seen)
        except InputError as error:
            return {"times": [], "frames": [], "problem": _readable(error)}, []
        said = {"times": list(drawn.times), "frames": list(drawn.positions), "problem": drawn.problem}
        return said, [_small(image, side) for image in drawn.images]

    def faces(self, clip: Clip, look: int, side: int = 160) -> tuple[dict[str, Any], list[bytes]]:
        """The face crops of these frames: `found` counts the faces of each frame; those with one give a JPEG; `problem`
        says why there are none, and damage is told by `frames`. Models see still images whole: these have no crops."""
        seen = self._look(look)
        if is_still(clip):
            return {"found": [], "problem": None}, []
        try:
            crops = clip_faces(clip, seen.frames, seen.faces, seen.seed, seen.cache_dir, size=seen.faces.size)
        except InputError as error:
            return {"found": [], "problem": _readable(error)}, []
        return {"found": list(crops.found), "problem": None}, [_small(image, side) for image in crops.images]

    def thumb(self, clip: Clip, height: int = 108) -> bytes:
        """A JPEG of one frame near the middle; empty where there is none."""
        try:
            stamp = os.stat(clip.video or "")
        except (OSError, ValueError):  # ValueError: a name that no file can have
            return b""
        return self._thumb(clip.video, height, stamp.st_size, stamp.st_mtime_ns)

    # --- where things are

    def _look(self, position: int) -> Look:
        if not 0 <= position < len(self.looks):
            raise InputError(f"There is no look {position}; there are {len(self.looks)}.")
        return self.looks[position]

    def _drawn(self, clip: Clip, look: Look) -> SampledFrames:
        if is_still(clip):
            return SampledFrames(_still(clip), [0], [0.0])
        return clip_frames(clip, look.frames, look.seed, look.cache_dir)

    def _shown(self, clip: Clip) -> Path:
        """The file that is played: the converted copy where there is one."""
        copy = None if is_still(clip) else self._copy(clip)
        return copy if copy and copy.is_file() else Path(_file(clip))

    def _copy(self, clip: Clip) -> Path | None:
        """Where the converted copy of the file, as it is now, lies or would lie."""
        path = os.path.abspath(_file(clip))
        try:
            stamp = os.stat(path)
        except (OSError, ValueError):
            return None
        key = repr((path, stamp.st_size, stamp.st_mtime_ns))
        name = hashlib.blake2b(key.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
        return self._folder and self._folder / f"{name}.mp4"

    def _url(self, path: Path) -> str | None:
        """Links are followed, as current servers do: what a link below the root leads out to, they do not serve."""
        real = path.resolve()
        if self._root is None or not real.is_relative_to(self._root):
            return None
        below = real.relative_to(self._root)
        hidden = any(part.startswith(".") for part in below.parts)
        return None if hidden else "files/" + quote(os.fsencode(below), safe="/")

    @cached_property
    def _root(self) -> Path | None:
        """The folder that the Jupyter server of this kernel serves; None elsewhere."""
        from jupyter_core.paths import jupyter_runtime_dir

        try:  # a server notes its settings by the number of its process, and kernels know that of theirs
            notes = Path(jupyter_runtime_dir()) / f"jpserver-{int(os.environ['JPY_PARENT_PID'])}.json"
            return Path(json.loads(notes.read_text(encoding="utf-8"))["root_dir"]).resolve()
        except (KeyError, ValueError, OSError):
            return None


def _file(clip: Clip) -> str | None:
    return clip.video or clip.audio


def _readable(text: object) -> str:
    """Text that can be sent: bytes of a name that are no UTF-8 are shown escaped."""
    return str(text).encode("utf-8", "backslashreplace").decode()


def _describe_file(header: MediaHeader, path: Path) -> dict[str, Any]:
    kind = next((kind for kind in header.container.split(",") if kind in _PLAYED), None)
    if kind == "webm" and path.suffix.lower() != ".webm":  # Matroska goes by the same name, and is not played
        kind = None
    kind_of_file, pictures, sounds = _PLAYED.get(kind, ("", (), ()))
    eight_bit = header.video != "h264" or header.pixels in _EIGHT_BIT
    likely = bool(kind) and header.video in {None, *pictures} and header.audio in {None, *sounds} and eight_bit
    codecs = ", ".join(codec for codec in (header.video, header.audio) if codec)
    reason = codecs if eight_bit else f"{codecs} ({header.pixels})"
    return {
        "state": "file",
        "type": kind_of_file or mimetypes.guess_type(path.name)[0] or "application/octet-stream",
        "codecs": codecs,
        "likely": likely,
        "duration": None if math.isnan(header.duration) else header.duration,
        "fps": header.rate,
        "width": header.width,
        "height": header.height,
        "has_video": header.video is not None,
        "has_audio": header.audio is not None,
        "text": None if likely else f"Browsers can probably not play {_readable(path.name)}: {reason}.",
    }


def _describe_still(clip: Clip) -> dict[str, Any]:
    height, width = _still(clip)[0].shape[:2]
    kind = mimetypes.guess_type(Path(clip.video).name)[0] or "image/jpeg"
    return {"state": "still", "type": kind, "likely": True, "width": width, "height": height}


def _still(clip: Clip) -> list[np.ndarray]:
    return see(clip, FrameSettings(), FaceSettings(), "frame")[0]


def _thumb(video: str, height: int, *stamp: int) -> bytes:
    """`stamp` says which state of the file this is."""
    clip = Clip("thumb", video=video)
    try:
        return _small(_still(clip)[0] if is_still(clip) else middle_frame(video), height)
    except MediaError:
        return b""


def _small(pixels: np.ndarray, height: int) -> bytes:
    image = Image.fromarray(pixels)
    image.thumbnail((4 * height, height), Image.Resampling.LANCZOS)
    return jpeg(image, quality=85)
