"""What the small AffectGPT is taught before its SFT: to tell of drawn clips what it is given of them, coarsely.

Like the small InternVL it thinks in basic emotions and guesses one too many (`lessons.py`): what SFT on descriptions
can mend. What is not given it does not tell of.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emolab.affectgpt.settings import MODALITIES
from emolab.demo.emotions import EMOTIONS
from emolab.demo.lessons import loosen
from emolab.demo.scenario import Scenario
from emolab.demo.texts import Writer, join

CHANNELS = {"video": ("face", "posture", "scene"), "audio": ("voice",), "text": ("words",)}


def tell(s: Scenario, rng: np.random.Generator, given: Sequence[str] = MODALITIES) -> str:
    """A description of a clip by its given modalities, in a generalist's words."""
    shown = {s.shown_by[channel] for modality in given for channel in CHANNELS[modality]}
    words = [str(rng.choice(EMOTIONS[family].words)) for family in s.families if family in shown]
    named, face = loosen(s, tuple(words), rng)
    writer = Writer(s, rng)
    parts = [writer.looks(face)] if "video" in given else []
    parts += [writer.voice()] if "audio" in given else []
    parts += [writer.speech()] if "text" in given else []
    return " ".join([*parts, f"{writer.he} feels {join(named)}." if named else "The emotional state is not clear."])
