"""Annotations for other programs: JSON lines, a csv that `emolab score` reads, and ms-swift messages to train on."""

from __future__ import annotations

import csv
import io
import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from emolab.captions.training_set import validate
from emolab.corpora.clip import Clip
from emolab.engine.rows import write_rows
from emolab.errors import InputError
from emolab.internvl.sft_data import answer_rows
from emolab.labels.parse import parse_label_cell
from emolab.media.settings import FrameSettings

FORMATS = ("jsonl", "csv", "messages")
_FIELDS = ("clip_id", "labels", "note", "author", "time", "truth", "added", "removed")


def export(
    kind: str, rows: Sequence[dict], clips: Sequence[Clip], folder: Path, frames: FrameSettings, seed: int
) -> tuple[Path, int, list[str]]:
    """Write standing annotations (with truth, added and removed) to `folder`; returns the file, how many rows it holds,
    and one sentence for each clip that had to be left out.

    jsonl: all of them. csv: clip_id, labels, note, author, time of those with labels; what a cell cannot hold is left
    out. messages: ms-swift rows of the same, section 2.1's question over the clip's frames (kept in `folder`/frames)
    and as answer the labels alone: the corpus's description may contradict them. InputError where there is nothing to
    write.
    """
    labelled = [row for row in rows if row["labels"] is not None]
    if not rows or (kind != "jsonl" and not labelled):
        raise InputError(
            "there is nothing to export yet: no clip has labels of yours" if rows else "no clip is annotated"
        )
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "jsonl":
        path = folder / "annotations_standing.jsonl"
        return path, write_rows(path, ({key: row[key] for key in _FIELDS} for row in rows)), []
    if kind == "csv":
        path = folder / "annotations.csv"
        kept = [row for row in labelled if parse_label_cell(_cell(row["labels"])) == row["labels"]]
        partial = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.partial")
        partial.write_text(_csv(kept), encoding="utf-8")
        os.replace(partial, path)
        lost = [row["clip_id"] for row in labelled if parse_label_cell(_cell(row["labels"])) != row["labels"]]
        return path, len(kept), [f"{clip}: has a label that a csv cannot hold; take JSONL." for clip in lost]
    known = {clip.clip_id: clip for clip in clips}
    lost = [f"{row['clip_id']}: is not among these clips." for row in labelled if row["clip_id"] not in known]
    chosen = [
        replace(known[row["clip_id"]], labels=tuple(row["labels"]), description=None)
        for row in labelled
        if row["clip_id"] in known
    ]
    messages, problems = answer_rows(chosen, frames, seed, folder / "frames", progress=False)
    if not messages:
        raise InputError(" ".join(["nothing can be exported for training:", *[*lost, *problems][:3]]))
    path = folder / "annotations_messages.jsonl"
    count = write_rows(path, messages)
    validate(path)
    return path, count, [*lost, *problems]


def _csv(rows: Sequence[dict]) -> str:
    """The columns of MER2024, so that `emolab score` reads the file; notes are no formulas for a spreadsheet."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("clip_id", "labels", "note", "author", "time"))
    for row in rows:
        # a carriage return would end the row: csv does not quote it
        texts = (text.replace("\r\n", "\n").replace("\r", "\n") for text in (row["note"], row["author"]))
        note, author = ("'" + text if text[:1] in tuple("=+-@\t\n") else text for text in texts)
        writer.writerow((row["clip_id"], _cell(row["labels"]), note, author, row["time"]))
    return table.getvalue()


def _cell(labels: Sequence[str]) -> str:
    return f"[{', '.join(labels)}]"
