"""Content hashes of files and folders, so that a run can say what it read and whether that changed."""

import hashlib
import json
import os
from pathlib import Path

from emolab import extensions
from emolab.workbench.files import write_json
from emolab.workbench.places import project_folder

_SOURCE = (".py", ".json", ".jsonl", ".csv", ".txt", ".yaml", ".js", ".css", ".jinja")
_PACKAGE = Path(__file__).resolve().parents[1]


class Hashes:
    """SHA-256 of files and folders, remembered in a file by path, size and times of change.

    `store`: a JSON file that `save` writes; None remembers for this object only.
    """

    def __init__(self, store: Path | None = None) -> None:
        self._store = store
        self._known: dict[str, list] = _remembered(store)
        self._new: dict[str, list] = {}

    def of(self, path: Path) -> str:
        """Hash of a file, or of a folder's names and files (hidden ones and caches of Python left out)."""
        path = Path(path)
        if not path.is_dir():
            return self._file(path)
        total = hashlib.sha256()
        for name in _below(path):
            total.update(f"{name}\0{self._file(path / name)}\n".encode())
        return total.hexdigest()

    def save(self) -> None:
        """Add what was found to the store, to which others add as well; files that are gone leave it."""
        if self._store is not None:
            self._known = {**_remembered(self._store), **self._new}
            write_json(self._store, {path: known for path, known in self._known.items() if os.path.exists(path)})

    def _file(self, path: Path) -> str:
        status = path.stat()
        # the second time is the system's own: the first one is kept by copies and moves with the clock
        stamp = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
        key = str(path.absolute())
        known = self._known.get(key)
        if known and known[:-1] == stamp:
            return known[-1]
        with open(path, "rb") as file:
            value = hashlib.file_digest(file, "sha256").hexdigest()
        self._known[key] = self._new[key] = [*stamp, value]
        return value


def _remembered(store: Path | None) -> dict[str, list]:
    try:
        return json.loads(store.read_text()) if store else {}
    except (OSError, ValueError):
        return {}  # a cache only: hash anew


def _below(folder: Path) -> list[str]:
    found = []
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__pycache__"]
        found += [Path(root, name).relative_to(folder).as_posix() for name in files if not name.startswith(".")]
    return sorted(found)


def source_hashes() -> dict[str, str]:
    """File of the emolab package, or extension of the project → short hash: code and small data files (weights are
    inputs of a run)."""
    files = {name: _PACKAGE / name for name in _below(_PACKAGE) if name.endswith(_SOURCE)}
    files |= {f"{extensions.FOLDER}/{file.name}": file for file in extensions.files_of(project_folder())}
    return {name: hashlib.sha256(file.read_bytes()).hexdigest()[:16] for name, file in files.items()}


def notebook_hash(path: Path) -> str:
    """Hash of what a notebook says and runs: sources and tags of its cells, not outputs, ids or kernel."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    said = [[cell["cell_type"], "".join(cell["source"]), cell["metadata"].get("tags", [])] for cell in cells]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()
