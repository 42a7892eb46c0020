"""The six frames a model sees of a clip (section 2.1 of the paper), and a cache of them on disk."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emolab.media import kept
from emolab.media.decode import decode_frames
from emolab.media.errors import MediaError

# Part of the cache key: raise it when decoding or drawing changes what comes out.
_CACHE_VERSION = 1


@dataclass(frozen=True)
class SampledFrames:
    """Frames [height, width, 3] uint8 RGB, their positions in display order and times in seconds.

    `problem` is one sentence about damage to the file, else None.
    """

    images: list[np.ndarray]
    positions: list[int]
    times: list[float]
    problem: str | None = None


def draw_positions(n_frames: int, parts: int = 6, *, clip_id: str, seed: int = 0, draw: str = "random") -> list[int]:
    """Divide 0..n_frames-1 into `parts` equal parts and draw one position at random from each (section 2.1).

    Parts are equal in frames, not in seconds, also at a variable frame rate. Of fewer frames than parts some
    repeat. Always sorted and `parts` long. The random draw depends on (seed, clip_id, part) alone, through a hash:
    numpy may change its random streams between versions. `draw` "uniform" takes the first of each part instead, as
    Video-LLaMA's uniform sampling does (arange(0, n, n / parts) cut to whole numbers).
    """
    if n_frames < 1 or parts < 1:
        raise ValueError(f"cannot draw {parts} positions from {n_frames} frames")
    positions = []
    for part in range(parts):
        first = part * n_frames // parts
        if draw == "uniform":
            positions.append(first)
            continue
        width = max((part + 1) * n_frames // parts - first, 1)
        digest = hashlib.blake2b(f"{seed}\0{part}\0{clip_id}".encode(), digest_size=8).digest()
        positions.append(first + (int.from_bytes(digest, "big") * width >> 64))
    return positions


def six_frames(
    path: str | os.PathLike, *, clip_id: str, seed: int = 0, parts: int = 6, draw: str = "random"
) -> SampledFrames:
    """One frame (see `draw_positions`) from each of `parts` equal parts of the clip, decoding no more than needed.

    Of a damaged file the parts are those of its intact frames. Raises MediaError if there is no frame.
    """
    drawn = decode_frames(path, lambda n: draw_positions(n, parts, clip_id=clip_id, seed=seed, draw=draw))
    return SampledFrames(drawn.images, drawn.positions, drawn.times, drawn.problem)


def cached_frames(
    path: str | os.PathLike,
    *,
    clip_id: str,
    seed: int = 0,
    parts: int = 6,
    draw: str = "random",
    cache_dir: str | os.PathLike,
) -> SampledFrames:
    """`six_frames`, kept in `cache_dir` by the file's content and the draw; a damaged entry is made anew."""
    key = f"{_CACHE_VERSION}\0{draw_key(path, clip_id=clip_id, seed=seed, parts=parts, draw=draw)}"
    entry = kept.entry_of(Path(cache_dir), key)
    try:
        images, problem, arrays = kept.load(entry)
        return SampledFrames(images, arrays["positions"].tolist(), arrays["times"].tolist(), problem)
    except kept.UNREADABLE:
        sampled = six_frames(path, clip_id=clip_id, seed=seed, parts=parts, draw=draw)
        positions, times = np.array(sampled.positions), np.array(sampled.times)
        kept.store(entry, sampled.images, sampled.problem, positions=positions, times=times)
        return sampled


def draw_key(path: str | os.PathLike, *, clip_id: str, seed: int, parts: int, draw: str) -> str:
    """What decides which frames are drawn: the file's content and, for a random draw, seed and clip."""
    if draw == "uniform":
        return f"{content_hash(path)}\0uniform\0{parts}"
    return f"{content_hash(path)}\0{seed}\0{parts}\0{clip_id}"


def content_hash(path: str | os.PathLike) -> str:
    """Hash of a file, remembered in this process while its size and time of change stay. Raises MediaError."""
    path = Path(path)
    try:
        status = path.stat()
        stamp = (os.fspath(path.absolute()), status.st_ino, status.st_size, status.st_mtime_ns)
        if stamp not in _hashes:
            with path.open("rb") as file:
                _hashes[stamp] = hashlib.file_digest(file, "blake2b").hexdigest()
    except OSError as error:
        raise MediaError(f"{path.name} cannot be read ({error.strerror}); check the path.") from error
    return _hashes[stamp]


_hashes: dict[tuple, str] = {}
