"""What a profile says about the frames a model sees."""

from dataclasses import dataclass

from emolab.errors import InputError


@dataclass
class FrameSettings:
    """Section 2.1: the clip in `parts` equal parts, one random frame from each.

    `cache` keeps decoded frames on disk: worth it for long videos with few keyframes that many stages read; a short
    clip is decoded faster than its frames are stored.
    """

    parts: int = 6
    cache: bool = False

    def __post_init__(self) -> None:
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
