"""The cache of frozen features: named tensors that an encoder makes of a clip, computed once and kept on disk.

What is frozen gives a constant of the clip: 100 epochs, or as many heads, need it once.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Protocol

import torch
from tqdm import tqdm

from emolab.corpora.clip import Clip
from emolab.engine.feature_file import DTYPES, CacheError, Features, read_features
from emolab.engine.feature_worker import THREADS, FeatureWorker, Outcome
from emolab.engine.map import map_unordered
from emolab.engine.settings import IN_PROCESS, EngineSettings
from emolab.errors import InputError

_VERSION = 1  # part of every key: raise it when decoding, drawing or cutting changes what comes out
_STALE = 3600  # seconds after which a half-written file belongs to nobody


class Inputs(Protocol):
    """What an encoder is given of one clip."""

    problems: tuple[str, ...]

    def has(self, name: str) -> bool:
        """Whether there is anything of which to make the tensor `name`."""
        ...


class Maker(Protocol):
    """Prepares clips, in several threads at once."""

    def __call__(self, clip: Clip) -> Inputs: ...

    def key(self, clip: Clip) -> str:
        """Everything that decides the inputs. Raises MediaError where a file of the clip is missing."""
        ...


class Encoder(Protocol):
    """What is frozen. `identity` names its weights and everything that is asked of them; one with a true attribute
    `gpu` gets a GPU of its own in each worker. Goes to the workers of other processes without its weights."""

    identity: str

    def encode(self, inputs: Sequence[Inputs]) -> list[dict[str, torch.Tensor | None]]:
        """The tensors of each by name; None, or no such name, where the inputs have nothing for it."""
        ...


class FeatureStore:
    """One safetensors file a clip, named by encoder, content of the clip's files, and settings.

    Holds no features itself and may be sent to other processes. Several may compute into one folder at a time. `make`
    gives the inputs of a clip, `dimensions` how many each tensor has; `dtype` is how features are stored (float16 takes
    half the disk of float32; uint8 is for what is given as such).
    """

    def __init__(
        self, folder: str | Path, identity: str, make: Maker, dimensions: Mapping[str, int], dtype: str = "float32"
    ):
        if dtype not in DTYPES:
            raise InputError(f"Features cannot be stored as {dtype!r}; one of {', '.join(DTYPES)}.")
        self.folder, self.identity, self.make, self.dtype = Path(folder), identity, make, dtype
        self.dimensions = dict(dimensions)

    def path(self, clip: Clip) -> Path:
        """Where the features of a clip lie, or will. Raises MediaError where a file of the clip is missing."""
        said = f"{_VERSION}\0{self.identity}\0{self.dtype}\0{self.make.key(clip)}"
        name = hashlib.blake2b(said.encode(errors="backslashreplace"), digest_size=20).hexdigest()
        return self.folder / f"{name}.safetensors"

    def load(self, clip: Clip) -> Features:
        """The features of one clip; nothing else is read. Raises CacheError where they are not there, damaged, or
        another encoder's; MediaError where the clip itself is missing."""
        return self.read(self.path(clip), clip.clip_id)

    def missing(self, clips: Iterable[Clip]) -> list[Clip]:
        """The clips of which `compute` has yet to prepare the inputs: no features, damaged ones, or a missing file."""
        with ThreadPoolExecutor(THREADS) as pool:
            return [clip for clip, there in pool.map(lambda clip: (clip, self._holds(clip)), clips) if not there]

    def _holds(self, clip: Clip) -> bool:
        try:
            self.load(clip)
        except Exception:  # also of a path that is none: `compute` says why
            return False
        return True

    def compute(
        self,
        clips: Iterable[Clip],
        encoder: Encoder,
        batch_size: int = 8,
        progress: bool = True,
        what: str = "frozen features",
        engine: EngineSettings = IN_PROCESS,
    ) -> dict[str, str]:
        """Compute what is not there yet; returns clip_id → one sentence for each clip that has no features.

        Clips are prepared in threads while the encoder is busy. A killed run is gone on with; damaged files are made
        anew, and said. Batches are the same ones whatever is there already and whatever the engine: a clip's features
        differ in their last bits with those that it is encoded beside. Workers of other processes each load the encoder
        and write into the folder, which workers on other machines need to see. Raises InputError for another encoder
        than the store's, RunError when memory or disk is full.
        """
        if encoder.identity != self.identity:
            raise InputError(f"These features are of {self.identity}, not of {encoder.identity}; give another folder.")
        clips = list(clips)
        self._open_folder()
        batches = [clips[start : start + batch_size] for start in range(0, len(clips), batch_size)]
        outcomes: dict[int, Outcome] = {}
        with tqdm(total=len(clips), desc=what, unit="clip", mininterval=1.0, disable=not progress) as bar:
            open_ = []
            with ThreadPoolExecutor(THREADS) as pool:
                there = pool.map(self._holds, clips)
                for batch in batches:
                    if all([next(there) for _ in batch]):  # a list: each takes its own answer off
                        bar.update(len(batch))
                    else:
                        open_.append(batch)
            make = partial(FeatureWorker, self, encoder)
            with contextlib.closing(map_unordered(make, open_, engine, getattr(encoder, "gpu", False))) as done:
                for number, outcomes[number] in done:
                    bar.update(len(open_[number]))
        damages = [damage for number in sorted(outcomes) for damage in outcomes[number].damages]
        if damages:
            tqdm.write(f"damaged files of features made anew: {len(damages)}; the first: {damages[0]}")
        return {clip_id: why for number in sorted(outcomes) for clip_id, why in outcomes[number].errors.items()}

    def _open_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for torn in self.folder.glob(".*.partial"):  # of a run that was killed while writing
                with contextlib.suppress(FileNotFoundError):
                    if time.time() - torn.stat().st_mtime > _STALE:
                        torn.unlink()
        except OSError as error:
            raise InputError(f"{self.folder} cannot be used for features ({error.strerror}); give another.") from None

    def read(self, path: Path, clip_id: str) -> Features:
        """The features of a clip out of one of the store's files. Raises CacheError as `load` does."""
        features = read_features(path, self.identity, clip_id)
        if not self.fits(features.tensors):
            raise CacheError(f"{path} holds tensors of another shape; compute the features again.")
        return features

    def fits(self, tensors: Mapping[str, torch.Tensor]) -> bool:
        """Whether each tensor is one of the store's, with as many dimensions."""
        return all(tensor.ndim == self.dimensions.get(name) for name, tensor in tensors.items())
