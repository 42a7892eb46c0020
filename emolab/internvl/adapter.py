"""A finished LoRA adapter: whether it is whole, what base it fits, what it was trained on, its card."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from emolab.engine.rows import read_rows
from emolab.engine.weights import ADAPTER_RECORD as RECORD

CARD = """\
# LoRA adapter for {base}

Made by emolab's notebook 03 through ms-swift {ms_swift} (`swift sft`), section 2.1 of the MER2024-OV report.

- **Base**: {base}
- **Data**: {rows} rows ({sources}), sha256 {data}; clips trained on: {clips} (listed in `{record}`)
- **Training**: {steps} steps, {epochs} epochs, seed {seed}; loss {first:.3f} → {last:.3f} (`training_log.jsonl`)
- **LoRA**: rank {rank}, alpha {alpha}, dropout {dropout}; learning rate {learning_rate}

```python
from peft import PeftModel
from transformers import AutoModelForImageTextToText, AutoProcessor

model = AutoModelForImageTextToText.from_pretrained(BASE)
model = PeftModel.from_pretrained(model, ADAPTER)
processor = AutoProcessor.from_pretrained(BASE)
```

`emolab predict VIDEOS --adapter ADAPTER` uses it on videos.
"""


def is_whole(folder: Path) -> bool:
    """Whether a folder holds an adapter that was written to its end. Loads no torch."""
    from safetensors import SafetensorError, safe_open

    try:
        json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        with safe_open(folder / "adapter_model.safetensors", framework="np") as tensors:
            return bool(tensors.keys())
    except (OSError, ValueError, SafetensorError):
        return False


def read_record(adapter: Path) -> dict:
    """What `finetune` wrote beside the weights: base, data hash, seed, settings, steps, trained_on."""
    return json.loads((adapter / RECORD).read_text(encoding="utf-8"))


def write_card(adapter: Path, record: dict, data: Path, log: list[dict]) -> None:
    """README.md of an adapter; `log` as `read_log` gives it."""
    sources = Counter(row.get("source") or "unknown source" for row in read_rows(data))
    settings = record["settings"]
    text = CARD.format(
        **{key: record[key] for key in ("base", "ms_swift", "data", "steps", "seed")},
        rows=sum(sources.values()),
        sources=", ".join(f"{count} {source}" for source, count in sources.items()),
        clips=len(record["trained_on"]),
        record=RECORD,
        epochs=f"{log[-1]['epoch']:g}",
        first=log[0]["loss"],
        last=log[-1]["loss"],
        rank=settings["lora_rank"],
        alpha=settings["lora_alpha"],
        dropout=settings["lora_dropout"],
        learning_rate=settings["learning_rate"],
    )
    (adapter / "README.md").write_text(text, encoding="utf-8")
