"""The reviewer's verdicts on caption pairs: lines appended to annotations.jsonl, beside the rows and never in them."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from emolab.errors import InputError

VERDICTS = ("keep", "drop", "flag")


def read_annotations(path: str | Path) -> dict[str, dict]:
    """image_id -> its last row `{"image_id", "verdict", "note", "time", "pair"}`; withdrawn verdicts are left out.

    No file: nothing was reviewed. A torn last line (the writer was killed) is ignored; any other line that is no
    verdict raises InputError naming it.
    """
    try:
        lines = Path(path).read_bytes().split(b"\n")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InputError(f"{path}: the verdicts cannot be read ({error.strerror}).") from None
    rows = {}
    for number, line in enumerate(lines, 1):
        row = _parse(line)
        if row is not None:
            rows[row["image_id"]] = row
        elif line.strip() and number < len(lines):  # the last piece has no line end: torn
            raise InputError(f"{path} line {number}: no verdict on an image; mend or delete the line.")
    return {image_id: row for image_id, row in rows.items() if row["verdict"]}


def digest(pair: Mapping) -> str:
    """A short hash of a pair's two texts: a verdict holds for what the reviewer saw."""
    return hashlib.blake2b(json.dumps([pair["first"], pair["second"]]).encode(), digest_size=6).hexdigest()


def verdicts_on(pairs: Iterable[Mapping], annotations: Mapping[str, Mapping]) -> tuple[dict[str, str], int]:
    """image_id -> verdict for the pairs whose texts are still those that were reviewed, and how many verdicts are on
    other texts. A verdict written by hand, without `pair`, counts."""
    found, stale = {}, 0
    for pair in pairs:
        row = annotations.get(pair["image_id"])
        if row and row.get("pair", digest(pair)) == digest(pair):
            found[pair["image_id"]] = row["verdict"]
        elif row:
            stale += 1
    return found, stale


def annotate(path: str | Path, image_id: str, verdict: str | None, note: str = "", pair: str | None = None) -> dict:
    """Append one verdict (keep, drop, flag; None withdraws the last one) and wait until it is on the disk.

    `pair`: the `digest` of the texts it is about. Returns the row. Several writers take turns. Raises InputError where
    the file cannot be written or locked.
    """
    if verdict is not None and verdict not in VERDICTS:
        raise InputError(f"{verdict!r} is no verdict; give one of {', '.join(VERDICTS)}, or None to withdraw.")
    time = datetime.now(UTC).isoformat(timespec="seconds")
    row = {"image_id": image_id, "verdict": verdict, "note": " ".join(note.split()), "time": time}
    row |= {"pair": pair} if pair else {}
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # let go when the file is closed
            file.write(_line_end(file) + json.dumps(row, ensure_ascii=False).encode() + b"\n")
            os.fsync(file.fileno())
    except OSError as error:
        raise InputError(f"{path}: the verdict cannot be written ({error.strerror}); give another place.") from None
    return row


def _line_end(file: BinaryIO) -> bytes:
    """Cut off a torn tail; returns what stands between the file and its next line: the line end that an editor left
    out, or nothing."""
    size = end = file.seek(0, os.SEEK_END)
    tail = b""
    while end and b"\n" not in tail:
        end = max(0, end - 4096)
        file.seek(end)
        tail = file.read(size - end)
    tail = tail[tail.rfind(b"\n") + 1 :]
    if tail and _parse(tail) is None:
        file.truncate(size - len(tail))
        return b""
    return b"\n" if tail else b""


def _parse(line: bytes) -> dict | None:
    try:
        row = json.loads(line)
        known = isinstance(row["image_id"], str) and (row["verdict"] is None or row["verdict"] in VERDICTS)
    except (ValueError, TypeError, KeyError):
        return None
    return row if known else None
