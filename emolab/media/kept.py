"""Pictures kept on disk with what belongs to them: one npz an entry, whole or absent."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from emolab.whole import whole

# what reading an entry may raise where it is not there, damaged, or of other parts: then it is made anew
UNREADABLE = (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile, zlib.error)


def entry_of(folder: Path, key: str, ending: str = ".npz") -> Path:
    """The file of a cache folder for a key."""
    return folder / f"{hashlib.blake2b(key.encode(), digest_size=20).hexdigest()}{ending}"


def store(entry: Path, images: Sequence[np.ndarray], problem: str | None, **arrays: np.ndarray) -> None:
    """Write pictures (each of its own shape), a sentence about damage to their file, and named arrays. Raises RunError
    where the disk is full."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    pictures = {f"image{number}": image for number, image in enumerate(images)}
    with whole(entry) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays, problem=np.array(problem or ""), **pictures)


def load(entry: Path) -> tuple[list[np.ndarray], str | None, Mapping[str, np.ndarray]]:
    """Pictures, problem and arrays as they were stored; one of UNREADABLE where they cannot be read.

    The zip inside carries checksums, so damage raises instead of giving wrong pixels.
    """
    with np.load(entry, allow_pickle=False) as stored:
        arrays = dict(stored)
    problem = str(arrays.pop("problem")) or None
    images = [arrays.pop(f"image{n}") for n in range(sum(name.startswith("image") for name in arrays))]
    return images, problem, arrays
