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
from collections.abc import Iterable, Mapping, Sequence
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
from emolab.engine.map import map_unordered
from emolab.engine.settings import IN_PROCESS, EngineSettings
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
    """What is frozen. `identity` names its weights and everything that is asked of them; one with a true attribute
    `gpu` gets a GPU of its own in each worker. Goes to the workers of other processes without its weights."""

    identity: str

    def encode(self, inputs: Sequence[Inputs]) -> list[dict[str, torch.Tensor | None]]:
        """The tensors of each by name; None, or no such name, where the inputs have nothing for it."""
        ...


def need_dtype(identity: str, dtype: torch.dtype) -> None:
    """Raises RunError where an encoder whose identity names its dtype finds another one on the machine of a worker:
    `auto` is not the same on a driver without a GPU and on a worker with one."""
    if str(dtype) not in identity:
        raise RunError(
            f"This worker would compute in {dtype}, the run asks for the features of {identity}; say dtype and device "
            "of this encoder in the profile instead of auto."
        )


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
        outcomes: dict[int, _Outcome] = {}
        with tqdm(total=len(clips), desc=what, unit="clip", mininterval=1.0, disable=not progress) as bar:
            open_ = []
            with ThreadPoolExecutor(_THREADS) as pool:
                there = pool.map(self._holds, clips)
                for batch in batches:
                    if all([next(there) for _ in batch]):
                        bar.update(len(batch))
                    else:
                        open_.append(batch)
            make = partial(_Computer, self, encoder)
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
            for partial in self.folder.glob(".*.partial"):  # of a run that was killed while writing
                with contextlib.suppress(FileNotFoundError):
                    if time.time() - partial.stat().st_mtime > _STALE:
                        partial.unlink()
        except OSError as error:
            raise InputError(f"{self.folder} cannot be used for features ({error.strerror}); give another.") from None

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


@dataclass(frozen=True)
class _Outcome:
    """Of one batch: clip_id → why it has no features, and what was damaged."""

    errors: dict[str, str]
    damages: list[str]


class _Computer:
    """The worker of the map: batches of clips to files of features."""

    def __init__(self, store: FeatureStore, encoder: Encoder):
        self._store, self._encoder, self._threads = store, encoder, ThreadPoolExecutor(_THREADS)

    def begin(self, clips: Sequence[Clip]) -> tuple[Sequence[Clip], list[Future[_Work]]]:
        return clips, [self._threads.submit(self._prepare, clip) for clip in clips]

    def finish(self, begun: tuple[Sequence[Clip], list[Future[_Work]]]) -> _Outcome:
        works = self._whole(*begun)
        errors = {work.clip_id: work.error for work in works if work.error}
        errors |= self._encode([work for work in works if work.inputs is not None])
        return _Outcome(errors, [work.damage for work in works if work.damage])

    def _whole(self, clips: Sequence[Clip], batch: list[Future[_Work]]) -> list[_Work]:
        """The batch, with the inputs of what is there already where others are to be encoded beside it."""
        works = [each.result() for each in batch]
        if all(work.inputs is None for work in works):
            return works
        kept = [work.inputs is None and work.error is None for work in works]
        beside = [clip for clip, there in zip(clips, kept, strict=True) if there]
        again = self._threads.map(partial(self._prepare, again=True), beside)
        # an error of these is none: they have their features
        return [replace(next(again), error=None) if there else work for work, there in zip(works, kept, strict=True)]

    def _prepare(self, clip: Clip, again: bool = False) -> _Work:
        """`again`: though its features are there, which stay as they are."""
        try:
            path, damage = self._store.path(clip), None
            if again:
                return _Work(clip.clip_id, None, self._store.make(clip))
            if path.exists():
                try:
                    self._store._read(path, clip.clip_id)
                    return _Work(clip.clip_id)
                except CacheError as error:
                    damage = str(error)
            return _Work(clip.clip_id, path, self._store.make(clip), damage=damage)
        except RunError:  # a full disk is no clip's error
            raise
        except EmolabError as error:
            return _Work(clip.clip_id, error=str(error))
        except Exception as error:  # whatever a strange file does to a library is this clip's error, not the run's end
            reason = f"{type(error).__name__}: {str(error)[:300]}"
            return _Work(clip.clip_id, error=f"{clip.clip_id}: could not be prepared ({reason}).")

    def _encode(self, batch: Sequence[_Work]) -> dict[str, str]:
        """Encode and write a batch; clip_id → sentence for features that cannot be kept."""
        if not batch:
            return {}
        try:
            with torch.no_grad():
                encoded = self._encoder.encode([work.inputs for work in batch])
        except torch.OutOfMemoryError:
            raise RunError(
                f"The frozen encoders ran out of memory on {len(batch)} clips; lower batch_size. What is done is kept."
            ) from None
        store, errors = self._store, {}
        for work, given in zip(batch, encoded, strict=True):
            there = {name: tensor for name, tensor in given.items() if tensor is not None}
            expected = {name for name in store.dimensions if work.inputs.has(name)}
            whole = store.dtype != "uint8" or all(tensor.dtype == torch.uint8 for tensor in there.values())
            if there.keys() != expected or not store._shaped(there) or not whole:
                shapes = {name: f"{tensor.dtype} {list(tensor.shape)}" for name, tensor in there.items()}
                raise RunError(f"{work.clip_id}: the encoder gave {shapes}, and {sorted(expected)} was asked for.")
            tensors = {
                name: tensor.detach().to("cpu", _DTYPES[store.dtype]).contiguous() for name, tensor in there.items()
            }
            if work.path is None:
                continue  # it is there: only encoded beside the others
            if all(tensor.isfinite().all() for tensor in tensors.values()):
                store._write(work.path, tensors, work.inputs.problems)
            else:
                errors[work.clip_id] = (
                    f"{work.clip_id}: its features do not fit {store.dtype} or are no numbers; store them as float32."
                )
        return errors


def _digest(said: dict, tensors: dict[str, torch.Tensor]) -> str:
    """SHA-256 over everything that a file says and holds."""
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\0{name}\0{tensor.dtype}\0{list(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
