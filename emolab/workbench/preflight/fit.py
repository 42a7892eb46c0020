"""Whether a run fits into this machine; if not even at the lowest guess, what would."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from omegaconf import OmegaConf

from emolab.errors import InputError
from emolab.workbench.hashing import Hashes
from emolab.workbench.places import run_folder
from emolab.workbench.preflight.machine import torch_gpus
from emolab.workbench.preflight.needs import FETCHED, Estimate, Need, make_estimate
from emolab.workbench.preflight.numbers import shown_size, sized
from emolab.workbench.preflight.plan import Work
from emolab.workbench.provenance import RUN_FILE
from emolab.workbench.settings import Settings
from emolab.workbench.tables import printable
from emolab.workbench.unchanged import why_run

_CURES = 3  # that a sentence names


def require_fit(
    settings: Settings, notebooks: Mapping[str, Path], hashes: Hashes, force: bool, anyway: bool
) -> dict[str, Need]:
    """The needs of those notebooks that have to run (all with `force`), by their lists alone. Raises InputError where
    one cannot fit even at the lowest guess, saying what would; not with `anyway`. What cannot be told beforehand, as
    where clips are missing, is left to the notebooks; no error of an estimate ends a run."""
    try:
        todo = [
            name
            for name, path in notebooks.items()
            if force or why_run(run_folder(settings.outputs, settings.profile, name), path, settings, hashes)
        ]
        found = make_estimate(settings, todo, open_clips=False)
        problem = None if anyway else next(problems(found), None)
    except InputError:
        return {}  # the notebook says it
    except Exception as error:
        print(f"not estimated beforehand: {printable(' '.join(f'{type(error).__name__}: {error}'.split()))[:300]}")
        return {}
    if problem:
        raise InputError(f"{problem}; --anyway runs it all the same")
    return {need.notebook: need for need in found.needs}


def problems(found: Estimate) -> Iterator[str]:
    """A sentence for each notebook that cannot fit, even at the lowest guess, and one where the disk cannot hold all of
    them: what it needs, what is there, and the settings with which it would fit."""
    told = list(_without_room(found))
    if told and not found.machine.gpus and not found.machine.elsewhere:
        found = found.changed(found.settings, replace(found.machine, gpus=torch_gpus()))
        told = list(_without_room(found))
    yield from told
    if _disk_lacking(found) > 0:
        yield _no_room(found)


def _without_room(found: Estimate) -> Iterator[str]:
    """Of each notebook whose models cannot be asked or trained here."""
    for need in _notebooks(found):
        if not found.machine.elsewhere and _has_kept(found.settings, need.notebook):
            continue
        if work := next((work for work in need.work if work.cuda), None):
            yield (
                f"{need.notebook} ({work.what}) cannot run: {work.cuda} is cuda and no NVIDIA GPU is here; take a "
                f"machine with one, --profile laptop, or device=auto for each of its models (--set {work.cuda}=auto)"
            )
        elif work := next((work for work in need.work if _lacks(found, work)), None):
            what, needed, there = _lacks(found, work)
            cures = _fitting(found, need.notebook, work) or ["a larger machine"]
            yield _short(f"{need.notebook} ({work.what})", what, needed, there, cures)


def _has_kept(settings: Settings, notebook: str) -> bool:
    """Whether an earlier run of a notebook, ended or not, has left answers or features: it may need no model."""
    folder = run_folder(settings.outputs, settings.profile, notebook)
    kept = (path for kind in (RUN_FILE, "*.jsonl", "*.safetensors") for path in folder.rglob(kind))
    return any(path.stat().st_size for path in kept)


def may_be_tight(found: Estimate) -> Iterator[str]:
    """A sentence for each notebook of which the likeliest guess does not fit, though the lowest does."""
    machine = found.machine
    for need in found.needs:
        for what, size, there in (
            ("GPU memory", need.gpu, machine.gpus[0].free if machine.gpus else None),
            ("memory", need.memory, machine.memory),
            ("disk", need.disk, machine.disk),
        ):
            if there is not None and size.low <= there < size.best:
                yield f"{need.notebook} may not fit: {shown_size(size)} of {what}, {sized(there)} are free"


def _lacks(found: Estimate, work: Work) -> tuple[str, float, float] | None:
    """What a piece of work lacks, how much of it is needed and how much is there, in bytes."""
    gpus, memory = found.machine.gpus, found.machine.memory
    sizes = [gpu.total or math.inf for gpu in gpus]  # the largest decides; a driver need not tell
    if sizes and work.cost.gpu.low > max(sizes):
        return "GPU memory", work.cost.gpu.low, max(sizes)
    if memory and work.cost.memory.low > memory:
        return "memory", work.cost.memory.low, memory
    return None


def _fitting(found: Estimate, notebook: str, work: Work) -> list[str]:
    """Those of the work's cures with which none of its notebook's work lacks anything."""
    fitting = []
    for cure in work.cures:
        tried = found.changed(_with(found.settings, cure))
        pieces = next(need.work for need in tried.needs if need.notebook == notebook)
        if not any(_lacks(tried, each) for each in pieces):
            fitting.append(cure)
    return fitting[:_CURES]


def _disk_lacking(found: Estimate) -> float:
    """Bytes that are missing on the disk at the lowest guess; what killed runs have left counts as written."""
    if not found.machine.disk:
        return 0.0
    wanted = {need.notebook: need.disk.low for need in _notebooks(found)}
    if sum(wanted.values()) <= found.machine.disk:
        return 0.0
    left = sum(max(0.0, size - _written(found.settings, name)) for name, size in wanted.items())
    return left - found.machine.disk


def _no_room(found: Estimate) -> str:
    needs = _notebooks(found)
    need = max(needs, key=lambda need: need.disk.low)
    piece = max(need.work, key=lambda work: work.disk.low)
    cures: dict[str, str] = {}
    for cure in piece.cures:
        if _disk_lacking(found.changed(_with(found.settings, cure))) <= 0:
            cures.setdefault(cure.partition("=")[0], cure)
    missing, there = _disk_lacking(found), found.machine.disk
    where = f"{need.notebook} ({piece.what}{', with the other notebooks' if len(needs) > 1 else ''})"
    elsewhere = f"--set outputs=FOLDER on a disk with {sized(missing + there)} free"
    return _short(where, "disk", missing + there, there, [*cures.values(), elsewhere])


def _short(where: str, what: str, needed: float, there: float, cures: Sequence[str]) -> str:
    return (
        f"{where} cannot run: it needs at least {sized(needed)} of {what}, {sized(there)} are there, "
        f"{sized(needed - there)} too little; what would fit: {', or '.join(cures)}"
    )


def _notebooks(found: Estimate) -> list[Need]:
    return [need for need in found.needs if need.notebook != FETCHED]


def _with(settings: Settings, cure: str) -> Settings:
    """The settings with those of a cure."""
    pairs = [word for word in shlex.split(cure) if word != "--set"]
    return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(settings), OmegaConf.from_dotlist(pairs)))


def _written(settings: Settings, notebook: str) -> float:
    """Bytes that an earlier, perhaps killed, run of a notebook has left, which a new one goes on from."""
    folder = run_folder(settings.outputs, settings.profile, notebook)
    return float(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()))
