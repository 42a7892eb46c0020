"""Clips to frozen features: the encoders with what prepares their inputs, and the store that keeps their output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from emolab.affectgpt.encoders import FrozenEncoders
from emolab.affectgpt.features import FeatureStore
from emolab.affectgpt.inputs import InputMaker, Inputs
from emolab.affectgpt.parts import encoder_identity, load_encoders, load_processor
from emolab.affectgpt.processing import AffectGPTProcessor
from emolab.affectgpt.settings import AffectSettings
from emolab.media.settings import FaceSettings


class ClipEncoder:
    """The frozen encoders and their processor, as `FeatureStore.compute` takes them; `identity` names their weights."""

    def __init__(self, encoders: FrozenEncoders, processor: AffectGPTProcessor, identity: str) -> None:
        self._encoders, self._processor, self.identity = encoders, processor, identity

    @classmethod
    def of(cls, settings: AffectSettings) -> ClipEncoder:
        """The encoders that a profile names, loaded."""
        return cls(load_encoders(settings), load_processor(settings), encoder_identity(settings))

    def encode(self, inputs: Sequence[Inputs]) -> list[tuple[torch.Tensor | None, torch.Tensor | None]]:
        """(video [frames, tokens, width], audio [clips, width]) of each; None where there is no such input."""
        frames = [None if each.frames is None else self._processor.pixels(each.frames) for each in inputs]
        sounds = [None if each.sound is None else self._processor.sound(each.sound) for each in inputs]
        video = _by_shape(frames, self._encoders.encode_video)
        audio = _by_shape(sounds, self._encoders.encode_audio)
        return list(zip(video, audio, strict=True))


def feature_store(
    settings: AffectSettings, faces: FaceSettings, seed: int, folder: Path, identity: str | None = None
) -> FeatureStore:
    """Where the features of a profile's clips lie; `seed` draws the frames where they are drawn at random. Stored as
    float16 where the encoders compute in less than float32."""
    identity = identity or encoder_identity(settings)
    make = InputMaker(settings.frames, faces, settings.view, settings.sound, seed, folder / "faces")
    dtype = "float32" if "torch.float32" in identity else "float16"
    return FeatureStore(folder, identity, make, dtype)


def _by_shape(given: Sequence[torch.Tensor | None], encode: Callable) -> list[torch.Tensor | None]:
    """Encode what is there, everything of one shape at once (still images have one frame)."""
    found: list[torch.Tensor | None] = [None] * len(given)
    for shape in dict.fromkeys(each.shape for each in given if each is not None):
        rows = [number for number, each in enumerate(given) if each is not None and each.shape == shape]
        for number, features in zip(rows, encode(torch.stack([given[n] for n in rows])), strict=True):
            found[number] = features
    return found
