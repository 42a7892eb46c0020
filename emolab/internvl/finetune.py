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

import psutil
import yaml
from tqdm import tqdm

from emolab.engine import weights
from emolab.engine.rows import read_rows
from emolab.engine.settings import ModelSettings
from emolab.errors import InputError, RunError
from emolab.internvl.adapter import RECORD, write_card
from emolab.internvl.settings import SftSettings
from emolab.internvl.sft_data import trained_clips
from emolab.internvl.sft_log import loss_problem, read_log, why_it_failed

# arguments that say where things lie and how the work is done, not what comes out
_ASIDE = {
    "model", "dataset", "output_dir", "external_plugins", "ENV", "use_hf", "check_model", "strict", "save_strategy",
    "save_steps", "save_total_limit", "logging_steps", "report_to", "dataloader_num_workers", "dataset_num_proc",
    "gradient_checkpointing",
}  # fmt: skip
Watch = Callable[[list[dict]], None]  # is given the log so far, at each step that is logged


def sft_settings(data: Path, base: Path, model: ModelSettings, sft: SftSettings, seed: int, work: Path) -> dict:
    """The arguments of `swift sft`, as sft.yaml holds them; `work` takes its checkpoints and its log."""
    on_cpu = model.device == "cpu" or (model.device == "auto" and not _gpus())
    env = {"USE_HF": int(model.use_hf), "MAX_NUM": model.max_tiles, "TOKENIZERS_PARALLELISM": "false"}
    env["HF_HUB_OFFLINE"] = 1  # the base is here: else each start waits for the hub to answer
    if sft.gpus > 1:
        env["NPROC_PER_NODE"] = sft.gpus  # makes swift start torchrun
    deepspeed = sft.deepspeed
    if deepspeed and deepspeed.endswith(".json"):
        deepspeed = str(Path(deepspeed).expanduser().absolute())
    chosen = {
        "external_plugins": [str(Path(__file__).with_name("swift_plugin.py"))],
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
        "deepspeed": deepspeed,
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
        "data": content_hash(data),
        "seed": seed,
        "ms_swift": version("ms-swift"),
        "gpus": sft.gpus,
        "max_tiles": model.max_tiles,
        "settings": {key: value for key, value in chosen.items() if key not in _ASIDE},
    }
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        if _is_of(adapter, record) and weights.is_whole(adapter):
            shutil.rmtree(work, ignore_errors=True)
            return adapter
        if not _is_of(work, record):
            shutil.rmtree(work, ignore_errors=True)
        work.mkdir(exist_ok=True)
        (work / RECORD).write_text(json.dumps(record))
        begun = last_checkpoint(work)
        resumed = {"resume_from_checkpoint": str(begun)} if begun else {}
        (folder / "sft.yaml").write_text(yaml.safe_dump({**chosen, **resumed}, sort_keys=False), encoding="utf-8")
        title = f"InternVL fine-tuning, seed {seed}"
        log = _train(folder, work, begun, _environment(model, sft), title, watch, progress)
        _finish(work, adapter, record, data, log)
    return adapter


def last_checkpoint(work: Path) -> Path | None:
    """The newest checkpoint that was written to its end; what a kill left half-written is removed."""
    found = sorted(work.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)
    for path in found:
        if weights.is_whole(path) and _step(path) is not None:
            return path
        shutil.rmtree(path)
    return None


def _step(checkpoint: Path) -> int | None:
    try:  # written last
        return json.loads((checkpoint / "trainer_state.json").read_text())["global_step"]
    except (OSError, ValueError, KeyError):
        return None


def _train(
    folder: Path,
    work: Path,
    begun: Path | None,
    environment: dict[str, str],
    title: str,
    watch: Watch | None,
    progress: bool,
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
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
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
                    problem = loss_problem(rows)
                    if problem:
                        raise RunError(f"{problem} The log: {folder / 'train.log'}")
                if running:
                    time.sleep(0.3)
        finally:
            end_trainings(folder)
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
    told = [{key: value for key, value in row.items() if key not in ("elapsed", "remaining")} for row in log]
    (partial / "training_log.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in told))
    write_card(partial, record, data, log)
    shutil.rmtree(adapter, ignore_errors=True)  # of other data, base or settings: it served until here
    os.replace(partial, adapter)
    shutil.rmtree(work)


def _is_of(folder: Path, record: dict) -> bool:
    """Whether what lies in a folder was made of the same data, base and settings."""
    try:
        there = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return {key: there.get(key) for key in record} == json.loads(json.dumps(record))


def content_hash(data: Path) -> str:
    """sha256 over a training file and the bytes of its images: other pictures under the same names are other data."""
    digest = hashlib.sha256(data.read_bytes())
    for image in dict.fromkeys(image for row in read_rows(data) for image in row.get("images") or ()):
        try:
            with open(image, "rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise InputError(f"{data}: {image} cannot be read ({error.strerror}); run notebook 01 again.") from None
    return digest.hexdigest()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder. A training that outlived the process that watched it is ended: two would write the same."""
    with open(folder / ".training", "a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{folder} is in use by another fine-tuning; wait for it, or end it.") from None
        end_trainings(folder)
        yield


def end_trainings(folder: Path) -> None:
    """End ms-swift's processes that work in `folder`: its command, the trainer below it, torchrun's workers."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.cwd() == str(folder) and "swift" in " ".join(process.cmdline()):
                process.kill()
                found.append(process)
        except psutil.Error:  # ended meanwhile, or of another user
            continue
    psutil.wait_procs(found, timeout=10)


def _environment(model: ModelSettings, sft: SftSettings) -> dict[str, str]:
    """What the training inherits: as many GPUs as it may use (it would take all), and nothing that beats sft.yaml."""
    environment = {key: value for key, value in os.environ.items() if key not in ("MAX_NUM", "NPROC_PER_NODE")}
    visible = [each for each in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if each]
    visible = visible or [str(number) for number in range(_gpus())]
    if len(visible) < sft.gpus and sft.gpus > 1:
        raise InputError(f"sft.gpus is {sft.gpus}, but there are {len(visible)} GPUs here.")
    named = model.device.partition("cuda:")[2]
    if named and sft.gpus == 1 and int(named) < len(visible):
        visible = visible[int(named) :]
    environment["CUDA_VISIBLE_DEVICES"] = ",".join([] if model.device == "cpu" else visible[: sft.gpus])
    return environment


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()  # asks the driver without taking memory on the GPU
