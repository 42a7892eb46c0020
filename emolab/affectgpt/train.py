"""The training process of AffectGPT's SFT: `python -m emolab.affectgpt.train sft.yaml`, by torchrun for several GPUs.

`sft.py` writes the file and follows the log. transformers' Trainer does the work (accumulation, bf16 autocast, resume,
several GPUs through accelerate); here stands what is AffectGPT's own: the schedule, the batches, what is saved.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from omegaconf import OmegaConf
from torch.utils.data import Dataset
from transformers import Trainer, TrainerCallback, TrainingArguments, set_seed

from emolab.affectgpt.encoding import ClipEncoder, feature_store
from emolab.affectgpt.parts import load_model, load_processor, load_trained, save_trained, trained_tensors
from emolab.affectgpt.samples import LEFT_OUT, Collator, Given, given_of
from emolab.affectgpt.settings import MODALITIES, AffectSettings, AffectSftSettings
from emolab.affectgpt.sft import read_training_file
from emolab.corpora.clip import Clip
from emolab.engine.feature_store import FeatureStore
from emolab.engine.rows import write_rows
from emolab.engine.training_log import JOURNAL
from emolab.errors import InputError
from emolab.media.settings import FaceSettings


class Clips(Dataset):
    """The clips of a training file, once for each draw of frames."""

    def __init__(self, clips: Sequence[Clip], draws: int) -> None:
        self._items = [(clip, draw) for clip in clips for draw in range(draws)]

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> tuple[Clip, int]:
        return self._items[index]


class Batches:
    """Makes batches: features from the cache, or (without one) from the encoders in every step."""

    def __init__(
        self,
        stores: Sequence[FeatureStore],
        encoder: ClipEncoder | None,
        collator: Collator,
        modalities: Sequence[str] = MODALITIES,
    ) -> None:
        self._stores, self._encoder, self._collator, self._shown = stores, encoder, collator, modalities

    def __call__(self, items: Sequence[tuple[Clip, int]]) -> dict[str, torch.Tensor]:
        return self._collator.batch(self.given(items), [clip.description or "" for clip, _ in items])

    def given(self, items: Sequence[tuple[Clip, int]]) -> list[Given]:
        """What the model is shown of each."""
        if self._encoder is None:
            features = [self._stores[draw].load(clip).tensors for clip, draw in items]
        else:
            features = self._encoder.encode([self._stores[draw].make(clip) for clip, draw in items])
        return [given_of(clip, each).only(self._shown) for (clip, _), each in zip(items, features, strict=True)]


def fitting(
    clips: Sequence[Clip], draws: int, batches: Batches, collator: Collator
) -> tuple[list[Clip], list[dict[str, str]]]:
    """The clips that can be learnt from in every draw, and of each other one corpus, clip_id and the reason."""
    kept, left_out = [], []
    for clip in clips:
        shown = batches.given([(clip, draw) for draw in range(draws)])
        reasons = [why for each in shown if (why := collator.problem(each, clip.description or ""))]
        if reasons:
            left_out.append({"corpus": clip.corpus, "clip_id": clip.clip_id, "reason": reasons[0]})
        else:
            kept.append(clip)
    return kept, left_out


class QFormerTrainer(Trainer):
    """Saves and loads only what is trained, and follows the published schedule."""

    def __init__(self, *args, sft: AffectSftSettings, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self._sft = sft

    def create_scheduler(self, num_training_steps: int, optimizer=None):
        sft = self._sft
        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
            optimizer or self.optimizer,
            lambda step: learning_rate(step, num_training_steps, sft) / sft.learning_rate,
        )
        return self.lr_scheduler

    def _save(self, output_dir: str | None = None, state_dict: dict | None = None) -> None:
        model = self.accelerator.unwrap_model(self.model)
        save_trained(Path(output_dir or self.args.output_dir), trained_tensors(model), model.config)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model=None) -> None:
        load_trained(self.accelerator.unwrap_model(model or self.model), Path(resume_from_checkpoint))


def learning_rate(step: int, steps: int, sft: AffectSftSettings) -> float:
    """The rate of a step: from `warmup_rate` in a straight line for `warmup_steps`, then where the cosine from
    `learning_rate` to `last_rate` over all steps stands (LAVIS's linear_warmup_cosine_lr, which AffectGPT uses)."""
    warm = min(sft.warmup_steps, steps)
    if step < warm:
        return min(sft.learning_rate, sft.warmup_rate + (sft.learning_rate - sft.warmup_rate) * step / max(warm, 1))
    half = 0.5 * (1 + math.cos(math.pi * step / steps))
    return (sft.learning_rate - sft.last_rate) * half + sft.last_rate


class Journal(TrainerCallback):
    """Writes a line a step in ms-swift's form, which `engine/training_log.py` reads."""

    def __init__(self, path: Path) -> None:
        self._path, self._began, self._first = path, time.monotonic(), None

    def on_log(self, args, state, control, logs=None, **kwargs) -> None:
        if not state.is_world_process_zero or not logs or "loss" not in logs:
            return
        self._first = state.global_step - 1 if self._first is None else self._first
        passed = time.monotonic() - self._began
        left = passed / max(1, state.global_step - self._first) * (state.max_steps - state.global_step)
        row = {
            **{key: logs.get(key) for key in ("loss", "grad_norm", "learning_rate", "epoch")},
            "global_step/max_steps": f"{state.global_step}/{state.max_steps}",
            "elapsed_time": _clock(passed),
            "remaining_time": _clock(left),
        }
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m {rest}s" if minutes else f"{rest}s"


def run(chosen: dict) -> None:
    """Train as `sft.yaml` says (see `sft.py`)."""
    model_settings = _typed(AffectSettings, chosen["affectgpt"])
    sft = _typed(AffectSftSettings, chosen["affectgpt_sft"])
    faces = _typed(FaceSettings, chosen["faces"])
    if torch.cuda.is_available() and model_settings.device not in ("cpu", "mps"):
        # each process of torchrun its own; which GPUs are seen was decided by who started this
        model_settings = replace(model_settings, device=f"cuda:{os.environ.get('LOCAL_RANK', 0)}")
    set_seed(chosen["seed"])
    clips = read_training_file(Path(chosen["data"]))
    stores = [feature_store(model_settings, faces, draw, Path(chosen["cache"])) for draw in range(sft.draws)]
    model = load_model(model_settings, lora=sft.lora, seed=chosen["seed"])
    for part, count in model.freeze().items():
        print(f"trained: {part}: {count:,} weights")
    processor = load_processor(model_settings)
    collator = Collator(processor, model.config, sft.max_length)
    batches = Batches(stores, None if sft.cache else ClipEncoder.of(model_settings), collator, sft.modalities)
    clips, left_out = fitting(clips, sft.draws, batches, collator)
    if not clips:
        raise InputError(f"No sample is left to learn from ({left_out[0]['clip_id']}: {left_out[0]['reason']}).")
    work = Path(chosen["output_dir"])
    write_rows(work / LEFT_OUT, left_out)
    on_gpu = next(model.parameters()).device.type == "cuda"
    arguments = TrainingArguments(
        output_dir=str(work),
        num_train_epochs=sft.epochs,
        per_device_train_batch_size=sft.batch_size,
        gradient_accumulation_steps=sft.accumulation,
        learning_rate=sft.learning_rate,
        weight_decay=sft.weight_decay,
        bf16=on_gpu and torch.cuda.is_bf16_supported(including_emulation=False),
        fp16=on_gpu and not torch.cuda.is_bf16_supported(including_emulation=False),
        use_cpu=not on_gpu,
        seed=chosen["seed"],
        data_seed=chosen["seed"],
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=sft.save_steps,
        save_total_limit=2,
        remove_unused_columns=False,
        dataloader_num_workers=sft.workers if sft.cache else 0,
        dataloader_pin_memory=on_gpu and sft.cache,  # features just computed are on the GPU already
        ddp_find_unused_parameters=True if int(os.environ.get("WORLD_SIZE", "1")) > 1 else None,
        disable_tqdm=True,
        report_to="none",
    )
    trainer = QFormerTrainer(
        model=model,
        args=arguments,
        train_dataset=Clips(clips, sft.draws),
        data_collator=batches,
        callbacks=[Journal(work / JOURNAL)],
        sft=sft,
    )
    trainer.train(resume_from_checkpoint=chosen.get("resume_from_checkpoint"))
    if torch.distributed.is_initialized():  # else one that ends before the others may abort
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


def _typed(section: type, values: dict):
    return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(section), values))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", type=Path, help="sft.yaml, as notebook 04 writes it")
    run(OmegaConf.to_container(OmegaConf.load(parser.parse_args().settings)))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # all is written; taking the interpreter down, threads of gloo were seen to wait for ever


if __name__ == "__main__":
    main()
