"""A map over items by workers that each hold something heavy: in this process, in several, or on Ray Data."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any, Protocol

from emolab import extensions
from emolab.engine.settings import EngineSettings
from emolab.errors import RunError

DEATHS = 3  # of one worker, in a row, without an item done: then it is the work or the machine, not an accident


class Worker(Protocol):
    """What does the items, one `finish` at a time; `begin` of the next item runs beside it (threads of its own)."""

    def begin(self, item: Any) -> Any: ...

    def finish(self, begun: Any) -> Any: ...


def map_unordered(
    make: Callable[[], Worker], items: Sequence, engine: EngineSettings, gpu: bool = False
) -> Iterator[tuple[int, Any]]:
    """(position, result) of each item, as soon as it is done. Close the iterator to end the workers.

    `make` makes a worker, once in each process; unless the engine is this process, `make`, items and results are
    pickled. `gpu`: each worker takes a GPU of its own where there are some. An item whose worker dies is done again.
    Workers on other nodes of a Ray cluster need emolab, models and media under the same paths as here.

    Raises RunError when workers keep dying, InputError without Ray or its cluster, and what a worker raises.
    """
    if engine.in_process or not items:
        return _in_this_process(make, items)
    if engine.kind == "ray":
        from emolab.engine.map_ray import on_ray

        return on_ray(make, items, engine, gpu)
    return _in_processes(make, items, min(engine.workers, len(items)), gpu)


class _Host:
    """A worker in the process where it lives, made at the first item, and what it has begun."""

    def __init__(self, make: Callable[[], Worker]):
        self._make, self._worker, self._begun = make, None, {}

    def do(self, item: tuple[int, Any], ahead: Sequence[tuple[int, Any]] = ()) -> Any:
        """The result of an item; those `ahead` are only begun."""
        self._worker = self._worker or self._make()
        for position, content in (item, *ahead):
            if position not in self._begun:
                self._begun[position] = self._worker.begin(content)
        return self._worker.finish(self._begun.pop(item[0]))


def _in_this_process(make: Callable[[], Worker], items: Sequence) -> Iterator[tuple[int, Any]]:
    host, numbered = _Host(make), list(enumerate(items))
    for position in range(len(items)):
        yield position, host.do(numbered[position], numbered[position + 1 : position + 2])


# --- processes of this machine: an executor for each worker, so that a death takes nothing else along


class _Process:
    """One worker process and the items dealt to it: the one that it does and the one that it has begun."""

    def __init__(self, make: Callable[[], Worker], environment: dict[str, str]):
        self._make, self._environment = make, environment
        self.queue: deque[tuple[int, Any]] = deque()
        self._deaths = 0
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")  # fork would copy the threads' locks of a notebook
        lifeline, self._hold = context.Pipe(duplex=False)
        initial = (lifeline, self._make, self._environment)
        self._pool = ProcessPoolExecutor(1, context, initializer=_begin_process, initargs=initial)

    def submit(self) -> Future:
        first, *ahead = self.queue
        try:
            return self._pool.submit(_do, first, ahead)
        except BrokenProcessPool:  # died between two items
            self.restart()
            return self._pool.submit(_do, first, ahead)

    def finished(self) -> None:
        """Takes the first item off the queue."""
        self._deaths = 0
        self.queue.popleft()

    def restart(self) -> None:
        """A new process for the same queue. Raises RunError after too many deaths."""
        self._deaths += 1
        if self._deaths >= DEATHS:
            raise RunError(hopeless())
        self.stop()
        self._start()

    def stop(self) -> None:
        if self.queue:
            self._hold.close()  # ends the process at once, in the middle of an item
        self._pool.shutdown(cancel_futures=True)
        self._hold.close()


_host: _Host | None = None  # of a worker process


def _begin_process(lifeline: Any, make: Callable[[], Worker], environment: dict[str, str]) -> None:
    global _host
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's, which then ends this process
    threading.Thread(target=_live_with, args=(lifeline,), daemon=True).start()
    _host = _Host(partial(make_extended, make))


def make_extended(make: Callable[[], Worker]) -> Worker:
    """A worker in a process of its own, where the extensions of the driver's project are loaded before it is made."""
    extensions.load_inherited()
    return make()


def _live_with(lifeline: Any) -> None:
    """End this process when the other end of the pipe closes: its driver has ended, was killed, or wants no more."""
    with contextlib.suppress(EOFError, OSError):
        lifeline.recv()
    os._exit(1)


def _do(item: tuple[int, Any], ahead: Sequence[tuple[int, Any]]) -> Any:
    return _host.do(item, ahead)


def _in_processes(make: Callable[[], Worker], items: Sequence, workers: int, gpu: bool) -> Iterator[tuple[int, Any]]:
    waiting, gpus = deque(enumerate(items)), _gpus() if gpu else []
    processes = [
        _Process(make, threads(workers) | ({"CUDA_VISIBLE_DEVICES": gpus[i % len(gpus)]} if gpus else {}))
        for i in range(workers)
    ]
    running: dict[Future, _Process] = {}
    try:
        _deal(waiting, processes)
        running = {process.submit(): process for process in processes}
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            results = [(running[f].queue[0][0], f.result()) for f in done if not f.exception()]
            failed = [f.exception() for f in done if f.exception() and not isinstance(f.exception(), BrokenProcessPool)]
            if failed:
                yield from results  # what is done is kept
                raise failed[0]
            for future in done:
                process = running.pop(future)
                if future.exception():
                    process.restart()
                else:
                    process.finished()
                _deal(waiting, processes)
                if process.queue:
                    running[process.submit()] = process
            yield from results  # when the workers are busy again
    finally:
        for process in processes:
            process.stop()


def _deal(waiting: deque, processes: list[_Process]) -> None:
    """An item to do for every process, then one to begin beside it."""
    for depth in (1, 2):
        for process in processes:
            if waiting and len(process.queue) < depth:
                process.queue.append(waiting.popleft())


def hopeless() -> str:
    """The sentence for a map that gives up."""
    return (
        f"A worker died {DEATHS} times in a row without finishing a batch (out of memory?); lower batch_size or "
        "engine.workers. What is done is kept: run again to go on."
    )


def threads(workers: int) -> dict[str, str]:
    """This machine's cores shared out among workers, unless the user has said how many threads."""
    share = max(1, (os.cpu_count() or 1) // workers)
    return {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(share))}


def _gpus() -> list[str]:
    """What CUDA_VISIBLE_DEVICES may name."""
    import torch

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not torch.cuda.is_available():
        return []
    return visible.split(",") if visible else [str(i) for i in range(torch.cuda.device_count())]
