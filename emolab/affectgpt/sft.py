"""SFT of AffectGPT's Q-Formers (section 2.2): data, launch, resume, and the folder of trained parts that comes out."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import yaml
from safetensors import SafetensorError, safe_open

from emolab.affectgpt.configuration import AffectGPTConfig
from emolab.affectgpt.inputs import InputMaker
from emolab.affectgpt.parts import (
    WEIGHTS,
    folder_of,
    image_qformer_tensors,
    part_identity,
    read_trained,
    save_trained,
)
from emolab.affectgpt.samples import LEFT_OUT
from emolab.affectgpt.settings import AffectSettings, AffectSftSettings
from emolab.corpora.clip import Clip
from emolab.corpora.minigpt4 import CaptionedImage
from emolab.engine.chat import pick_device
from emolab.engine.rows import read_rows, write_rows
from emolab.engine.training import (
    Training,
    Watch,
    alone,
    finished,
    follow,
    gpu_environment,
    is_of,
    last_checkpoint,
    timeless,
)
from emolab.errors import InputError
from emolab.media.settings import FaceSettings

RECORD = "emolab.json"  # what trained parts say of themselves
MINIGPT4 = "MiniGPT-4"  # corpus of its images, as Table 1 calls it
MEMORY = "lower affectgpt_sft.batch_size and raise affectgpt_sft.accumulation, or take a smaller affectgpt.language."
# settings that say how the work is done, not what comes out
_ASIDE = {"seeds", "cache", "save_steps", "workers"}
_MODEL = {"device", "batch_size", "max_new_tokens", "temperature", "top_p"}
CARD = """\
# AffectGPT, trained parts

Made by emolab's notebook 04 (section 2.2 of the MER2024-OV report): {learnt}

- **Parts**: vision {vision}, audio {audio}, language model {language}; started from {qformers}
- **Data**: {rows} samples ({sources}), sha256 {data}, {left_out} more left out; all are listed in `{record}`
- **Training**: {steps} steps, {epochs} epochs, batch {batch}, seed {seed}; loss {first:.3f} → {last:.3f}
  (`training_log.jsonl`); learning rate {warmup_rate:g} → {learning_rate:g} in {warmup_steps} steps → {last_rate:g}

`emolab run 04 --set affectgpt.qformers=THIS_FOLDER --set "affectgpt_sft.seeds=[]"` uses it, with the same profile or
the same parts: {profile}
"""
LEARNT = """\
SFT of the Q-Formers with their queries, positions and projections (and pre-fusion where there is one); encoders and
language model stay as they were and are not in this folder."""
LEARNT_LORA = """\
SFT of the Q-Formers with their queries, positions and projections, and of LoRA adapters of the language model; they are
in this folder, encoders and language model are not."""


def training_rows(clips: Iterable[Clip], images: Iterable[CaptionedImage] = ()) -> list[Clip]:
    """What SFT learns from: the described clips of the train split, and MiniGPT-4's images with their captions."""
    chosen = [clip for clip in clips if clip.split == "train" and (clip.description or "").strip()]
    stills = [
        Clip(f"minigpt4_{each.image_id}", video=each.image, description=each.caption, corpus=MINIGPT4)
        for each in images
    ]
    return [*chosen, *stills]


def clips_to_test(labelled: Iterable[Clip], settings: AffectSettings, sft: AffectSftSettings) -> list[Clip]:
    """The labelled clips of the test split. Raises InputError where there is none, or no trained model to test: now,
    not after hours."""
    found = [clip for clip in labelled if clip.split == "test"]
    if not found:
        raise InputError(
            'no labelled clip is of the test split, so nothing could be scored; give "split": "test" in clips.jsonl.'
        )
    if settings.qformers is None and not sft.seeds:
        raise InputError(
            "affectgpt.qformers is null and affectgpt_sft.seeds empty: nothing is trained, nor would be; set one."
        )
    return found


def write_training_file(rows: Sequence[Clip], path: Path) -> dict[str, int]:
    """Write the training file (Clip rows); returns how many samples each corpus gives. Raises InputError for none."""
    if not rows:
        raise InputError(
            "no clip of the train split has a description, and AffectGPT learns from those; give a corpus with "
            "descriptions, or set affectgpt_sft.seeds=[]."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_rows(path, [{key: value for key, value in asdict(clip).items() if value is not None} for clip in rows])
    return dict(Counter(clip.corpus or "clips" for clip in rows))


def train_qformers(
    data: Path,
    settings: AffectSettings,
    sft: AffectSftSettings,
    faces: FaceSettings,
    seed: int,
    folder: Path,
    cache: Path,
    *,
    watch: Watch | None = None,
    progress: bool = True,
) -> Path:
    """Train on `data` (see `write_training_file`), whose features lie in `cache`, and return folder/qformers.

    What was trained on the same data, parts and settings is returned as it is; a training that was killed goes on from
    its last whole checkpoint. `folder` also takes sft.yaml, train.log and, while it lasts, work/. Raises RunError in
    one sentence where the training fails, InputError where a part cannot be had.
    """
    if sft.draws > 1 and settings.frames.draw != "random":
        raise InputError(
            f"affectgpt_sft.draws is {sft.draws}, but uniform frames are the same in every draw; set it to 1, or "
            "affectgpt.frames.draw=random."
        )
    folder, trained = folder.absolute(), folder.absolute() / "qformers"
    parts = {name: folder_of(getattr(settings, name), name) for name in ("vision", "audio", "language")}
    record = {
        "parts": {name: part_identity(getattr(settings, name), path) for name, path in parts.items()},
        "qformers": _start(settings),
        "data": hashlib.sha256(data.read_bytes()).hexdigest(),
        "inputs": _shown(data, settings, sft, faces),
        "seed": seed,
        "versions": {name: version(name) for name in ("torch", "transformers")},
        "affectgpt": {key: value for key, value in asdict(settings).items() if key not in _MODEL},
        "settings": {key: value for key, value in asdict(sft).items() if key not in _ASIDE},
    }
    training = Training(
        folder=folder,
        command=_command(sft.processes),
        marker="emolab.affectgpt.train",
        title=f"AffectGPT SFT, seed {seed}",
        who="AffectGPT",
        memory=MEMORY,
        whole=is_whole,
    )
    with alone(training):
        if is_of(trained, RECORD, record) and is_whole(trained):
            shutil.rmtree(training.work, ignore_errors=True)
            return trained
        if not is_of(training.work, RECORD, record):
            shutil.rmtree(training.work, ignore_errors=True)
        training.work.mkdir(exist_ok=True)
        (training.work / RECORD).write_text(json.dumps(record))
        begun = last_checkpoint(training)
        chosen = {
            "data": str(data.absolute()),
            "cache": str(cache.absolute()),
            "output_dir": str(training.work),
            "seed": seed,
            "affectgpt": _absolute(asdict(settings), parts),
            "affectgpt_sft": asdict(sft),
            "faces": asdict(faces),
            **({"resume_from_checkpoint": str(begun)} if begun else {}),
        }
        (folder / "sft.yaml").write_text(yaml.safe_dump(chosen, sort_keys=False), encoding="utf-8")
        log = follow(training, begun, _environment(settings, sft), watch, progress)
        _finish(training, trained, record, data, log, settings)
    return trained


def is_whole(folder: Path) -> bool:
    """Whether a folder of trained parts was written to its end."""
    try:
        json.loads((folder / "config.json").read_text(encoding="utf-8"))
        with safe_open(folder / WEIGHTS, framework="np") as tensors:
            return bool(tensors.keys())
    except (OSError, ValueError, SafetensorError):
        return False


def trained_on(folder: Path) -> list[dict[str, str]]:
    """corpus and clip_id of what trained parts have seen, by their record; none for shipped or converted ones, which
    have no record. Raises InputError for a record that cannot be read."""
    try:
        return json.loads((folder / RECORD).read_text(encoding="utf-8"))["trained_on"]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder / RECORD}: cannot be read ({type(error).__name__}), so nobody knows what was trained on; train "
            "again."
        ) from None


def _environment(settings: AffectSettings, sft: AffectSftSettings) -> dict[str, str]:
    """What the training inherits: its GPUs, or its share of the cores."""
    if pick_device(settings.device) == "cpu":
        cores = str(max(1, (os.cpu_count() or 1) // sft.processes))
        environment = {"OMP_NUM_THREADS": cores, **os.environ, "CUDA_VISIBLE_DEVICES": ""}
    else:
        environment = gpu_environment(settings.device, sft.processes, "affectgpt_sft.processes")
    return {**environment, "TOKENIZERS_PARALLELISM": "false"}


def _command(processes: int) -> list[str]:
    torchrun = ["torch.distributed.run", "--standalone", f"--nproc_per_node={processes}", "-m"] if processes > 1 else []
    return [sys.executable, "-m", *torchrun, "emolab.affectgpt.train", "sft.yaml"]


def _shown(data: Path, settings: AffectSettings, sft: AffectSftSettings, faces: FaceSettings) -> str:
    """Of what is seen and heard of the training file's clips: other films under the same names are other data."""
    digest = hashlib.sha256()
    clips = [Clip.from_row(row, f"{data} line {number}") for number, row in enumerate(read_rows(data), 1)]
    for draw in range(sft.draws):
        make = InputMaker(settings.frames, faces, settings.view, settings.sound, draw)
        for clip in clips:
            digest.update(f"{make.key(clip)}\0".encode(errors="backslashreplace"))
    return digest.hexdigest()


def _start(settings: AffectSettings) -> str:
    if settings.qformers is not None:
        return part_identity(settings.qformers, folder_of(settings.qformers, "qformers"))
    return "untrained"


def _absolute(chosen: dict, parts: dict[str, Path]) -> dict:
    """Relative folders start where the user is, the training elsewhere."""
    named = {name: str(path) for name, path in parts.items()}
    for name in ("qformers", "image_qformer"):
        if chosen[name] is not None:
            named[name] = str(folder_of(chosen[name], name))
    return {**chosen, **named}


def _finish(
    training: Training, trained: Path, record: dict, data: Path, log: list[dict], settings: AffectSettings
) -> None:
    """Make the last checkpoint the trained parts: weights with the image Q-Former, record, card and log."""
    last = finished(training, log)
    partial = trained.with_name("qformers.partial")
    shutil.rmtree(partial, ignore_errors=True)
    tensors = read_trained(last) | image_qformer_tensors(settings)
    save_trained(partial, tensors, AffectGPTConfig.from_pretrained(last))
    left_out = read_rows(training.work / LEFT_OUT)
    unseen = {(row["corpus"], row["clip_id"]) for row in left_out}
    seen = [{"corpus": row.get("corpus") or "", "clip_id": row["clip_id"]} for row in read_rows(data)]
    seen = [row for row in seen if (row["corpus"], row["clip_id"]) not in unseen]
    before = trained_on(folder_of(settings.qformers, "qformers")) if settings.qformers is not None else []
    record = {**record, "steps": log[-1]["steps"], "trained_on": [*before, *seen], "left_out": left_out}
    (partial / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (partial / "training_log.jsonl").write_text(timeless(log))
    sources = Counter(row["corpus"] or "clips" for row in seen)
    sft = record["settings"]
    card = CARD.format(
        **record["parts"],
        **{key: record[key] for key in ("qformers", "data", "seed", "steps")},
        **{key: sft[key] for key in ("warmup_rate", "learning_rate", "warmup_steps", "last_rate", "epochs")},
        batch=sft["batch_size"] * sft["accumulation"] * sft["processes"],
        learnt=LEARNT_LORA if sft["lora"] else LEARNT,
        profile=" ".join(
            f"--set affectgpt.{name}={getattr(settings, name)}" for name in ("vision", "audio", "language")
        ),
        rows=len(seen),
        left_out=len(left_out),
        sources=", ".join(f"{count} {source}" for source, count in sources.items()),
        record=RECORD,
        first=log[0]["loss"],
        last=log[-1]["loss"],
    )
    (partial / "README.md").write_text(card, encoding="utf-8")
    if left_out:
        told = "; ".join(f"{row['clip_id']}: {row['reason']}" for row in left_out[:3])
        print(f"{training.title}: {len(left_out)} of {len(left_out) + len(seen)} samples were left out ({told}).")
    shutil.rmtree(trained, ignore_errors=True)  # of other data, parts or settings: it served until here
    os.replace(partial, trained)
    shutil.rmtree(training.work)
