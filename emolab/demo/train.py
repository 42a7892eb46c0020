"""Train one of the small models that emolab ships, from scratch, on drawn data only.

    python -m emolab.demo.train internvl --out emolab/demo/checkpoints/internvl

As large models are made: the vision tower learns to tell faces, postures and places apart; then single images and
texts; the generalist then sees six frames of a clip among the rest. Seeded; 80 minutes (internvl) or 40 (a captioner)
on two CPU cores.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from tqdm import tqdm
from transformers import AutoProcessor

from emolab.demo import glm4v_model, internvl_model, qwen3_vl_model
from emolab.demo.draw import Stage
from emolab.demo.emotions import FACES, POSTURES, SCENES
from emolab.demo.lessons import TASKS
from emolab.demo.scenario import scenario, stable_rng
from emolab.engine.rows import read_rows, write_rows

FAMILIES = {"internvl": internvl_model, "qwen3_vl": qwen3_vl_model, "glm4v": glm4v_model}
SIGNS = {"face": FACES, "posture": POSTURES, "scene": SCENES}


class Signs(nn.Module):
    """The heads of the first phase, dropped afterwards: which face, posture and place an image shows. They read the
    patches at their places: heads that looked for them by attention were still at chance after 400 steps."""

    def __init__(self, width: int, patches: int):
        super().__init__()
        self.narrow = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 24), nn.Flatten())
        self.heads = nn.ModuleDict({name: nn.Linear(24 * patches, len(values)) for name, values in SIGNS.items()})

    def forward(self, patches: torch.Tensor, targets: torch.Tensor):
        """patches [batch, patches, width], targets [batch, 3] -> loss, accuracy per sign [3]."""
        seen = self.narrow(patches)
        scores = [head(seen) for head in self.heads.values()]
        loss = sum(nn.functional.cross_entropy(s, t) for s, t in zip(scores, targets.T, strict=True))
        return loss, [(s.argmax(1) == t).float().mean().item() for s, t in zip(scores, targets.T, strict=True)]


class Batches(IterableDataset):
    """The batches of one phase, a pure function of family, phase and step."""

    def __init__(self, family, phase: str, processor, steps: int):
        self.family, self.phase, self.processor, self.steps = family, phase, processor, steps

    def __iter__(self) -> Iterator[dict]:
        if get_worker_info():
            torch.set_num_threads(1)  # the model needs the cores
        tasks = self.family.PHASES[self.phase][3]
        for step in range(self.steps):
            rng = stable_rng("batch", self.phase, step)
            task = str(rng.choice(list(tasks), p=[share for share, _ in tasks.values()]))
            indices = rng.integers(2**40, size=tasks[task][1])
            yield {"task": task, **(self._signs(indices) if task == "signs" else self._lessons(task, indices))}

    def _signs(self, indices: np.ndarray) -> dict:
        rng = stable_rng("signs", int(indices[0]))
        times = rng.uniform(0.3, 1, len(indices))
        drawn = [{name: str(rng.choice(values)) for name, values in SIGNS.items()} for _ in indices]
        scenarios = [
            replace(scenario(self.family.POOL, int(i)), **signs) for i, signs in zip(indices, drawn, strict=True)
        ]
        targets = [[values.index(getattr(s, name)) for name, values in SIGNS.items()] for s in scenarios]
        images = [Stage(s).frame(t) for s, t in zip(scenarios, times, strict=True)]
        return {"seen": self.family.pixels(self.processor, images), "targets": torch.tensor(targets)}

    def _lessons(self, task: str, indices: np.ndarray) -> dict:
        lessons = [TASKS[task](self.family.POOL, int(i)) for i in indices]
        tok = self.processor.tokenizer
        rows, labels = [], []
        for lesson in lessons:
            asked = tok(self.family.turn(lesson.prompt, len(lesson.images))).input_ids
            answered = tok(lesson.answer + self.family.END).input_ids
            rows.append(asked + answered)
            labels.append([-100] * len(asked) + answered)
        width = max(map(len, rows))
        pad = tok.pad_token_id
        images = [image for lesson in lessons for image in lesson.images]
        return {
            "seen": self.family.pixels(self.processor, images) if images else {},
            "input_ids": torch.tensor([row + [pad] * (width - len(row)) for row in rows]),
            "attention_mask": torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows]),
            "labels": torch.tensor([row + [-100] * (width - len(row)) for row in labels]),
        }


def train(
    name: str, out: Path, scale: float = 1.0, workers: int = 1, seed: int = 0, start_at: str = "see"
) -> list[dict]:
    """Run the phases of family `name` and save weights, processor and log below `out` after each.

    `scale` shortens all phases, for a trial; `start_at` goes on from the weights that an earlier phase left in `out`.
    Returns the training log.
    """
    torch.manual_seed(seed)
    family, log = FAMILIES[name], out / "training_log.jsonl"
    if start_at == "see":
        processor = family.processor()
        model, history = family.model(processor), []
    else:
        processor = AutoProcessor.from_pretrained(out)
        model = family.CLASS.from_pretrained(out, dtype=torch.float32)
        history = read_rows(log)
    signs = Signs(family.WIDTH, family.PATCHES)
    image = processor.tokenizer.convert_tokens_to_ids(family.IMAGE)
    vision = [*family.tower(model).parameters()]
    known = {id(p) for p in vision}
    rest = [p for p in model.parameters() if id(p) not in known]
    started = time.monotonic() - 60 * (history[-1]["minutes"] if history else 0)
    names = list(family.PHASES)
    for phase in names[names.index(start_at) :]:
        steps, vision_lr, language_lr, _ = family.PHASES[phase]
        steps = max(2, int(steps * scale))
        groups = [{"params": vision, "lr": vision_lr}]
        groups.append(
            {"params": rest, "lr": language_lr} if language_lr else {"params": signs.parameters(), "lr": vision_lr}
        )
        optimiser = torch.optim.AdamW(groups, weight_decay=0.05, betas=(0.9, 0.98))
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, [g["lr"] for g in groups], total_steps=steps + 1, pct_start=0.1
        )
        loader = DataLoader(Batches(family, phase, processor, steps), batch_size=None, num_workers=workers)
        bar = tqdm(loader, total=steps, desc=phase, mininterval=10)
        smooth: dict[str, float] = {}
        for step, batch in enumerate(bar):
            task, seen = batch.pop("task"), batch.pop("seen")
            extra = {}
            if task == "signs":
                loss, right = signs(family.patches(model, seen), batch["targets"])
                extra = dict(zip(SIGNS, right, strict=True))
            else:
                kinds = {"mm_token_type_ids": (batch["input_ids"] == image).int()} if "image_grid_thw" in seen else {}
                loss = model(**seen, **batch, **kinds, use_cache=False).loss
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_([p for g in optimiser.param_groups for p in g["params"]], 1.0)
            optimiser.step()
            schedule.step()
            for key, value in {task: loss.item(), **extra}.items():
                smooth[key] = 0.98 * smooth.get(key, value) + 0.02 * value
            if step % 50 == 49 or step == steps - 1:
                minutes = (time.monotonic() - started) / 60
                history.append({"phase": phase, "step": step + 1, "minutes": round(minutes, 1),
                                **{k: round(v, 4) for k, v in smooth.items()}})  # fmt: skip
                bar.write(json.dumps(history[-1]))
        save(model, processor, out)
        write_rows(log, history)
    return history


def save(model, processor, out: Path) -> None:
    """Write fp16 weights and the processor in transformers' format."""
    out.mkdir(parents=True, exist_ok=True)
    processor.save_pretrained(out)
    deepcopy(model).half().save_pretrained(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", choices=FAMILIES, help="which model")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint")
    parser.add_argument("--scale", type=float, default=1.0, help="shorten every phase, e.g. 0.01 for a trial")
    parser.add_argument("--start-at", default="see", help="phase: go on from the weights in --out")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.start_at not in FAMILIES[args.family].PHASES:
        parser.error(f"--start-at: {args.family} has the phases {', '.join(FAMILIES[args.family].PHASES)}")
    print(json.dumps(train(args.family, args.out, args.scale, seed=args.seed, start_at=args.start_at)[-1]))


if __name__ == "__main__":
    main()
