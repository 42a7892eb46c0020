"""Python files of the user that teach emolab a corpus, a metric, a fusion strategy or a model, each by one file.

They lie in `extensions/` of a project, beside its `notebooks/`, and are run before anything is looked up by name; what
they register has its registry where it is used (`corpora/readers.py`, `scoring/metrics.py`, `fusion/strategy.py`).
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Generic, NoReturn, TypeVar

from emolab.errors import EmolabError, InputError

FOLDER = "extensions"
PROJECT = "EMOLAB_EXTENSIONS_OF"  # the project whose extensions a worker process loads as well

Entry = TypeVar("Entry")
_registries: list[Registry] = []
_ran: dict[Path, str] = {}  # file -> hash of what was run of it
_running: Path | None = None


class Registry(Mapping[str, Entry], Generic[Entry]):
    """Name -> what an extension registered, in order. `what`: how a sentence calls it; `taken`: emolab's own names."""

    def __init__(self, what: str, taken: Iterable[str]) -> None:
        self._what, self._taken = what, frozenset(taken)
        self._entries: dict[str, tuple[Entry, Path | None]] = {}
        _registries.append(self)

    def add(self, name: str, entry: Entry) -> None:
        """Register something. A cell of a notebook may do so again; else InputError for a name that is taken."""
        if not isinstance(name, str) or not re.fullmatch(r"[\w-]+", name):
            raise InputError(f"{name!r} is no name for a {self._what}; use letters, digits, - and _")
        if name in self._taken:
            raise InputError(f"emolab itself has a {self._what} {name!r}; give yours another name")
        if name in self._entries and (self._entries[name][1] or _running):
            other = self._entries[name][1] or "a cell of this notebook"
            raise InputError(f"the {self._what} {name!r} is registered twice, the first time by {other}; rename one")
        self._entries[name] = entry, _running

    def forget(self, file: Path) -> None:
        """Drop what a file has registered."""
        self._entries = {name: each for name, each in self._entries.items() if each[1] != file}

    def __getitem__(self, name: str) -> Entry:
        return self._entries[name][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def files_of(project: Path) -> list[Path]:
    """The extensions of a project folder, by name; none where it has no notebooks: code that merely lies around in the
    current folder is never run."""
    if not (project / "notebooks").is_dir():
        return []
    found = (project / FOLDER).absolute().glob("*.py")
    return sorted(file for file in found if file.is_file() and not file.name.startswith("."))


def load(project: Path) -> None:
    """Run the extensions of a project, in the order of their names. A second time only those that have changed are run;
    what such a file, or one that is gone, had registered is forgotten. InputError with file and line for an error."""
    files = files_of(project)
    for file in [each for each in _ran if each not in files]:
        _forget(file)
    for file in files:
        with told(f"{FOLDER}/{file.name}", file):
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            if _ran.get(file) != content:
                _forget(file)
                _run(file)
                _ran[file] = content
    if files:
        os.environ[PROJECT] = str(project.absolute())
    else:
        os.environ.pop(PROJECT, None)


def load_inherited() -> None:
    """In a worker process: run the extensions that the process which started it has run."""
    if project := os.environ.get(PROJECT):
        load(Path(project))


def inheritance() -> dict[str, str]:
    """What to set in the environment of a worker that does not inherit this one's."""
    return {PROJECT: os.environ[PROJECT]} if PROJECT in os.environ else {}


@contextmanager
def told(what: str, *files: Path) -> Iterator[None]:
    """Calls code of an extension: its errors become one InputError that says `what`, file and line (of `files`, else of
    any extension); what it raises as emolab's own passes, once all are loaded."""
    try:
        yield
    except EmolabError as error:
        if not files:
            raise
        _tell(error, str(error), what, files)
    except (Exception, SystemExit) as error:
        _tell(error, f"{type(error).__name__}: {error}", what, files)


def _tell(error: BaseException, problem: str, what: str, files: Iterable[Path]) -> NoReturn:
    names = set(map(str, files or _ran))
    places = [(each.filename, each.lineno) for each in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        places.append((error.filename, error.lineno))
    place = next((f"{name} line {line}: " for name, line in reversed(places) if name in names), f"{what}: ")
    raise InputError(f"{place}{' '.join(problem.split())[:300].rstrip('. ')}.") from error


class _Source(SourceFileLoader):
    """Runs what the file holds now: no bytecode is kept, which would be taken for it within the same second."""

    def path_stats(self, path: str) -> NoReturn:
        raise OSError(path)


def _run(file: Path) -> None:
    global _running
    name = f"emolab_extension_{file.stem}"
    spec = importlib.util.spec_from_loader(name, _Source(name, str(file)))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look up the module of a class
    _running = file
    try:
        spec.loader.exec_module(module)
    except BaseException:
        _forget(file)
        raise
    finally:
        _running = None


def _forget(file: Path) -> None:
    _ran.pop(file, None)
    for registry in _registries:
        registry.forget(file)
