"""Labels and notes that people give clips in the inspector: lines appended to annotations.jsonl, never an edit of truth
or predictions."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from emolab.engine.journal import Journal
from emolab.errors import InputError
from emolab.scoring.grouping import clean_labels

ANY: Any = object()  # whatever stands
MOST_LABELS, LONGEST_LABEL, LONGEST_NOTE, LONGEST_AUTHOR = 500, 10_000, 4000, 100


class AnnotationFile:
    """annotations.jsonl: rows {id, clip_id, labels, note, author, time, undoes}, the state of a clip after each change.

    `labels` None: the clip keeps the labels of its corpus. `time`: ISO 8601, UTC. `undoes`: the id of the change that
    the row takes back. Several tabs and people may write in turn; what a row says holds until the clip's next row.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._journal = Journal(path, _is_annotation, "annotation of a clip")
        self._passed: set[str] = set()  # changes that cannot be undone any more, which has been said

    def history(self) -> dict[str, list[dict]]:
        """clip_id -> its rows, oldest first. InputError for a file that cannot be read."""
        found: dict[str, list[dict]] = {}
        for row in self._journal.read():
            found.setdefault(row["clip_id"], []).append(row)
        return found

    def annotate(
        self, clip_id: str, labels: Sequence[str] | None, note: str, author: str, *, seen: str | None = ANY
    ) -> dict:
        """Write a clip's labels and note, and return the row. InputError where there are too many or too long ones, and
        where nothing can be written.

        `seen`: the id of the row that stood for the clip when the author saw it (None: none). If another stands by now,
        nothing is written and InputError says whose.
        """
        if labels is not None:
            labels = clean_labels(map(_whole, labels))
            if len(labels) > MOST_LABELS or any(len(label) > LONGEST_LABEL for label in labels):
                raise InputError(f"a clip takes up to {MOST_LABELS} labels of {LONGEST_LABEL} characters; give fewer.")
        if len(note) > LONGEST_NOTE or len(author) > LONGEST_AUTHOR:
            raise InputError(f"a note has up to {LONGEST_NOTE} characters and an author {LONGEST_AUTHOR}; shorten it.")

        def change(rows: Sequence[dict]) -> dict:
            same = [row for row in rows if row["clip_id"] == clip_id]
            stands = standing(same)
            if seen is not ANY and seen != (stands and stands["id"]):
                raise InputError(f"{same[-1]['author']} has changed {clip_id} meanwhile; look at it, then change it.")
            return _row(clip_id, labels, _whole(note).strip(), _whole(author))

        return self._journal.append(change)

    def undo(self, author: str) -> dict:
        """Take back the author's last change that still stands, and return the row that does so.

        InputError where there is none, and where somebody else has changed that clip since; the next call goes on to
        the change before it.
        """

        def take_back(rows: Sequence[dict]) -> dict:
            undone = {row["undoes"] for row in rows if row["undoes"]} | self._passed
            own = [row for row in rows if row["author"] == author and not row["undoes"] and row["id"] not in undone]
            if not own:
                raise InputError("There is no change of yours to undo.")
            last = own[-1]
            same = [row for row in rows if row["clip_id"] == last["clip_id"]]
            place = same.index(last)
            other = next((row["author"] for row in same[place:] if row["author"] != author), None)
            if other is not None:
                self._passed.add(last["id"])
                raise InputError(f"{other} has changed {last['clip_id']} since; change it by hand.")
            before = same[place - 1] if place else {"labels": None, "note": ""}
            return _row(last["clip_id"], before["labels"], before["note"], author, last["id"])

        return self._journal.append(take_back)


def standing(rows: Sequence[Mapping]) -> Mapping | None:
    """What a clip's rows come to: the last one, None where it says nothing any more."""
    last = rows[-1] if rows else None
    return last if last and (last["labels"] is not None or last["note"]) else None


def changes(truth: Iterable[str] | None, row: Mapping) -> tuple[list[str], list[str]]:
    """The labels that an annotation adds to the truth, and those that it takes away."""
    if row["labels"] is None:
        return [], []
    truth = clean_labels(truth or ())
    return [each for each in row["labels"] if each not in truth], [each for each in truth if each not in row["labels"]]


def _whole(text: str) -> str:
    """Without halves of signs, which a browser may send and no file can hold."""
    return text.encode("utf-8", "replace").decode()


def _row(clip_id: str, labels: Sequence[str] | None, note: str, author: str, undoes: str | None = None) -> dict:
    return {
        "id": uuid.uuid4().hex[:12],
        "clip_id": clip_id,
        "labels": None if labels is None else list(labels),
        "note": note,
        "author": author,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "undoes": undoes,
    }


def _is_annotation(row: Mapping) -> bool:
    labels = row["labels"]
    texts = [row["id"], row["clip_id"], row["note"], row["author"], row["time"], row["undoes"] or "", *(labels or ())]
    return (labels is None or isinstance(labels, list)) and all(isinstance(text, str) for text in texts)
