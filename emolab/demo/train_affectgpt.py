"""Train the small AffectGPT that emolab ships, from scratch, on drawn clips only, and save its two parts.

    python -m emolab.demo.train_affectgpt --out emolab/demo/checkpoints

The shipped vision tower and HuBERT stay frozen: what they make of the clips is computed once (`--bank` keeps it).
Then the Q-Formers learn to tell faces, postures, places and voices apart, as BLIP-2's do before they meet a language
model; then Llama and Q-Formers learn together to tell of a clip; last, half of Llama's layers go and the rest learns to
do without them, so that SFT, every step of which crosses it, takes minutes. Writes llama/ and affectgpt/ below `--out`.
Seeded; an hour on two CPU cores.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm
from transformers import AutoImageProcessor, AutoModelForCausalLM, LlamaForCausalLM

from emolab.affectgpt.modeling import AffectGPT
from emolab.affectgpt.parts import IMAGE_QFORMER, folder_of, read_trained, save_trained, trained_tensors
from emolab.affectgpt.processing import AffectGPTProcessor, sound_processor
from emolab.affectgpt.samples import Collator, Given
from emolab.affectgpt.settings import MODALITIES
from emolab.demo import affectgpt_model
from emolab.demo.affectgpt_lessons import tell
from emolab.demo.draw import Stage
from emolab.demo.emotions import FACES, POSTURES, SCENES, VOICES
from emolab.demo.scenario import scenario, stable_rng
from emolab.demo.voice import RATE, speak
from emolab.engine.rows import read_rows, write_rows

FRAMES, PIECES, SECONDS = 8, 8, 2
CLIPS = 4000
SIGNS = {"face": FACES, "posture": POSTURES, "scene": SCENES, "voice": VOICES}
# phase: (steps, clips a step, learning rate)
PHASES = {"align": (900, 32, 1e-3), "tell": (3000, 32, 1.2e-3), "prune": (1100, 32, 8e-4)}
KEPT = (0, 3)  # layers of Llama that stay in the last phase: every step of SFT crosses them
WHOLE = 0.45  # share of lessons in which nothing is missing


class Drawn(Dataset):
    """Clips of a pool as the encoders take them: pixel values and pieces of sound."""

    def __init__(self, count: int, pool: str = affectgpt_model.POOL) -> None:
        settings = affectgpt_model.parts()
        self._count, self._pool = count, pool
        self._image = AutoImageProcessor.from_pretrained(folder_of(settings.vision, "vision"))
        self._sound = sound_processor(folder_of(settings.audio, "audio"))

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        s = scenario(self._pool, index)
        stage = Stage(s)
        frames = [stage.frame(number / FRAMES) for number in range(FRAMES)]
        voice, size = speak(s), SECONDS * RATE
        starts = [number * (len(voice) - size) // (PIECES - 1) for number in range(PIECES)]
        pieces = [voice[start : start + size] for start in starts]
        pixels = self._image(images=frames, return_tensors="pt").pixel_values
        return pixels, self._sound(pieces, sampling_rate=RATE, return_tensors="pt").input_values


def make_bank(count: int, workers: int) -> dict[str, torch.Tensor]:
    """What the frozen encoders make of the first `count` clips: video [count, 8, 65, 192] and audio [count, 8, width],
    float16."""
    encoders = affectgpt_model.shipped_encoders()
    video, audio = [], []
    loader = DataLoader(Drawn(count), batch_size=8, num_workers=workers)
    for pixels, sound in tqdm(loader, desc="encoding drawn clips", mininterval=10):
        video.append(encoders.encode_video(pixels).half())
        audio.append(encoders.encode_audio(sound).half())
    return {"video": torch.cat(video), "audio": torch.cat(audio)}


class Signs(nn.Module):
    """The heads of the first phase, dropped afterwards: which signs a clip shows, read off all pieces."""

    def __init__(self, width: int, video: int, audio: int) -> None:
        super().__init__()
        self.narrow = nn.ModuleDict(
            {
                name: nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 16), nn.Flatten())
                for name in ("video", "audio")
            }
        )
        places = {name: 16 * (audio if name == "voice" else video) for name in SIGNS}
        self.heads = nn.ModuleDict({name: nn.Linear(places[name], len(values)) for name, values in SIGNS.items()})

    def forward(self, video: torch.Tensor, audio: torch.Tensor, targets: torch.Tensor):
        """Pieces [n, queries, width] of both branches, targets [n, 4] -> loss, accuracy per sign."""
        seen, heard = self.narrow["video"](video), self.narrow["audio"](audio)
        scores = [head(heard if name == "voice" else seen) for name, head in self.heads.items()]
        loss = sum(nn.functional.cross_entropy(s, t) for s, t in zip(scores, targets.T, strict=True))
        right = [(s.argmax(1) == t).float().mean().item() for s, t in zip(scores, targets.T, strict=True)]
        return loss, dict(zip(SIGNS, right, strict=True))


def frame_pieces(model: AffectGPT, patches: torch.Tensor) -> torch.Tensor:
    """The image Q-Former over patches [n, frames, tokens, width]; it learns here, later it is frozen."""
    flat = patches.float().flatten(0, 1)
    queries = model.encoders.image_query_tokens.expand(len(flat), -1, -1)
    seen = model.encoders.image_qformer(query_embeds=queries, encoder_hidden_states=flat).last_hidden_state
    return seen.unflatten(0, patches.shape[:2])


def lesson(index: int, round_: int) -> tuple[list[str], str, str]:
    """(modalities given, transcript, answer) of a clip, other in every round."""
    s, rng = scenario(affectgpt_model.POOL, index), stable_rng("tell", index, round_)
    given = list(MODALITIES)
    if rng.random() > WHOLE:
        given = [m for m in MODALITIES if rng.random() < 0.5] or [str(rng.choice(MODALITIES))]
    return given, s.transcript, tell(s, rng, given)


def train(
    out: Path,
    count: int = CLIPS,
    scale: float = 1.0,
    workers: int = 2,
    seed: int = 0,
    bank: Path | None = None,
    start_at: str = "align",
) -> list[dict]:
    """Run the phases and save after each; returns the training log. `start_at` goes on from what an earlier phase left
    in `out`."""
    torch.manual_seed(seed)
    settings = affectgpt_model.parts()
    if bank and bank.is_file():
        features = load_file(bank)
    else:
        features = make_bank(count, workers)
        if bank:
            save_file(features, bank)
    image = AutoImageProcessor.from_pretrained(folder_of(settings.vision, "vision"))
    asked = AffectGPTProcessor(image, sound_processor(folder_of(settings.audio, "audio")), affectgpt_model.tokenizer())
    model = affectgpt_model.model(affectgpt_model.shipped_encoders(), asked)
    signs = Signs(affectgpt_model.WIDTH, model.config.video_queries, model.config.audio_queries)
    collator = Collator(asked, model.config)
    scenarios = [scenario(affectgpt_model.POOL, i) for i in range(len(features["video"]))]
    targets = torch.tensor([[v.index(getattr(s, n)) for n, v in SIGNS.items()] for s in scenarios])
    model.train()
    history = resume(model, out) if start_at != "align" else []
    smooth, started = {}, time.monotonic() - 60 * (history[-1]["minutes"] if history else 0)
    names = list(PHASES)
    for phase in names[names.index(start_at) :]:
        steps, size, rate = PHASES[phase]
        steps = max(2, int(steps * scale))
        if phase == "prune":
            prune(model.language_model)
        learns = [w for n, w in model.named_parameters() if not n.startswith(("encoders.vision.", "encoders.audio."))]
        weights = learns + (list(signs.parameters()) if phase == "align" else [])
        optimiser = torch.optim.AdamW(weights, lr=rate, weight_decay=0.05, betas=(0.9, 0.98))
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps + 1, pct_start=0.1)
        bar = tqdm(range(steps), desc=phase, mininterval=10)
        for step in bar:
            rng = stable_rng("batch", phase, seed, step)
            chosen = rng.choice(len(scenarios), size=min(size, len(scenarios)), replace=False)
            video, audio = features["video"][chosen], features["audio"][chosen].float()
            if phase == "align":
                seen = model.video_qformer(frame_pieces(model, video))
                loss, told = signs(seen, model.audio_qformer(audio[:, :, None]), targets[chosen])
            else:
                loss, told = tell_loss(model, collator, chosen, video, audio, step), {}
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(weights, 1.0)
            optimiser.step()
            schedule.step()
            for key, value in {phase: loss.item(), **told}.items():
                smooth[key] = 0.97 * smooth.get(key, value) + 0.03 * value
            if step % 50 == 49 or step == steps - 1:
                minutes = round((time.monotonic() - started) / 60, 1)
                rounded = {key: round(value, 4) for key, value in smooth.items()}
                history.append({"phase": phase, "step": step + 1, "minutes": minutes, **rounded})
                bar.write(json.dumps(history[-1]))
        smooth = {}
        save(model, asked, out)
        write_rows(out / "affectgpt" / "training_log.jsonl", history)
    return history


def resume(model: AffectGPT, out: Path) -> list[dict]:
    """Take the weights that an earlier phase saved; returns its log."""
    language = AutoModelForCausalLM.from_pretrained(out / "llama", dtype=torch.float32)
    model.language_model.load_state_dict(language.state_dict())
    model.load_state_dict(read_trained(out / "affectgpt"), strict=False)
    return read_rows(out / "affectgpt" / "training_log.jsonl")


def prune(language: LlamaForCausalLM) -> None:
    """Drop all layers but KEPT; the phase that follows heals the cut."""
    kept = [language.model.layers[number] for number in KEPT]
    for number, layer in enumerate(kept):
        layer.self_attn.layer_idx = number
    language.model.layers = nn.ModuleList(kept)
    language.config.num_hidden_layers = len(kept)


def tell_loss(model: AffectGPT, collator: Collator, chosen: np.ndarray, video, audio, step: int) -> torch.Tensor:
    """Loss of one batch of lessons."""
    lessons = [lesson(int(index), step) for index in chosen]
    seen = iter(frame_pieces(model, video[["video" in given for given, *_ in lessons]]))
    given = []
    for number, (modalities, transcript, _) in enumerate(lessons):
        picture = next(seen) if "video" in modalities else None
        sound = audio[number] if "audio" in modalities else None
        given.append(Given(picture, sound, transcript if "text" in modalities else ""))
    return model(**collator.batch(given, [answer for *_, answer in lessons]))["loss"]


def save(model: AffectGPT, asked: AffectGPTProcessor, out: Path) -> None:
    """llama/ (a plain causal language model with its tokenizer) and affectgpt/ (trained parts), both float16."""
    language = type(model.language_model)(model.language_model.config)
    language.load_state_dict(model.language_model.state_dict())
    language.half().save_pretrained(out / "llama")
    asked.tokenizer.save_pretrained(out / "llama")
    state = model.state_dict()
    tensors = trained_tensors(model) | {n: w for n, w in state.items() if n.startswith(IMAGE_QFORMER)}
    save_trained(out / "affectgpt", {name: weight.half() for name, weight in tensors.items()}, model.config)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for llama/ and affectgpt/")
    parser.add_argument("--bank", type=Path, help="file that keeps the encoded clips, about 0.8 GB")
    parser.add_argument("--clips", type=int, default=CLIPS, help="drawn clips to learn from")
    parser.add_argument("--scale", type=float, default=1.0, help="shorten all phases, e.g. 0.01 for a trial")
    parser.add_argument("--start-at", choices=PHASES, default="align", help="go on from the weights in --out")
    parser.add_argument("--workers", type=int, default=2, help="processes that draw")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print(json.dumps(train(args.out, args.clips, args.scale, args.workers, args.seed, args.bank, args.start_at)[-1]))


if __name__ == "__main__":
    main()
