"""One notebook executed in a process of its own, watched until it ends, and ended with all it started."""

import json
import os
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from emolab.errors import RunError
from emolab.workbench.execute import signal_group
from emolab.workbench.files import FolderLock
from emolab.workbench.places import CHECKOUT, shown
from emolab.workbench.progress import Lane
from emolab.workbench.session import HEADLESS
from emolab.workbench.tables import printable


def execute(
    notebook: Path,
    executed: Path,
    parameters: dict[str, Any],
    *,
    lock: FolderLock,
    lane: Lane,
    stop: threading.Event,
    threads: int | None = None,
) -> None:
    """Execute `notebook` into `executed`; what papermill and compiled code print goes to execute.log beside it.

    `lane` is told how far it is; `threads`: of its torch and linear algebra, where the user has not said how many.
    Raises RunError with notebook, cell and error when it fails, or when `stop` is set; no process of it lives on.
    """
    receiving, sending = os.pipe()
    command = [sys.executable, "-m", "emolab.workbench.execute", str(notebook), str(executed)]
    path = os.pathsep.join([str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])])
    share = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    log = executed.with_name("execute.log")
    with open(log, "w", encoding="utf-8") as noise:  # of papermill and of compiled code below the kernel
        process = subprocess.Popen(
            [*command, json.dumps(parameters), str(sending)],
            stdin=subprocess.DEVNULL,
            stdout=noise,
            stderr=noise,
            pass_fds=[sending, lock.fileno()],
            start_new_session=True,
            env={**share, **os.environ, HEADLESS: "1", "PYTHONPATH": path},  # the kernel runs this very emolab
        )
    os.close(sending)
    kernels: list[int] = []
    failed: dict[str, Any] | None = None
    try:
        for event in _events(process, receiving, lane):
            if stop.is_set():
                raise RunError(f"{notebook.name} was stopped")
            if event["event"] == "cell":
                lane.cell(event["index"], event["cells"])
            elif event["event"] == "text":
                lane.text(event["text"])
            elif event["event"] == "kernel":
                kernels.append(event["group"])
            elif event["event"] == "failed":
                failed = event
    finally:
        os.close(receiving)
        _end(process, kernels)
    if failed:
        _fail(notebook, executed, failed)
    if process.returncode:
        raise RunError(f"{notebook.name} ended with code {process.returncode}: {_last_line(log)} (see {shown(log)})")
    log.unlink()


def _events(process: subprocess.Popen, receiving: int, lane: Lane) -> Iterator[dict[str, Any]]:
    """Events of the executing process, until it has ended; `{"event": "none"}` where there was none for a while."""
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
            lane.show()
            yield {"event": "none"}


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
