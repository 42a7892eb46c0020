"""What a profile says about AffectGPT (section 2.2): its parts, what it is given of a clip, and its training."""

from dataclasses import dataclass, field

from emolab.engine.settings import DTYPES
from emolab.errors import InputError
from emolab.media.settings import FrameSettings, SoundSettings

VIEWS = ("frame", "face")
MODALITIES = ("audio", "video", "text")


@dataclass
class AffectSettings:
    """The trimodal model. Each part is a folder, a hub id, or `shipped:NAME`.

    `qformers` holds the parts that are trained (Q-Formers, queries, positions, projections; see `parts.py`); null
    starts them untrained, with `image_qformer` (a BLIP-2 checkpoint) before them where the encoder has one. The
    sampling at inference is the published one (top_p 0.9, temperature 1, 300 tokens).
    """

    vision: str = "shipped:internvl"
    audio: str = "shipped:hubert"
    language: str = "shipped:llama"
    qformers: str | None = "shipped:affectgpt"
    image_qformer: str | None = None
    prefusion: bool = False  # the 2025 model's <Multi> token; trained parts have it or not
    view: str = "frame"  # frame | face (the 2025 model)
    frames: FrameSettings = field(default_factory=lambda: FrameSettings(parts=8, draw="uniform"))
    sound: SoundSettings = field(default_factory=SoundSettings)
    device: str = "auto"
    dtype: str = "auto"  # of the frozen parts; what is trained stays float32
    batch_size: int = 8
    max_new_tokens: int = 300
    temperature: float = 1.0  # 0 = greedy
    top_p: float = 0.9

    def __post_init__(self) -> None:
        if self.view not in VIEWS:
            raise InputError(f"affectgpt.view is {self.view!r}; one of {', '.join(VIEWS)}.")
        if self.dtype not in DTYPES:
            raise InputError(f"affectgpt.dtype is {self.dtype!r}; one of {', '.join(DTYPES)}.")
        if min(self.batch_size, self.max_new_tokens) < 1 or self.temperature < 0 or not 0 < self.top_p <= 1:
            raise InputError(
                "affectgpt: batch_size and max_new_tokens start at 1, temperature at 0, top_p lies in (0, 1]."
            )


@dataclass
class AffectSftSettings:
    """SFT of the Q-Formers on described clips of the train split (266 in the paper), with MiniGPT-4's where the corpus
    has them; one training for each of `seeds`, none without.

    The published schedule: learning rate from `warmup_rate` to `learning_rate` in `warmup_steps`, then along a cosine
    to `last_rate`. The effective batch is processes × batch_size × accumulation. `lora` also trains adapters of the
    language model (the 2025 model: rank 16, alpha 32, dropout 0.05).
    """

    seeds: list[int] = field(default_factory=lambda: [42])
    epochs: int = 100
    batch_size: int = 4
    accumulation: int = 1
    learning_rate: float = 3e-5
    last_rate: float = 1e-5
    warmup_rate: float = 1e-6
    warmup_steps: int = 1000
    weight_decay: float = 0.05
    max_length: int = 512  # tokens of question and answer; a longer sample is left out, and said
    modalities: list[str] = field(default_factory=lambda: list(MODALITIES))  # the others are hidden
    draws: int = 1  # draws of frames a clip, each a sample of its own, where affectgpt.frames.draw is random
    cache: bool = True  # features before the Q-Formers once a clip; false computes them in every step
    lora: bool = False
    processes: int = 1  # more: torchrun, one process a GPU; on a CPU they share the cores
    save_steps: int = 500
    workers: int = 0  # processes that read features

    def __post_init__(self) -> None:
        if len(set(self.seeds)) != len(self.seeds):
            raise InputError("affectgpt_sft.seeds holds a seed twice.")
        counts = (self.epochs, self.batch_size, self.accumulation, self.processes, self.save_steps, self.draws)
        if min(counts) < 1 or self.max_length < 64:
            raise InputError(
                "affectgpt_sft: epochs, batch_size, accumulation, processes, save_steps and draws start at 1, "
                "max_length at 64."
            )
        if min(self.learning_rate, self.last_rate, self.warmup_rate) <= 0:
            raise InputError("affectgpt_sft: learning_rate, last_rate and warmup_rate are above 0.")
        if not self.modalities or not set(self.modalities) <= set(MODALITIES):
            raise InputError(f"affectgpt_sft.modalities holds some of {', '.join(MODALITIES)}.")
        if set(self.modalities) == {"text"} and not self.lora:
            raise InputError(
                "affectgpt_sft.modalities is text alone, which no Q-Former reads; set affectgpt_sft.lora true."
            )
