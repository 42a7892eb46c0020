"""One notebook in one process: `python -m emolab.workbench.execute NOTEBOOK OUTPUT PARAMETERS FD`.

PARAMETERS is a JSON object; progress goes to the file descriptor FD as JSON lines (`event`: kernel, cell,
text, failed). The kernel has a process group of its own (Jupyter's doing); it is ended on SIGTERM and when
the parent of this process dies, so that no kernel lives on after `emolab run`, whatever happened to it.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from typing import Any, NoReturn, TextIO

from emolab.errors import unwritten

_SOCKET_PATH = 90  # bytes; a longer path does not fit a Unix socket's address
_kernels: list[int] = []  # process groups


def main(notebook: str, output: str, parameters: str, descriptor: str) -> int:
    """Execute `notebook` into `output`; 0 when every cell ran, 1 when one failed."""
    os.set_inheritable(int(descriptor), False)
    events = Events(os.fdopen(int(descriptor), "w", encoding="utf-8"))
    signal.signal(signal.SIGTERM, lambda *_: _end())
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    runtime = tempfile.mkdtemp(prefix="emolab-")  # the kernel's connection file and sockets, away from other runs
    os.environ["JUPYTER_RUNTIME_DIR"] = runtime
    try:
        return _execute(notebook, output, json.loads(parameters), events, runtime)
    finally:
        shutil.rmtree(runtime, ignore_errors=True)


class Events:
    """JSON lines to the runner; as a stream it passes on what cells write to stderr."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def send(self, event: str, **values: Any) -> None:
        """One line; a runner that is gone is no error here, `_end_with_parent` sees to it."""
        try:
            self._stream.write(json.dumps({"event": event, **values}) + "\n")
            self._stream.flush()
        except BrokenPipeError:
            pass

    def write(self, text: str) -> None:
        """What papermill hands over of a cell's stderr."""
        self.send("text", text=text)

    def flush(self) -> None:
        """Every line is flushed already."""


def _execute(notebook: str, output: str, parameters: dict[str, Any], events: Events, runtime: str) -> int:
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    cells: list[Any] = []

    def cell_started(cell: Any, cell_index: int) -> None:
        events.send("cell", index=cell_index, cells=len(cells))

    try:
        papermill.execute_notebook(
            notebook,
            output,
            parameters,
            progress_bar=False,
            autosave_cell_every=30,
            start_timeout=600,  # a crowded machine takes its time
            stderr_file=events,
            kernel_name="python3",
            language="python",
            kernel_manager_class=_kernel_manager(runtime, events),
            coalesce_streams=True,  # a progress bar leaves one output, not one a refresh
            store_widget_state=False,  # else the report shows live widgets, which need a CDN
            on_notebook_start=lambda notebook: cells.extend(notebook.cells),
            on_cell_start=cell_started,
        )
    except PapermillExecutionError as error:
        events.send("failed", cell=error.cell_index, error=f"{error.ename}: {error.evalue}", source=error.source)
        return 1
    except OSError as error:  # papermill saves the notebook as it goes
        full = unwritten(output, error)
        if full is error:
            raise
        events.send("failed", cell=None, error=str(full), source="")
        return 1
    except RuntimeError as error:
        if not isinstance(error, DeadKernelError) and "Kernel died" not in str(error):  # a plain one while it starts
            raise
        events.send("failed", cell=None, error="the kernel died (out of memory?)", source="")
        return 1
    return 0


def _kernel_manager(runtime: str, events: Events) -> type:
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    class LocalKernelManager(AsyncKernelManager):
        """A kernel of this interpreter, on Unix sockets (TCP ports can collide when runs start together)."""

        def __init__(self, **options: Any) -> None:
            transport = "ipc" if len(os.fsencode(runtime)) < _SOCKET_PATH - 50 else "tcp"
            # sockets named by Jupyter itself lie in the working folder, where those of two kernels would collide
            ip = os.path.join(runtime, "kernel") if transport == "ipc" else "127.0.0.1"
            super().__init__(**{**options, "transport": transport, "ip": ip})

        @property
        def kernel_spec(self) -> KernelSpec:
            command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            return KernelSpec(argv=command, display_name="Python 3", language="python")

        async def start_kernel(self, **options: Any) -> None:
            await super().start_kernel(**options)
            _kernels.append(self.provisioner.pid)
            events.send("kernel", group=self.provisioner.pid)

    return LocalKernelManager


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.3)
    _end()


def _end() -> NoReturn:
    """End the kernel's process group, politely first, and this process."""
    deadline = time.monotonic() + 3
    for group in _kernels:
        signal_group(group, signal.SIGTERM)
    while any(map(_alive, _kernels)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for group in _kernels:
        signal_group(group, signal.SIGKILL)
    shutil.rmtree(os.environ["JUPYTER_RUNTIME_DIR"], ignore_errors=True)
    os._exit(128 + signal.SIGTERM)


def _alive(group: int) -> bool:
    try:
        os.waitpid(group, os.WNOHANG)  # the kernel is a child: a zombie would still count as alive
    except ChildProcessError:
        pass
    return signal_group(group, 0)


def signal_group(group: int, number: int) -> bool:
    """Send a signal to a process group; False where there is none any more."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # gone, or (macOS) only zombies left
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
