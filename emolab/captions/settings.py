"""What a profile says about notebooks 01 and 02."""

from dataclasses import dataclass, field

from emolab.engine.settings import ModelSettings
from emolab.errors import InputError

PLACES = ("random", "even")
CHOICES = ("random", "longer", "both", "agreement")
SCORES = ("answer", "expected")


@dataclass
class ImageSettings:
    """Which images are described: each clip is divided into `frames_per_clip` equal parts, and one frame taken from
    each; single images of the corpus (`stills.jsonl`) come after them. Identical images are taken once."""

    frames_per_clip: int = 1
    where: str = "random"  # frame of a part: random (as section 2.1 draws frames) | even (the one in its middle)
    duplicate_distance: int = 4  # bits of 64 in which perceptual hashes of one clip's frames may differ; -1 keeps all
    stills: bool = True
    labelled: bool = False  # take clips with label sets as well; notebook 03 is scored on these: a leak
    limit: int | None = None  # so many clips and stills, drawn with the seed; a higher limit keeps those of a lower one

    def __post_init__(self) -> None:
        if self.where not in PLACES:
            raise InputError(f"images.where is {self.where!r}; one of {', '.join(PLACES)}.")
        if self.frames_per_clip < 1 or not -1 <= self.duplicate_distance <= 64:
            raise InputError("images.frames_per_clip starts at 1, images.duplicate_distance is -1 (off) to 64.")
        if self.limit is not None and self.limit < 1:
            raise InputError(f"images.limit is {self.limit}; give 1 or more, or null for all.")


@dataclass
class CaptionerSettings:
    """The captioners; `third` is asked only where `filter.choice` is `agreement`."""

    first: ModelSettings = field(
        default_factory=lambda: ModelSettings("shipped:qwen3_vl", "qwen3_vl", batch_size=32, max_new_tokens=96)
    )
    second: ModelSettings = field(
        default_factory=lambda: ModelSettings(
            "shipped:glm4v", "glm4v", template="glm4v", batch_size=32, max_new_tokens=96
        )
    )
    third: ModelSettings = field(default_factory=lambda: ModelSettings(path=""))


@dataclass
class FilterSettings:
    """Which pairs of captions are kept, and which caption of a pair. The judge is the profile's InternVL."""

    threshold: float = 0.9  # the paper's
    score: str = "answer"  # as read from the judge's answer, or `expected`: by the probabilities of its tokens
    symmetric: bool = False  # judge each pair in both orders and take the mean
    choice: str = "random"  # of the pair: random (the paper) | longer | both | agreement (with a third captioner)

    def __post_init__(self) -> None:
        if self.score not in SCORES:
            raise InputError(f"filter.score is {self.score!r}; one of {', '.join(SCORES)}.")
        if self.choice not in CHOICES:
            raise InputError(f"filter.choice is {self.choice!r}; one of {', '.join(CHOICES)}.")
        if not 0 <= self.threshold <= 1:
            raise InputError(f"filter.threshold is {self.threshold}; similarity lies between 0 and 1.")
