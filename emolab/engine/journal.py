"""Files that people's decisions are appended to line by line: several writers take turns, nothing is rewritten."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from emolab.engine.rows import append_whole
from emolab.errors import InputError


class Journal:
    """A JSONL file of rows that `known` accepts; `what` names one of them in errors ("verdict on an image").

    A torn last line (its writer was killed) is passed over, and cut off by the next `append`.
    """

    def __init__(self, path: str | Path, known: Callable[[dict], bool], what: str) -> None:
        self.path, self._known, self._what = Path(path), known, what

    def read(self) -> list[dict]:
        """All rows, oldest first; none without a file. InputError naming the line that is no such row."""
        try:
            return self._rows(self.path.read_bytes())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read ({error.strerror}); give another place.") from None

    def append(self, make: Callable[[Sequence[dict]], dict]) -> dict:
        """Write the row that `make` gives for the rows so far, wait until it is on the disk, and return it.

        Nobody else writes in between. InputError where the file cannot be read, written or locked; what `make` raises
        passes, and nothing is written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "a+b", buffering=0) as file:
                fcntl.flock(file, fcntl.LOCK_EX)  # let go when the file is closed
                file.seek(0)
                content = file.read()
                row = make(self._rows(content))
                append_whole(file, self._line_end(file, content) + _line(row))
        except OSError as error:
            raise InputError(f"{self.path}: cannot be written ({error.strerror}); give another place.") from None
        return row

    def _rows(self, content: bytes) -> list[dict]:
        rows, lines = [], content.split(b"\n")
        for number, line in enumerate(lines, 1):
            row = self._parse(line)
            if row is not None:
                rows.append(row)
            elif line.strip() and number < len(lines):  # the last piece has no line end: torn
                raise InputError(f"{self.path} line {number}: no {self._what}; mend or delete the line.")
        return rows

    def _line_end(self, file: BinaryIO, content: bytes) -> bytes:
        """Cut off a torn tail; returns what stands between the file and its next line: the line end that an editor
        left out, or nothing."""
        tail = content[content.rfind(b"\n") + 1 :]
        if tail and self._parse(tail) is None:
            file.truncate(len(content) - len(tail))
            return b""
        return b"\n" if tail else b""

    def _parse(self, line: bytes) -> dict | None:
        try:
            row = json.loads(line)
            return row if self._known(row) else None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None


def _line(row: dict) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
