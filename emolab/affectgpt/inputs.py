"""What AffectGPT is given of a clip: frames or face crops, and pieces of sound (section 2.2). No torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emolab.corpora.clip import Clip
from emolab.media.audio import read_clips
from emolab.media.errors import MediaError
from emolab.media.sampling import content_hash
from emolab.media.senses import hear, see, seen_key, sound_file
from emolab.media.settings import FaceSettings, FrameSettings, SoundSettings


@dataclass(frozen=True)
class Inputs:
    """`frames` are [height, width, 3] uint8 RGB (None: nothing to be seen), `sound` float32 [clips, samples] (None:
    nothing to be heard), `problems` one sentence for each modality that is missing or damaged."""

    frames: list[np.ndarray] | None
    sound: np.ndarray | None
    problems: tuple[str, ...] = ()

    def has(self, name: str) -> bool:
        """Whether there is `video` or `audio` to be encoded."""
        return {"video": self.frames, "audio": self.sound}[name] is not None


@dataclass(frozen=True)
class InputMaker:
    """Makes the inputs of a clip: its pictures in one of VIEWS, and its sound, that of `clip.audio` or else of the
    video. `seed` draws frames where they are drawn at random; `cache_dir` keeps frames and crops where the settings
    say so."""

    frames: FrameSettings
    faces: FaceSettings
    view: str
    sound: SoundSettings
    seed: int = 0
    cache_dir: Path | None = None

    def __call__(self, clip: Clip) -> Inputs:
        """A modality that is not there (see `emolab.media.senses`) is None and said in `problems`. Raises MediaError
        for a file that is missing or is no media file, and where there is nothing to see, to hear or to read."""
        seen, why_unseen = see(clip, self.frames, self.faces, self.view, self.seed, self.cache_dir)
        heard, why_unheard = hear(clip, self._pieces, self.sound.shortest)
        problems = tuple(problem for problem in (why_unseen, why_unheard) if problem)
        if seen is None and heard is None and not clip.transcript.strip():
            reasons = " ".join(problems) or "no picture and no sound."
            raise MediaError(f"{clip.clip_id}: nothing of it can be seen, heard or read: {reasons}")
        return Inputs(seen, heard, problems)

    def key(self, clip: Clip) -> str:
        """Content of the clip's files and all settings that matter (see `seen_key`). Raises MediaError for a missing
        file."""
        seen = seen_key(clip, self.frames, self.faces, self.view, self.seed)
        file = sound_file(clip)
        heard = "" if file is None else f"{content_hash(file)}\0{self.sound}"
        return f"{seen}\0\0{heard}"

    def _pieces(self, file: str) -> tuple[np.ndarray, float]:
        pieces = read_clips(file, self.sound.clips, self.sound.seconds, self.sound.rate)
        return pieces.samples, pieces.duration
