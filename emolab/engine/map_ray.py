"""The map of `emolab.engine.map` on Ray Data: a pool of actors over one block an item."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from emolab import extensions
from emolab.engine.map import DEATHS, Worker, hopeless, make_extended, threads
from emolab.engine.settings import EngineSettings
from emolab.errors import EmolabError, InputError, RunError

STORE = 256 * 2**20  # bytes of Ray's shared memory in a cluster of our own: only tasks and texts travel


def on_ray(
    make: Callable[[], Worker], items: Sequence, engine: EngineSettings, gpu: bool = False
) -> Iterator[tuple[int, Any]]:
    """`map_unordered` with `engine.workers` actors. Joins the Ray of this process, else RAY_ADDRESS, else starts a
    cluster on this machine for as long as the map lasts."""
    with _cluster(engine) as (ray, environment):
        gpus = engine.gpus_per_worker
        if gpus is None:
            gpus = 1 if gpu and ray.cluster_resources().get("GPU") else 0
        # on whichever node: where that dies it starts again elsewhere, and counts from the beginning
        tries = ray.remote(_Tries).options(num_cpus=0, max_restarts=-1, max_task_retries=-1).remote()
        actor = (make, tries, os.getcwd(), environment | extensions.inheritance())
        try:
            with contextlib.closing(_results(ray, items, min(engine.workers, len(items)), gpus, actor)) as results:
                for position, result in results:
                    if isinstance(result, EmolabError):
                        raise result
                    yield position, result
        except (ray.exceptions.RayError, ray.data.exceptions.ExecutionTimeoutError) as error:
            last = (str(error).strip().splitlines() or [""])[-1][:300]
            raise RunError(f"The map on Ray failed ({type(error).__name__}: {last}); run again to go on.") from error


class _Tries:
    """Counts how often each item was begun: Ray itself restarts actors and repeats their calls for ever."""

    def __init__(self) -> None:
        self._count: Counter[int] = Counter()

    def add(self, position: int) -> int:
        self._count[position] += 1
        return self._count[position]


class _Actor:
    """A worker on Ray. Two calls run at once: one begins its item while the other finishes its own."""

    def __init__(self, make: Callable[[], Worker], tries: Any, folder: str, environment: dict[str, str]):
        os.environ.update(environment)
        with contextlib.suppress(OSError):
            os.chdir(folder)  # relative paths mean what they mean in the driver
        self._make, self._worker, self._tries, self._turn = make, None, tries, threading.Lock()

    def __call__(self, row: dict) -> dict:
        import ray

        try:
            if ray.get(self._tries.add.remote(row["position"])) > DEATHS:
                raise RunError(hopeless())
            with self._turn:
                self._worker = self._worker or make_extended(self._make)
            begun = self._worker.begin(pickle.loads(row["item"]))
            with self._turn:
                result = self._worker.finish(begun)
        except EmolabError as error:  # for the driver to raise; what else may come is Ray's to report
            result = error
        return {"position": row["position"], "result": pickle.dumps(result)}


def _results(ray: Any, items: Sequence, workers: int, gpus: float, actor: tuple) -> Iterator[tuple[int, Any]]:
    """Results as they come. One block an item, or an actor would give its results back many at a time."""
    rows = [{"position": position, "item": ray.cloudpickle.dumps(item)} for position, item in enumerate(items)]
    context = ray.data.DataContext.get_current().copy()
    context.enable_progress_bars = context.print_on_execution_start = False
    context.max_consecutive_actor_init_deaths = DEATHS
    with ray.data.DataContext.current(context):
        pool = ray.data.ActorPoolStrategy(
            size=workers,
            max_tasks_in_flight_per_actor=2,
            max_concurrent_calls_per_actor=2,
            enable_true_multi_threading=True,
        )
        blocks = ray.data.from_items(rows, override_num_blocks=len(rows))
        done = blocks.map(_Actor, fn_constructor_args=actor, compute=pool, num_cpus=1, num_gpus=gpus)
    # no prefetching: it would hold a result back until the next one comes
    for batch in done.iter_batches(batch_size=None, prefetch_batches=0, batch_format="pyarrow"):
        for row in batch.to_pylist():
            yield row["position"], pickle.loads(row["result"])


@contextlib.contextmanager
def _cluster(engine: EngineSettings) -> Iterator[tuple[Any, dict[str, str]]]:
    """Ray connected to a cluster, and what to set in the environment of its workers."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what Ray says about itself would end up in the notebook
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        raise InputError(
            f"engine.kind is ray, and {error.name} is not installed; pip install -e '.[cluster]'."
        ) from None
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    if ray.is_initialized():
        yield ray, {}
        return
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    address = os.environ.get("RAY_ADDRESS")
    try:
        if address:
            _knock(address)
            ray.init(address, **quiet)
        else:  # `local` cannot stumble over the address of a dead cluster; Ray Data hangs where it has no CPU to spare
            cpus = max(os.cpu_count() or 1, engine.workers + 1)
            local = {"num_cpus": cpus, "object_store_memory": STORE, "include_dashboard": False, **quiet}
            try:
                ray.init("local", **local)
            except Exception:  # on a busy machine Ray's processes do not find each other within its fixed 15 seconds
                ray.shutdown()
                ray.init("local", **local)
    except Exception as error:  # Ray raises plain ones too
        cause = (str(error).strip().splitlines() or [""])[0][:200]
        if address:
            # Ray gives its token to clusters that it started itself, to others only where it is told to
            why = "" if os.environ.get("RAY_AUTH_MODE") else "; if it asks for a token, set RAY_AUTH_MODE=token"
            raise InputError(f"RAY_ADDRESS={address}: no Ray cluster could be joined there ({cause}){why}.") from error
        raise RunError(f"Ray could not start on this machine ({cause}); try again, or engine.kind local.") from error
    try:
        yield ray, {} if address else threads(engine.workers)
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raises OSError where nobody listens; Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=20).close()
