"""Measure the small AffectGPT on drawn clips that nobody else sees, and write the cards of llama/ and affectgpt/.

    python -m emolab.demo.card_affectgpt --checkpoints emolab/demo/checkpoints

Signs: share of descriptions that name the drawn face, posture, place, voice and what the words speak of; labels: those
of the description by the lexicon, against the drawn emotions, MER2024's Avg.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from emolab.affectgpt.describe import Describer
from emolab.affectgpt.parts import load_encoders, load_model, read_trained
from emolab.affectgpt.samples import Given
from emolab.affectgpt.settings import AffectSettings
from emolab.affectgpt.table3 import SUBSETS
from emolab.demo.scenario import Scenario, scenario
from emolab.demo.texts import FACE, POSTURE, SCENE, VOICE, WORDS
from emolab.demo.train_affectgpt import CLIPS as TRAINED_ON
from emolab.demo.train_affectgpt import Drawn
from emolab.engine.rows import read_rows
from emolab.labels.extract import extract_labels
from emolab.scoring.evaluate import mer2024_metric

POOL, CLIPS = "card", 200  # disjoint in clips and speakers from what was trained on and from the corpus
NEEDS = {"face": "video", "posture": "video", "scene": "video", "voice": "audio", "words": "text"}
LLAMA = """\
# A small Llama for drawn clips

{llama:.2f} M parameters, float16, {vocabulary} byte-level tokens that may span words. It was trained together with the
Q-Formers of `../affectgpt` and is of use only there. Rebuild: see that card.
"""
CARD = """\
# The trained parts of a small AffectGPT for drawn clips

Image, Video and Audio Q-Former with queries, positions and projections ({qformers:.2f} M parameters, float16, emolab's
format of trained parts) between the frozen vision tower of `../internvl`, the frozen `../hubert` and the Llama in
`../llama`. They understand what emolab draws and nothing else: what they say about videos of people means nothing.

- **Data**: {clips} drawn clips of a pool that shares no clip and no speaker with the drawn corpus, told anew in every
  round (`emolab/demo/affectgpt_lessons.py`); in over half of the lessons modalities are missing, and the question says
  so. A generalist on purpose: it names a basic emotion for most finer ones and often one too many, which SFT on
  descriptions can mend. How much SFT adds is so by design, and says nothing about models of people.
- **Training**: from scratch, seed 0, {steps} steps ({phases}), {minutes:.0f} minutes on two shared CPU cores
  (`training_log.jsonl` holds the curve). In the first phase the Q-Formers learn to tell signs apart by heads that are
  dropped; then Q-Formers and Llama learn together; last, two of Llama's four layers were taken out and the rest healed.
  (These weights met the phase `tell` with a fault, mended since: Llama's attention saw the words to come. What it
  learnt there by peeking, the last phase had to learn anew.)
- **Rebuild**: `python -m emolab.demo.train_affectgpt --out emolab/demo/checkpoints`, then
  `python -m emolab.demo.card_affectgpt --checkpoints emolab/demo/checkpoints`
- **Score** on {n} other drawn clips, greedy: share of descriptions that name the sign as drawn, and Avg (MER2024's mean
  of accuracy and recall, synonyms by the lexicon) of the labels that the lexicon finds in them:

| given | face | posture | place | voice | words | Avg |
|---|---|---|---|---|---|---|
{table}
"""


def named(text: str, s: Scenario) -> dict[str, bool]:
    """Which signs of a clip a description names as they were drawn."""
    said = {
        "face": FACE[s.face],
        "posture": POSTURE[s.posture],
        "scene": (SCENE[s.scene],),
        "voice": tuple(f"voice is {word}." for word in VOICE[s.voice]),
        "words": (f"speak of {WORDS[s.shown_by['words']]}." if s.shown_by["words"] else "words say little.",),
    }
    return {sign: any(phrase in text for phrase in phrases) for sign, phrases in said.items()}


def measure(settings: AffectSettings, clips: int = CLIPS) -> list[dict]:
    """A row a set of modalities: given, n, the share of each sign that can be known from it, avg."""
    encoders, describer = load_encoders(settings), Describer(settings)
    scenarios = [scenario(POOL, index) for index in range(clips)]
    drawn = Drawn(clips, POOL)
    features = []
    for index in range(clips):
        pixels, sound = drawn[index]
        features.append((encoders.encode_video(pixels[None])[0], encoders.encode_audio(sound[None])[0]))
    truth = {s.clip_id: list(s.words) for s in scenarios}
    rows = []
    for subset in SUBSETS:
        given = [
            Given(video, audio, s.transcript).only(subset)
            for (video, audio), s in zip(features, scenarios, strict=True)
        ]
        texts = [text for start in range(0, clips, 50) for text in describer.describe(given[start : start + 50])]
        found = [named(text, s) for text, s in zip(texts, scenarios, strict=True)]
        shares = {sign: sum(each[sign] for each in found) / clips for sign, needs in NEEDS.items() if needs in subset}
        labels = {s.clip_id: extract_labels(text) for s, text in zip(scenarios, texts, strict=True)}
        avg = mer2024_metric("lexicon").score(truth, labels).values()["avg"]
        rows.append({"given": subset, "n": clips, **shares, "avg": avg, "example": texts[0]})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoints", type=Path, required=True, help="folder that holds llama/ and affectgpt/")
    parser.add_argument("--clips", type=int, default=CLIPS)
    args = parser.parse_args()
    language, trained = args.checkpoints / "llama", args.checkpoints / "affectgpt"
    settings = AffectSettings(
        language=str(language), qformers=str(trained), device="cpu", max_new_tokens=64, temperature=0.0
    )
    rows = measure(settings, args.clips)
    for row in rows:
        print(json.dumps(row))
    lines = []
    for row in rows:
        shares = " | ".join(f"{row[sign]:.2f}" if sign in row else "" for sign in NEEDS)
        lines.append(f"| {', '.join(row['given'])} | {shares} | {row['avg']:.3f} |")
    model = load_model(settings)
    log = read_rows(trained / "training_log.jsonl")
    phases = {row["phase"]: row["step"] for row in log}
    about = {
        "llama": sum(w.numel() for w in model.language_model.parameters()) / 1e6,
        "vocabulary": model.language_model.config.vocab_size,
        "qformers": sum(w.numel() for w in read_trained(trained).values()) / 1e6,
        "clips": TRAINED_ON,
        "steps": sum(phases.values()),
        "phases": ", ".join(f"{name} {count}" for name, count in phases.items()),
        "minutes": log[-1]["minutes"],
        "n": args.clips,
        "table": "\n".join(lines),
    }
    (trained / "README.md").write_text(CARD.format(**about), encoding="utf-8")
    (language / "README.md").write_text(LLAMA.format(**about), encoding="utf-8")


if __name__ == "__main__":
    main()
