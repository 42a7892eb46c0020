"""White noise at a signal-to-noise ratio, for the test of how far a sound may be spoilt. No torch."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np

from emolab.errors import InputError


@dataclass(frozen=True)
class Noise:
    """Noise to be added to a sound: `snr_db` is the power of the true samples over that of the noise, in dB.

    Drawn by (seed, clip_id) alone, so that every ratio adds the same noise, louder or softer. Raises InputError for a
    ratio that is no number.
    """

    snr_db: float
    seed: int = 0

    def __post_init__(self) -> None:
        if not math.isfinite(self.snr_db):
            raise InputError(f"discriminative.noise holds {self.snr_db}; a signal-to-noise ratio is a number of dB.")

    def add(self, samples: np.ndarray, clip_id: str) -> np.ndarray:
        """The samples [n] float32 with noise. Silence stays as it is: no noise has a ratio to it."""
        digest = hashlib.blake2b(f"{self.seed}\0{clip_id}".encode(errors="backslashreplace"), digest_size=32).digest()
        # RandomState: its stream is frozen, those of numpy's newer generators may change between versions
        noise = np.random.RandomState(np.frombuffer(digest, np.uint32)).standard_normal(len(samples))
        signal = np.mean(np.square(samples, dtype=np.float64))
        gain = math.sqrt(signal / np.mean(np.square(noise)) / 10 ** (self.snr_db / 10))
        return (samples + gain * noise).astype(np.float32)
