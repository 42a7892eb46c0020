"""What the fault tests share: how long they go on (EMOLAB_FAULTS=full), what they count, and a small real project."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import nbformat
import psutil
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FULL = os.environ.get("EMOLAB_FAULTS") == "full"
_KIND = "fault count"  # summed up and shown at the end by tests/conftest.py
# a stage without a model: real settings, row file, rows, table, figure, report; each thing asked is noted in asked.txt
CELLS = [
    'from emolab import workbench\nrun = workbench.start("01_small", profile=profile, settings=settings)\nrun',
    """import hashlib, os, time
from emolab.engine.answered import answered
from emolab.engine.rows import RowFile, write_rows
PAUSE, ROWS = float(os.environ.get("FAULT_PAUSE", "0.01")), 150
asked = os.open(run.folder / "asked.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def ask(prompts):
    time.sleep(PAUSE)
    os.write(asked, f"{prompts[0]}\\n".encode())
    return [" ".join(hashlib.sha256(f"{prompts[0]} {n}".encode()).hexdigest() for n in range(16)) + " 开心"]
prompts = [f"row {number}" for number in range(ROWS)]
with RowFile(run.folder / "answers.jsonl") as kept:
    answers = answered(ask, prompts, "hash", kept, "asking")""",
    """write_rows(run.folder / "rows.jsonl", [{"row_id": p, "text": t} for p, t in zip(prompts, answers)])
run.rows("rows", run.folder / "rows.jsonl")""",
    'run.table("kept", [{"name": "rows", "n": len(answers), "avg": sum(map(len, answers)) / len(answers)}])',
    "from matplotlib import pyplot\nfigure, axes = pyplot.subplots()\n_ = axes.plot(range(9))\nrun.figure(figure, 'x')",
    "run.finish()",
]
MADE = ("answers.jsonl", "rows.jsonl", "metrics.json", "x.png", "x.svg")


class Project:
    """A folder with one small notebook, as `emolab run` finds it."""

    def __init__(self, folder: Path, **environment: str):
        self.folder, self.output = folder, folder / "outputs" / "demo" / "01_small"
        self.environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", **environment}
        v4 = nbformat.v4
        parameters = v4.new_code_cell('profile = "demo"\nsettings = {}', metadata={"tags": ["parameters"]})
        cells = [v4.new_markdown_cell("# Small"), parameters, *map(v4.new_code_cell, CELLS)]
        for number, cell in enumerate(cells):
            cell["id"] = f"cell-{number}"
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        (folder / "notebooks").mkdir(parents=True)
        nbformat.write(v4.new_notebook(cells=cells, metadata=kernel), folder / "notebooks" / "01_small.ipynb")

    def start(self, *options: str, **more) -> subprocess.Popen:
        command = [sys.executable, "-m", "emolab", "run", "01", *options]
        quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, **{**quiet, **more})

    def run(self, *options: str, **more) -> SimpleNamespace:
        process = self.start(*options, **more)
        out, told = process.communicate(timeout=300)
        return SimpleNamespace(code=process.returncode, out=out, told=told)

    def made(self) -> dict[str, bytes]:
        return {name: (self.output / name).read_bytes() for name in MADE}

    def answered(self) -> int:
        path = self.output / "answers.jsonl"
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def asked(self) -> Counter:
        return Counter((self.output / "asked.txt").read_text().splitlines())


@pytest.fixture(scope="session")
def full() -> bool:
    """Whether all kills are asked for (`make faults`), or the few that CI does."""
    return FULL


@pytest.fixture
def seeded(request) -> random.Random:
    """Random moments, and their seed in what a failed test prints; EMOLAB_FAULTS_SEED repeats them."""
    seed = int(os.environ.get("EMOLAB_FAULTS_SEED", random.randrange(10**6)))
    print("seed", seed)
    request.node.user_properties.append((_KIND, ["seeds", f"{request.node.name} {seed}"]))
    return random.Random(seed)


@pytest.fixture
def count(request):
    """count("kill", "kernel", 1): for the summary at the end, whichever process the test runs in."""
    return lambda kind, name, n=1: request.node.user_properties.append((_KIND, [kind, name, n]))


@pytest.fixture(scope="session")
def project():
    """`project(folder, **environment)`: the small project."""
    return Project


@pytest.fixture(scope="session")
def calm(tmp_path_factory) -> dict[str, bytes]:
    """The files of an undisturbed run of the small project."""
    undisturbed = Project(tmp_path_factory.mktemp("calm"), FAULT_PAUSE="0")
    ended = undisturbed.run()
    assert ended.code == 0, ended.told
    return undisturbed.made()


@pytest.fixture(scope="session")
def until():
    """`until(condition)`: wait for it, for as long as a busy machine may take."""

    def wait(condition, seconds=120):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.01)

    return wait


@pytest.fixture(scope="session")
def below():
    """`below(pid, word)`: the living processes below one whose command line holds a word."""

    def find(pid: int, word: str) -> list[psutil.Process]:
        found = []
        for process in psutil.Process(pid).children(recursive=True):
            try:
                if word in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    return find
