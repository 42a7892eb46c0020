"""LoRA fine-tuning of InternVL by `swift sft` in a process of its own (section 2.1): resumed, watched, whole or not."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path

from emolab.engine import weights
from emolab.engine.device import gpu_count, gpu_environment
from emolab.engine.rows import read_rows
from emolab.engine.settings import ModelSettings
from emolab.engine.training import Training, Watch, train
from emolab.errors import InputError, RunError
from emolab.internvl.adapter import write_card
from emolab.internvl.settings import SftSettings
from emolab.internvl.sft_data import trained_clips

# arguments that say where things lie and how the work is done, not what comes out
_ASIDE = {
    "model", "dataset", "output_dir", "external_plugins", "ENV", "use_hf", "check_model", "strict", "save_strategy",
    "save_steps", "save_total_limit", "logging_steps", "report_to", "dataloader_num_workers", "dataset_num_proc",
    "gradient_checkpointing",
}  # fmt: skip
MEMORY = (
    "lower sft.batch_size (and raise sft.accumulation) or sft.max_length, set sft.gradient_checkpointing true, or "
    "spread over more GPUs with sft.deepspeed zero3."
)


def sft_settings(data: Path, base: Path, model: ModelSettings, sft: SftSettings, seed: int, work: Path) -> dict:
    """The arguments of `swift sft`, as sft.yaml holds them; `work` takes its checkpoints and its log."""
    on_cpu = model.device == "cpu" or (model.device == "auto" and not gpu_count())
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
        "nodes": int(os.environ.get("NNODES") or 1),  # ms-swift's own variable, for several machines
        "max_tiles": model.max_tiles,
        "settings": {key: value for key, value in chosen.items() if key not in _ASIDE},
    }
    training = Training(
        folder=folder,
        command=[sys.executable, "-m", "swift.cli.main", "sft", "sft.yaml"],
        marker="swift",
        title=f"InternVL fine-tuning, seed {seed}",
        who="ms-swift",
        memory=MEMORY,
        whole=weights.is_whole,
    )
    environment = partial(_environment, model, sft)
    publish = partial(_publish, record, data)
    try:
        return train(training, adapter, record, chosen, environment, publish, watch=watch, progress=progress)
    except RunError as error:  # ms-swift takes some paths that are gone for base64, and names none of those
        gone = next((image for image in _images(data) if not os.path.isfile(image)), None)
        if gone is None:
            raise
        raise RunError(
            f"ms-swift's training stopped: an image of the training file is gone or broken ({gone}); run notebook 01 "
            f"again. The log: {folder / 'train.log'}"
        ) from error


def _publish(record: dict, data: Path, checkpoint: Path, folder: Path, log: list[dict]) -> dict:
    """Take what peft needs out of a checkpoint, with a card; returns the adapter's record."""
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy2(checkpoint / name, folder / name)
    record = {**record, "steps": log[-1]["steps"], "trained_on": trained_clips(data)}
    write_card(folder, record, data, log)
    return record


def content_hash(data: Path) -> str:
    """sha256 over a training file and the bytes of its images: other pictures under the same names are other data."""
    digest = hashlib.sha256(data.read_bytes())
    for image in _images(data):
        try:
            with open(image, "rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise InputError(f"{data}: {image} cannot be read ({error.strerror}); run notebook 01 again.") from None
    return digest.hexdigest()


def _images(data: Path) -> list[str]:
    return list(dict.fromkeys(image for row in read_rows(data) for image in row.get("images") or ()))


def _environment(model: ModelSettings, sft: SftSettings) -> dict[str, str]:
    """What the training inherits: the GPUs it may use, and nothing that beats sft.yaml."""
    environment = gpu_environment(model.device, sft.gpus, "sft.gpus")
    return {key: value for key, value in environment.items() if key not in ("MAX_NUM", "NPROC_PER_NODE")}
