"""What a notebook calls: start a run, show tables and figures, name what goes in and out, finish."""

import os
import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from emolab.errors import InputError
from emolab.workbench import provenance
from emolab.workbench.files import FolderLock, write_json
from emolab.workbench.hashing import Hashes, notebook_hash, source_hashes
from emolab.workbench.places import find_notebooks, outputs_folder, run_folder, stored
from emolab.workbench.profiles import Overrides, flatten, load_profile
from emolab.workbench.settings import Settings
from emolab.workbench.tables import Table

HEADLESS = "EMOLAB_HEADLESS"  # set by the runner, inherited by the kernel
_locks: dict[Path, FolderLock] = {}  # of this process: running the first cell again must not lock itself out


def start(notebook: str, profile: str | Path = "demo", settings: Overrides = None) -> "Run":
    """Load and check the settings, make outputs/<profile>/<notebook> and hold it until `finish`.

    `settings` overrides the profile: a mapping, a list of `key=value`, or one string of them.
    From here on the folder counts as incomplete. Raises InputError: bad profile or setting, folder in use.
    """
    return Run(notebook, load_profile(profile, settings))


class Run:
    """One run of a notebook: `settings`, `folder` (Path), `headless` (under `emolab run`), its results."""

    def __init__(self, notebook: str, settings: Settings) -> None:
        self.notebook, self.settings = notebook, settings
        self.headless = os.environ.get(HEADLESS) == "1"
        self.folder = run_folder(settings.outputs, settings.profile, notebook)
        if not self.headless:  # else the runner holds the folder
            _release(self.folder)
            _locks[self.folder] = FolderLock(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in (provenance.RUN_FILE, provenance.RECORD_FILE):
            (self.folder / name).unlink(missing_ok=True)
        self._began = time.monotonic()
        self._started = datetime.now(UTC).isoformat(timespec="seconds")
        self._source = source_hashes()  # as loaded now, not as edited while the run goes on
        self._hashes = Hashes(hash_store(settings))
        self._tables: dict[str, Table] = {}
        self._inputs: dict[str, dict[str, Any]] = {}
        self._rows: dict[str, Path] = {}
        self._written: dict[str, Path] = {}
        self._figures: dict[str, tuple[Path, str]] = {}  # with what each shows, in words

    def __repr__(self) -> str:
        changed = [f"  {key} = {value}" for key, value in flatten(self.settings).items()]
        return "\n".join([f"{self.notebook} → {self.folder}", *changed])

    def table(self, name: str, rows: Sequence[Mapping[str, Any]], note: str = "") -> Table:
        """A table for the last line of a cell; its rows (for their keys see `Table`) go to metrics.json."""
        self._tables[_safe(name)] = Table(name, rows, note)
        return self._tables[name]

    def figure(self, figure: Any, name: str, alt: str = "") -> None:
        """Save a matplotlib figure as NAME.png and NAME.svg in the run's folder, show it once and close it.

        `alt`: the figure in words, for those who cannot see it.
        """
        from IPython.display import Image, display
        from matplotlib import pyplot, rc_context

        path = self.folder / f"{_safe(name)}.png"
        figure.savefig(path, dpi=110, bbox_inches="tight")
        with rc_context({"svg.hashsalt": "emolab"}):  # the same figure gives the same file
            figure.savefig(path.with_suffix(".svg"), bbox_inches="tight", metadata={"Date": None})
        pyplot.close(figure)
        told = alt or name.replace("_", " ")
        self._figures[name] = path, told
        display(Image(data=path.read_bytes(), alt=told))

    def use(self, label: str, source: str | Path) -> None:
        """Name what the run reads: a file or folder (recorded by content) or a model's hub identity."""
        path = Path(source).expanduser()
        if path.exists():
            self._inputs[label] = hashed(path, self._hashes)
        elif isinstance(source, Path) or source.startswith(("/", ".", "~")):
            raise InputError(f"{self.notebook} reads {label} from {source}, which does not exist")
        else:
            self._inputs[label] = {"identity": source}

    def step(self, notebook: str, name: str, required: bool = True) -> Path | None:
        """The file `name` that an earlier notebook of this profile wrote, named as something that the run reads.

        Where that notebook has not run to its end: InputError, or None if it is not `required`; the run then counts as
        changed as soon as it has.
        """
        folder = run_folder(self.settings.outputs, self.settings.profile, notebook)
        if not (folder / provenance.RUN_FILE).is_file() or not (folder / name).is_file():
            if not required:
                self._inputs[f"{notebook} {name}"] = {"path": stored(folder / name), "sha256": None}
                return None
            first = f"emolab run {notebook[:2]} --profile {self.settings.profile}"
            raise InputError(
                f"{self.notebook} reads {name} of {notebook}, which has not run to its end; first: {first}"
            )
        self.use(f"{notebook} {name}", folder / name)
        return folder / name

    def asks(self, label: str, model: Any) -> None:
        """Name a ChatModel that the run asks: its weights and, where it has one, its adapter."""
        self.use(label, model.folder)
        if model.settings.adapter:
            self.use(f"{label} adapter", model.settings.adapter)

    def writes(self, label: str, path: str | Path) -> None:
        """Name another file or folder that the run writes; it is hashed at `finish`."""
        self._written[label] = Path(path).absolute()

    def rows(self, label: str, path: str | Path) -> None:
        """Name a row file (JSONL or CSV) that the run writes; it is hashed and counted at `finish`."""
        self._rows[label] = Path(path).absolute()

    def finish(self) -> None:
        """Write metrics.json, then (last) run.json, and let the folder go; under the runner record.json."""
        metrics = {
            "notebook": self.notebook,
            "profile": self.settings.profile,
            "seed": self.settings.seed,
            "table": [{"table": name, **row} for name, table in self._tables.items() for row in table.rows],
            "notes": {name: table.note for name, table in self._tables.items() if table.note},
            "figures": {name: alt for name, (_, alt) in self._figures.items()},
        }
        write_json(self.folder / "metrics.json", metrics)
        name = provenance.RECORD_FILE if self.headless else provenance.RUN_FILE
        write_json(self.folder / name, self._record())
        self._hashes.save()
        _release(self.folder)

    def _record(self) -> dict[str, Any]:
        files = {"metrics": self.folder / "metrics.json", **self._rows, **self._written}
        for figure, (path, _) in self._figures.items():
            files |= {f"{figure}.png": path, f"{figure}.svg": path.with_suffix(".svg")}
        outputs = {label: hashed(path, self._hashes) for label, path in files.items()}
        for label, path in self._rows.items():
            outputs[label]["rows"] = count_rows(path)
        notebook = find_notebooks().get(self.notebook)
        return {
            "notebook": self.notebook,
            "profile": self.settings.profile,
            "settings": flatten(self.settings),
            "seeds": {"seed": self.settings.seed},
            "inputs": self._inputs,
            "outputs": outputs,
            "started": self._started,
            "seconds": round(time.monotonic() - self._began, 3),
            "versions": provenance.versions(),
            "git": provenance.git_state(),
            "device": provenance.device(),
            "source": {"notebook": notebook and notebook_hash(notebook), "emolab": self._source},
        }


def hash_store(settings: Settings) -> Path:
    """Where the hashes of a project's files are remembered."""
    return outputs_folder(settings.outputs) / ".hashes.json"


def hashed(path: Path, hashes: Hashes) -> dict[str, Any]:
    """How run.json names a file or folder that was read or written."""
    return {"path": stored(path), "sha256": hashes.of(path)}


def count_rows(path: Path) -> int:
    """Rows of a JSONL file (lines that are not blank) or of a CSV file (records below the header)."""
    with open(path, encoding="utf-8", newline="") as file:
        if path.suffix == ".csv":
            import csv

            return max(0, sum(1 for row in csv.reader(file) if row) - 1)
        return sum(1 for line in file if line.strip())


def _release(folder: Path) -> None:
    if folder in _locks:
        _locks.pop(folder).release()


def _safe(name: str) -> str:
    if not re.fullmatch(r"[\w-]+", name):
        raise ValueError(f"{name!r}: name tables and figures with letters, digits, - and _ only")
    return name
