"""Row files: JSON lines that are appended with fsync while a stage runs, or written whole when it ends."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from emolab.errors import InputError, RunError, unwritten
from emolab.whole import whole


def read_rows(path: str | Path) -> list[dict]:
    """All rows of a complete row file. Raises InputError naming the line that is not a JSON object."""
    rows = []
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a UTF-8 row file ({error}).") from None
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            row = _parse(line)
            if row is None:
                raise InputError(f"{path} line {number}: not a JSON object; mend or delete the line.")
            rows.append(row)
    return rows


def write_rows(path: str | Path, rows: Iterable[dict]) -> int:
    """Write rows under a temporary name, then rename: the file is whole or absent. Returns the number of rows. Raises
    RunError where the disk is full."""
    count = 0
    with whole(Path(path)) as partial, partial.open("w", encoding="utf-8") as file:
        for count, row in enumerate(rows, 1):  # noqa: B007
            file.write(_line(row))
        file.flush()
        os.fsync(file.fileno())
    return count


def append_whole(file: BinaryIO, content: bytes) -> None:
    """All of `content` at the end of an unbuffered file and on the disk, or nothing of it and an OSError: a disk that
    is nearly full takes a part without an error, and what comes later must not follow half a row."""
    end = file.seek(0, os.SEEK_END)
    try:
        while content:
            content = content[file.write(content) :]
        os.fsync(file.fileno())
    except BaseException:  # Ctrl-C between two writes as well
        file.truncate(end)
        raise


class RowFile:
    """An append-only cache of rows by their `key`. Several stages and runs may use one file in turn.

    A torn last line (the process was killed while writing) is cut off when the file is opened; a row is in the file
    when `append` returns. One process at a time: a second one gets a RunError.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("ab", buffering=0)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise RunError(f"{self.path} is in use by another run; wait for it or end it.") from None
        except OSError as error:
            cure = "put the outputs on a disk that can be written and locked, --set outputs=FOLDER"
            raise InputError(f"{self.path} cannot be opened for writing ({error.strerror}); {cure}.") from None
        self._rows = dict(self._load())

    def _load(self) -> Iterator[tuple[str, dict]]:
        good = 0
        with self.path.open("rb") as file:
            for line in file:
                row = _parse(line) if line.endswith(b"\n") else None
                if row is None or not isinstance(row.get("key"), str):
                    if file.read(1):  # not the tail: somebody edited the file
                        raise InputError(f"{self.path}: broken row at byte {good}; delete the line or the file.")
                    break
                good += len(line)
                yield row["key"], row
        self._file.truncate(good)

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def __getitem__(self, key: str) -> dict:
        return self._rows[key]

    def __len__(self) -> int:
        return len(self._rows)

    def append(self, rows: Iterable[dict]) -> None:
        """Add rows, each with a `key` that is not there yet, and wait until they are on the disk. RunError where it is
        full: none of them is in the file then."""
        new = list({row["key"]: row for row in rows if row["key"] not in self._rows}.values())
        if not new:
            return
        try:
            append_whole(self._file, "".join(map(_line, new)).encode())
        except OSError as error:
            raise unwritten(self.path, error) from None
        self._rows.update((row["key"], row) for row in new)

    def close(self) -> None:
        """Release the file for the next run."""
        with contextlib.suppress(OSError):
            self._file.close()

    def __enter__(self) -> RowFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _line(row: dict) -> str:
    # U+2028 and the like would split a line for other readers; JSON may escape them
    return (
        json.dumps(row, ensure_ascii=False)
        .replace("\u2028", "\\u2028")
        .replace("\u2029", "\\u2029")
        .replace("\x85", "\\u0085")
        + "\n"
    )


def _parse(line: str | bytes) -> dict | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None
