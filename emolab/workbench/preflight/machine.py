"""What a run may use: GPUs, memory, cores and free disk, of this machine or of one that is planned for."""

from __future__ import annotations

import json
import math
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from emolab.errors import InputError
from emolab.workbench.places import outputs_folder

GIB = 2**30
# name -> dense 16-bit TFLOP/s, GB/s of memory, GiB: the makers' data sheets (peaks, never reached)
_PEAKS = {
    "B200": (2250, 8000, 180), "H200": (989, 4800, 141), "H100 PCIE": (756, 2000, 80), "H100": (989, 3350, 80),
    "A100 40GB": (312, 1555, 40), "A100": (312, 2039, 80), "L40S": (362, 864, 48), "L40": (181, 864, 48),
    "L4": (121, 300, 24), "A6000": (155, 768, 48), "A40": (150, 696, 48), "A10": (125, 600, 24),
    "V100": (125, 900, 32), "T4": (65, 320, 16), "5090": (210, 1792, 32), "4090": (165, 1008, 24),
    "4080": (98, 717, 16), "3090": (71, 936, 24), "3060": (51, 360, 12),
}  # fmt: skip


@dataclass(frozen=True)
class Gpu:
    """One GPU: bytes of memory in all and free (None: its driver does not say), peak FLOP/s (16 bit) and bytes/s; a
    name that emolab does not know has the peaks of a small one and `guessed`."""

    name: str
    total: float | None
    free: float | None
    flops: float
    bandwidth: float
    guessed: bool = False


@dataclass(frozen=True)
class Machine:
    """The largest GPU comes first. `disk` is what is free at the outputs folder, `memory` that of the host, both in
    bytes; None: not known. `elsewhere`: another machine than the one that asks, which is planned for."""

    gpus: tuple[Gpu, ...]
    cores: int
    memory: float | None
    disk: float | None
    elsewhere: bool = False


def this_machine(outputs: str) -> Machine:
    """The machine that asks; `outputs` is where results will lie."""
    folder = nearest_folder(outputs_folder(outputs))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(_gpus_here(), cores, memory, free_disk(folder))


def planned_machine(gpu: str, count: int = 1) -> Machine:
    """A machine of which only the GPUs are known, such as `H100 80GB`; 16 cores a GPU. Raises InputError."""
    name = _known(gpu)
    size = re.search(r"(\d+)\s*G(I?B)?\b", gpu.upper())
    if not name and not size:
        raise InputError(f"--gpu {gpu!r} is not known to emolab; add its memory ('{gpu} 24GB') or name another.")
    if count < 1:
        raise InputError(f"--gpus {count}: a machine that is planned for has at least 1.")
    memory = float(size[1]) if size else _PEAKS[name][2]
    return Machine((_gpu(gpu, memory * GIB, memory * GIB),) * count, 16 * count, None, None, elsewhere=True)


def same_gpu(one: str, other: str) -> bool:
    """Whether two names mean GPUs of one kind, as far as emolab knows them: `H100 80GB` and `NVIDIA H100 80GB HBM3`."""
    return one == other or (_known(one) is not None and _known(one) == _known(other))


def nearest_folder(path: Path) -> Path:
    """The path or the nearest folder above it that is there."""
    return next(each for each in (path, *path.parents) if each.exists())


def free_disk(folder: Path) -> float | None:
    """Bytes that are free where a folder lies; None where its file system does not say, as those over object stores,
    which report 0."""
    try:
        found = shutil.disk_usage(folder)
    except OSError:
        return None
    return found.free if found.total and found.free else None


def gpu_lines() -> list[str]:
    """`name, total MiB, free MiB` of each GPU, as nvidia-smi says; none where there is no nvidia-smi or no GPU, or
    where CUDA_VISIBLE_DEVICES hides them all."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip() in ("", "-1", "NoDevFiles"):
        return []
    try:
        query = ["nvidia-smi", "--query-gpu=name,memory.total,memory.free", "--format=csv,noheader"]
        found = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [line for line in found.splitlines() if line.count(",") == 2]


def machine_kind() -> list[str]:
    """What tells machines apart whose times cannot be compared: processor, cores, memory, GPUs."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    gpus = [line.split(",")[0] for line in gpu_lines()]
    return [platform.machine(), f"{os.cpu_count()} cores", f"{memory / 1e9:.0f} GB", *gpus]


def torch_gpus() -> tuple[Gpu, ...]:
    """The GPUs that torch sees, asked in a process of its own (seconds): it sees some without nvidia-smi, as in
    containers, on ROCm and on Jetson. One of unknown size where torch cannot be asked."""
    code = (
        "import json, torch\n"
        "each = [torch.cuda.get_device_properties(n) for n in range(torch.cuda.device_count())]\n"
        "print(json.dumps([[card.name, card.total_memory] for card in each]))"
    )
    try:
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        cards = [(str(name), float(size)) for name, size in json.loads(done.stdout.splitlines()[-1])]
    except (OSError, subprocess.SubprocessError, ValueError, TypeError, IndexError):
        return (_gpu("a GPU, perhaps", None, None),)
    return _largest_first(_gpu(name, size or None, None) for name, size in cards)


def _gpus_here() -> tuple[Gpu, ...]:
    cards, visible = [], os.environ.get("CUDA_VISIBLE_DEVICES", "")
    for line in gpu_lines():
        name, *sizes = (part.strip() for part in line.split(","))
        numbers = [float(size.split()[0]) * 2**20 if size[:1].isdigit() else 0.0 for size in sizes]
        cards.append(_gpu(name, *(number or None for number in numbers)))  # [N/A] where memory is shared with the host
    if not re.fullmatch(r"[\d, ]+", visible):  # names of other kinds (MIG, UUID) count as all
        return _largest_first(cards)
    chosen = [int(number) for number in visible.split(",") if number.strip()]
    if os.environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID" or len({card.name for card in cards}) == 1:
        return _largest_first(cards[number] for number in chosen if number < len(cards))
    return _largest_first(cards)[: len(chosen)]  # CUDA's numbers are not nvidia-smi's where cards differ


def _largest_first(cards: Iterable[Gpu]) -> tuple[Gpu, ...]:
    """What nobody knows the size of may be the largest."""
    return tuple(sorted(cards, key=lambda card: (card.total or math.inf, card.free or 0.0), reverse=True))


def _gpu(name: str, size: float | None, free: float | None) -> Gpu:
    known = _known(name)
    if known == "A100" and size is not None and size < 60 * GIB:
        known = "A100 40GB"
    flops, bandwidth, _ = _PEAKS[known or "L4"]
    return Gpu(name, size, free, flops * 1e12, bandwidth * 1e9, guessed=not known)


def _known(name: str) -> str | None:
    """The longest name of the table whose words the name holds."""
    words = re.findall(r"[A-Z0-9]+", name.upper())
    fitting = [key for key in _PEAKS if all(part in words for part in key.split())]
    return max(fitting, key=len, default=None)
