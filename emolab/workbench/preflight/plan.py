"""What notebooks are planned to do, piece by piece: who is asked or trained on how much, and what is kept of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path

from emolab.engine.settings import ModelSettings
from emolab.workbench.places import run_folder
from emolab.workbench.preflight.data import Counts, Sample
from emolab.workbench.preflight.machine import Machine
from emolab.workbench.preflight.models import Shape, is_here, shape_of, smaller
from emolab.workbench.preflight.numbers import NOTHING, Span
from emolab.workbench.preflight.rates import ESTIMATED, Asking, Cost, asking, encoding, on_gpu
from emolab.workbench.provenance import read_run
from emolab.workbench.settings import Settings

_BLOCK = 4096  # bytes in which a file system counts


@dataclass(frozen=True)
class Work:
    """A piece of a notebook. `cuda` names the setting that demands a GPU, `cures` what makes it need less; `requests`,
    `tokens_in` and `tokens_out` are an endpoint's."""

    what: str
    n: float
    cost: Cost = Cost()
    disk: Span = NOTHING
    cuda: str = ""
    cures: tuple[str, ...] = ()
    requests: Span = NOTHING
    tokens_in: Span = NOTHING
    tokens_out: Span = NOTHING


@dataclass
class Plan:
    """What a run is planned from; its methods make pieces of work, and note the models that are used."""

    settings: Settings
    counts: Counts
    sample: Sample
    machine: Machine
    measured: Path  # gpu_rates.jsonl of `make bench`
    used: dict[str, Shape | None] = field(default_factory=dict)
    missing: dict[str, Shape] = field(default_factory=dict)  # of these, by hub id, what has to be fetched

    def shape(self, path: str, use_hf: bool = True) -> Shape | None:
        """Of a model that is used."""
        if path not in self.used:
            shape = self.used[path] = shape_of(path, use_hf)
            if shape is not None and not is_here(path, use_hf):
                self.missing[path] = shape
        return self.used[path]

    def written(self, notebook: str, rows: str) -> Span | None:
        """How many rows of a name an earlier notebook of the profile wrote; None where it has not run to its end."""
        run = read_run(run_folder(self.settings.outputs, self.settings.profile, notebook)) or {}
        count = run.get("outputs", {}).get(rows, {}).get("rows")
        return Span.of(count) if count is not None else None

    def ask(
        self, what: str, label: str, model: ModelSettings, n: Span, pictures: float, prompt: float, answer: Span,
        *, decode: Span = NOTHING, size: tuple[int, int] | None = None,
    ) -> Work:  # fmt: skip
        """`n` questions to the chat model that the setting `label` names; `size` of the pictures, else the clips'."""
        shape, cuda = self.shape(model.path, model.use_hf), self.cuda(f"{label}.device", model.device)
        if shape is None or shape.text is None:
            return Work(what, n.best, self.unknown(model.path), cuda=cuda)
        width, height = size or (self.sample.width, self.sample.height)
        most = model.max_new_tokens
        answer = Span(*(min(each, most) for each in (answer.low, answer.best, answer.high)))
        each = Asking(pictures, width, height, prompt, answer, decode)
        engine = self.settings.engine
        cost = self._placed(model.device, asking(self.machine, model, shape, n, each, engine, self.measured))
        cures = [f"--set {label}.path={name}" for name in smaller(model.path)]
        if model.dtype == "float32":
            cures.insert(0, f"--set {label}.dtype=bfloat16")
        if engine.workers > max(1, len(self.machine.gpus)):
            cures.insert(0, f"--set engine.workers={max(1, len(self.machine.gpus))}")
        return Work(what, n.best, cost, cuda=cuda, cures=tuple(cures))

    def encode(
        self, what: str, label: str, path: str, n: Span, tokens: Span, *, batch: int, device: str, dtype: str,
        vision: bool = False, decode: Span = NOTHING, disk: Span = NOTHING,
    ) -> Work:  # fmt: skip
        """`n` clips of so many tokens each through the frozen encoder that the setting `label` names."""
        shape, cuda = self.shape(path), self.cuda(f"{label.rsplit('.', 1)[0]}.device", device)
        if shape is None or not (shape.vision if vision else shape.text or shape.vision):
            return Work(what, n.best, self.unknown(path), disk, cuda)
        how = {"engine": self.settings.engine, "batch": batch, "dtype": dtype, "vision": vision, "decode": decode}
        cures = tuple(f"--set {label}={name}" for name in smaller(path)[:2])
        cost = self._placed(device, encoding(self.machine, device, shape, n, tokens, **how))
        return Work(what, n.best, cost, disk, cuda, cures)

    def _placed(self, device: str, cost: Cost) -> Cost:
        """The cost on a cluster, where it is Ray's: its machines are not seen from here."""
        if self.settings.engine.kind != "ray":
            return cost
        if device.startswith("cuda") and not self.machine.gpus:
            return Cost(
                basis="not known: the cluster's GPUs are not seen from here; --gpu NAME --gpus N plans for them"
            )
        return replace(cost, gpu=replace(cost.gpu, low=0.0), memory=replace(cost.memory, low=0.0))

    def cuda(self, setting: str, device: str) -> str:
        """The setting where it demands a GPU that this machine does not have."""
        cluster = self.settings.engine.kind == "ray"
        demands = device.startswith("cuda") and not cluster and not on_gpu(self.machine, device)
        return setting if demands else ""

    def unknown(self, path: str) -> Cost:
        """Of a model whose size nobody knows: nothing is said of it but that."""
        why = f"{path} is not here and not in emolab's table" if path else "the profile names no model"
        return Cost(basis=f"not known: {why}")

    @property
    def decoding(self) -> str:
        """How it is known what decoding takes."""
        return f"measured on {self.sample.probed} clips" if self.sample.probed else ESTIMATED

    def frames(self, parts: int) -> Span:
        """Seconds of one core to decode so many frames of a clip (it was probed with six)."""
        return self.sample.decode * (0.5 + parts / 12)


def host(
    what: str, n: float, seconds: Span, disk: Span = NOTHING, memory: Span = NOTHING, *, cures: tuple[str, ...] = (),
    basis: str = ESTIMATED,
) -> Work:  # fmt: skip
    """Work that takes no model."""
    return Work(what, n, Cost(seconds, memory=memory, basis=basis), disk, cures=cures)


def files(n: Span | float, size: float) -> Span:
    """Bytes on disk of `n` files of `size` bytes, in whole blocks."""
    return Span.of(math.ceil(max(1.0, size) / _BLOCK) * _BLOCK) * n


def rows(n: float, size: float = 1200) -> Span:
    """Bytes of so many rows of a row file."""
    return Span(0.25, 1.0, 2.0) * (n * size)


def endpoint(what: str, n: float, tokens_in: Span, tokens_out: Span, seconds: Span) -> Work:
    """Requests to an address; what each takes is the service's affair."""
    work = host(what, n, seconds * n, rows(n), basis=f"{ESTIMATED}; the endpoint decides")
    return replace(work, requests=Span.of(n), tokens_in=tokens_in * n, tokens_out=tokens_out * n)
