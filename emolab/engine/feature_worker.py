"""The worker of the map that makes features: batches of clips in, files out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from emolab.corpora.clip import Clip
from emolab.engine.feature_file import DTYPES, CacheError, Features, write_features
from emolab.errors import EmolabError, RunError

if TYPE_CHECKING:  # the store makes the workers
    from emolab.engine.feature_store import Encoder, FeatureStore, Inputs

THREADS = min(8, os.cpu_count() or 1)


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
class Outcome:
    """Of one batch: clip_id → why it has no features, and what was damaged."""

    errors: dict[str, str]
    damages: list[str]


class FeatureWorker:
    """Prepares the clips of a batch in threads, those of the next batch while the encoder is busy."""

    def __init__(self, store: FeatureStore, encoder: Encoder):
        self._store, self._encoder, self._threads = store, encoder, ThreadPoolExecutor(THREADS)

    def begin(self, clips: Sequence[Clip]) -> tuple[Sequence[Clip], list[Future[_Work]]]:
        return clips, [self._threads.submit(self._prepare, clip) for clip in clips]

    def finish(self, begun: tuple[Sequence[Clip], list[Future[_Work]]]) -> Outcome:
        works = self._whole(*begun)
        errors = {work.clip_id: work.error for work in works if work.error}
        errors |= self._encode([work for work in works if work.inputs is not None])
        return Outcome(errors, [work.damage for work in works if work.damage])

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
                    self._store.read(path, clip.clip_id)
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
            if there.keys() != expected or not store.fits(there) or not whole:
                shapes = {name: f"{tensor.dtype} {list(tensor.shape)}" for name, tensor in there.items()}
                raise RunError(f"{work.clip_id}: the encoder gave {shapes}, and {sorted(expected)} was asked for.")
            tensors = {
                name: tensor.detach().to("cpu", DTYPES[store.dtype]).contiguous() for name, tensor in there.items()
            }
            if work.path is None:
                continue  # it is there: only encoded beside the others
            if all(tensor.isfinite().all() for tensor in tensors.values()):
                write_features(work.path, store.identity, Features(tensors, tuple(work.inputs.problems)))
            else:
                errors[work.clip_id] = (
                    f"{work.clip_id}: its features do not fit {store.dtype} or are no numbers; store them as float32."
                )
        return errors
