"""What trained parts say of themselves: a record of what they were trained on, and a card."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from emolab.affectgpt.settings import AffectSettings
from emolab.engine.weights import RECORD
from emolab.errors import InputError

CARD = """\
# AffectGPT, trained parts

Made by emolab's notebook 04 (section 2.2 of the MER2024-OV report): {learnt}

- **Parts**: vision {vision}, audio {audio}, language model {language}; started from {qformers}
- **Data**: {rows} samples ({sources}), sha256 {data}, {left_out} more left out; all are listed in `{record}`
- **Training**: {steps} steps, {epochs} epochs, batch {batch}, seed {seed}; loss {first:.3f} → {last:.3f}
  (`training_log.jsonl`); learning rate {warmup_rate:g} → {learning_rate:g} in {warmup_steps} steps → {last_rate:g}

`emolab run 04 --set affectgpt.qformers=THIS_FOLDER --set "affectgpt_sft.seeds=[]"` uses it, with the same profile or
the same parts: {profile}
"""
LEARNT = """\
SFT of the Q-Formers with their queries, positions and projections (and pre-fusion where there is one); encoders and
language model stay as they were and are not in this folder."""
LEARNT_LORA = """\
SFT of the Q-Formers with their queries, positions and projections, and of LoRA adapters of the language model; they are
in this folder, encoders and language model are not."""


def trained_on(folder: Path) -> list[dict[str, str]]:
    """corpus and clip_id of what trained parts have seen, by their record; none for shipped or converted ones, which
    have no record. Raises InputError for a record that cannot be read."""
    try:
        return json.loads((folder / RECORD).read_text(encoding="utf-8"))["trained_on"]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder / RECORD}: cannot be read ({type(error).__name__}), so nobody knows what was trained on; train "
            "again."
        ) from None


def write_card(folder: Path, record: dict, seen: Sequence[dict], settings: AffectSettings, log: Sequence[dict]) -> None:
    """README.md of trained parts; `seen` are corpus and clip_id of the samples of this training, `log` as `read_log`
    gives it."""
    sources, sft = Counter(row["corpus"] or "clips" for row in seen), record["settings"]
    parts = ("vision", "audio", "language")
    card = CARD.format(
        **record["parts"],
        **{key: record[key] for key in ("qformers", "data", "seed", "steps")},
        **{key: sft[key] for key in ("warmup_rate", "learning_rate", "warmup_steps", "last_rate", "epochs")},
        batch=sft["batch_size"] * sft["accumulation"] * sft["processes"],
        learnt=LEARNT_LORA if sft["lora"] else LEARNT,
        profile=" ".join(f"--set affectgpt.{name}={getattr(settings, name)}" for name in parts),
        rows=len(seen),
        left_out=len(record["left_out"]),
        sources=", ".join(f"{count} {source}" for source, count in sources.items()),
        record=RECORD,
        first=log[0]["loss"],
        last=log[-1]["loss"],
    )
    (folder / "README.md").write_text(card, encoding="utf-8")
