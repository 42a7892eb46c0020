"""What a profile says about the frames a model sees and the sound it hears."""

from dataclasses import dataclass

from emolab.errors import InputError

DRAWS = ("random", "uniform")


@dataclass
class FrameSettings:
    """Section 2.1: the clip in `parts` equal parts, one random frame from each.

    `draw`: random, or uniform, the first frame of each part, which is what Video-LLaMA and AffectGPT take. `cache`
    keeps decoded frames on disk: worth it for long videos with few keyframes that many stages read; a short clip is
    decoded faster than its frames are stored.
    """

    parts: int = 6
    draw: str = "random"
    cache: bool = False

    def __post_init__(self) -> None:
        if self.draw not in DRAWS:
            raise InputError(f"frames.draw is {self.draw!r}; one of {', '.join(DRAWS)}.")
        if self.parts < 1:
            raise InputError(f"frames.parts is {self.parts}; a model needs at least 1 frame.")


# What a model is shown of a clip.
# frame: whole frames. face: aligned crops. face_frame: all crops, then all frames. The last two part what a crop
# changes: face_large has its content at the resolution of the frame, frame_small the frame's content at its resolution.
VIEWS = ("frame", "face", "face_frame", "face_large", "frame_small")
FACE_SOURCES = ("detect", "openface")
FACE_CHOICES = ("largest", "central")


@dataclass
class FaceSettings:
    """Face crops: found by emolab (`detect`), or those that OpenFace cut and MER2024 ships (`openface`).

    `openface` is the folder openface_face/ with <name>/<name>.npy or <name>.npy. `choose` says which face is taken
    where there are several, `size` how many pixels a side the aligned crop has (112: what OpenFace gives), `confidence`
    how sure the detector must be. `cache` keeps crops on disk.
    """

    source: str = "detect"
    openface: str | None = None
    choose: str = "largest"
    size: int = 112
    confidence: float = 0.5
    cache: bool = True

    def __post_init__(self) -> None:
        for name, options in (("source", FACE_SOURCES), ("choose", FACE_CHOICES)):
            if getattr(self, name) not in options:
                raise InputError(f"faces.{name} is {getattr(self, name)!r}; one of {', '.join(options)}.")
        if self.source == "openface" and not self.openface:
            raise InputError("faces.source is 'openface' but faces.openface names no folder; give openface_face/.")
        if not 16 <= self.size <= 1024:
            raise InputError(f"faces.size is {self.size}; a crop has 16 to 1024 pixels a side.")
        if not 0 < self.confidence < 1:
            raise InputError(f"faces.confidence is {self.confidence}; it lies between 0 and 1.")


@dataclass
class SoundSettings:
    """ImageBind's scheme, as AffectGPT has it: `clips` pieces of `seconds`, spread over the track, at `rate` samples a
    second. A sound of less than `shortest` seconds is not heard.
    """

    clips: int = 8
    seconds: float = 2.0
    rate: int = 16000
    shortest: float = 0.25

    def __post_init__(self) -> None:
        if self.clips < 1:
            raise InputError(f"sound.clips is {self.clips}; a model needs at least 1 piece.")
        if not 0.1 <= self.seconds <= 60:
            raise InputError(f"sound.seconds is {self.seconds}; a piece lasts 0.1 to 60 seconds.")
        if not 8000 <= self.rate <= 48000:
            raise InputError(f"sound.rate is {self.rate}; models take 8000 to 48000 samples a second.")
        if not self.shortest >= 0:
            raise InputError(f"sound.shortest is {self.shortest}; give 0 or more seconds.")
