"""The log of a training (as ms-swift writes it), and what its last words mean."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path

JOURNAL = "logging.jsonl"  # ms-swift's name for the log, beside the checkpoints
PATIENCE = 20
KILLED = (-9, 137, 247)  # 247: what ms-swift's command makes of a trainer that was killed
_CAUSES = (  # first match in the end of the log, whatever comes after it
    (
        r"OutOfMemoryError|out of memory|DefaultCPUAllocator: can't allocate|MemoryError",
        "memory ran out; {memory}",
    ),
    (  # emolab's own sentences (a loader's worker wraps them once more)
        "|".join(rf"(?<={name}Error: )(?!Caught )[^\n]+" for name in ("Cache", "Input", "Media")),
        "{found}",
    ),
    (
        r"(?:FileNotFoundError|UnidentifiedImageError): .*|cannot identify image file.*|image file is truncated.*",
        "an image of the training file is gone or broken ({found}); run notebook 01 again.",
    ),
    (
        r"MaxLengthError.*",
        "a row is longer than max_length ({found}); raise it, or use fewer frames or tiles.",
    ),
    (
        r"size mismatch for [^\n]*",
        "the weights do not fit the base ({found}); was the base changed? Delete the folder and train again.",
    ),
    (
        r"(?:KeyError|ValueError|AssertionError|RuntimeError|OSError|ImportError|ModuleNotFoundError)[^\n]*",
        "{found}",
    ),
)


def read_log(path: Path) -> list[dict]:
    """One row a logged step: step, steps (in all), loss, grad_norm, learning_rate, epoch, elapsed, remaining.

    A line that is still being written is left for the next time; other lines (ms-swift's summary) are skipped.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    except OSError:
        return []
    rows = []
    for line in lines:
        try:
            row = json.loads(line)
            step, steps = map(int, row["global_step/max_steps"].split("/"))
            rows.append(
                {
                    "step": step,
                    "steps": steps,
                    "loss": float(row["loss"]),
                    "grad_norm": None if row.get("grad_norm") is None else float(row["grad_norm"]),
                    "learning_rate": float(row["learning_rate"]),
                    "epoch": float(row["epoch"]),
                    "elapsed": row.get("elapsed_time", ""),
                    "remaining": row.get("remaining_time", ""),
                }
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return rows


def loss_problem(rows: Sequence[dict]) -> str | None:
    """One sentence where the loss is no number any more, or the gradient was none for `PATIENCE` steps on end (ms-swift
    skips such a step; with float16 some are normal at the start)."""
    lost = 0
    for row in rows:
        lost = 0 if row["grad_norm"] is None or math.isfinite(row["grad_norm"]) else lost + 1
        name = "loss" if not math.isfinite(row["loss"]) else "grad_norm" if lost == PATIENCE else None
        if name:
            return (
                f"Training was stopped: {name} is {row[name]} at step {row['step']}; lower the learning rate, or take "
                "bfloat16 or float32 instead of float16."
            )
    return None


def why_it_failed(log: Path, code: int, who: str, memory: str) -> str:
    """One sentence on a training that ended early: cause and cure, and where to read on. `memory`: what helps where it
    ran out."""
    try:
        end = log.read_text(encoding="utf-8", errors="replace")[-20_000:]
    except OSError:
        end = ""
    if (code in KILLED or "SIGKILL" in end) and not re.search(_CAUSES[0][0], end):
        cause = "it was killed, perhaps by the system for want of memory; run again to go on from the last checkpoint."
        return f"{who}'s training stopped: {cause} The log: {log}"
    for pattern, told in _CAUSES:
        found = re.search(pattern, end)
        if found:
            cause = told.format(found=" ".join(found[0].split())[:400], memory=memory)
            return f"{who}'s training stopped: {cause} The log: {log}"
    last = next((line.strip() for line in reversed(end.splitlines()) if line.strip()), "nothing")
    return f"{who}'s training ended with code {code}; its last words: {last[:200]} The log: {log}"
