"""What a profile says about fine-tuning InternVL (section 2.1)."""

from dataclasses import dataclass, field

from emolab.errors import InputError
from emolab.media.settings import VIEWS

DEEPSPEED = ("zero0", "zero1", "zero2", "zero2_offload", "zero3", "zero3_offload")


@dataclass
class SftSettings:
    """LoRA through `swift sft`: one adapter for each of `seeds`; without any seed nothing is trained.

    The data: kept captions of notebook 02 (with MiniGPT-4's where the corpus has them) and, with `descriptions`, the
    described clips of the train split. The effective batch is gpus × batch_size × accumulation.
    """

    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    descriptions: bool = False  # clips so trained on are left out of the scores
    epochs: float = 1.0
    max_steps: int | None = None  # before the epochs are over
    batch_size: int = 1  # per device
    accumulation: int = 1
    learning_rate: float = 1e-4
    warmup_ratio: float = 0.05
    max_length: int = 8192  # tokens; a longer row ends the training, which names it
    rank: int = 8
    alpha: int = 32
    dropout: float = 0.05
    freeze_vit: bool = True
    freeze_aligner: bool = True
    save_steps: int = 200  # a killed training goes on from the last of these
    gpus: int = 1  # more: torchrun
    deepspeed: str | None = None  # zero2, zero3, ...
    gradient_checkpointing: bool = True
    workers: int = 4  # processes that load images
    extra: dict[str, str] = field(default_factory=dict)  # any further argument of `swift sft`

    def __post_init__(self) -> None:
        if len(set(self.seeds)) != len(self.seeds):
            raise InputError("sft.seeds holds a seed twice.")
        if min(self.batch_size, self.accumulation, self.gpus, self.save_steps, self.rank, self.max_length) < 1:
            raise InputError("sft: batch_size, accumulation, gpus, save_steps, rank and max_length start at 1.")
        if self.epochs <= 0 or self.learning_rate <= 0:
            raise InputError("sft.epochs and sft.learning_rate must be above 0.")
        if self.deepspeed and not (self.deepspeed in DEEPSPEED or self.deepspeed.endswith(".json")):
            raise InputError(f"sft.deepspeed is {self.deepspeed!r}; one of {', '.join(DEEPSPEED)} or a JSON file.")


@dataclass
class AblationSettings:
    """Notebook 05: what is shown to the model, on the same clips with the same draws of frames.

    `views` are those of `media/views.py`; each is asked once for each of `seeds` (draws of frames).
    """

    views: list[str] = field(default_factory=lambda: ["frame", "face", "face_frame", "face_large", "frame_small"])
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    clips: int | None = None  # a seeded draw of so many; null = all

    def __post_init__(self) -> None:
        unknown = set(self.views) - set(VIEWS)
        if unknown or not {"frame", "face"} <= set(self.views):
            raise InputError(f"ablation.views must hold frame and face, and may hold: {', '.join(VIEWS)}.")
        if not self.seeds or len(set(self.seeds)) != len(self.seeds) or (self.clips or 2) < 2:
            raise InputError("ablation.seeds needs at least one seed and none twice; ablation.clips starts at 2.")
