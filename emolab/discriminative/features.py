"""Frozen features of clips, one vector a modality, computed once and cached: what the fusion heads are trained on."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from emolab.corpora.clip import Clip
from emolab.discriminative.encoders import AudioEncoder, FrozenEncoder, TextEncoder, VideoEncoder
from emolab.discriminative.inputs import Given, SoundMaker
from emolab.discriminative.noise import Noise
from emolab.discriminative.pixels import cut_pixels
from emolab.discriminative.settings import EncoderSettings
from emolab.discriminative.table import Extracted
from emolab.engine.feature_store import FeatureStore
from emolab.engine.settings import IN_PROCESS, EngineSettings
from emolab.errors import InputError

_TOGETHER = 8  # batches of sounds that are sorted by length at a time


def audio_features(
    clips: Sequence[Clip],
    encoder: EncoderSettings,
    folder: Path,
    *,
    noise: Noise | None = None,
    progress: bool = True,
    engine: EngineSettings = IN_PROCESS,
) -> Extracted:
    """The clips' sounds (see `AudioEncoder`), with `noise` where that is asked for; kept in `folder`.

    A sound that is missing, too short or cannot be read is absent, with a problem. Raises InputError for an encoder
    that cannot be used.
    """
    audio = AudioEncoder(encoder)
    store = FeatureStore(folder, audio.identity, SoundMaker(noise), {"vector": 1})
    extracted = _extracted(_named(clips), clips, store, audio, encoder.batch_size * _TOGETHER, progress, engine)
    if noise is None:
        return extracted
    return replace(extracted, identity=f"{extracted.identity}, noise at {noise.snr_db:g} dB (seed {noise.seed})")


def video_features(
    clips: Sequence[Clip],
    encoder: EncoderSettings,
    pixels: FeatureStore,
    folder: Path,
    *,
    progress: bool = True,
    engine: EngineSettings = IN_PROCESS,
) -> Extracted:
    """The clips' frames or faces (see `VideoEncoder`) as `pixels` keeps them (see `pixel_store`; what is not there yet
    is cut); kept in `folder`.

    What cannot be seen, and in the view `face` has none, is absent, with a problem. Raises InputError for an encoder
    that cannot be used, or is not that of `pixels`.
    """
    video = VideoEncoder(encoder)
    store = FeatureStore(folder, video.identity, _PixelReader(pixels), {"vector": 1})
    named = _named(clips)
    uncut = cut_pixels(clips if store.missing(clips) else [], pixels, encoder, progress, engine)
    cut = [clip for clip in clips if clip.clip_id not in uncut]
    return _extracted(named, cut, store, video, encoder.batch_size, progress, engine, uncut)


def text_features(
    texts: Mapping[str, str],
    encoder: EncoderSettings,
    folder: Path,
    *,
    progress: bool = True,
    engine: EngineSettings = IN_PROCESS,
) -> Extracted:
    """Texts (clip_id → text; see `TextEncoder`), each distinct one encoded once; kept in `folder` by the exact text.

    A clip without words is absent, with a problem; of a text longer than the model reads the start is taken, and said.
    Raises InputError for an encoder that cannot be used.
    """
    text = TextEncoder(encoder)
    store = FeatureStore(folder, text.identity, _TextMaker(text), {"vector": 1})
    distinct: dict[str, Clip] = {}
    for clip_id, words in texts.items():
        if words.strip():
            distinct.setdefault(words, Clip(clip_id, transcript=words))
    items = {clip_id: distinct.get(words) for clip_id, words in texts.items()}
    alike = sorted(distinct.values(), key=lambda clip: len(clip.transcript))  # in a batch: less to pad
    if store.missing(alike):
        text.tokens("a")  # before a tokenizer that fails is each text's error
    return _extracted(items, alike, store, text, encoder.batch_size, progress, engine)


@dataclass(frozen=True)
class _PixelReader:
    """Pixels of a clip, as the store that cut them keeps them."""

    pixels: FeatureStore

    def __call__(self, clip: Clip) -> Given:
        found = self.pixels.load(clip)
        return Given(found.tensors.get("pixels"), found.problems)

    def key(self, clip: Clip) -> str:
        return self.pixels.path(clip).stem


@dataclass(frozen=True)
class _TextMaker:
    """Token ids of what the `transcript` of a clip says."""

    encoder: TextEncoder

    def __call__(self, clip: Clip) -> Given:
        return self.encoder.tokens(clip.transcript)

    def key(self, clip: Clip) -> str:
        return clip.transcript


def _named(clips: Sequence[Clip]) -> dict[str, Clip]:
    named = {clip.clip_id: clip for clip in clips}
    if len(named) < len(clips):
        twice, _ = Counter(clip.clip_id for clip in clips).most_common(1)[0]
        raise InputError(f"{twice}: two clips have this name; give each a name of its own.")
    return named


def _extracted(
    items: Mapping[str, Clip | None],
    todo: Sequence[Clip],
    store: FeatureStore,
    encoder: FrozenEncoder,
    batch_size: int,
    progress: bool,
    engine: EngineSettings,
    failed: Mapping[str, str] | None = None,
) -> Extracted:
    """Compute what the store does not hold of `todo`, and gather it. `items`: clip_id → the clip whose features it has,
    None where it can have none; `failed`: what could not be prepared, with a sentence each."""
    try:
        what = f"{encoder.modality} features"
        errors = store.compute(todo, encoder, batch_size, progress, what, engine) | (failed or {})
        vectors: dict[str, np.ndarray] = {}
        problems: dict[str, str] = {}
        for clip_id, clip in items.items():
            vector, problem = _read(clip, store, errors)
            if vector is not None:
                vectors[clip_id] = vector
            if problem:
                named = problem.startswith((f"{clip_id} ", f"{clip_id}:"))
                problems[clip_id] = problem if named else f"{clip_id}: {problem}"
        widths = Counter(len(vector) for vector in vectors.values())
        width = widths.most_common(1)[0][0] if widths else encoder.width
    finally:
        encoder.unload()
    table = np.full((len(items), width), np.nan, np.float32)
    for row, clip_id in enumerate(items):
        if clip_id in vectors and len(vectors[clip_id]) != width:
            length = len(vectors.pop(clip_id))
            problems[clip_id] = f"{clip_id}: its {encoder.modality} has {length} features, that of others {width}."
        elif clip_id in vectors:
            table[row] = vectors[clip_id]
    present = np.array([clip_id in vectors for clip_id in items], bool)
    made_of = json.dumps([[clip_id, store.path(items[clip_id]).stem] for clip_id in vectors])
    content = hashlib.blake2b(made_of.encode(), digest_size=8).hexdigest()
    return Extracted(tuple(items), table, present, problems, f"{store.identity}, of {content}")


def _read(clip: Clip | None, store: FeatureStore, errors: Mapping[str, str]) -> tuple[np.ndarray | None, str]:
    """The vector of a clip, and what there is to say of it."""
    if clip is None:
        return None, "has no words."
    if clip.clip_id in errors:
        return None, errors[clip.clip_id]
    found = store.load(clip)
    vector = found.tensors.get("vector")
    return None if vector is None else vector.numpy(), " ".join(found.problems)
