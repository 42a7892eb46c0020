"""What the frozen encoders are given of a clip: its pictures, or its whole sound. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emolab.corpora.clip import Clip
from emolab.discriminative.noise import Noise
from emolab.media.audio import read_audio
from emolab.media.sampling import content_hash
from emolab.media.senses import hear, see, seen_key, sound_file
from emolab.media.settings import FaceSettings, FrameSettings

RATE = 16_000  # samples a second of every audio encoder
SHORTEST = 0.25  # seconds; what is shorter is no speech to an encoder


@dataclass(frozen=True)
class Given:
    """What one encoder is given of one clip, None where there is nothing; `problems` says why, and what is damaged."""

    value: Any
    problems: tuple[str, ...] = ()

    def has(self, name: str) -> bool:
        """Whether there is anything to encode."""
        return self.value is not None


@dataclass(frozen=True)
class FrameMaker:
    """Pictures of a clip, a list of [height, width, 3] uint8 RGB (see `emolab.media.senses.see`)."""

    frames: FrameSettings
    faces: FaceSettings
    view: str
    seed: int = 0
    cache_dir: Path | None = None

    def __call__(self, clip: Clip) -> Given:
        return _given(*see(clip, self.frames, self.faces, self.view, self.seed, self.cache_dir))

    def key(self, clip: Clip) -> str:
        """What decides the pictures; with the clip's name, which the problems give. Raises MediaError for a missing
        file."""
        return f"{clip.clip_id}\0{seen_key(clip, self.frames, self.faces, self.view, self.seed)}"


@dataclass(frozen=True)
class SoundMaker:
    """The whole sound of a clip, float32 [samples] at RATE, with noise where that is asked for (see
    `emolab.media.senses.hear`)."""

    noise: Noise | None = None

    def __call__(self, clip: Clip) -> Given:
        samples, problem = hear(clip, _whole, SHORTEST)
        if samples is not None and self.noise is not None:
            samples = self.noise.add(samples, clip.clip_id)
        return _given(samples, problem)

    def key(self, clip: Clip) -> str:
        """What decides the sound; with the clip's name, which problems and noise depend on. Raises MediaError for a
        missing file."""
        file = sound_file(clip)
        heard = "" if file is None else content_hash(file)
        return f"{clip.clip_id}\0{heard}\0{RATE}\0{SHORTEST}\0{self.noise}"


def _given(value: Any, problem: str | None) -> Given:
    return Given(value, () if problem is None else (problem,))


def _whole(file: str) -> tuple[np.ndarray, float]:
    samples = read_audio(file, RATE)
    return samples, len(samples) / RATE
