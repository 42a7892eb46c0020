"""Training of fusion heads, side by side: one stack of all heads of all folds and seeds, one step for all at once.

A head is so small that a step is mostly the overhead of calling torch; `torch.func.vmap` pays it once for all of them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from emolab.corpora.clip import SIX_WAY
from emolab.discriminative.fusion import Fusion, build_fusion
from emolab.discriminative.head import Head, best_temperature
from emolab.discriminative.settings import MODALITIES, FusionSettings, ModalityDropout
from emolab.discriminative.table import FeatureTable
from emolab.errors import InputError, RunError
from emolab.scoring.six_way import weighted_f1

_ROWS = 512  # validation clips of each head at once
Stack = dict[str, torch.Tensor]


@dataclass(frozen=True, eq=False)
class Job:
    """One head to train: rows of `features` to train and to validate on, the class (or -1) of every row, a seed.

    Rows of which nothing is present cannot train; among `valid` they are misses. Jobs may share a table: it is held
    once. Raises InputError where there is nothing to train or to validate on, where a row does both, and where one of
    these rows has no class.
    """

    features: FeatureTable
    train: np.ndarray
    targets: np.ndarray
    valid: np.ndarray
    seed: int

    def __post_init__(self) -> None:
        if self.targets.shape != (len(self.features),):
            raise InputError(f"{len(self.features)} clips have features, but {len(self.targets)} have a class or -1.")
        if not len(self.usable(self.train)) or not len(self.usable(self.valid)):
            raise InputError("A head needs clips to train on and others to validate on, each with some features.")
        if len(both := np.intersect1d(self.train, self.valid)):
            raise InputError(f"{self.features.clip_ids[both[0]]} trains and validates one head; choose one of both.")
        for row in (*self.train, *self.valid):
            if not 0 <= self.targets[row] < len(SIX_WAY):
                raise InputError(f"{self.features.clip_ids[row]} trains or validates a head, but has no class.")

    def usable(self, rows: np.ndarray) -> np.ndarray:
        """Those of some rows of which a modality is there that occurs in training."""
        known = self.features.present[self.train].any(axis=0)
        return rows[(self.features.present[rows] & known).any(axis=1)]


def fit(
    jobs: Sequence[Job],
    settings: FusionSettings,
    *,
    kind: str | None = None,
    drop: ModalityDropout | None,
    progress: bool = True,
    device: str | torch.device = "cpu",
) -> list[Head]:
    """Train the heads of all jobs side by side; one calibrated Head a job, in order.

    Each head has its own weights, batches, hidden modalities (all from its job's seed) and number of steps, so that
    only the noise of dropout depends on which jobs train together. The epoch with the best weighted F1 on `valid` is
    kept (the toolkit's rule; of several the one with the lowest loss), and its temperature found there. `kind` None is
    the settings'; `drop` None hides nothing. Raises InputError for tables of different widths, RunError when a head
    diverges.
    """
    if not jobs:
        return []
    device, kind = torch.device(device), kind or settings.kind
    widths = jobs[0].features.widths
    if any(job.features.widths != widths for job in jobs):
        raise InputError("Heads that train side by side take vectors of the same widths; fit them one after another.")
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        models = [_untrained(job, settings, kind, widths).to(device) for job in jobs]
        torch.manual_seed(jobs[0].seed)  # the noise of dropout
        training = _Training(jobs, models, settings, drop, device)
        return training.run(kind, widths, progress)


class _Training:
    def __init__(
        self,
        jobs: Sequence[Job],
        models: Sequence[Fusion],
        settings: FusionSettings,
        drop: ModalityDropout | None,
        device: torch.device,
    ) -> None:
        self.jobs, self.settings, self.device = jobs, settings, device
        self.tables = _Tables([job.features for job in jobs], device)
        self.courses = [_Course(job, settings.batch_size) for job in jobs]
        self.valid = [job.usable(job.valid) for job in jobs]
        self.rates = torch.tensor([getattr(drop, name) for name in MODALITIES], device=device) if drop else None
        self.params, self.buffers = stack_module_state(models)
        self.base = copy.deepcopy(models[0]).to("meta")
        self.best = {name: tensor.detach().clone() for name, tensor in self.params.items()}
        self.best_logits: list[np.ndarray] = [np.empty(0)] * len(jobs)
        self.history: list[list[dict]] = [[] for _ in jobs]

    def run(self, kind: str, widths: dict[str, int], progress: bool) -> list[Head]:
        rates = {"lr": self.settings.learning_rate, "weight_decay": self.settings.weight_decay}
        adam = torch.optim.Adam(self.params.values(), **rates, fused=True)  # one pass over the stack, not ten
        steps = [course.steps for course in self.courses]
        losses = torch.zeros(len(self.jobs), device=self.device)
        batches = zip(*self.courses, strict=True)
        total = self.settings.epochs * max(steps)
        for step in tqdm(
            range(1, total + 1), desc=f"fusion heads ({len(self.jobs)})", unit="step", disable=not progress
        ):
            self.base.train()
            each = self._losses(next(batches))
            adam.zero_grad()
            each.sum().backward()  # heads share no weight: each gets the gradient of its own loss
            adam.step()
            losses += each.detach()
            # heads of fewer clips come to the ends of their epochs earlier; what they train after the last is not kept
            ended = [k for k, own in enumerate(steps) if step % own == 0 and step <= self.settings.epochs * own]
            if ended:
                told = losses.tolist()
                self._validate(ended, [told[k] / steps[k] for k in ended])
                losses[ended] = 0
        return [self._head(k, job, kind, widths) for k, job in enumerate(self.jobs)]

    def _losses(self, batches: Sequence[_Batch]) -> torch.Tensor:
        """Mean cross-entropy [jobs] of a batch of each."""
        rows, targets, real, draws = (
            torch.from_numpy(np.stack(each)).to(self.device) for each in zip(*batches, strict=True)
        )
        vectors, present = self.tables.take(range(len(self.jobs)), rows)
        if self.rates is not None:
            present = hide_some(present, draws, self.rates)
        logits = self._logits(self.params, self.buffers, vectors, present)
        losses = cross_entropy(logits.transpose(1, 2), targets, reduction="none")  # [jobs, batch]
        return (losses * real).sum(1) / real.sum(1)

    def _logits(self, params: Stack, buffers: Stack, vectors: Stack, present: torch.Tensor) -> torch.Tensor:
        def one(params: Stack, buffers: Stack, vectors: Stack, present: torch.Tensor) -> torch.Tensor:
            return functional_call(self.base, (params, buffers), (vectors, present))

        return vmap(one, randomness="different")(params, buffers, vectors, present)

    @torch.no_grad()
    def _validate(self, ended: Sequence[int], train_losses: Sequence[float]) -> None:
        """Measure the heads of some jobs and keep those that are the best of their epochs."""
        self.base.eval()
        every = len(ended) == len(self.jobs)
        params, buffers = (
            stack if every else {name: tensor[ended] for name, tensor in stack.items()}
            for stack in (self.params, self.buffers)
        )
        longest = max(len(self.valid[k]) for k in ended)
        rows = torch.tensor(np.stack([np.resize(self.valid[k], longest) for k in ended]), device=self.device)
        parts = [
            self._logits(params, buffers, *self.tables.take(ended, rows[:, start : start + _ROWS]))
            for start in range(0, longest, _ROWS)
        ]
        logits = torch.cat(parts, 1).double().cpu().numpy()
        better = [
            k for row, k in enumerate(ended) if self._better(k, logits[row, : len(self.valid[k])], train_losses[row])
        ]
        for name, tensor in self.params.items():
            self.best[name][better] = tensor[better]

    def _better(self, k: int, logits: np.ndarray, train_loss: float) -> bool:
        """Note an epoch of job k, and whether it is the best so far."""
        job, history = self.jobs[k], self.history[k]
        if not np.isfinite(logits).all():
            raise RunError(f"The fusion head of seed {job.seed} diverged; lower discriminative.fusion.learning_rate.")
        loss = cross_entropy(torch.from_numpy(logits), torch.from_numpy(job.targets[self.valid[k]]).long()).item()
        predicted = np.full(len(job.targets), -1)
        predicted[self.valid[k]] = logits.argmax(axis=1)
        f1 = weighted_f1(job.targets[job.valid], predicted[job.valid])
        before = max(((each["valid_f1"], -each["valid_loss"]) for each in history), default=(-1.0, 0.0))
        row = {"epoch": len(history) + 1, "train_loss": train_loss, "valid_loss": loss, "valid_f1": f1}
        history.append(row)
        if (f1, -loss) <= before:
            return False
        self.best_logits[k] = logits
        return True

    def _head(self, k: int, job: Job, kind: str, widths: dict[str, int]) -> Head:
        state = {name: tensor[k].detach().cpu().clone() for name, tensor in (self.best | self.buffers).items()}
        temperature = best_temperature(self.best_logits[k], job.targets[self.valid[k]])
        f1 = max(each["valid_f1"] for each in self.history[k])
        return Head(kind, self.settings, widths, state, temperature, f1, self.history[k], job.seed)


_Batch = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


class _Course:
    """The batches of one job without end, epoch after epoch: rows, targets, whether real (the last batch of an epoch is
    filled up), and numbers [batch, 3] that draw what is hidden. They depend on the job alone."""

    def __init__(self, job: Job, size: int) -> None:
        self.rows = job.usable(job.train)
        self.targets, self.size, self.seed = job.targets, size, job.seed
        self.steps = -(-len(self.rows) // size)

    def __iter__(self) -> Iterator[_Batch]:
        rng = np.random.default_rng(self.seed)
        real = np.arange(self.steps * self.size).reshape(self.steps, self.size) < len(self.rows)
        while True:
            rows = np.resize(rng.permutation(self.rows), real.shape)
            draws = rng.random((*real.shape, len(MODALITIES)), dtype=np.float32)
            yield from zip(rows, self.targets[rows].astype(np.int64), real.astype(np.float32), draws, strict=True)


class _Tables:
    """The rows of several tables; an array that several of them share is held once, and on the CPU not copied."""

    def __init__(self, tables: Sequence[FeatureTable], device: torch.device) -> None:
        held: dict[int, torch.Tensor] = {}

        def hold(pick: Callable[[FeatureTable], np.ndarray]) -> list[torch.Tensor]:
            arrays = [pick(table) for table in tables]
            for array in arrays:
                if id(array) not in held:
                    held[id(array)] = torch.from_numpy(array).to(device)
            return [held[id(array)] for array in arrays]

        self.vectors = {name: hold(lambda table, name=name: table.vectors[name]) for name in MODALITIES}
        self.present = hold(lambda table: table.present)

    def take(self, jobs: Sequence[int], rows: torch.Tensor) -> tuple[Stack, torch.Tensor]:
        """Vectors [jobs, batch, width] and `present` [jobs, batch, 3] of rows [jobs, batch]."""
        vectors = {name: _gather([held[job] for job in jobs], rows) for name, held in self.vectors.items()}
        return vectors, _gather([self.present[job] for job in jobs], rows)


def _gather(sources: Sequence[torch.Tensor], rows: torch.Tensor) -> torch.Tensor:
    if all(source is sources[0] for source in sources):
        return sources[0][rows]
    return torch.stack([source[row] for source, row in zip(sources, rows, strict=True)])


def hide_some(present: torch.Tensor, draws: torch.Tensor, rates: torch.Tensor) -> torch.Tensor:
    """Modality dropout: what stays of `present` [..., 3] when each is hidden at its rate [3] by uniform draws [..., 3].

    Where all that is present would go, one of it stays, each with the same chance.
    """
    left = present & (draws >= rates)
    chances = torch.where(present, draws / rates.clamp(min=1e-9), -1)  # uniform among those that would be hidden
    kept = torch.zeros_like(present).scatter(-1, chances.argmax(-1, keepdim=True), True) & present
    return torch.where(left.any(-1, keepdim=True), left, kept)


def _untrained(job: Job, settings: FusionSettings, kind: str, widths: dict[str, int]) -> Fusion:
    """A head as its job's seed draws it, standardising by the clips that it trains on."""
    torch.manual_seed(job.seed)
    model = build_fusion(settings, kind, widths)
    for column, name in enumerate(MODALITIES):
        rows = job.train[job.features.present[job.train, column]]
        model.known[column] = len(rows) > 0
        if len(rows):
            own = job.features.vectors[name][rows]
            sd = own.std(axis=0, dtype=np.float64)
            getattr(model, f"mean_{name}").copy_(torch.from_numpy(own.mean(axis=0, dtype=np.float64)))
            getattr(model, f"sd_{name}").copy_(torch.from_numpy(np.where(sd > 1e-8, sd, 1.0)))
    return model
