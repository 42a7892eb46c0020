"""What a profile says about the discriminative side (MER2024-SEMI): encoders, EmoVCLIP, fusion, self-training.

The winner's backbone size, frames, rates, thresholds and rounds are not published: what stands here is emolab's choice,
but for what a comment names.
"""

from dataclasses import dataclass, field
from math import isfinite

from emolab.corpora.clip import SIX_WAY
from emolab.engine.settings import DTYPES, ModelSettings
from emolab.errors import InputError
from emolab.media.settings import FrameSettings
from emolab.scoring.address import check_address
from emolab.scoring.endpoint import Budget

MODALITIES = ("audio", "video", "text")
FUSIONS = ("attention", "transformer")


@dataclass
class EncoderSettings:
    """A frozen encoder: a folder, a hub id, or `shipped:NAME`."""

    path: str = ""
    layers: int = 4  # hidden layers from the last whose sum is the feature (the toolkit's); not used by `video`
    batch_size: int = 16
    device: str = "auto"
    dtype: str = "auto"
    trust_remote_code: bool = False  # run code that comes with the weights: only where the profile says so

    def __post_init__(self) -> None:
        if min(self.layers, self.batch_size) < 1:
            raise InputError("discriminative: layers and batch_size of an encoder start at 1.")
        if self.dtype not in DTYPES:
            raise InputError(f"discriminative: dtype is {self.dtype!r}; one of {', '.join(DTYPES)}.")


@dataclass
class EmoVCLIPSettings:
    """Video prompts and text context learned on CLIP (the Vita-CLIP mechanism; optimiser, numbers of prompts, frozen
    `cls_proj` as published there). One training a fold, on that fold's training clips alone."""

    global_prompts: int = 8
    context: int = 8  # learned text tokens, of each class its own
    freeze_cls_proj: bool = False  # the published code leaves it at its random start by accident
    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 4e-4
    weight_decay: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.global_prompts, self.context, self.epochs, self.batch_size) < 1 or self.learning_rate <= 0:
            raise InputError("discriminative.emovclip: prompts, context, epochs and batch_size start at 1.")
        if min(self.weight_decay, self.seed) < 0:
            raise InputError("discriminative.emovclip: weight_decay and seed start at 0.")


@dataclass
class ModalityDropout:
    """How often a modality that is there is hidden from a training clip; one always stays."""

    audio: float = 0.3
    video: float = 0.3
    text: float = 0.3

    def __post_init__(self) -> None:
        if not all(0 <= rate < 1 for rate in (self.audio, self.video, self.text)):
            raise InputError("discriminative.fusion.drop: rates lie in [0, 1).")


@dataclass
class FusionSettings:
    """The fusion head. Optimiser, sizes and batch are within the toolkit's ranges (hidden 64 to 256, dropout .2 to .5,
    learning rate 1e-3 or 1e-4, L2 1e-5, batch 32, 100 epochs)."""

    kind: str = "attention"  # attention (the toolkit's) | transformer
    hidden: int = 128
    dropout: float = 0.3
    learning_rate: float = 1e-3
    weight_decay: float = 1e-5
    batch_size: int = 32
    epochs: int = 100
    device: str = "auto"
    drop: ModalityDropout = field(default_factory=ModalityDropout)

    def __post_init__(self) -> None:
        if self.kind not in FUSIONS:
            raise InputError(f"discriminative.fusion.kind is {self.kind!r}; one of {', '.join(FUSIONS)}.")
        if min(self.hidden, self.batch_size, self.epochs) < 1 or self.learning_rate <= 0:
            raise InputError("discriminative.fusion: hidden, batch_size and epochs start at 1, learning_rate above 0.")
        if self.hidden % 4 or not 0 <= self.dropout < 1:
            raise InputError("discriminative.fusion: hidden is a multiple of 4, dropout lies in [0, 1).")
        if self.weight_decay < 0:
            raise InputError("discriminative.fusion.weight_decay starts at 0.")


@dataclass
class SelfTrainingSettings:
    """Rounds of pseudo-labels. A clip joins with a class whose calibrated probability reaches the class's threshold
    (order: neutral, angry, happy, sad, worried, surprise); 6th place of MER2024-SEMI took .99 .99 .99 .99 .85 .85.
    `agreement` also asks a head of the other kind of fusion to name the same class (2nd place of MER2025)."""

    rounds: int = 3
    thresholds: list[float] = field(default_factory=lambda: [0.9] * 6)
    agreement: bool = False

    def __post_init__(self) -> None:
        if self.rounds < 0:
            raise InputError("discriminative.self_training.rounds starts at 0.")
        if len(self.thresholds) != len(SIX_WAY) or not all(0 <= each <= 1 for each in self.thresholds):
            raise InputError("discriminative.self_training.thresholds are six numbers in [0, 1], one a class.")


@dataclass
class DiscriminativeSettings:
    """Six-way emotion from sound, pictures and words: MER2024-SEMI's winner over the toolkit's features."""

    audio: EncoderSettings = field(default_factory=lambda: EncoderSettings("shipped:hubert"))
    video: EncoderSettings = field(default_factory=lambda: EncoderSettings("shipped:clip"))
    text: EncoderSettings = field(default_factory=lambda: EncoderSettings("shipped:llama"))
    writer: ModelSettings = field(  # the LLM that writes what the words suggest (GPT-4 in the source)
        default_factory=lambda: ModelSettings("shipped:writer", model_type="qwen2", template="qwen", max_new_tokens=48)
    )
    endpoint: str | None = None  # OpenAI-compatible address of a writer instead, https://host/v1; key: EMOLAB_API_KEY
    endpoint_model: str = "gpt-4"
    endpoint_budget: Budget = field(default_factory=Budget)  # requests, tokens, minutes; null: without limit
    view: str = "face"  # face | frame
    frames: FrameSettings = field(default_factory=lambda: FrameSettings(parts=8, draw="uniform"))
    emovclip: EmoVCLIPSettings = field(default_factory=EmoVCLIPSettings)
    fusion: FusionSettings = field(default_factory=FusionSettings)
    self_training: SelfTrainingSettings = field(default_factory=SelfTrainingSettings)
    folds: int = 5
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    noise: list[float] = field(default_factory=lambda: [10.0, 0.0, -10.0])  # signal-to-noise ratios in dB

    def __post_init__(self) -> None:
        if self.endpoint:
            check_address(self.endpoint)
        if self.view not in ("face", "frame"):
            raise InputError(f"discriminative.view is {self.view!r}; face or frame.")
        if self.folds < 3:
            raise InputError("discriminative.folds starts at 3: one to test, one to validate, the others to train.")
        if not self.seeds or len(set(self.seeds)) != len(self.seeds) or min(self.seeds) < 0:
            raise InputError("discriminative.seeds holds at least one seed, from 0, and none twice.")
        if not all(isfinite(level) for level in self.noise):
            raise InputError("discriminative.noise holds signal-to-noise ratios in dB, which are numbers.")
