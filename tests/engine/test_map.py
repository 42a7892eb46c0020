"""One map, three places: this process, two processes, Ray Data; the real model over stills."""

import os
import socket
import subprocess
import sys
from functools import partial

import pytest
from PIL import Image

from emolab import extensions
from emolab.captions.describe import describe
from emolab.demo.draw import Stage
from emolab.demo.scenario import scenario
from emolab.engine.chat import ChatModel, Question
from emolab.engine.map import map_unordered
from emolab.engine.rows import RowFile, read_rows
from emolab.engine.settings import EngineSettings, ModelSettings
from emolab.engine.stage import Asker, Task
from emolab.errors import InputError, RunError

SETTINGS = ModelSettings(path="shipped:internvl", batch_size=4, max_new_tokens=64, device="cpu")
STILLS = 14


@pytest.fixture(scope="module")
def cluster():
    """Ray in this process, for the maps of this file: a cluster of its own each would take most of the time."""
    import ray

    ray.init("local", num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield ray.get_runtime_context().gcs_address
    ray.shutdown()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder of stills and its Image rows; the last file is missing."""
    folder = tmp_path_factory.mktemp("stills")
    for i in range(STILLS):
        Image.fromarray(Stage(scenario("map-test", i)).frame(0.5)).save(folder / f"{i}.png")
    return folder, [{"image_id": f"s_{i}", "clip_id": f"s_{i}", "image": f"{i}.png"} for i in range(STILLS + 1)]


@pytest.fixture(scope="module")
def expected(images, tmp_path_factory):
    """Rows and kept answers of this process alone."""
    return captions(images, EngineSettings(), tmp_path_factory.mktemp("here"))


def captions(images, engine, scratch):
    folder, rows = images
    with RowFile(scratch / "answers.jsonl") as answers:
        found = describe(rows, folder, ChatModel(SETTINGS), "first", answers, engine=engine, progress=False)
    kept = sorted(read_rows(scratch / "answers.jsonl"), key=lambda row: row["key"])
    assert all(row["text"] and not row["error"] for row in found[:STILLS]) and len(kept) == STILLS
    assert f"{STILLS}.png cannot be read" in found[STILLS]["error"]
    return found, kept


def test_two_processes_give_the_rows_of_one(images, expected, tmp_path):
    assert captions(images, EngineSettings("local", workers=2), tmp_path) == expected


@pytest.mark.parametrize("workers", [1, 2])
def test_ray_gives_the_same_rows(cluster, images, expected, tmp_path, workers):
    assert captions(images, EngineSettings("ray", workers), tmp_path) == expected


def test_workers_on_ray_load_the_extensions_of_the_driver(cluster, tmp_path):
    """Those in processes of this machine: tests/test_extensions.py."""

    class Worker:  # a local class travels whole: Ray's workers cannot import this file
        def begin(self, item):
            return item

        def finish(self, item):
            from emolab.scoring.metrics import METRICS

            return item, list(METRICS)

    for folder in ("notebooks", "extensions"):
        (tmp_path / folder).mkdir()
    code = "from emolab.scoring.metrics import metric\nmetric('mine')(len)\n"
    (tmp_path / "extensions" / "mine.py").write_text(code)
    extensions.load(tmp_path)
    try:
        found = dict(map_unordered(Worker, ["x", "y"], EngineSettings("ray", workers=2)))
    finally:
        extensions.load(tmp_path / "elsewhere")
    assert found == {0: ("x", ["mine"]), 1: ("y", ["mine"])}


@pytest.mark.parametrize("kind", ["local", "ray"])
def test_workers_that_keep_dying_end_the_map(kind, request):
    if kind == "ray":
        request.getfixturevalue("cluster")
    with pytest.raises(RunError, match="died 3 times in a row without finishing"):
        list(map_unordered(partial(os._exit, 1), ["item"] * 3, EngineSettings(kind, workers=2)))


@pytest.mark.parametrize("kind", ["local", "ray"])
def test_what_a_worker_raises_reaches_the_driver(kind, request):
    if kind == "ray":
        request.getfixturevalue("cluster")
    broken = ModelSettings(path="shipped:internvl", backend="vllm", device="cpu")
    make = partial(Asker.with_own_model, broken, 0)
    batches = [[Task("row", ("row",), partial(Question, "Describe."))]] * 2
    with pytest.raises(RunError, match="could not be loaded by vllm"):
        list(map_unordered(make, batches, EngineSettings(kind, workers=2)))


def test_nothing_to_do_starts_nothing():
    for engine in (EngineSettings(), EngineSettings("local", 2), EngineSettings("ray", 2)):
        assert list(map_unordered(partial(os._exit, 1), [], engine)) == []


def test_without_ray_there_is_a_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match="ray is not installed; pip install -e '.\\[cluster\\]'"):
        list(map_unordered(partial(int, 0), ["item"], EngineSettings("ray")))


def test_a_cluster_that_is_not_there_is_one_sentence():
    code = (
        "from emolab.engine.map import map_unordered; from emolab.engine.settings import EngineSettings\n"
        "list(map_unordered(int, [1], EngineSettings('ray')))"
    )
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: the port of nobody
        env = {**os.environ, "RAY_ADDRESS": f"127.0.0.1:{closed.getsockname()[1]}"}
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert "InputError: RAY_ADDRESS=127.0.0.1" in done.stderr and "no Ray cluster could be joined" in done.stderr


def test_importing_the_map_loads_neither_ray_nor_torch():
    code = "import sys, emolab.engine.map, emolab.engine.stage; print({'ray', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_engine_settings_say_what_is_wrong():
    with pytest.raises(InputError, match="one of local, ray"):
        EngineSettings("slurm")
    with pytest.raises(InputError, match="workers starts at 1"):
        EngineSettings(workers=0)
    with pytest.raises(InputError, match="is for engine.kind ray"):
        EngineSettings("local", gpus_per_worker=0.5)
