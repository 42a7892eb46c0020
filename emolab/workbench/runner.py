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
from emolab.workbench.tables import Table
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
    jobs = min(jobs, len(notebooks))
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
                if not running:
                    raise InputError(f"{', '.join(waiting)} wait for each other: see emolab.needs in their metadata")
                for ended in wait(running, return_when=FIRST_COMPLETED).done:
                    name, error = running.pop(ended), ended.exception()
                    failed += [error] if error else []
                    if error and running:  # which may take hours
                        batch.board.say(f"{name}: {error!s:.600}; what runs beside it runs on to its end", sys.stderr)
        except BaseException:
            batch.stop.set()  # and the pool waits until they have ended their kernels
            raise
    for error in failed[1:]:
        batch.board.say(f"{type(error).__name__}: {error}", sys.stderr)
    if failed:
        raise failed[0]


def _needs(notebook: Path, settings: Settings) -> set[str]:
    """The notebooks whose rows one reads with these settings. Its metadata name them: `emolab.needs`, notebook -> the
    settings without which it is not needed (with a ! before it: those with which), or nothing."""
    values, needs = flatten(settings), _metadata(notebook).get("needs", {})
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
    those that run; after a failure nothing is begun. One thread at a time decides and reads hashes: only the notebooks
    run side by side."""

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
        self._jobs = jobs
        self._threads = max(1, len(os.sched_getaffinity(0)) // jobs) if jobs > 1 else None
        self._hashes = Hashes(hash_store(settings))
        self._needs: dict[str, Need] | None = None
        self._turn, self._failed = threading.Lock(), False
        self.board, self.ran, self.stop = Board(list(notebooks), jobs), 0, threading.Event()

    def run(self, name: str) -> None:
        """Run a notebook where it has to, and print its tables."""
        folder = run_folder(self._settings.outputs, self._settings.profile, name)
        try:
            lock = FolderLock(folder)
            try:
                done = self._run_or_skip(name, folder, lock)
            finally:
                lock.release()
        except BaseException:
            self._failed = True
            raise
        finally:
            self.board.end(name)
        if done:
            with self._turn:
                self._hashes.save()
            self.board.say(tables_of(folder))

    def _run_or_skip(self, name: str, folder: Path, lock: FolderLock) -> bool:
        """False where it was not begun, since another has failed or the run is being stopped."""
        notebook = self._notebooks[name]
        with self._turn:
            if self._failed or self.stop.is_set():
                return False
            changed = "asked for with --force" if self._force else None
            reason = changed or why_run(folder, notebook, self._settings, self._hashes)
            if reason is None:
                self.board.say(f"{name}: complete and unchanged, nothing to do")
                return True
            need = self._estimated().get(name)
            if self.stop.is_set():  # deciding takes a while, and from here on an earlier run is gone
                return False
            self.board.say(f"{name}: running, {reason}")
            self.ran += 1
            estimated = estimated_before(need, folder, self._jobs)
        for leftover in _LEFTOVERS:
            (folder / leftover).unlink(missing_ok=True)
        executed, before = folder / notebook.name, notebook_hash(notebook)
        how = {"lock": lock, "lane": self.board.begin(name), "stop": self.stop, "threads": self._threads}
        execute(notebook, executed, self._parameters, **how)
        with self._turn:
            _keep(folder, executed, before, estimated, self._hashes)
        return True

    def _estimated(self) -> dict[str, Need]:
        """What all that may be run will need: looked at once, now that something is to be run."""
        if self._needs is None:
            self._needs = require_fit(self._settings, self._notebooks, self._hashes, self._force, self._anyway)
            self.board.expect({name: need.seconds.best for name, need in self._needs.items()})
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


def tables_of(folder: Path) -> str:
    """Every table of a run as plain text, and where its report is."""
    metrics, told = read_run(folder, "metrics.json") or {"table": []}, []
    for name in dict.fromkeys(row["table"] for row in metrics["table"]):
        rows = [row for row in metrics["table"] if row["table"] == name]
        told.append(f"\n{name.replace('_', ' ')}\n{Table(name, rows, metrics['notes'].get(name, ''))}")
    return "\n".join([*told, f"\nReport: {shown(folder / 'report.html')}"])


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
