"""`emolab run`: execute notebooks, in their order or side by side; skip what is complete and unchanged."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from emolab.errors import InputError, RunError
from emolab.workbench.files import FolderLock, write_json
from emolab.workbench.hashing import Hashes, notebook_hash
from emolab.workbench.notebook_process import execute
from emolab.workbench.places import find_notebooks, pick_notebooks, run_folder, shown
from emolab.workbench.preflight.fit import require_fit
from emolab.workbench.preflight.needs import Need, estimated_before
from emolab.workbench.profiles import flatten, load_profile
from emolab.workbench.progress import Board, duration
from emolab.workbench.provenance import RECORD_FILE, RUN_FILE, read_run
from emolab.workbench.session import hash_store, hashed
from emolab.workbench.settings import Settings
from emolab.workbench.tables import Table, printable
from emolab.workbench.unchanged import why_run

# of an earlier run: gone before a new one starts
_LEFTOVERS = (RUN_FILE, RECORD_FILE, "report.html", "metrics.json")


def run_notebooks(
    wanted: Sequence[str],
    profile: str,
    overrides: Sequence[str] = (),
    force: bool = False,
    anyway: bool = False,
    jobs: int = 1,
) -> None:
    """Run the notebooks that `wanted` names (numbers, names, `all`) with a profile; print tables and reports.

    A notebook that one of them reads from and that never ran to its end is run before it. Up to `jobs` that do not wait
    for each other run side by side, and share the cores. Raises InputError for an unknown notebook, profile or setting,
    for a folder in use and (without `anyway`) before a run that cannot fit, RunError when a notebook fails; those
    beside it run on to their ends. SIGTERM and a closed terminal end it as Ctrl-C does: no kernel lives on.
    """
    if jobs < 1:
        raise InputError("--jobs: at least one notebook runs at a time")
    settings = load_profile(profile, overrides)
    notebooks = _with_needed(pick_notebooks(list(wanted)), settings)
    batch = _Batch(notebooks, settings, {"profile": profile, "settings": list(overrides)}, force, anyway, jobs)
    began = time.monotonic()
    with _signals_end_the_run():
        _side_by_side(notebooks, {name: _waits_for(path, settings) for name, path in notebooks.items()}, batch, jobs)
    if batch.ran > 1:
        print(f"\n{batch.ran} notebooks in {duration(time.monotonic() - began)}")


def _side_by_side(names: Iterable[str], waits_for: Mapping[str, set[str]], batch: _Batch, jobs: int) -> None:
    """Run each notebook as soon as those that it waits for have ended, `jobs` at a time, in their order. After the
    first that fails no other is started."""
    waiting, running, failed = list(names), {}, []
    with ThreadPoolExecutor(jobs) as pool:
        try:
            while running or (waiting and not failed):
                ready = [name for name in waiting if not waits_for[name] & {*waiting, *running.values()}]
                for name in ready[: 0 if failed else jobs - len(running)]:
                    waiting.remove(name)
                    running[pool.submit(batch.run, name)] = name
                for ended in wait(running, return_when=FIRST_COMPLETED).done:
                    del running[ended]
                    failed += [error for error in [ended.exception()] if error is not None]
        except BaseException:
            batch.stop.set()  # and the pool waits until they have ended their kernels
            raise
    for error in failed[1:]:
        print(printable(str(error)), file=sys.stderr)
    if failed:
        raise failed[0]


def _needs(notebook: Path, settings: Settings) -> set[str]:
    """The notebooks whose rows one reads with these settings. Its metadata name them: `emolab.needs`, notebook -> the
    settings without which it is not needed (with a ! before it: those with which), or nothing."""
    values = flatten(settings)
    needs = _metadata(notebook).get("needs", {})
    return {
        name
        for name, setting in needs.items()
        if all(bool(values[key.lstrip("!")]) != key.startswith("!") for key in setting.split())
    }


def _waits_for(notebook: Path, settings: Settings) -> set[str]:
    """The notebooks that go before one where they run as well: those it needs and, in its metadata, `emolab.after`."""
    return _needs(notebook, settings) | set(_metadata(notebook).get("after", ()))


def _metadata(notebook: Path) -> dict[str, Any]:
    return json.loads(notebook.read_text(encoding="utf-8"))["metadata"].get("emolab", {})


def _with_needed(notebooks: Mapping[str, Path], settings: Settings) -> dict[str, Path]:
    """The notebooks in their order, with those whose rows they need and that never ran to their end."""
    every, chosen = find_notebooks(), dict(notebooks)
    open_ = list(notebooks)
    while open_:
        name = open_.pop()
        for need in sorted(_needs(chosen[name], settings)):
            ran = (run_folder(settings.outputs, settings.profile, need) / RUN_FILE).is_file()
            if ran or need in chosen or need not in every:
                continue
            print(f"{name} reads what {need} writes, which has not run: that goes first", flush=True)
            chosen[need] = every[need]
            open_.append(need)
    return {name: chosen[name] for name in sorted(chosen)}


class _Batch:
    """The notebooks of one run: `run` takes one to its end, `ran` counts those that had something to do, `stop` ends
    those that run. One thread at a time decides, reads hashes and prints; only the notebooks run side by side."""

    def __init__(
        self,
        notebooks: Mapping[str, Path],
        settings: Settings,
        parameters: dict[str, Any],
        force: bool,
        anyway: bool,
        jobs: int,
    ) -> None:
        self._notebooks, self._settings, self._parameters = notebooks, settings, parameters
        self._force, self._anyway = force, anyway
        self._threads = max(1, (os.cpu_count() or 1) // jobs) if jobs > 1 else None
        self._hashes = Hashes(hash_store(settings))
        self._needs: dict[str, Need] | None = None
        self._board, self._turn = Board(list(notebooks), jobs), threading.RLock()
        self.ran, self.stop = 0, threading.Event()

    def run(self, name: str) -> None:
        """Run a notebook where it has to, and print its tables."""
        folder = run_folder(self._settings.outputs, self._settings.profile, name)
        try:
            with self._turn:
                lock = FolderLock(folder)
            try:
                self._run_or_skip(name, folder, lock)
            finally:
                lock.release()
        finally:
            self._board.end(name)
        with self._turn:
            self._hashes.save()
            print_tables(folder)

    def _run_or_skip(self, name: str, folder: Path, lock: FolderLock) -> None:
        notebook = self._notebooks[name]
        with self._turn:
            changed = "asked for with --force" if self._force else None
            reason = changed or why_run(folder, notebook, self._settings, self._hashes)
            if reason is None:
                print(f"{name}: complete and unchanged, nothing to do")
                return
            need = self._estimated().get(name)
            print(f"{name}: running, {reason}", flush=True)
            self.ran += 1
            estimated = estimated_before(need, folder)
        for leftover in _LEFTOVERS:
            (folder / leftover).unlink(missing_ok=True)
        executed, before = folder / notebook.name, notebook_hash(notebook)
        how = {"lock": lock, "lane": self._board.begin(name), "stop": self.stop, "threads": self._threads}
        execute(notebook, executed, self._parameters, **how)
        with self._turn:
            _keep(folder, executed, before, estimated, self._hashes)

    def _estimated(self) -> dict[str, Need]:
        """What all that may be run will need: looked at once, now that something is to be run."""
        if self._needs is None:
            self._needs = require_fit(self._settings, self._notebooks, self._hashes, self._force, self._anyway)
            self._board.expect({name: need.seconds.best for name, need in self._needs.items()})
        return self._needs


def _keep(folder: Path, executed: Path, before: str, estimated: dict[str, Any] | None, hashes: Hashes) -> None:
    """Write the report and, last, run.json of a notebook that ran to its end."""
    record = read_run(folder, RECORD_FILE)
    if record is None:
        raise RunError(f"{executed.name} ran to its end without run.finish(), so nothing says what it made")
    from emolab.workbench.report import write_report

    report = folder / "report.html"
    write_report(executed, report, record)
    record["source"]["notebook"] = before
    record["cells"] = _cell_seconds(executed)
    record["preflight"] = estimated
    record["outputs"] |= {"notebook": hashed(executed, hashes), "report": hashed(report, hashes)}
    write_json(folder / RUN_FILE, record)
    (folder / RECORD_FILE).unlink()


def _cell_seconds(executed: Path) -> list[float | None]:
    """Seconds of each cell of the executed notebook, as papermill noted them."""
    cells = json.loads(executed.read_text(encoding="utf-8"))["cells"]
    return [cell["metadata"].get("papermill", {}).get("duration") for cell in cells]


def print_tables(folder: Path) -> None:
    """Print every table of a run as plain text, and where its report is."""
    metrics = read_run(folder, "metrics.json") or {"table": []}
    for name in dict.fromkeys(row["table"] for row in metrics["table"]):
        rows = [row for row in metrics["table"] if row["table"] == name]
        print(f"\n{name.replace('_', ' ')}\n{Table(name, rows, metrics['notes'].get(name, ''))}")
    print(f"\nReport: {shown(folder / 'report.html')}", flush=True)


@contextmanager
def _signals_end_the_run() -> Iterator[None]:
    """SIGTERM and SIGHUP raise SystemExit, so that kernels are ended; under nohup SIGHUP stays ignored."""

    def leave(number: int, frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, leave) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
