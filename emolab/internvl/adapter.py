"""A finished LoRA adapter: what it was trained on, and its card."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from emolab.engine.rows import read_rows
from emolab.engine.settings import ModelSettings
from emolab.engine.weights import RECORD, adapter_record
from emolab.errors import InputError

CARD = """\
# LoRA adapter for {base}

Made by emolab's notebook 03 through ms-swift {ms_swift} (`swift sft`), section 2.1 of the MER2024-OV report.

- **Base**: {base}
- **Data**: {rows} rows ({sources}), sha256 {data}; clips trained on: {clips} (listed in `{record}`)
- **Training**: {steps} steps, {epochs} epochs, seed {seed}; loss {first:.3f} → {last:.3f} (`training_log.jsonl`)
- **LoRA**: rank {rank}, alpha {alpha}, dropout {dropout}; learning rate {learning_rate}

With a base that transformers knows without code of its own:

```python
from peft import PeftModel
from transformers import AutoModelForImageTextToText, AutoProcessor

model = AutoModelForImageTextToText.from_pretrained(BASE)
model = PeftModel.from_pretrained(model, ADAPTER)
processor = AutoProcessor.from_pretrained(BASE)
```

`emolab predict VIDEOS --adapter ADAPTER` uses it on videos.
"""


def trained_before(model: ModelSettings) -> list[dict[str, str]]:
    """corpus and clip_id of what the adapter that a profile names was trained on; none without an adapter.

    Raises InputError for an adapter without emolab's record: nobody knows what it has seen, so nobody can score it.
    """
    if not model.adapter:
        return []
    record = adapter_record(Path(model.adapter).expanduser())
    if record is None:
        raise InputError(
            f"{model.adapter}: has no {RECORD} that says what it was trained on, so leaks cannot be excluded; write "
            'one with {"trained_on": [{"corpus": "...", "clip_id": "..."}, ...]} if you know.'
        )
    return record.get("trained_on", [])


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
