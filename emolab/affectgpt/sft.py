"""SFT of AffectGPT's Q-Formers (section 2.2): data, launch, resume, and the folder of trained parts that comes out."""

from __future__ import annotations

import hashlib
import os
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path

from emolab.affectgpt.configuration import AffectGPTConfig
from emolab.affectgpt.inputs import InputMaker
from emolab.affectgpt.parts import (
    folder_of,
    image_qformer_tensors,
    is_whole,
    part_identity,
    read_trained,
    save_trained,
)
from emolab.affectgpt.record import trained_on, write_card
from emolab.affectgpt.samples import LEFT_OUT
from emolab.affectgpt.settings import AffectSettings, AffectSftSettings
from emolab.corpora.clip import Clip
from emolab.corpora.minigpt4 import CaptionedImage
from emolab.engine.device import gpu_environment, pick_device
from emolab.engine.rows import read_rows, write_rows
from emolab.engine.training import Training, Watch, train
from emolab.errors import InputError
from emolab.media.settings import FaceSettings

MINIGPT4 = "MiniGPT-4"  # corpus of its images, as Table 1 calls it
MEMORY = "lower affectgpt_sft.batch_size and raise affectgpt_sft.accumulation, or take a smaller affectgpt.language."
# settings that say how the work is done, not what comes out
_ASIDE = {"seeds", "cache", "save_steps", "workers"}
_MODEL = {"device", "batch_size", "max_new_tokens", "temperature", "top_p"}


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


def read_training_file(path: Path) -> list[Clip]:
    """The clips of a training file. Raises InputError naming the line that is no Clip row."""
    return [Clip.from_row(row, f"{path} line {number}") for number, row in enumerate(read_rows(path), 1)]


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
    chosen = {
        "data": str(data.absolute()),
        "cache": str(cache.absolute()),
        "output_dir": str(training.work),
        "seed": seed,
        "affectgpt": _absolute(asdict(settings), parts),
        "affectgpt_sft": asdict(sft),
        "faces": asdict(faces),
    }
    environment = partial(_environment, settings, sft)
    publish = partial(_publish, training, record, data, settings)
    return train(training, trained, record, chosen, environment, publish, watch=watch, progress=progress)


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
    clips = read_training_file(data)
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


def _publish(
    training: Training,
    record: dict,
    data: Path,
    settings: AffectSettings,
    checkpoint: Path,
    folder: Path,
    log: list[dict],
) -> dict:
    """Make a checkpoint a folder of trained parts: weights with the image Q-Former, and a card; returns its record."""
    tensors = read_trained(checkpoint) | image_qformer_tensors(settings)
    save_trained(folder, tensors, AffectGPTConfig.from_pretrained(checkpoint))
    left_out = read_rows(training.work / LEFT_OUT)
    unseen = {(row["corpus"], row["clip_id"]) for row in left_out}
    seen = [{"corpus": row.get("corpus") or "", "clip_id": row["clip_id"]} for row in read_rows(data)]
    seen = [row for row in seen if (row["corpus"], row["clip_id"]) not in unseen]
    before = trained_on(folder_of(settings.qformers, "qformers")) if settings.qformers is not None else []
    record = {**record, "steps": log[-1]["steps"], "trained_on": [*before, *seen], "left_out": left_out}
    write_card(folder, record, seen, settings, log)
    if left_out:
        told = "; ".join(f"{row['clip_id']}: {row['reason']}" for row in left_out[:3])
        print(f"{training.title}: {len(left_out)} of {len(left_out) + len(seen)} samples were left out ({told}).")
    return record
