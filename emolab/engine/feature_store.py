"""The cache of frozen features: named tensors that an encoder makes of a clip, computed once and kept on disk.

What is frozen gives a constant of the clip: 100 epochs, or as many heads, need it once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from tqdm import tqdm

from emolab.corpora.clip import Clip
from emolab.errors import EmolabError, InputError, RunError

_VERSION = 1  # part of every key: raise it when decoding, drawing or cutting changes what comes out
_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16, "uint8": torch.uint8}
_THREADS = min(8, os.cpu_count() or 1)
_STALE = 3600  # seconds after which a half-written file belongs to nobody


class CacheError(InputError):
    """A file of features cannot be used: one sentence with the file, the cause and the cure."""


@dataclass(frozen=True)
class Features:
    """The tensors of a clip by name, without those that it has no input for; `problems` says why."""

    tensors: dict[str, torch.Tensor]
    problems: tuple[str, ...] = ()


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
    """What is frozen. `identity` names its weights and everything that is asked of them."""

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
        if dtype not in _DTYPES:
            raise InputError(f"Features cannot be stored as {dtype!r}; one of {', '.join(_DTYPES)}.")
        self.folder, self.identity, self.make, self.dtype = Path(folder), identity, make, dtype
        self.dimensions = dict(dimensions)

    def path(self, clip: Clip) -> Path:
        """Where the features of a clip lie, or will. Raises MediaError where a file of the clip is missing."""
        said = f"{_VERSION}\0{self.identity}\0{self.dtype}\0{self.make.key(clip)}"
        return (
            self.folder
            / f"{hashlib.blake2b(said.encode(errors='backslashreplace'), digest_size=20).hexdigest()}.safetensors"
        )

    def load(self, clip: Clip) -> Features:
        """The features of one clip; nothing else is read. Raises CacheError where they are not there, damaged, or
        another encoder's; MediaError where the clip itself is missing."""
        return self._read(self.path(clip), clip.clip_id)

    def missing(self, clips: Iterable[Clip]) -> list[Clip]:
        """The clips of which `compute` has yet to prepare the inputs: no features, damaged ones, or a missing file."""
        with ThreadPoolExecutor(_THREADS) as pool:
            return [clip for clip, there in pool.map(lambda clip: (clip, self._holds(clip)), clips) if not there]

    def _holds(self, clip: Clip) -> bool:
        try:
            self.load(clip)
        except InputError:
            return False
        return True

    def compute(
        self,
        clips: Iterable[Clip],
        encoder: Encoder,
        batch_size: int = 8,
        progress: bool = True,
        what: str = "frozen features",
    ) -> dict[str, str]:
        """Compute what is not there yet; returns clip_id → one sentence for each clip that has no features.

        Clips are prepared in threads while the encoder is busy. A killed run is gone on with; damaged files are made
        anew, and said. Batches are the same ones whatever is there already: a clip's features differ in their last
        bits with those that it is encoded beside. Raises InputError for another encoder than the store's, RunError when
        memory or disk is full.
        """
        if encoder.identity != self.identity:
            raise InputError(f"These features are of {self.identity}, not of {encoder.identity}; give another folder.")
        clips = list(clips)
        errors: dict[str, str] = {}
        damages: list[str] = []
        self._open_folder()
        bar = tqdm(total=len(clips), desc=what, unit="clip", mininterval=1.0, disable=not progress)
        with bar, contextlib.closing(self._prepared(clips, batch_size)) as prepared:
            for batch in prepared:
                damages += [work.damage for work in batch if work.damage]
                errors |= {work.clip_id: work.error for work in batch if work.error}
                errors |= self._encode([work for work in batch if work.inputs is not None], encoder)
                bar.update(len(batch))
        if damages:
            tqdm.write(f"damaged files of features made anew: {len(damages)}; the first: {damages[0]}")
        return errors

    def _open_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for partial in self.folder.glob(".*.partial"):  # of a run that was killed while writing
                with contextlib.suppress(FileNotFoundError):
                    if time.time() - partial.stat().st_mtime > _STALE:
                        partial.unlink()
        except OSError as error:
            raise InputError(f"{self.folder} cannot be used for features ({error.strerror}); give another.") from None

    def _prepared(self, clips: Sequence[Clip], size: int) -> Iterator[list[_Work]]:
        """Batches in the order of the clips; the next one is being prepared while the caller is busy with one."""
        pool = ThreadPoolExecutor(_THREADS)
        running: deque[tuple[Sequence[Clip], list[Future[_Work]]]] = deque()
        try:
            for start in range(0, len(clips), size):
                batch = clips[start : start + size]
                running.append((batch, [pool.submit(self._prepare, clip) for clip in batch]))
                if len(running) > 1:
                    yield self._whole(pool, *running.popleft())
            while running:
                yield self._whole(pool, *running.popleft())
        finally:
            pool.shutdown(cancel_futures=True)

    def _whole(self, pool: ThreadPoolExecutor, clips: Sequence[Clip], batch: list[Future[_Work]]) -> list[_Work]:
        """The batch, with the inputs of what is there already where others are to be encoded beside it."""
        works = [each.result() for each in batch]
        if all(work.inputs is None for work in works):
            return works
        kept = [work.inputs is None and work.error is None for work in works]
        beside = [clip for clip, there in zip(clips, kept, strict=True) if there]
        again = pool.map(partial(self._prepare, again=True), beside)
        # an error of these is none: they have their features
        return [replace(next(again), error=None) if there else work for work, there in zip(works, kept, strict=True)]

    def _prepare(self, clip: Clip, again: bool = False) -> _Work:
        """`again`: though its features are there, which stay as they are."""
        try:
            path, damage = self.path(clip), None
            if again:
                return _Work(clip.clip_id, None, self.make(clip))
            if path.exists():
                try:
                    self._read(path, clip.clip_id)
                    return _Work(clip.clip_id)
                except CacheError as error:
                    damage = str(error)
            return _Work(clip.clip_id, path, self.make(clip), damage=damage)
        except EmolabError as error:
            return _Work(clip.clip_id, error=str(error))
        except Exception as error:  # whatever a strange file does to a library is this clip's error, not the run's end
            reason = f"{type(error).__name__}: {str(error)[:300]}"
            return _Work(clip.clip_id, error=f"{clip.clip_id}: could not be prepared ({reason}).")

    def _encode(self, batch: Sequence[_Work], encoder: Encoder) -> dict[str, str]:
        """Encode and write a batch; clip_id → sentence for features that cannot be kept."""
        if not batch:
            return {}
        try:
            with torch.no_grad():
                encoded = encoder.encode([work.inputs for work in batch])
        except torch.OutOfMemoryError:
            raise RunError(
                f"The frozen encoders ran out of memory on {len(batch)} clips; lower batch_size. What is done is kept."
            ) from None
        errors = {}
        for work, given in zip(batch, encoded, strict=True):
            there = {name: tensor for name, tensor in given.items() if tensor is not None}
            expected = {name for name in self.dimensions if work.inputs.has(name)}
            whole = self.dtype != "uint8" or all(tensor.dtype == torch.uint8 for tensor in there.values())
            if there.keys() != expected or not self._shaped(there) or not whole:
                shapes = {name: f"{tensor.dtype} {list(tensor.shape)}" for name, tensor in there.items()}
                raise RunError(f"{work.clip_id}: the encoder gave {shapes}, and {sorted(expected)} was asked for.")
            tensors = {
                name: tensor.detach().to("cpu", _DTYPES[self.dtype]).contiguous() for name, tensor in there.items()
            }
            if work.path is None:
                continue  # it is there: only encoded beside the others
            if all(tensor.isfinite().all() for tensor in tensors.values()):
                self._write(work.path, tensors, work.inputs.problems)
            else:
                errors[work.clip_id] = (
                    f"{work.clip_id}: its features do not fit {self.dtype} or are no numbers; store them as float32."
                )
        return errors

    # --- files

    def _write(self, path: Path, tensors: dict[str, torch.Tensor], problems: Sequence[str]) -> None:
        said = {"key": path.stem, "identity": self.identity, "problems": list(problems)}
        # one entry: safetensors writes several in any order
        content = save(tensors, {"emolab": json.dumps(said | {"sha256": _digest(said, tensors)})})
        partial = path.with_name(f".{path.stem}.{os.getpid()}.{threading.get_ident()}.partial")
        try:
            partial.write_bytes(content)
            os.replace(partial, path)  # no fsync: after a power cut the checksum tells, and one clip is made anew
        except OSError as error:
            raise RunError(f"{path} cannot be written ({error.strerror}); make room or give another folder.") from None
        finally:
            partial.unlink(missing_ok=True)

    def _read(self, path: Path, clip_id: str) -> Features:
        try:
            with safe_open(path, framework="pt") as file:
                said = json.loads((file.metadata() or {}).get("emolab", "{}"))
                tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # copies: no mapping stays open
        except FileNotFoundError:
            raise CacheError(f"{clip_id} has no features in {self.folder}; compute them first.") from None
        except (SafetensorError, OSError, ValueError) as error:
            raise CacheError(f"{path} cannot be read ({error}); compute the features again.") from None
        checksum = said.pop("sha256", "")
        if _digest(said, tensors) != checksum:
            raise CacheError(f"{path} is damaged (its checksum does not fit); compute the features again.")
        if said["key"] != path.stem or said["identity"] != self.identity:
            raise CacheError(
                f"{path} holds features of other inputs or of another encoder ({said['identity']}, not "
                f"{self.identity}); compute the features again."
            )
        if not self._shaped(tensors):
            raise CacheError(f"{path} holds tensors of another shape; compute the features again.")
        return Features(tensors, tuple(said["problems"]))

    def _shaped(self, tensors: Mapping[str, torch.Tensor]) -> bool:
        return all(tensor.ndim == self.dimensions.get(name) for name, tensor in tensors.items())


@dataclass(frozen=True)
class _Work:
    """One clip on its way: `inputs` None means that there is nothing to do, or an error; `path` None that nothing is to
    be written."""

    clip_id: str
    path: Path | None = None
    inputs: Inputs | None = None
    error: str | None = None
    damage: str | None = None


def _digest(said: dict, tensors: dict[str, torch.Tensor]) -> str:
    """SHA-256 over everything that a file says and holds."""
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\0{name}\0{tensor.dtype}\0{list(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
