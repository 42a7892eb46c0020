"""The reviewer's verdicts on caption pairs: lines appended to annotations.jsonl, beside the rows and never in them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from emolab.engine.journal import Journal
from emolab.errors import InputError

VERDICTS = ("keep", "drop", "flag")


def read_annotations(path: str | Path) -> dict[str, dict]:
    """image_id -> its last row `{"image_id", "verdict", "note", "time", "pair"}`; withdrawn verdicts are left out.

    No file: nothing was reviewed. A torn last line (the writer was killed) is ignored; any other line that is no
    verdict raises InputError naming it.
    """
    rows = {row["image_id"]: row for row in _journal(path).read()}
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
    return _journal(path).append(lambda _: row)


def _journal(path: str | Path) -> Journal:
    return Journal(path, _is_verdict, "verdict on an image")


def _is_verdict(row: Mapping) -> bool:
    return isinstance(row["image_id"], str) and (row["verdict"] is None or row["verdict"] in VERDICTS)
