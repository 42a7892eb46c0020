"""Train the small CLIP that emolab ships, from scratch, on drawn frames with captions of the web's kind.

    python -m emolab.demo.train_clip --out emolab/demo/checkpoints/clip

First the vision tower learns to tell faces, postures and places apart (heads on its patches, dropped afterwards), then
both towers learn by CLIP's contrastive loss. Seeded.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm
from transformers import CLIPModel, CLIPTokenizer

from emolab.demo.checkpoint import command, write_checkpoint
from emolab.demo.clip_model import PATCHES, POOL, WIDTH, caption, image_processor, model, patches, tokenizer
from emolab.demo.draw import Stage
from emolab.demo.scenario import Scenario, scenario, stable_rng
from emolab.demo.train import SIGNS, Signs

BATCH, FRAMES, HELD_OUT = 64, 24_000, 1000  # at scale 1
PHASES = {"see": (1600, 8e-4), "contrast": (2600, 5e-4)}  # steps, peak learning rate
HELD_OUT_POOL = "held-out-clip"  # other clips and other speakers


@dataclass(frozen=True)
class Picture:
    """A frame as the model is given it, uint8 [3, side, side], and what it shows."""

    pixels: np.ndarray
    scenario: Scenario

    @property
    def signs(self) -> list[int]:
        return [values.index(getattr(self.scenario, name)) for name, values in SIGNS.items()]


def picture(pool: str, index: int) -> Picture:
    """A frame of clip `index` of a pool; in every second one all signs are equally common and go with no emotion."""
    rng, drawn = stable_rng("clip", pool, index), scenario(pool, index)
    if index % 2:
        signs = {name: str(rng.choice(values)) for name, values in SIGNS.items()}
        drawn = replace(drawn, shown_by=dict.fromkeys(drawn.shown_by), **signs)
    frame = Stage(drawn).frame(rng.uniform(0.3, 1))
    cut = image_processor()(frame, do_rescale=False, do_normalize=False, return_tensors="np")["pixel_values"][0]
    return Picture(cut.astype(np.uint8), drawn)


def pictures(jobs: list[tuple[str, int]], workers: int) -> list[Picture]:
    """The pictures of (pool, index) pairs, in order, drawn in processes (0: in this one)."""
    if not workers:
        return [picture(*job) for job in jobs]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as processes:
        drawn = processes.map(picture, *zip(*jobs, strict=True), chunksize=64)
        return list(tqdm(drawn, total=len(jobs), desc="drawing", mininterval=10))


def pixel_values(seen: list[Picture]) -> torch.Tensor:
    """What CLIP takes of pictures, normalised as its image processor does."""
    asked = image_processor()
    mean, sd = (torch.tensor(each)[:, None, None] for each in (asked.image_mean, asked.image_std))
    return (torch.from_numpy(np.stack([each.pixels for each in seen])) / 255 - mean) / sd


def train(out: Path, scale: float = 1.0, workers: int = 2, seed: int = 0) -> dict:
    """Train, write weights, tokenizer, image processor and training_log.jsonl into `out`; returns held-out scores.

    `scale` shortens everything, for a trial. The same seed on the same machine gives the same weights.
    """
    frames, held_out = (max(2 * BATCH, int(count * scale)) for count in (FRAMES, HELD_OUT))
    jobs = [(POOL, index) for index in range(frames)] + [(HELD_OUT_POOL, index) for index in range(held_out)]
    bank = pictures(jobs, workers)
    bank, unseen = bank[:frames], bank[frames:]
    torch.manual_seed(seed)
    asked = tokenizer()
    built, signs, history = model(asked), Signs(WIDTH, PATCHES), []
    started, smooth = time.monotonic(), {}
    parameters = [*built.parameters(), *signs.parameters()]
    for phase, (count, rate) in PHASES.items():
        steps = max(2, int(count * scale))
        optimiser = torch.optim.AdamW(parameters, weight_decay=0.05, betas=(0.9, 0.98))
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps + 1, pct_start=0.1)
        bar = tqdm(range(steps), desc=phase, mininterval=10)
        for step in bar:
            rng = stable_rng("clip", phase, seed, step)
            batch = [bank[index] for index in rng.integers(frames, size=BATCH)]
            loss, told = lesson(built, signs, asked, batch, rng, contrast=phase == "contrast")
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            schedule.step()
            smooth = {name: 0.95 * smooth.get(name, value) + 0.05 * value for name, value in told.items()}
            if step % 50 == 49 or step == steps - 1:
                minutes = round((time.monotonic() - started) / 60, 1)
                rounded = {name: round(value, 4) for name, value in smooth.items()}
                history.append({"phase": phase, "step": step + 1, "minutes": minutes, **rounded})
                bar.write(json.dumps(history[-1]))
    half = deepcopy(built).half()
    history.append(measure(half.float(), signs, asked, unseen))
    write_checkpoint(out, history, half.half(), asked, image_processor())
    return history[-1]


def lesson(
    built: CLIPModel, signs: Signs, asked: CLIPTokenizer, batch: list[Picture], rng: np.random.Generator, contrast: bool
) -> tuple[torch.Tensor, dict[str, float]]:
    """The loss of one batch, and what to log. In the contrastive phase the heads still count a little, so that the
    patches keep what captions seldom tell."""
    seen, truth = pixel_values(batch), torch.tensor([each.signs for each in batch])
    if not contrast:
        loss, right = signs(patches(built, seen), truth)
        return loss, {"loss": loss.item(), **dict(zip(SIGNS, right, strict=True))}
    told = asked([caption(each.scenario, rng) for each in batch], padding=True, return_tensors="pt")
    found = built(pixel_values=seen, **told, return_loss=True)
    heads, right = signs(found.vision_model_output.last_hidden_state[:, 1:], truth)
    named = (found.logits_per_image.argmax(1) == torch.arange(len(batch))).float().mean().item()
    return found.loss + 0.2 * heads, {
        "loss": found.loss.item(),
        "captions": named,
        **dict(zip(SIGNS, right, strict=True)),
    }


@torch.no_grad()
def measure(built: CLIPModel, signs: Signs, asked: CLIPTokenizer, unseen: list[Picture]) -> dict:
    """Of strangers: accuracy of the dropped heads, and how often a picture finds its own caption among 64."""
    built.eval()
    rng, right, found = stable_rng("clip", "held out"), [], []
    for start in range(0, len(unseen) - BATCH + 1, BATCH):
        _, told = lesson(built, signs, asked, unseen[start : start + BATCH], rng, contrast=True)
        right.append([told[name] for name in SIGNS])
        found.append(told["captions"])
    scores = dict(zip(SIGNS, np.mean(right, axis=0).round(4).tolist(), strict=True))
    return {"held_out": BATCH * len(found), "captions_of_64": round(float(np.mean(found)), 4), **scores}


if __name__ == "__main__":
    command(__doc__, train)
