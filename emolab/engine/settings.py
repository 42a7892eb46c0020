"""What a profile says about a chat model and how to ask it."""

from dataclasses import dataclass

from emolab.errors import InputError

# ms-swift's inference engines by the names that its own settings have for them
BACKENDS = {
    "transformers": "TransformersEngine", "vllm": "VllmEngine", "sglang": "SglangEngine", "lmdeploy": "LmdeployEngine"
}  # fmt: skip
ENGINES = ("local", "ray")
DTYPES = ("auto", "float32", "bfloat16", "float16")


@dataclass
class ModelSettings:
    """A chat model and how it is asked. `path` is a folder, a hub id, or `shipped:NAME` for one that comes with emolab.

    `backend` is one of ms-swift's inference engines; `device` and `dtype` `auto` take what the machine has.
    """

    path: str = "shipped:internvl"
    model_type: str | None = "internvl"  # ms-swift's name of the model family
    template: str | None = None  # ms-swift's name of the chat template, where the family has several
    adapter: str | None = None  # LoRA adapter folder
    backend: str = "transformers"  # transformers | vllm | sglang | lmdeploy
    device: str = "auto"  # auto | cpu | cuda | cuda:1 | mps
    dtype: str = "auto"  # auto | float32 | bfloat16 | float16
    batch_size: int = 16  # requests handed to the engine at once
    max_new_tokens: int = 256
    temperature: float = 0.0  # 0 = greedy
    top_p: float = 1.0
    max_tiles: int = 1  # tiles an image may be cut into: six frames of more than one exceed the paper's 8192 tokens
    trust_remote_code: bool = False  # run code that comes with the weights: only where the profile says so
    use_hf: bool = True  # look the model up on Hugging Face instead of ModelScope

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise InputError(f"backend is {self.backend!r}; one of {', '.join(BACKENDS)}.")
        if self.adapter and self.backend not in ("transformers", "vllm"):
            raise InputError(
                f"ms-swift's {self.backend} engine takes no LoRA adapter; use backend transformers or vllm."
            )
        if min(self.batch_size, self.max_new_tokens, self.max_tiles) < 1 or self.temperature < 0:
            raise InputError("batch_size, max_new_tokens and max_tiles start at 1, temperature at 0.")
        if self.dtype not in DTYPES:
            raise InputError(f"dtype is {self.dtype!r}; one of {', '.join(DTYPES)}.")


@dataclass
class EngineSettings:
    """Where the model's replicas run: in this process or on this machine (`local`), or on a Ray cluster (`ray`: the
    one that RAY_ADDRESS names, else one on this machine)."""

    kind: str = "local"  # local | ray
    workers: int = 1  # replicas of the model; one local replica lives in this process
    gpus_per_worker: float | None = None  # Ray only: GPUs or a share of one; null = one where the cluster has any

    def __post_init__(self) -> None:
        if self.kind not in ENGINES:
            raise InputError(f"engine.kind is {self.kind!r}; one of {', '.join(ENGINES)}.")
        if self.workers < 1 or (self.gpus_per_worker or 0) < 0:
            raise InputError("engine.workers starts at 1, engine.gpus_per_worker at 0.")
        if self.kind == "local" and self.gpus_per_worker is not None:
            raise InputError("engine.gpus_per_worker is for engine.kind ray; local workers share the GPUs out evenly.")

    @property
    def in_process(self) -> bool:
        """Whether this process itself does the work."""
        return self.kind == "local" and self.workers == 1


IN_PROCESS = EngineSettings()
