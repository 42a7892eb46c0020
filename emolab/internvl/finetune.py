"""LoRA fine-tuning of InternVL by `swift sft` in a process of its own (section 2.1): resumed, watched, whole or not."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import IO

import psutil
import yaml
from tqdm import tqdm

from emolab.engine import weights
from emolab.engine.settings import ModelSettings
from emolab.errors import InputError, RunError
from emolab.internvl.adapter import RECORD, is_whole, write_card
from emolab.internvl.settings import SftSettings
from emolab.internvl.sft_data import trained_clips
from emolab.internvl.sft_log import loss_problem, read_log, why_it_failed

Watch = Callable[[list[dict]], None]  # is given the log so far, at each step that is logged


def sft_settings(data: Path, base: Path, model: ModelSettings, sft: SftSettings, seed: int, work: Path) -> dict:
    """The arguments of `swift sft`, as sft.yaml holds them; `work` takes its checkpoints and its log."""
    on_cpu = model.device == "cpu" or (model.device == "auto" and not _gpus())
    env = {"USE_HF": int(model.use_hf), "MAX_NUM": model.max_tiles, "TOKENIZERS_PARALLELISM": "false"}
    if base.is_dir():  # else each start waits for the hub to answer
        env["HF_HUB_OFFLINE"] = 1
    if sft.gpus > 1:
        env["NPROC_PER_NODE"] = sft.gpus  # makes swift start torchrun
    chosen = {
        "model": str(base),
        "use_hf": model.use_hf,
        "model_type": model.model_type,
        "template": model.template,
        "torch_dtype": "float32" if on_cpu else None if model.dtype == "auto" else model.dtype,
        "use_cpu": True if on_cpu else None,
        "tuner_type": "lora",
        "target_modules": "all-linear",
        "lora_rank": sft.rank,
        "lora_alpha": sft.alpha,
        "lora_dropout": sft.dropout,
        "freeze_vit": sft.freeze_vit,
        "freeze_aligner": sft.freeze_aligner,
        "dataset": str(data),
        "split_dataset_ratio": 0,
        "check_model": False,  # asks ModelScope, with retries, whether a newer version is there
        "strict": True,  # else an image that does not open is silently replaced by another row
        "max_length": sft.max_length,
        "num_train_epochs": sft.epochs,
        "max_steps": sft.max_steps,
        "per_device_train_batch_size": sft.batch_size,
        "gradient_accumulation_steps": sft.accumulation,
        "learning_rate": sft.learning_rate,
        "warmup_ratio": sft.warmup_ratio,
        "gradient_checkpointing": sft.gradient_checkpointing,
        "deepspeed": sft.deepspeed,
        "dataloader_num_workers": sft.workers,
        "dataset_num_proc": 1,
        "seed": seed,
        "data_seed": seed,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,  # else a loss that is not a number is logged as one
        "save_strategy": "steps",
        "save_steps": sft.save_steps,
        "save_total_limit": 2,
        "output_dir": str(work),
        "add_version": False,
        "report_to": "none",
        **sft.extra,
        "ENV": env,
    }
    return {name: value for name, value in chosen.items() if value is not None}


def finetune(
    data: Path,
    model: ModelSettings,
    sft: SftSettings,
    seed: int,
    folder: Path,
    *,
    watch: Watch | None = None,
    progress: bool = True,
) -> Path:
    """Train a LoRA adapter on `data` (ms-swift rows, see sft_data) and return its folder, `folder`/adapter.

    One that was trained on the same data, base and settings is returned as it is; a training that was killed goes on
    from its last whole checkpoint. `folder` also takes sft.yaml, train.log and, while it lasts, work/. The adapter
    appears at the end, by one rename. Raises RunError in one sentence: out of memory, a loss that is not a number, an
    image that is gone, whatever else ended ms-swift; InputError where the base cannot be had.
    """
    base = weights.resolve(model)
    folder, work, adapter = folder.absolute(), folder.absolute() / "work", folder.absolute() / "adapter"
    chosen = sft_settings(data.absolute(), base, model, sft, seed, work)
    record = {
        "base": weights.identity(ModelSettings(path=model.path), base),
        "base_fingerprint": weights.fingerprint(base),
        "data": hashlib.sha256(data.read_bytes()).hexdigest(),
        "seed": seed,
        "ms_swift": version("ms-swift"),
        "settings": {k: v for k, v in chosen.items() if k not in ("model", "dataset", "output_dir", "ENV")},
    }
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder) as lock:
        if _is_of(adapter, record) and is_whole(adapter):
            return adapter
        shutil.rmtree(adapter, ignore_errors=True)  # of other data, base or settings
        if not _is_of(work, record):
            shutil.rmtree(work, ignore_errors=True)
        work.mkdir(exist_ok=True)
        (work / RECORD).write_text(json.dumps(record))
        begun = last_checkpoint(work)
        resumed = {"resume_from_checkpoint": str(begun)} if begun else {}
        (folder / "sft.yaml").write_text(yaml.safe_dump({**chosen, **resumed}, sort_keys=False), encoding="utf-8")
        log = _train(folder, work, lock, begun, f"InternVL fine-tuning, seed {seed}", watch, progress)
        _finish(work, adapter, record, data, log)
    return adapter


def last_checkpoint(work: Path) -> Path | None:
    """The newest checkpoint that was written to its end; what a kill left half-written is removed."""
    found = sorted(work.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)
    for path in found:
        if is_whole(path) and _step(path) is not None:
            return path
        shutil.rmtree(path)
    return None


def _step(checkpoint: Path) -> int | None:
    try:  # written last
        return json.loads((checkpoint / "trainer_state.json").read_text())["global_step"]
    except (OSError, ValueError, KeyError):
        return None


def _train(
    folder: Path, work: Path, lock: IO, begun: Path | None, title: str, watch: Watch | None, progress: bool
) -> list[dict]:
    """Run ms-swift to its end, following its log; returns the log rows of all steps."""
    journal = work / "logging.jsonl"
    if begun:  # steps after the checkpoint are done again
        kept = [row for row in read_log(journal) if row["step"] <= (_step(begun) or 0)]
        lines = [line for line in journal.read_text().splitlines() if '"global_step/max_steps"' in line][: len(kept)]
        journal.write_text("".join(f"{line}\n" for line in lines))
    else:
        journal.unlink(missing_ok=True)
    command = [sys.executable, "-m", "swift.cli.main", "sft", "sft.yaml"]
    bar = tqdm(total=None, desc=title, unit="step", mininterval=1.0, disable=not progress)
    with bar, open(folder / "train.log", "a" if begun else "w", encoding="utf-8") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            pass_fds=[lock.fileno()],
        )  # fmt: skip
        lock.seek(0)
        lock.truncate()
        lock.write(str(process.pid))
        lock.flush()
        try:
            rows: list[dict] = []
            running = True
            while running:
                running = process.poll() is None
                fresh = read_log(journal)
                if len(fresh) > len(rows):
                    rows = fresh
                    _show(bar, rows[-1])
                    if watch:
                        watch(rows)
                    problem = loss_problem(rows[-1])
                    if problem:
                        raise RunError(f"{problem} The log: {folder / 'train.log'}")
                if running:
                    time.sleep(0.3)
        finally:
            _end(process.pid)
            process.wait()
    if process.returncode or not rows or rows[-1]["step"] < rows[-1]["steps"]:
        raise RunError(why_it_failed(folder / "train.log", process.returncode))
    return rows


def _show(bar: tqdm, row: dict) -> None:
    if bar.total is None:  # the first step: from here on the time left can be told
        bar.reset(total=row["steps"])
    bar.update(row["step"] - bar.n)
    bar.set_postfix(loss=f"{row['loss']:.3f}", refresh=False)


def _finish(work: Path, adapter: Path, record: dict, data: Path, log: list[dict]) -> None:
    """Make the last checkpoint the adapter: what peft needs, record, card and log; then the checkpoints go."""
    last = last_checkpoint(work)
    if last is None or _step(last) != log[-1]["steps"]:
        raise RunError(f"{work}: ms-swift ended without its last checkpoint; run again, or delete the folder.")
    partial = adapter.with_name("adapter.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy2(last / name, partial / name)
    record = {**record, "steps": log[-1]["steps"], "trained_on": trained_clips(data)}
    (partial / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (partial / "training_log.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in log))
    write_card(partial, record, data, log)
    os.replace(partial, adapter)
    shutil.rmtree(work)


def _is_of(folder: Path, record: dict) -> bool:
    """Whether what lies in a folder was made of the same data, base and settings."""
    try:
        there = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return {key: there.get(key) for key in record} == json.loads(json.dumps(record))


@contextmanager
def _alone(folder: Path) -> Iterator[IO]:
    """Hold the folder; the training inherits the lock, so that one that outlived its notebook is found, and ended."""
    with open(folder / ".training", "a+", encoding="utf-8") as lock:
        for attempt in range(100):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                lock.seek(0)
                orphan = lock.read().strip()
                if attempt == 0 and orphan.isdecimal():
                    _end(int(orphan))
                time.sleep(0.1)
        else:
            raise InputError(f"{folder} is in use by process {orphan or 'unknown'}; wait for it, or end it.")
        yield lock


def _end(pid: int) -> None:
    """End a process with all its children."""
    try:
        process = psutil.Process(pid)
        family = [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return
    for each in family:
        try:
            each.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(family, timeout=10)


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()  # asks the driver without taking memory on the GPU
