"""SIGKILL of a map's driver and of one of its workers: every row once, whole, and the same as undisturbed."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
ROWS = 120
DRIVER = """
import sys
from functools import partial

from emolab.engine.chat import ChatModel, Question
from emolab.engine.rows import RowFile
from emolab.engine.settings import EngineSettings, ModelSettings
from emolab.engine.stage import Task, answer_all


def draw(i):
    from emolab.demo.draw import Stage
    from emolab.demo.scenario import scenario

    return Question("Describe.", [Stage(scenario("map-test", i)).frame(0.5)])


if __name__ == "__main__":
    path, kind, workers, rows = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    model = ChatModel(ModelSettings(path="shipped:internvl", batch_size=4, max_new_tokens=16, device="cpu"))
    tasks = [Task(f"row_{i}", ("kill", i), partial(draw, i)) for i in range(rows)]
    with RowFile(path) as cache:
        answers = answer_all(model, tasks, cache, "map", progress=False, engine=EngineSettings(kind, workers))
    assert len(answers) == rows and not any(answer.error for answer in answers)
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("driver") / "driver.py"
    path.write_text(DRIVER)
    return path


@pytest.fixture(scope="module")
def undisturbed(script):
    path = script.with_name("undisturbed.jsonl")
    subprocess.run([sys.executable, script, path, "local", "1", str(ROWS)], check=True, env=environment())
    return whole_rows(path)


@pytest.fixture(scope="module")
def address():
    """A Ray cluster that the drivers attach to."""
    import ray

    ray.init("local", num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield ray.get_runtime_context().gcs_address
    ray.shutdown()


def environment(**more):
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), **more}


def whole_rows(path):
    """Rows by key, of the whole lines; no key twice."""
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    rows = [json.loads(line) for line in lines]
    assert len({row["key"] for row in rows}) == len({row["row_id"] for row in rows}) == len(rows)
    return {row["key"]: row for row in rows}


def wait_for(condition, seconds=300):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def workers_of(process, kind):
    """The processes that hold a model: children of the driver, or of this process's Ray."""
    mark, parent = ("spawn_main", process.pid) if kind == "local" else ("ray::MapWorker", os.getpid())
    found = []
    for child in psutil.Process(parent).children(recursive=True):
        try:
            if mark in " ".join(child.cmdline()):
                found.append(child)
        except psutil.Error:  # ended meanwhile, or not one of those
            continue
    return found


# CI sees Ray workers and a Ray node die in tests/engine; `make faults` kills its driver as well
@pytest.mark.parametrize("kind", ["local", "ray"] if os.environ.get("EMOLAB_FAULTS") == "full" else ["local"])
def test_kills_at_random_moments_cost_nothing(kind, script, undisturbed, tmp_path, request, full, seeded, count):
    env = environment(RAY_ADDRESS=request.getfixturevalue("address") if kind == "ray" else "")
    path, rng, drivers, deaths = tmp_path / "answers.jsonl", seeded, 6 if full else 1, 2 if full else 1

    def start():
        process = subprocess.Popen([sys.executable, script, path, kind, "2", str(ROWS)], env=env)
        enough, pause = len(whole_rows(path)) + rng.randint(1, ROWS // (3 * drivers)), rng.uniform(0, 0.5)
        wait_for(lambda: len(whole_rows(path)) >= enough or process.poll() is not None)
        time.sleep(pause)
        assert process.poll() is None, "the map ended before it could be killed"
        return process

    for _ in range(drivers):
        process = start()
        workers = workers_of(process, kind)
        process.kill()
        process.wait()
        wait_for(lambda left=workers: not any(w.is_running() and w.status() != "zombie" for w in left), 60)
        rows = whole_rows(path)
        assert 0 < len(rows) < ROWS and rows.items() <= undisturbed.items()
    process = start()
    for _ in range(deaths):
        done = len(whole_rows(path))
        rng.choice(workers_of(process, kind)).kill()
        wait_for(lambda n=done: len(whole_rows(path)) > n or process.poll() is not None)
    assert process.wait(300) == 0
    assert whole_rows(path) == undisturbed and path.read_bytes().endswith(b"\n")
    count("kills", f"map ({kind}), driver", drivers)
    count("kills", f"map ({kind}), worker", deaths)
    count("rows compared", f"map ({kind})", ROWS)
