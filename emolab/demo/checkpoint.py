"""What the trainers of the small encoders share: their command line, and how a checkpoint is written."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from emolab.engine.rows import write_rows


def write_checkpoint(out: Path, history: list[dict], *parts: Any) -> None:
    """Everything that has a `save_pretrained`, and training_log.jsonl; each file appears only when complete."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as partial_folder:
        for part in parts:
            part.save_pretrained(partial_folder)
        write_rows(Path(partial_folder) / "training_log.jsonl", history)
        for path in sorted(Path(partial_folder).iterdir()):
            os.replace(path, out / path.name)


def command(about: str | None, train: Callable[..., dict]) -> None:
    """`--out FOLDER [--scale S] [--seed N]` of `train(out, scale=..., seed=...)`; prints what it returns."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint")
    parser.add_argument("--scale", type=float, default=1.0, help="shorten everything, e.g. 0.01 for a trial")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.scale <= 0:
        parser.error("--scale: give a number above 0, such as 0.01")
    print(json.dumps(train(args.out, scale=args.scale, seed=args.seed)))
