"""The ablation of the winner's parts: one system a row, each on the same splits, compared clip by clip."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from emolab.corpora.clip import SIX_WAY
from emolab.discriminative.fit import Job, fit
from emolab.discriminative.head import Head
from emolab.discriminative.protocol import Split, averaged, classes_of, out_of_fold
from emolab.discriminative.self_training import self_train
from emolab.discriminative.settings import MODALITIES, FusionSettings, ModalityDropout, SelfTrainingSettings
from emolab.discriminative.table import FeatureTable
from emolab.engine.device import pick_device
from emolab.errors import InputError
from emolab.scoring.settings import ScoringSettings
from emolab.scoring.six_way import loss_difference, six_way_difference, six_way_row

Runs = list[dict[str, int | None]]  # one a seed: clip_id -> class, None where nothing could be judged


@dataclass(frozen=True, eq=False)
class System:
    """Heads of all splits (seeds × folds), with the jobs that trained them. The tables of all jobs hold the same clips
    in the same order; EmoVCLIP's features are of each fold's own."""

    name: str
    splits: Sequence[Split]
    jobs: Sequence[Job]
    heads: Sequence[Head]
    device: str = "cpu"

    def runs(self, hidden: Mapping[str, np.ndarray] | None = None) -> Runs:
        """Out-of-fold classes of the labelled clips, by seed; `hidden` as in `out_of_fold`."""
        clip_ids, tested = self.jobs[0].features.clip_ids, self.tested
        found = out_of_fold(self.heads, self.jobs, self.splits, hidden, self.device)
        return [classes_of(clip_ids, each, tested) for each in found.values()]

    @property
    def tested(self) -> np.ndarray:
        """The rows of the labelled clips."""
        return np.unique(np.concatenate([split.test for split in self.splits]))

    @property
    def truth(self) -> dict[str, int]:
        """clip_id -> class of the labelled clips."""
        clip_ids, targets = self.jobs[0].features.clip_ids, self.jobs[0].targets
        return {clip_ids[row]: int(targets[row]) for row in self.tested}

    @property
    def folds(self) -> dict[str, int]:
        """clip_id -> the fold that tests it."""
        clip_ids = self.jobs[0].features.clip_ids
        return {clip_ids[row]: split.fold for split in self.splits for row in split.test}

    def with_features(self, tables: Mapping[int, FeatureTable]) -> System:
        """The same heads over other features of the same clips (fold -> table), to test them on."""
        pairs = zip(self.jobs, self.splits, strict=True)
        return replace(self, jobs=[replace(job, features=tables[split.fold]) for job, split in pairs])

    def judged(self, rows: np.ndarray) -> np.ndarray:
        """Mean calibrated probabilities [n, 6] over all heads. Raises InputError for a clip that one of them trained or
        validated on."""
        seen = np.concatenate([np.concatenate([job.train, job.valid]) for job in self.jobs])
        if len(leaked := np.intersect1d(rows, seen)):
            raise InputError(f"{self.jobs[0].features.clip_ids[leaked[0]]} has trained a head that would judge it.")
        parts: dict[int, FeatureTable] = {}  # tables are shared by seeds
        for job in self.jobs:
            parts.setdefault(id(job.features), job.features.take(rows))
        return averaged(self.heads, [parts[id(job.features)] for job in self.jobs], self.device)


def save_heads(system: System, folder: Path) -> None:
    """Write each head to `folder/seed…_fold…`; what another run left there goes."""
    shutil.rmtree(folder, ignore_errors=True)
    for split, head in zip(system.splits, system.heads, strict=True):
        head.save(folder / f"seed{split.seed}_fold{split.fold}")


def classes(emotions: Iterable[str | None]) -> np.ndarray:
    """The class [n] of each emotion in SIX_WAY's order, -1 for none of the six."""
    return np.array([SIX_WAY.index(each) if each in SIX_WAY else -1 for each in emotions])


def train_system(
    name: str,
    tables: Mapping[int, FeatureTable],
    targets: np.ndarray,
    splits: Sequence[Split],
    settings: FusionSettings,
    drop: ModalityDropout | None = None,
) -> System:
    """Train the heads of all splits side by side; `tables`: fold -> the features that its heads are given."""
    jobs = [Job(tables[split.fold], split.train, targets, split.valid, split.seed) for split in splits]
    device = pick_device(settings.device)
    return System(name, splits, jobs, fit(jobs, settings, drop=drop, device=device), device)


def trained_anew(
    name: str, base: System, settings: FusionSettings, drop: ModalityDropout | None
) -> tuple[System, list[dict]]:
    """A control for self-training: `base` trained once more on the same clips from other first weights, and accepted by
    the same rule; the system, and a row a head as of a round without pseudo-labels. What it seems to gain is luck."""
    other = [replace(job, seed=job.seed + 1000) for job in base.jobs]
    new = fit(other, settings, drop=drop, device=base.device)
    heads, rows = [], []
    for number, (split, before, after) in enumerate(zip(base.splits, base.heads, new, strict=True)):
        accepted = after.valid_f1 > before.valid_f1
        heads.append(after if accepted else before)
        told = {"job": number, "seed": split.seed, "fold": split.fold, "round": 1, "candidates": 0, "pseudo": 0}
        told |= {"by_class": dict.fromkeys(SIX_WAY, 0), "purity": None, "accepted": accepted}
        rows.append(told | {"valid_before": before.valid_f1, "valid_after": after.valid_f1})
    return replace(base, name=name, heads=heads), rows


def self_trained(
    name: str,
    base: System,
    pool: np.ndarray,
    settings: SelfTrainingSettings,
    fusion: FusionSettings,
    drop: ModalityDropout | None,
    truth: np.ndarray | None,
    shuffled: int | None = None,
) -> tuple[System, list[dict]]:
    """`base` after rounds of pseudo-labels on the unlabelled rows `pool` (see `self_train`), and the rows of the
    rounds."""
    own = {"drop": drop, "truth": truth, "shuffled": shuffled, "device": base.device}
    folds = [split.fold for split in base.splits]
    heads, rounds = self_train(base.jobs, base.heads, pool, settings, fusion, folds=folds, **own)
    return replace(base, name=name, heads=heads), rounds


def ablation_table(systems: Sequence[System], settings: ScoringSettings, seed: int = 0) -> list[dict]:
    """One row a system, out of fold: the columns of `six_way_row`."""
    return [six_way_row(each.name, each.truth, each.runs(), each.folds, settings, seed) for each in systems]


def step_table(systems: Sequence[System], settings: ScoringSettings, seed: int = 0) -> list[dict]:
    """What each system adds to the one before it, and the last to the first; paired by clip."""
    pairs = list(zip(systems, systems[1:], strict=False))
    if len(systems) > 2:
        pairs.append((systems[0], systems[-1]))
    return [
        six_way_difference(f"{b.name} − {a.name}", a.truth, b.runs(), a.runs(), settings, seed) for a, b in pairs
    ]  # fmt: skip


def missing_table(plain: System, dropped: System, settings: ScoringSettings, seed: int = 0) -> list[dict]:
    """For each modality, hidden from every tested clip: what `plain` loses minus what `dropped` loses. Above 0 the
    system trained with modality dropout loses less."""
    rows = []
    everything = np.ones(len(plain.jobs[0].features), bool)
    full = plain.runs(), dropped.runs()
    for modality in MODALITIES:
        hidden = {modality: everything}
        pairs = (full[0], plain.runs(hidden)), (full[1], dropped.runs(hidden))
        name = f"loss without {modality}: {plain.name} − {dropped.name}"
        rows.append(loss_difference(name, plain.truth, *pairs, settings, seed))
    return rows


def round_table(rounds: Sequence[dict]) -> list[dict]:
    """One row a round over the heads that took part: name, n (heads), accepted, pseudo (mean count a head), by class,
    purity (of all their pseudo-labels), valid_before, valid_after (means)."""
    rows = []
    for number in sorted({row["round"] for row in rounds}):
        own = [row for row in rounds if row["round"] == number]
        count = sum(row["pseudo"] for row in own)
        right = [row["purity"] * row["pseudo"] for row in own if row["purity"] is not None]
        after = [row for row in own if row["valid_after"] is not None]
        rows.append(
            {
                "name": f"round {number}",
                "n": len(own),
                "accepted": sum(row["accepted"] for row in own),
                "pseudo": count / len(own),
                **{name: sum(row["by_class"][name] for row in own) / len(own) for name in SIX_WAY},
                "purity": sum(right) / count if right else None,
                "valid_before": float(np.mean([row["valid_before"] for row in after])) if after else None,
                "valid_after": float(np.mean([row["valid_after"] for row in after])) if after else None,
            }
        )
    return rows
