"""Train the small writer that emolab ships, from scratch, on the words of drawn clips.

    python -m emolab.demo.train_writer --out emolab/demo/checkpoints/writer

Question and answer as in the pipeline; the loss counts the answer alone. Seeded; a few minutes on two CPU cores.
"""

from __future__ import annotations

import json
import time
from copy import deepcopy
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm
from transformers import Qwen2ForCausalLM, Qwen2Tokenizer

from emolab.demo.checkpoint import command, write_checkpoint
from emolab.demo.emotions import EMOTIONS
from emolab.demo.scenario import Scenario, scenario, stable_rng
from emolab.demo.writer_model import END, POOL, answer, model, tokenizer, turn
from emolab.discriminative.prompts import what_words_suggest

STEPS, BATCH, HELD_OUT = 900, 24, 500  # at scale 1
PEAK_RATE = 2e-3
HELD_OUT_POOL = "held-out-writer"  # other clips; the lines that people say are the same


def train(out: Path, scale: float = 1.0, seed: int = 0) -> dict:
    """Train, write weights, tokenizer and training_log.jsonl into `out`; returns the held-out scores."""
    steps = max(2, int(STEPS * scale))
    torch.manual_seed(seed)
    asked = tokenizer()
    built, history, started, smooth = model(asked), [], time.monotonic(), None
    optimiser = torch.optim.AdamW(built.parameters(), weight_decay=0.05, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, total_steps=steps + 1, pct_start=0.1)
    bar = tqdm(range(steps), desc="training", mininterval=10)
    for step in bar:
        indices = stable_rng("writer", seed, step).integers(2**40, size=BATCH)
        loss = built(**batch(asked, [scenario(POOL, int(index)) for index in indices])).loss
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(built.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        smooth = loss.item() if smooth is None else 0.95 * smooth + 0.05 * loss.item()
        if step % 50 == 49 or step == steps - 1:
            minutes = round((time.monotonic() - started) / 60, 1)
            history.append({"step": step + 1, "minutes": minutes, "loss": round(smooth, 4)})
            bar.write(json.dumps(history[-1]))
    half = deepcopy(built).half()
    history.append(measure(half.float(), asked, max(8, int(HELD_OUT * scale))))
    write_checkpoint(out, history, half.half(), asked)
    return history[-1]


def batch(asked: Qwen2Tokenizer, scenarios: list[Scenario]) -> dict[str, torch.Tensor]:
    """Questions with answers, padded at the right; labels on the answers alone."""
    rows, labels = [], []
    for s in scenarios:
        question = asked(turn(what_words_suggest(s.transcript))).input_ids
        said = asked(answer(s, stable_rng("writer", s.clip_id)) + END).input_ids
        rows.append(question + said)
        labels.append([-100] * len(question) + said)
    width = max(map(len, rows))

    def padded(lists: list[list[int]], value: int) -> torch.Tensor:
        return torch.tensor([row + [value] * (width - len(row)) for row in lists])

    mask = padded([[1] * len(row) for row in rows], 0)
    return {
        "input_ids": padded(rows, asked.pad_token_id), "attention_mask": mask, "labels": padded(labels, -100),
        "use_cache": False,
    }  # fmt: skip


@torch.no_grad()
def measure(built: Qwen2ForCausalLM, asked: Qwen2Tokenizer, count: int) -> dict:
    """How often the emotion of the words is named, and none where the words are small talk."""
    built.eval()
    right = []
    for index in range(count):
        s = scenario(HELD_OUT_POOL, index)
        given = asked(turn(what_words_suggest(s.transcript)), return_tensors="pt")
        said = built.generate(**given, max_new_tokens=48, do_sample=False)[0, given.input_ids.shape[1] :]
        text = asked.decode(said, skip_special_tokens=True)
        family = s.shown_by["words"]
        named = {name for name, emotion in EMOTIONS.items() if any(f" {w}" in text for w in emotion.words)}
        right.append(named == ({family} if family else set()))
    return {"held_out": count, "emotion_of_the_words": round(sum(right) / count, 4)}


if __name__ == "__main__":
    command(__doc__, train)
