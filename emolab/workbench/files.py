"""Writing files whole or not at all, and holding a folder for one run."""

import contextlib
import csv
import fcntl
import io
import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emolab.errors import InputError, unwritten


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all: to a neighbour first, synced, then renamed over `path`. Raises RunError
    where the disk is full, OSError where it cannot be written for other reasons."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            os.fchmod(handle, 0o644)
            with open(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise unwritten(path, error) from None


def label_csv(labels: Mapping[str, Sequence[str]]) -> str:
    """Label sets as a csv of the columns name,openset: MER2024's layout, which `emolab score` reads."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerows([("name", "openset"), *((clip, str(list(words))) for clip, words in labels.items())])
    return table.getvalue()


def write_json(path: Path, value: Any) -> None:
    """Write strict JSON (a NaN raises ValueError) whole or not at all."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


class FolderLock:
    """Holds an output folder (which it makes) for one run, until `release` or the end of its processes.

    Waits `patience` seconds, the time in which a run that was killed ends its kernel; then raises InputError
    that names the holder. `fileno` is for a child process that goes on writing should this one be killed.
    """

    def __init__(self, folder: Path, patience: float = 5.0) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = open(folder / ".lock", "a+", encoding="utf-8")
        except OSError as error:
            raise InputError(f"cannot write to the output folder {folder}: {error.strerror}") from error
        deadline = time.monotonic() + patience
        while not self._taken():
            if time.monotonic() > deadline:
                self._file.seek(0)
                holder = self._file.read().strip() or "another process"
                self._file.close()
                cure = "wait for it, or end it (a notebook: shut its kernel down)"
                raise InputError(f"{folder} is in use by {holder}: {cure}")
            time.sleep(0.1)
        with contextlib.suppress(OSError):  # a full disk: it is held all the same, its holder is not named
            self._file.truncate(0)
            os.write(self._file.fileno(), f"process {os.getpid()}\n".encode())

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:  # a file system without locks
            raise InputError(f"{self._file.name} cannot be locked ({error.strerror}); put outputs elsewhere") from None
        return True

    def fileno(self) -> int:
        """The descriptor that carries the lock."""
        return self._file.fileno()

    def release(self) -> None:
        """Let others use the folder."""
        self._file.close()
