"""Train the small HuBERT that emolab ships, from scratch, on drawn voices only.

    python -m emolab.demo.train_hubert --out emolab/demo/checkpoints/hubert

Two-second pieces of drawn voices go through the model; heads on its features name the voice and the speaker's gender
and measure pitch, tempo and loudness. The heads are dropped; what is left answers to AutoModel. Seeded.
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
from transformers import HubertModel

from emolab.demo.checkpoint import command, write_checkpoint
from emolab.demo.emotions import VOICES
from emolab.demo.hubert_model import POOL, SAMPLES, WIDTH, extractor, model, pooled
from emolab.demo.scenario import scenario, stable_rng
from emolab.demo.voice import PROSODIES, RATE, speak

STEPS, BATCH, CLIPS, HELD_OUT = 1200, 16, 2800, 1000  # at scale 1
PEAK_RATE = 1e-3
HELD_OUT_POOL = "held-out-hubert"  # other clips and other speakers
MEASURES = ("pitch", "tempo", "loudness")


@dataclass(frozen=True)
class Voice:
    """A drawn voice and what is true of it: [samples] float16 (2 to 2.8 s), VOICES index, woman or not, log pitch and
    syllables a second (both near 0, about -1..1)."""

    sound: np.ndarray
    sign: int
    woman: float
    pitch: float
    tempo: float


def voice(pool: str, index: int) -> Voice:
    """Clip `index` of a pool, with every sign of the voice equally common."""
    drawn = scenario(pool, index)
    drawn = replace(drawn, voice=VOICES[index % len(VOICES)])
    prosody = PROSODIES[drawn.voice]
    return Voice(
        sound=speak(drawn).astype(np.float16),
        sign=index % len(VOICES),
        woman=float(drawn.person.gender == "woman"),
        pitch=float(np.log2(drawn.person.pitch * prosody.pitch / 160)),
        tempo=prosody.tempo - 4,
    )


def voices(jobs: list[tuple[str, int]], workers: int) -> list[Voice]:
    """The voices of (pool, index) pairs, in order, drawn in processes (0: in this one)."""
    if not workers:
        return [voice(*job) for job in jobs]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as processes:
        drawn = processes.map(voice, *zip(*jobs, strict=True), chunksize=32)
        return list(tqdm(drawn, total=len(jobs), desc="drawing voices", mininterval=10))


def cut(sound: np.ndarray, rng: np.random.Generator, seconds: float = 2.0) -> np.ndarray:
    """A stretch of at most 2 s from a random place of a sound; silence fills it to [SAMPLES] float32."""
    length = int(seconds * RATE)
    start = rng.integers(len(sound) - length + 1)
    piece = np.zeros(SAMPLES, np.float32)
    piece[:length] = sound[start : start + length]
    return piece


def noisy(piece: np.ndarray, decibels: float, rng: np.random.Generator) -> np.ndarray:
    """The piece in white noise, `decibels` below the piece."""
    scale = np.sqrt(np.mean(piece**2)) * 10 ** (-decibels / 20)
    return piece + rng.normal(0, scale, SAMPLES).astype(np.float32)


def lesson(heard: Voice, rng: np.random.Generator) -> tuple[np.ndarray, list[float]]:
    """A piece as training gives it (three in ten short, half in noise of 0 to 40 dB) and what its heads should say."""
    piece = cut(heard.sound, rng, rng.uniform(0.8, 2) if rng.random() < 0.3 else 2.0)
    sounding = piece[piece != 0]
    loudness = float(np.log10(np.mean(sounding**2)) + 2)
    if rng.random() < 0.5:
        piece = noisy(piece, rng.uniform(0, 40), rng)
    return piece, [heard.woman, heard.pitch, heard.tempo, loudness]


class Heads(nn.Module):
    """What the features must tell while they are learnt; dropped afterwards."""

    def __init__(self):
        super().__init__()
        self.sign = nn.Linear(WIDTH, len(VOICES))
        self.rest = nn.Linear(WIDTH, 1 + len(MEASURES))  # woman, then MEASURES

    def forward(self, features: torch.Tensor, signs: torch.Tensor, truth: torch.Tensor):
        """features [batch, WIDTH], signs [batch], truth [batch, 4] -> loss, its parts by name."""
        rest = self.rest(features)
        parts = {
            "voice": nn.functional.cross_entropy(self.sign(features), signs),
            "gender": nn.functional.binary_cross_entropy_with_logits(rest[:, 0], truth[:, 0]),
        }
        for column, name in enumerate(MEASURES, 1):
            parts[name] = nn.functional.mse_loss(rest[:, column], truth[:, column])
        return sum(parts.values()), parts


def train(out: Path, scale: float = 1.0, workers: int = 2, seed: int = 0) -> dict:
    """Train, write weights, feature extractor and training_log.jsonl into `out`, and return the held-out scores.

    `scale` shortens everything, for a trial. The same seed on the same machine gives the same weights.
    """
    steps = max(2, int(STEPS * scale))
    clips, held_out = (max(2 * len(VOICES), int(count * scale)) for count in (CLIPS, HELD_OUT))
    torch.manual_seed(seed)
    built, heads, history = model(), Heads(), []
    started = time.monotonic()
    jobs = [(POOL, index) for index in range(clips)] + [(HELD_OUT_POOL, index) for index in range(held_out)]
    bank = voices(jobs, workers)
    bank, unheard = bank[:clips], bank[clips:]
    parameters = [*built.parameters(), *heads.parameters()]
    optimiser = torch.optim.AdamW(parameters, weight_decay=0.01, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, total_steps=steps + 1, pct_start=0.15)
    built.train()
    smooth: dict[str, float] = {}
    bar = tqdm(range(steps), desc="training", mininterval=10)
    for step in bar:
        rng = stable_rng("hubert", seed, step)
        heard = [bank[index] for index in rng.integers(clips, size=BATCH)]
        pieces, truth = zip(*(lesson(each, rng) for each in heard), strict=True)
        signs = torch.tensor([each.sign for each in heard])
        loss, parts = heads(pooled(built, torch.from_numpy(np.stack(pieces))), signs, torch.tensor(truth))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        for name, part in parts.items():
            smooth[name] = 0.95 * smooth.get(name, part.item()) + 0.05 * part.item()
        if step % 50 == 49 or step == steps - 1:
            minutes = round((time.monotonic() - started) / 60, 1)
            history.append({"step": step + 1, "minutes": minutes, **{k: round(v, 4) for k, v in smooth.items()}})
            bar.write(json.dumps(history[-1]))
    half = deepcopy(built).half()
    history.append(measure(half.float(), heads, unheard))
    write_checkpoint(out, history, half.half(), extractor())
    return history[-1]


@torch.no_grad()
def measure(built: HubertModel, heads: Heads, unheard: list[Voice]) -> dict:
    """How well the heads do on one piece each of other voices: accuracy of the voice in 2 s, in white noise of 10 dB,
    in 1 s before silence; by voice; of the gender; mean absolute error of pitch (octaves) and tempo (syllables/s)."""
    built.eval()

    def answers(change) -> tuple[torch.Tensor, torch.Tensor]:
        rng = stable_rng("hubert", "held out")
        pieces = [torch.from_numpy(change(each.sound, rng)) for each in unheard]
        features = torch.cat([pooled(built, torch.stack(pieces[i : i + 16])) for i in range(0, len(pieces), 16)])
        return heads.sign(features).argmax(1), heads.rest(features)

    signs = torch.tensor([each.sign for each in unheard])
    said, rest = answers(cut)
    right = (said == signs).float()
    in_noise = answers(lambda sound, rng: noisy(cut(sound, rng), 10, rng))[0] == signs
    short = answers(lambda sound, rng: cut(sound, rng, 1.0))[0] == signs

    def error(column: int, truth: list[float]) -> float:
        return round((rest[:, column] - torch.tensor(truth)).abs().mean().item(), 3)

    return {
        "held_out": len(unheard),
        "voice": round(right.mean().item(), 4),
        "voice_noise_10dB": round(in_noise.float().mean().item(), 4),
        "voice_1s": round(short.float().mean().item(), 4),
        "by_voice": {name: round(right[signs == i].mean().item(), 3) for i, name in enumerate(VOICES)},
        "gender": round(
            ((rest[:, 0] > 0).float() == torch.tensor([e.woman for e in unheard])).float().mean().item(), 4
        ),
        "pitch_error": error(1, [each.pitch for each in unheard]),
        "tempo_error": error(2, [each.tempo for each in unheard]),
    }


if __name__ == "__main__":
    command(__doc__, train)
