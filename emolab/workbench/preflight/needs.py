"""Preflight: what each notebook of a run will need, before it starts, and whether this machine has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from emolab.workbench.places import find_notebooks, project_folder, run_folder
from emolab.workbench.preflight import late, stages
from emolab.workbench.preflight.data import DRAWN, Counts, Sample, count, count_truth, look
from emolab.workbench.preflight.machine import Machine, machine_kind, this_machine
from emolab.workbench.preflight.numbers import NOTHING, Span, largest, total
from emolab.workbench.preflight.plan import Plan, Work, host
from emolab.workbench.preflight.rates import ESTIMATED
from emolab.workbench.provenance import read_run
from emolab.workbench.settings import Settings

VERSION = 1  # of the estimates: a run that was estimated by others cannot correct these
FETCHED = "weights to fetch"
_STAGES = {
    "01_data_generation": stages.data_generation, "02_caption_filtering": stages.caption_filtering,
    "03_internvl_finetune": stages.finetune, "04_affectgpt_sft": stages.affectgpt,
    "05_face_crop_ablation": stages.face_ablation, "06_discriminative": late.discriminative,
    "07_fusion_analysis": late.fusion, "08_inspect_predictions": late.inspection,
}  # fmt: skip
WITHOUT_MODELS = ("07_fusion_analysis", "08_inspect_predictions")
_START = Span(3, 8, 20)  # seconds to start a kernel, import and draw figures
_REPORT = Span(3e5, 1.5e6, 6e6)  # bytes of figures, executed notebook and report


@dataclass(frozen=True)
class Need:
    """What one notebook needs: `clips` that it takes, its `work` piece by piece, `notes` on what is not known or not
    there. `measured`: seconds by an earlier run on this machine, `basis` says which; else the sum of its pieces."""

    notebook: str
    clips: float
    work: tuple[Work, ...]
    notes: tuple[str, ...] = ()
    measured: Span | None = None
    basis: str = ESTIMATED

    @property
    def seconds(self) -> Span:
        """Wall time."""
        return self.measured or self.estimated

    @property
    def estimated(self) -> Span:
        """Wall time without what earlier runs taught."""
        return total(each.cost.seconds for each in self.work)

    @property
    def disk(self) -> Span:
        """Bytes that it writes."""
        return total(each.disk for each in self.work)

    @property
    def gpu(self) -> Span:
        """Bytes of each GPU at its largest piece."""
        return largest(each.cost.gpu for each in self.work)

    @property
    def memory(self) -> Span:
        """Bytes of the host at its largest piece."""
        return largest(each.cost.memory for each in self.work)

    def as_json(self) -> dict[str, Any]:
        """All of it as plain values, sums included."""
        sums = {name: asdict(getattr(self, name)) for name in ("seconds", "disk", "gpu", "memory")}
        return asdict(self) | sums


@dataclass(frozen=True)
class Estimate:
    """The needs of a run's notebooks (the last may be the weights that have to be fetched), and what they rest on."""

    settings: Settings
    needs: tuple[Need, ...]
    counts: Counts
    sample: Sample
    machine: Machine

    def changed(self, settings: Settings, machine: Machine | None = None) -> Estimate:
        """The same notebooks and clips with other settings, perhaps on another machine."""
        names = [need.notebook for need in self.needs if need.notebook != FETCHED]
        return _estimated(settings, names, self.counts, self.sample, machine or self.machine)


def make_estimate(
    settings: Settings,
    notebooks: Sequence[str] | None = None,
    *,
    machine: Machine | None = None,
    open_clips: bool = True,
) -> Estimate:
    """What each of `notebooks` (names; all without any) will need with these settings, as far as that can be told
    beforehand: disk, memory of GPU and host, time, requests to an endpoint.

    `machine`: another than this one (`planned_machine`). `open_clips`: look into five clips; else only their lists are
    read, which takes seconds for 100,000. Raises InputError where the profile names no clips or their lists are broken.
    """
    names = list(find_notebooks() if notebooks is None else notebooks)
    published = settings.fusion.predictions or not settings.internvl.path  # no model is asked, no clip opened
    if published:
        names = [name for name in names if name in WITHOUT_MODELS]
    counts = count_truth(settings.fusion.truth) if published else count(settings.corpus)
    sample = DRAWN if settings.corpus.reader == "drawn" else look(counts, settings.seed) if open_clips else Sample()
    return _estimated(settings, names, counts, sample, machine or this_machine(settings.outputs))


def _estimated(settings: Settings, names: Sequence[str], counts: Counts, sample: Sample, machine: Machine) -> Estimate:
    measured = project_folder() / "outputs" / "bench" / "gpu_rates.jsonl"
    plan = Plan(settings, counts, sample, machine, measured)
    needs = []
    for name in names:
        if name in _STAGES:
            clips, work, notes = _STAGES[name](plan)
            around = host("start and report", 1, _START if work else NOTHING, _REPORT if work else NOTHING)
            need = Need(name, round(clips), (*work, around), tuple(notes))
            needs.append(need if machine.elsewhere else _corrected(need, settings))
    fetch = {path: shape.weights for path, shape in plan.missing.items()}
    if fetch:
        work = tuple(host(path, 1, NOTHING, Span(1.8, 2.0, 4.0) * weights) for path, weights in fetch.items())
        needs.append(Need(FETCHED, 0, work))
    return Estimate(settings, tuple(needs), counts, sample, machine)


def _corrected(need: Need, settings: Settings) -> Need:
    """The need with its time as an earlier run of this notebook and profile on this machine teaches: by so much its
    estimate was wrong. Only a run tells that found nothing to go on with, and had a tenth of the clips or more: of few
    it is the start that takes the time."""
    run = read_run(run_folder(settings.outputs, settings.profile, need.notebook)) or {}
    told = run.get("preflight") or {}
    if not (told.get("from_empty") and told.get("version") == VERSION and told.get("machine") == machine_kind()):
        return need
    if told.get("clips", 0) < 0.1 * need.clips:
        return need
    best = need.estimated.best * run["seconds"] / told["seconds"]
    basis = f"measured here on {run['started'][:10]}"
    return replace(need, measured=Span(0.7 * best, best, 1.4 * best), basis=basis)


def estimated_before(need: Need | None, folder: Path, jobs: int = 1) -> dict[str, Any] | None:
    """What run.json keeps of the estimate, so that a later one learns how wrong it was; `folder` is the notebook's, as
    it lies before the run: one that finds something to go on with tells nothing of how long all of it takes, nor does
    one that had to share the machine with others (`jobs`)."""
    if need is None:
        return None
    fresh = jobs == 1 and {each.name for each in folder.iterdir()} <= {".lock"}
    seconds = max(0.1, round(need.estimated.best, 1))
    kind = machine_kind()
    return {"version": VERSION, "seconds": seconds, "clips": need.clips, "from_empty": fresh, "machine": kind}
