"""Clips to frozen features: the encoders with what prepares their inputs, and the store that keeps their output."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch

from emolab.affectgpt.encoders import FrozenEncoders
from emolab.affectgpt.inputs import InputMaker, Inputs
from emolab.affectgpt.parts import encoder_identity, load_encoders, load_processor
from emolab.affectgpt.processing import AffectGPTProcessor
from emolab.affectgpt.settings import AffectSettings
from emolab.corpora.clip import Clip
from emolab.engine.device import need_dtype, pick_device, pick_dtype
from emolab.engine.feature_store import FeatureStore
from emolab.media.senses import is_still
from emolab.media.settings import FaceSettings

DIMENSIONS = {"video": 3, "audio": 2}  # what is kept of a clip: [frames, tokens, width] and [clips, width]


class ClipEncoder:
    """The frozen encoders with their processor, as `FeatureStore.compute` takes them; `identity` names their weights.
    `load` is called when the first clip is encoded: where everything is in the cache, never. To another process goes
    `load`, not what it loaded; `gpu`: whether a worker there wants a GPU of its own."""

    def __init__(
        self, load: Callable[[], tuple[FrozenEncoders, AffectGPTProcessor]], identity: str, gpu: bool = False
    ) -> None:
        self._load, self.identity, self.gpu = load, identity, gpu
        self._parts: tuple[FrozenEncoders, AffectGPTProcessor] | None = None

    @classmethod
    def of(cls, settings: AffectSettings) -> ClipEncoder:
        """The encoders that a profile names."""
        identity = encoder_identity(settings)
        return cls(partial(_load, settings, identity), identity, settings.device in ("auto", "cuda"))

    def __getstate__(self) -> dict:
        return {**vars(self), "_parts": None}

    def unload(self) -> None:
        """Free the memory; the next clip loads the encoders again."""
        self._parts = None
        torch.cuda.empty_cache()

    def encode(self, inputs: Sequence[Inputs]) -> list[dict[str, torch.Tensor | None]]:
        """`video` [frames, tokens, width] and `audio` [clips, width] of each; None where there is no such input."""
        self._parts = self._parts or self._load()
        encoders, processor = self._parts
        frames = [None if each.frames is None else processor.pixels(each.frames) for each in inputs]
        sounds = [None if each.sound is None else processor.sound(each.sound) for each in inputs]
        video = _by_shape(frames, encoders.encode_video)
        audio = _by_shape(sounds, encoders.encode_audio)
        return [{"video": seen, "audio": heard} for seen, heard in zip(video, audio, strict=True)]


def _load(settings: AffectSettings, identity: str) -> tuple[FrozenEncoders, AffectGPTProcessor]:
    need_dtype(identity, pick_dtype(pick_device(settings.device), settings.dtype))
    return load_encoders(settings), load_processor(settings)


def feature_store(
    settings: AffectSettings, faces: FaceSettings, seed: int, folder: Path, identity: str | None = None
) -> FeatureStore:
    """Where the features of a profile's clips lie; `seed` draws the frames where they are drawn at random. Stored as
    float16 where the encoders compute in less than float32."""
    identity = identity or encoder_identity(settings)
    make = InputMaker(settings.frames, faces, settings.view, settings.sound, seed, folder / "faces")
    dtype = "float32" if "torch.float32" in identity else "float16"
    return FeatureStore(folder, identity, make, DIMENSIONS, dtype)


def count_features(clips: Sequence[Clip], store: FeatureStore, failed: Mapping[str, str]) -> tuple[dict[str, int], str]:
    """What became of the clips (`failed`: those without features, see `FeatureStore.compute`), and shape and size of
    what is kept."""
    counts = dict.fromkeys(("with features", "without any (an error)", "not seen", "not heard", "with a problem"), 0)
    shapes, size = "none", 0
    for clip in clips:
        if clip.clip_id in failed:
            counts["without any (an error)"] += 1
            continue
        features = store.load(clip)
        counts["with features"] += 1
        counts["not seen"] += "video" not in features.tensors
        counts["not heard"] += "audio" not in features.tensors and not is_still(clip)
        counts["with a problem"] += bool(features.problems)
        size += store.path(clip).stat().st_size
        if len(features.tensors) == len(DIMENSIONS):
            shapes = ", ".join(f"{name} {list(features.tensors[name].shape)}" for name in DIMENSIONS)
    return counts, f"features of a clip: {shapes}; {size / 1e6:.0f} MB in all"


def _by_shape(given: Sequence[torch.Tensor | None], encode: Callable) -> list[torch.Tensor | None]:
    """Encode what is there, everything of one shape at once (still images have one frame)."""
    found: list[torch.Tensor | None] = [None] * len(given)
    for shape in dict.fromkeys(each.shape for each in given if each is not None):
        rows = [number for number, each in enumerate(given) if each is not None and each.shape == shape]
        for number, features in zip(rows, encode(torch.stack([given[n] for n in rows])), strict=True):
            found[number] = features
    return found
