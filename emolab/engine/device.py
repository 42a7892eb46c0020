"""Where a model computes, and how precisely. Loads torch only when asked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from emolab.errors import InputError, RunError

if TYPE_CHECKING:
    import torch


def pick_device(wanted: str = "auto") -> str:
    """`auto` takes the first GPU, then Apple's, then the CPU. Raises InputError for a device that is not there."""
    import torch

    there = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    there += ["mps"] * torch.backends.mps.is_available() + ["cpu"]
    if wanted == "auto":
        return there[0]
    device = "cuda:0" if wanted == "cuda" else wanted
    if device not in there:
        raise InputError(f"device {wanted}: torch sees {', '.join(there)} here; choose one of them, or auto.")
    return device


def pick_dtype(device: str, wanted: str = "auto") -> torch.dtype:
    """`auto` takes bfloat16 on GPUs that have it, float16 on others, float32 on a CPU."""
    import torch

    if wanted != "auto":
        return getattr(torch, wanted)
    if device.startswith("cuda"):
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return torch.float16 if device == "mps" else torch.float32


def need_dtype(identity: str, dtype: torch.dtype) -> None:
    """Raises RunError where an encoder whose identity names its dtype finds another one on the machine of a worker:
    `auto` is not the same on a driver without a GPU and on a worker with one."""
    if str(dtype) not in identity:
        raise RunError(
            f"This worker would compute in {dtype}, the run asks for the features of {identity}; say dtype and device "
            "of this encoder in the profile instead of auto."
        )


def gpu_environment(device: str, gpus: int, setting: str) -> dict[str, str]:
    """What a training inherits, with as many GPUs to be seen as it may use (it would take all). Raises InputError where
    there are fewer; `setting` names what asked for them."""
    environment = dict(os.environ)
    visible = [each for each in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if each]
    visible = visible or [str(number) for number in range(gpu_count())]
    if len(visible) < gpus and gpus > 1:
        raise InputError(f"{setting} is {gpus}, but there are {len(visible)} GPUs here.")
    named = device.partition("cuda:")[2]
    if named and gpus == 1 and int(named) < len(visible):
        visible = visible[int(named) :]
    environment["CUDA_VISIBLE_DEVICES"] = ",".join([] if device == "cpu" else visible[:gpus])
    return environment


def gpu_count() -> int:
    """GPUs of this machine."""
    import torch

    return torch.cuda.device_count()  # asks the driver without taking memory on the GPU
