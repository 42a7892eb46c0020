"""What asking, training and encoding take: measured where a benchmark was run on such a GPU, else by FLOPs and bytes.

Shares of the peaks are of the literature: 40 to 50 % of the FLOP/s for prefill and training, 60 to 70 % of the memory's
rate for decoding with a batching engine; transformers' own `generate` spends more on starting kernels than on either.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

from emolab.engine.settings import EngineSettings, ModelSettings
from emolab.workbench.preflight.machine import Machine, same_gpu
from emolab.workbench.preflight.models import Shape, Tower
from emolab.workbench.preflight.numbers import NOTHING, Span

ESTIMATED = "estimated"
GB = 1e9
_CONTEXT = Span(0.3 * GB, 0.8 * GB, 1.5 * GB)  # CUDA's own, and what torch keeps
_LOADING = Span(0.3 * GB, 1.0 * GB, 3.0 * GB)  # bytes of weights a second, from disk
_PREPARING = Span(0.003, 0.01, 0.02)  # seconds to resize and encode one picture for a model, which stands in its way
BACKWARD = 34  # bytes that 16-bit training keeps of a token, for each unit of width and each layer


@dataclass(frozen=True)
class Speed:
    """FLOP/s and bytes/s that are reached, and the seconds in which a layer is started."""

    flops: Span
    bandwidth: Span
    layer: Span


@dataclass(frozen=True)
class Cost:
    """Seconds, bytes of each GPU and of the host, and what this is known from."""

    seconds: Span = NOTHING
    gpu: Span = NOTHING
    memory: Span = NOTHING
    basis: str = ESTIMATED


@dataclass(frozen=True)
class Asking:
    """What one question holds: pictures of a size, tokens of words in and out (`answer`: of the longest of a batch)."""

    pictures: float
    width: int
    height: int
    prompt: float
    answer: Span
    decode: Span = NOTHING  # seconds of one core to make the pictures


def on_gpu(machine: Machine, device: str) -> bool:
    """Whether a model runs on a GPU."""
    return bool(machine.gpus) and device not in ("cpu", "mps")


def speed(machine: Machine, device: str, backend: str = "transformers") -> Speed:
    """Of one GPU, or of all cores."""
    if on_gpu(machine, device):
        gpu = machine.gpus[0]
        layer = Span(3e-4, 7e-4, 1.5e-3) if backend == "transformers" else Span(2e-5, 5e-5, 1e-4)
        return Speed(Span(0.25, 0.4, 0.5) * gpu.flops, Span(0.4, 0.6, 0.7) * gpu.bandwidth, layer)
    cores = machine.cores
    return Speed(Span(8e9, 2.5e10, 6e10) * cores, Span(5e9, 1e10, 2e10), Span(1e-4, 3e-4, 8e-4))


def weight_bytes(machine: Machine, device: str, dtype: str) -> int:
    """Bytes of a number: `auto` is 16 bit on a GPU, 32 on a CPU."""
    return 4 if dtype == "float32" or dtype == "auto" and not on_gpu(machine, device) else 2


def asking(
    machine: Machine, model: ModelSettings, shape: Shape, n: Span, each: Asking, engine: EngineSettings, measured: Path
) -> Cost:
    """Answer `n` questions by a chat model in batches. `measured`: gpu_rates.jsonl of `make bench`, where it is."""
    text, size = shape.text, weight_bytes(machine, model.device, model.dtype)
    seen = shape.picture_tokens(each.width, each.height, model.max_tiles) * each.pictures
    patches = shape.picture_patches(each.width, each.height, model.max_tiles) * each.pictures
    tokens, batch = seen + each.prompt, min(model.batch_size, max(1.0, n.best))
    there, reached = on_gpu(machine, model.device), speed(machine, model.device, model.backend)
    replicas, shared = _replicas(machine, there, engine)
    prefill = Span.of(2 * text.weights * tokens + 2 * _weights(shape.vision) * patches).over(reached.flops)
    step_bytes = text.weights * size / batch + text.cached * size * (tokens + each.answer.best / 2)
    step = Span.of(step_bytes).over(reached.bandwidth) + reached.layer * (text.layers / batch)
    item = prefill + each.answer * step + each.pictures * _PREPARING
    rate = measured_rate(machine, measured, model, "zero-shot", model.batch_size) if each.pictures == 6 else None
    basis = ESTIMATED if shape.source == "its files" else f"estimated, sizes by {shape.source}"
    if rate is not None:
        item, basis = rate
    busy = item * (1 / replicas)
    prepared = each.decode * (1 / machine.cores)
    per_item = Span(*(max(a, b) for a, b in zip(_three(busy), _three(prepared), strict=True)))
    loading = Span.of(shape.weights * size).over(_LOADING) + Span(3, 6, 12)
    kept = text.cached * size
    active = batch * tokens * (8 * text.width + 2 * text.inner) * size
    active += batch * patches * (12 * shape.vision.width if shape.vision else 0) * size
    low = shape.least(size)  # a batch that does not fit is halved, down to one, and its pictures may be small
    best = shape.weights * size + batch * kept * (tokens + each.answer.high) + active
    memory = (Span(low, best, 1.3 * best) + _CONTEXT) * shared
    gpu, host = (memory, Span(1, 3, 6) * GB * engine.workers) if there else (NOTHING, memory)
    return Cost(n * per_item + loading, gpu, host, basis)


def training(
    machine: Machine,
    device: str,
    shape: Shape,
    samples: float,
    tokens: Span,
    patches: float,
    *,
    batch: int,
    steps: float,
    gpus: int = 1,
    trained: float = 0.0,
    checkpointing: bool = True,
    dtype: str = "auto",
    sharded: bool = False,
    spared: bool = False,
) -> Cost:
    """Pass `samples` forward and backward through a language model whose weights are frozen but for `trained` ones in
    32 bit; `patches`: what the frozen vision tower reads of each. `spared`: the training has settings of its own that
    may save memory, so that no lowest guess of it is certain."""
    text, size, reached = shape.text, weight_bytes(machine, device, dtype), speed(machine, device)
    there = on_gpu(machine, device)
    passes = 6 if checkpointing else 4  # forward, backward to what is trained, and forward once more
    flops = tokens * (passes * text.weights) + Span.of(2 * _weights(shape.vision) * patches)
    parallel = Span(0.75, 0.9, 1.0) * min(gpus, max(1, len(machine.gpus))) if there else Span.of(1)
    seconds = (samples * flops.over(reached.flops)).over(parallel) + steps * passes * text.layers * reached.layer
    seconds += samples * _PREPARING * (1 / max(1, gpus)) + Span(15, 40, 120)
    weights = shape.weights * size / (gpus if sharded else 1)
    kept = (2 * text.layers + BACKWARD if checkpointing else BACKWARD * text.layers) * text.width
    logits = 10 * text.vocabulary  # 16 bit, 32 bit and their gradient
    per_token = Span(0.5, 1, 1.5) * batch * (kept + logits) * (size / 2)
    memory = Span.of(weights + 16 * trained) + tokens * per_token + _CONTEXT
    least = shape.least(size) / (gpus if sharded else 1) + 16 * trained + tokens.low * per_token.low + _CONTEXT.low
    memory = replace(memory, low=0.0 if spared else min(least, memory.low))
    gpu, host = (memory, Span(2, 5, 12) * GB * gpus) if there else (NOTHING, memory)
    return Cost(seconds, gpu, host)


def encoding(
    machine: Machine, device: str, shape: Shape, n: Span, tokens: Span, engine: EngineSettings, *, batch: int,
    dtype: str = "auto", vision: bool = False, decode: Span = NOTHING,
) -> Cost:  # fmt: skip
    """Pass `n` clips of so many tokens each through a frozen encoder; `decode`: seconds of one core for each."""
    tower = shape.vision if vision and shape.vision else shape.text
    size, reached, there = weight_bytes(machine, device, dtype), speed(machine, device), on_gpu(machine, device)
    replicas, shared = _replicas(machine, there, engine)
    item = (tokens * (2 * _weights(tower))).over(reached.flops) + (tower.layers / batch) * reached.layer
    item = item * (1 / replicas)
    prepared = decode * (1 / machine.cores)
    per_item = Span(max(item.low, prepared.low), item.best + prepared.best, item.high + prepared.high)
    held = _weights(tower) * size if vision else shape.weights * size
    active = tokens * (batch * 14 * tower.width * size)
    least = held if vision else shape.least(size)
    least *= 0.25 if vision and shape.packed else 1
    memory = (Span(least, held, held) + Span(0, active.best, 2 * active.high) + _CONTEXT) * shared
    gpu, host = (memory, Span(1, 3, 6) * GB * engine.workers) if there else (NOTHING, memory)
    return Cost(n * per_item + Span.of(held).over(_LOADING) + Span(2, 5, 10), gpu, host)


def _weights(tower: Tower | None) -> float:
    return tower.weights if tower is not None else 0.0


def _replicas(machine: Machine, on_gpus: bool, engine: EngineSettings) -> tuple[int, int]:
    """How many workers work side by side, and how many share a device: those of a CPU share its cores."""
    if not on_gpus:
        return 1, engine.workers
    return min(engine.workers, len(machine.gpus)), -(-engine.workers // len(machine.gpus))


def _three(span: Span) -> tuple[float, float, float]:
    return span.low, span.best, span.high


def measured_rate(machine: Machine, path: Path, model: ModelSettings, what: str, batch: int) -> tuple[Span, str] | None:
    """Seconds of one item (`zero-shot`: six pictures and 200 tokens out; `lora`: a caption to learn), as `make bench`
    measured them on such a GPU with this model, at the batch size next to `batch`, and how that is told; None where
    gpu_rates.jsonl has no such row."""
    if not on_gpu(machine, model.device) or not path.is_file():
        return None
    fitting = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
            same = _same_model(row["model"], model.path) and row["what"] == what
            if same and same_gpu(row["device"], machine.gpus[0].name) and row["clips_per_s"] > 0:
                fitting.append((-abs(row["batch"] - batch), row["date"], row["clips_per_s"], row["batch"]))
        except (ValueError, KeyError, TypeError):
            continue  # a line that was not written to its end
    if not fitting:
        return None
    _, date, rate, of = max(fitting)
    return Span(0.6 / rate, 1 / rate, 1.4 / rate), f"measured on {date[:10]} (bench, batch {of})"


def _same_model(measured: str, path: str) -> bool:
    """Whether a row's model is a profile's; the benchmark calls its own shapes of InternVL3.5 `8B`, `2B`, `1B`."""
    names = [measured, path]
    if re.fullmatch(r"\d+B", measured):
        names[0] = f"InternVL3_5-{measured}"
    first, second = (re.sub(r"-hf$|[^a-z0-9]", "", name.rsplit("/", 1)[-1].lower()) for name in names)
    return first == second
