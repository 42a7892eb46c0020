"""`emolab run`: execute notebooks one by one, skip what is complete and unchanged, leave a report."""

import json
import os
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from emolab.errors import RunError
from emolab.workbench.execute import signal_group
from emolab.workbench.files import FolderLock, write_json
from emolab.workbench.hashing import Hashes, notebook_hash
from emolab.workbench.places import CHECKOUT, find_notebooks, pick_notebooks, run_folder, shown
from emolab.workbench.preflight.fit import require_fit
from emolab.workbench.preflight.needs import Need, estimated_before
from emolab.workbench.profiles import flatten, load_profile
from emolab.workbench.progress import Progress
from emolab.workbench.provenance import RECORD_FILE, RUN_FILE, read_run
from emolab.workbench.session import HEADLESS, hash_store, hashed
from emolab.workbench.settings import Settings
from emolab.workbench.tables import Table, printable
from emolab.workbench.unchanged import why_run

_LEFTOVERS = (
    RUN_FILE,
    RECORD_FILE,
    "report.html",
    "metrics.json",
)  # of an earlier run: gone before a new one starts


def run_notebooks(
    wanted: Sequence[str],
    profile: str,
    overrides: Sequence[str] = (),
    force: bool = False,
    anyway: bool = False,
) -> None:
    """Run the notebooks that `wanted` names (numbers, names, `all`) with a profile; print tables and reports.

    A notebook that one of them reads from and that never ran to its end is run before it. Raises InputError for an
    unknown notebook, profile or setting, for a folder in use and (without `anyway`) before a run that cannot fit,
    RunError when a notebook fails. SIGTERM and a closed terminal end it as Ctrl-C does: no kernel lives on.
    """
    settings = load_profile(profile, overrides)
    notebooks = _with_needed(pick_notebooks(list(wanted)), settings)
    hashes = Hashes(hash_store(settings))
    needs: dict[str, Need] | None = None
    with _signals_end_the_run():
        for name, notebook in notebooks.items():
            folder = run_folder(settings.outputs, settings.profile, name)
            lock = FolderLock(folder)
            try:
                reason = "asked for with --force" if force else why_run(folder, notebook, settings, hashes)
                if reason is None:
                    print(f"{name}: complete and unchanged, nothing to do")
                else:
                    if needs is None:  # now that something is to be run, for all that may be
                        rest = {each: path for each, path in notebooks.items() if each >= name}
                        needs = require_fit(settings, rest, hashes, force, anyway)
                    print(f"{name}: running, {reason}", flush=True)
                    parameters = {"profile": profile, "settings": list(overrides)}
                    _run(notebook, folder, parameters, lock, hashes, needs.get(name))
                hashes.save()
            finally:
                lock.release()
            print_tables(folder)


def _with_needed(notebooks: Mapping[str, Path], settings: Settings) -> dict[str, Path]:
    """The notebooks in their order, with those whose rows they need. A notebook's metadata name them: `emolab.needs`,
    notebook -> the settings without which it is not needed (with a ! before it: those with which), or nothing."""
    every, chosen = find_notebooks(), dict(notebooks)
    values, open_ = flatten(settings), list(notebooks)
    while open_:
        name = open_.pop()
        metadata = json.loads(chosen[name].read_text(encoding="utf-8"))["metadata"]
        for need, setting in metadata.get("emolab", {}).get("needs", {}).items():
            ran = (run_folder(settings.outputs, settings.profile, need) / RUN_FILE).is_file()
            wanted = all(bool(values[key.lstrip("!")]) != key.startswith("!") for key in setting.split())
            if ran or need in chosen or need not in every or not wanted:
                continue
            print(f"{name} reads what {need} writes, which has not run: that goes first", flush=True)
            chosen[need] = every[need]
            open_.append(need)
    return {name: chosen[name] for name in sorted(chosen)}


def _run(
    notebook: Path,
    folder: Path,
    parameters: dict[str, Any],
    lock: FolderLock,
    hashes: Hashes,
    need: Need | None,
) -> None:
    estimated = estimated_before(need, folder)
    for leftover in _LEFTOVERS:
        (folder / leftover).unlink(missing_ok=True)
    executed = folder / notebook.name
    before = notebook_hash(notebook)
    _execute(notebook, executed, parameters, lock, folder / "execute.log")
    record = read_run(folder, RECORD_FILE)
    if record is None:
        raise RunError(f"{notebook.name} ran to its end without run.finish(), so nothing says what it made")
    from emolab.workbench.report import write_report

    report = folder / "report.html"
    write_report(executed, report, record)
    record["source"]["notebook"] = before
    record["cells"] = _cell_seconds(executed)
    record["preflight"] = estimated
    record["outputs"] |= {"notebook": hashed(executed, hashes), "report": hashed(report, hashes)}
    write_json(folder / RUN_FILE, record)
    (folder / RECORD_FILE).unlink()


def _execute(notebook: Path, executed: Path, parameters: dict[str, Any], lock: FolderLock, log: Path) -> None:
    """Execute in a process of its own; raises RunError with notebook, cell and error when it fails."""
    receiving, sending = os.pipe()
    command = [sys.executable, "-m", "emolab.workbench.execute", str(notebook), str(executed)]
    path = os.pathsep.join([str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])])
    with open(log, "w", encoding="utf-8") as noise:  # of papermill and of compiled code below the kernel
        process = subprocess.Popen(
            [*command, json.dumps(parameters), str(sending)],
            stdin=subprocess.DEVNULL,
            stdout=noise,
            stderr=noise,
            pass_fds=[sending, lock.fileno()],
            start_new_session=True,
            env={**os.environ, HEADLESS: "1", "PYTHONPATH": path},  # the kernel runs this very emolab
        )
    os.close(sending)
    kernels: list[int] = []
    failed: dict[str, Any] | None = None
    progress = Progress(notebook.stem)
    try:
        for event in _events(process, receiving, progress):
            if event["event"] == "cell":
                progress.cell(event["index"], event["cells"])
            elif event["event"] == "text":
                progress.text(event["text"])
            elif event["event"] == "kernel":
                kernels.append(event["group"])
            elif event["event"] == "failed":
                failed = event
    finally:
        progress.close()
        os.close(receiving)
        _end(process, kernels)
    if failed:
        _fail(notebook, executed, failed)
    if process.returncode:
        raise RunError(f"{notebook.name} ended with code {process.returncode}: {_last_line(log)} (see {shown(log)})")
    log.unlink()


def _events(process: subprocess.Popen, receiving: int, progress: Progress) -> Iterator[dict[str, Any]]:
    """Events of the executing process, until it has ended."""
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(receiving, selectors.EVENT_READ)
        while True:
            ended = process.poll() is not None
            while selector.select(timeout=0 if ended else 0.5):
                chunk = os.read(receiving, 65536)
                if not chunk:
                    process.wait()
                    return
                *lines, rest = (rest + chunk).split(b"\n")
                yield from map(json.loads, lines)
            if ended:
                return
            progress.show()


def _end(process: subprocess.Popen, kernels: list[int]) -> None:
    """End the executing process (it ends its kernel), and whatever is left of both process groups."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=6)
        except subprocess.TimeoutExpired:
            pass
    for group in (process.pid, *kernels):
        signal_group(group, signal.SIGKILL)
    process.wait()


def _fail(notebook: Path, executed: Path, failed: dict[str, Any]) -> NoReturn:
    source = failed["source"].strip().splitlines()
    cell = f" in cell {failed['cell'] + 1}" if failed["cell"] is not None else ""
    line = f" (`{source[0][:80]}`)" if source else ""
    error = " ".join(printable(failed["error"]).split())[:500].rstrip(".")
    raise RunError(f"{notebook.name} failed{cell}{line}: {error}. What ran is in {shown(executed)}")


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no message"


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
