"""What a profile needs and what of it is here: Python, packages, GPU, memory, disk, weights, data."""

import os
import re
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from emolab.affectgpt.settings import AffectSettings
from emolab.corpora.ch_simsv2 import read_ch_simsv2
from emolab.corpora.mer2024 import read_mer2024
from emolab.corpora.minigpt4 import read_minigpt4
from emolab.discriminative.settings import MODALITIES, DiscriminativeSettings
from emolab.engine.settings import ModelSettings
from emolab.engine.weights import local_folder
from emolab.errors import InputError
from emolab.fusion.panel import read_panel
from emolab.scoring.evaluate import profile_wheels
from emolab.scoring.files import read_labels
from emolab.workbench.places import CHECKOUT, outputs_folder
from emolab.workbench.preflight.machine import free_disk, gpu_lines, nearest_folder, torch_gpus
from emolab.workbench.preflight.models import cached_folder
from emolab.workbench.settings import Settings

_BASE = ("numpy", "matplotlib", "omegaconf", "papermill", "nbconvert", "ipykernel")
_MODELS = ("torch", "torchvision", "transformers", "peft", "ms-swift", "safetensors", "qwen-vl-utils")
_CLUSTER = {"ray": ("ray",)}
_FACES = {"detect": ("mediapipe",)}
_FREE_DISK, _MEMORY = 2.0, 3.0  # GB without which not even the demo runs


@dataclass
class Finding:
    """One line of the doctor: `status` is ok, warning (runs, but read this) or missing (will not run)."""

    what: str
    status: str
    found: str
    cure: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Look at everything that a profile needs; imports torch only where it names models that emolab does not ship."""
    models = {name: model for name, model in named_models(settings).items() if model.path}
    backends = {model.backend for model in models.values()} - {"transformers"}
    asking = (*_MODELS, *sorted(backends), *_FACES.get(settings.faces.source, ())) if models else ()
    packages = _BASE + asking + _CLUSTER.get(settings.engine.kind, ())
    return [
        _python(),
        *_packages(packages),
        _gpu([*(model.device for model in models.values()), *_devices(settings)], backends),
        _memory(),
        _disk(outputs_folder(settings.outputs)),
        *(_weights(name, model) for name, model in models.items()),
        *(_stack(name, model) for name, model in models.items() if not model.path.startswith("shipped:")),
        *_affectgpt(settings.affectgpt),
        *_discriminative(settings.discriminative),
        _data(settings),
        *([_minigpt4(settings.corpus.minigpt4)] if settings.corpus.minigpt4 else []),
    ]


def _devices(settings: Settings) -> list[str]:
    """Where what is no chat model runs."""
    own = settings.discriminative
    parts = [getattr(own, modality) for modality in MODALITIES]
    return [settings.affectgpt.device, own.fusion.device, *(part.device for part in parts if part.path)]


def named_models(settings: Settings) -> dict[str, ModelSettings]:
    """Setting -> model, for every model that the profile's notebooks may ask."""
    captioners = settings.captioners
    third = {"captioners.third": captioners.third} if settings.filter.choice == "agreement" else {}
    first_two = {"captioners.first": captioners.first, "captioners.second": captioners.second}
    own = settings.discriminative
    writer = {} if own.endpoint else {"discriminative.writer": own.writer}
    return {"internvl": settings.internvl, **first_two, **third, **writer}


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", "ok" if sys.version_info >= (3, 11) else "missing", found, "emolab needs Python 3.11")


def _packages(needed: tuple[str, ...]) -> list[Finding]:
    pins, findings = _pins(), []
    for name in needed:
        try:
            found, pin = version(name), pins.get(_normal(name))
        except PackageNotFoundError:
            findings.append(Finding(f"package {name}", "missing", "not installed", _install(name, pins)))
            continue
        other = pin is not None and found.partition("+")[0] != pin.partition("+")[0]
        cure = f"tested with {pin}: pip install {name}=={pin}" if other else ""
        findings.append(Finding(f"package {name}", "warning" if other else "ok", found, cure))
    return findings


def _install(name: str, pins: dict[str, str]) -> str:
    if name in _MODELS:
        return "install the models extra: pip install -c requirements.lock -e '.[models]' in the checkout, or make venv"
    pin = pins.get(_normal(name))
    if name == "mediapipe":  # it declares an older numpy than it works with
        return f"pip install --no-deps mediapipe=={pin or '0.10.21'} flatbuffers absl-py attrs 'protobuf<5'"
    return f"pip install {name}{f'=={pin}' if pin else ''}"


def _pins() -> dict[str, str]:
    """Package → version in requirements.lock; empty where emolab was installed without its checkout."""
    lock = CHECKOUT / "requirements.lock"
    if not lock.is_file():
        return {}
    pinned = re.findall(r"^([\w.-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", lock.read_text(encoding="utf-8"), re.MULTILINE)
    return {_normal(name): number for name, number in pinned}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _gpu(devices: list[str], backends: set[str]) -> Finding:
    needed = bool(backends) or any(device.startswith("cuda") for device in devices)
    found = gpu_lines()
    if found:
        return Finding("GPU", "ok", "; ".join(f"{line} free" for line in found))
    if needed and (cards := torch_gpus()):
        if cards[0].total is None:
            return Finding(
                "GPU", "warning", "no nvidia-smi, and torch cannot be asked", "install torch, and look again"
            )
        return Finding("GPU", "ok", f"{'; '.join(card.name for card in cards)} (seen by torch)")
    if needed:
        cure = "the profile wants CUDA: run it on a machine with an NVIDIA GPU, or set device: auto for its models"
        return Finding("GPU", "missing", "no NVIDIA GPU found (nvidia-smi)", cure)
    return Finding("GPU", "ok", "no NVIDIA GPU found, none needed")


def _memory() -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return _size("memory", total, _MEMORY, f"{total:.1f} GB", "end other programs or take a larger machine")


def _disk(outputs: Path) -> Finding:
    folder = nearest_folder(outputs)
    if not os.access(folder, os.W_OK):
        return Finding("disk", "missing", f"{folder} cannot be written", "--set outputs=FOLDER puts results elsewhere")
    cure = "make room, or --set outputs=FOLDER on another disk"
    free = free_disk(folder)
    if free is None:
        return Finding(
            "disk", "warning", f"the file system of {folder} does not say how much is free, or none is", cure
        )
    free /= 1e9
    return _size("disk", free, _FREE_DISK, f"{free:.1f} GB free for {outputs}", cure)


def _size(what: str, there: float, needed: float, found: str, cure: str) -> Finding:
    enough = there >= needed
    return Finding(what, "ok" if enough else "missing", found, "" if enough else f"needs {needed:.0f} GB: {cure}")


def _weights(label: str, model: ModelSettings, setting: str | None = None) -> Finding:
    what, cure = f"weights {label}", f"--set {setting or f'{label}.path'}=FOLDER of a checkpoint"
    try:
        folder = local_folder(model)
    except InputError as error:
        return Finding(what, "missing", str(error), cure)
    if folder is None:
        folder = cached_folder(model)
        cure = f"with network: {'hf' if model.use_hf else 'modelscope'} download {model.path}"
        if folder is None:
            return Finding(what, "missing", f"{model.path} is not in the cache", cure)
    problem = _broken(folder)
    return Finding(what, "missing" if problem else "ok", problem or f"{model.path} ({folder})", cure)


def _affectgpt(parts: AffectSettings) -> list[Finding]:
    """The parts of notebook 04's model; none where the profile names none at all."""
    named = {name: getattr(parts, name) for name in ("vision", "audio", "language", "image_qformer", "qformers")}
    if not any(named.values()):
        return []
    findings = []
    for name, path in named.items():
        label = f"affectgpt.{name}"
        if path:
            findings.append(_weights(label, ModelSettings(path=path), label))
        elif path is not None:
            cure = f"--set {label}=FOLDER (notebooks/profiles says where it comes from)"
            findings.append(Finding(f"weights {label}", "missing", f"{label} names no model", cure))
    return findings


def _discriminative(parts: DiscriminativeSettings) -> list[Finding]:
    """The encoders of notebook 06; none where the profile names none at all."""
    named = {f"discriminative.{modality}": getattr(parts, modality).path for modality in MODALITIES}
    return [
        _weights(label, ModelSettings(path=path), f"{label}.path")
        if path
        else Finding(f"weights {label}", "missing", f"{label} names no model", f"--set {label}.path=FOLDER")
        for label, path in named.items()
        if any(named.values())
    ]


def _stack(label: str, model: ModelSettings) -> Finding:
    from emolab.engine.support import unsupported

    why = unsupported(model)
    cure = f"name another model, --set {label}.path=… {label}.model_type=…" if why else ""
    return Finding(f"loading {label}", "missing" if why else "ok", why or f"ms-swift has {model.model_type}", cure)


def _broken(folder: Path) -> str:
    """Why the weights in a checkpoint folder cannot be loaded; empty when their headers can be read."""
    files = sorted(folder.glob("*.safetensors"))
    if not files and not list(folder.glob("pytorch_model*.bin")):
        return f"no *.safetensors in {folder}"
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        return ""  # said by the packages already
    for file in files:
        try:
            if file.stat().st_size < 1024 and file.read_bytes().startswith(b"version https://git-lfs"):
                return f"{file} is a pointer of Git LFS, not the weights: run git lfs pull"
            with safe_open(file, framework="numpy") as tensors:
                tensors.keys()
        except (SafetensorError, OSError) as error:
            return f"{file} cannot be read: {error}"
    return ""


def _data(settings: Settings) -> Finding:
    corpus = settings.corpus
    if corpus.reader == "drawn":
        return Finding("data", "ok", "the drawn corpus, rendered when first needed")
    if settings.fusion.predictions or not (corpus.root or settings.internvl.path):
        return _predictions(settings)
    if not corpus.root:
        return Finding("data", "missing", "corpus.root is not set", "--set corpus.root=FOLDER of your data")
    folder = Path(corpus.root).expanduser()
    if not folder.is_dir():
        return Finding("data", "missing", f"no folder {folder}", "--set corpus.root=FOLDER of your data")
    if corpus.reader == "rows" and not (folder / "clips.jsonl").is_file():
        return Finding("data", "missing", f"no clips.jsonl in {folder}", "corpus.root must hold clips.jsonl")
    if corpus.reader == "ch_simsv2":
        try:
            return Finding("data", "ok", f"{len(read_ch_simsv2(folder))} clips in {folder}")
        except InputError as error:
            return Finding("data", "missing", str(error), "--set corpus.root=FOLDER of ch-simsv2s")
    return _mer2024(folder) if corpus.reader == "mer2024" else Finding("data", "ok", str(folder))


def _predictions(settings: Settings) -> Finding:
    """What notebook 07 fuses where no model is asked: predictions, their truth and perhaps the wheel tables."""
    plan, tables = settings.fusion, settings.scoring.tables
    cure = "--set predictions=DIR truth=FILE tables=DIR"
    if not (plan.predictions and plan.truth):
        return Finding("data", "missing", "no published predictions and truth are named", cure)
    try:
        truth = read_labels(plan.truth)
        panel = read_panel([plan.predictions])
        wheels = profile_wheels(settings.scoring).edition
    except InputError as error:
        return Finding("data", "missing", str(error), cure)
    known = sum(clip in truth for clip in panel.clip_ids)
    found = (
        f"{len(panel.members)} predictions of {len(panel.clip_ids)} clips, {known} with true labels; {wheels} wheels"
    )
    return Finding(
        "data", "ok" if tables else "warning", found, "" if tables else f"official scores need tables: {cure}"
    )


def _mer2024(folder: Path) -> Finding:
    cure = "--set corpus.root=FOLDER of mer2024-dataset or mer2024-dataset-process"
    try:
        clips, lost = read_mer2024(folder)
    except InputError as error:
        return Finding("data", "missing", str(error), cure)
    found = f"{len(clips)} clips in {folder}, {sum(bool(clip.emotion) for clip in clips)} with an emotion"
    if lost:
        return Finding("data", "warning", f"{found}; {len(lost)} missing or left out, the first: {lost[0]}")
    return Finding("data", "ok", found)


def _minigpt4(root: str) -> Finding:
    cure = "--set corpus.minigpt4=FOLDER of cc_sbu_align"
    try:
        images, absent = read_minigpt4(root)
    except InputError as error:
        return Finding("data minigpt4", "missing", str(error), cure)
    found = f"{len(images)} images in {root}" + (f", {len(absent)} listed but not there" if absent else "")
    return Finding("data minigpt4", "warning" if absent else "ok", found, cure if absent else "")
