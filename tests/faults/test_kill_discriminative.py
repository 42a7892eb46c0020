"""SIGKILL of notebook 06 at two moments: nothing lost, nothing repeated, the bytes of an undisturbed run."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SMALL = [
    "corpus.described=8", "corpus.test=2", "corpus.labelled=45", "corpus.unlabelled=12", "corpus.stills=0",
    "discriminative.folds=3", "discriminative.seeds=[0]", "discriminative.noise=[0]",
    "discriminative.writer.batch_size=8", "discriminative.emovclip.epochs=3", "discriminative.fusion.epochs=30",
    "discriminative.self_training.rounds=1", "discriminative.self_training.thresholds=[.3, .3, .3, .3, .3, .3]",
    "scoring.bootstrap=100",
]  # fmt: skip
MADE = ("metrics.json", "written.jsonl", "predictions.jsonl", "out_of_fold.jsonl", "answers.jsonl")


def command(project):
    """Both projects read the one corpus, so that it is drawn once (its own test kills that)."""
    settings = [part for each in (*SMALL, f"corpus.root={project.parent}") for part in ("--set", each)]
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "TMPDIR": str(project.parent)}
    return {"args": [sys.executable, "-m", "emolab", "run", "06", *settings], "cwd": project, "env": env}


def project(place, name):
    shutil.copytree(REPOSITORY / "notebooks", place / name / "notebooks")
    return place / name, place / name / "outputs/demo/06_discriminative"


def finish(folder):
    ended = subprocess.run(**command(folder), capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout + ended.stderr


def kill_when(folder, happens):
    """Start a run and kill runner, notebook and kernel at once, as a power cut does."""
    runner = subprocess.Popen(**command(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    tree = [psutil.Process(runner.pid)]
    try:
        deadline = time.monotonic() + 120
        while not happens():
            assert runner.poll() is None and time.monotonic() < deadline
            time.sleep(0.005)
    finally:
        tree += tree[0].children(recursive=True) if runner.poll() is None else []
        for process in tree:
            process.kill()
        runner.wait()
        psutil.wait_procs(tree, timeout=30)


def stamps(folder):
    """The files that no run need make again -> when they were written."""
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*.safetensors")}


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def said(folder):
    """What the cells of the executed notebook wrote to stderr, their progress bars among it."""
    cells = json.loads((folder / "06_discriminative.ipynb").read_text())["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", []) if output.get("name") == "stderr"]
    return "".join("".join(output["text"]) for output in outputs)


@pytest.fixture
def place():
    """A short path: the kernel's socket lies below it, and goes with it."""
    with tempfile.TemporaryDirectory(prefix="k6") as folder:
        yield Path(folder)


@pytest.mark.skipif(os.environ.get("EMOLAB_FAULTS") != "full", reason="minutes of kills: make faults")
def test_killed_twice_it_ends_as_an_undisturbed_run(place, count):
    calm, expected = project(place, "calm")
    finish(calm)
    killed, folder = project(place, "killed")

    answers = folder / "answers.jsonl"
    kill_when(killed, lambda: answers.exists() and answers.read_bytes().count(b"\n") >= 8)
    assert not (folder / "written.jsonl").exists()
    before = answers.read_bytes().rpartition(b"\n")[0]
    with answers.open("ab") as file:
        file.write(b'{"key": "half a r')  # what a power cut may leave: half a row, features without an end, or none
    kept = stamps(folder)
    for number, path in enumerate(sorted(path for path in kept if path.parts[0] in ("features", "pixels"))[::7]):
        del kept[path]
        if number % 2:
            (folder / path).unlink()
        else:
            (folder / path).write_bytes((folder / path).read_bytes()[:-50])

    kill_when(killed, lambda: list(folder.glob("emovclip/fold*/prompts.safetensors")))
    assert kept.items() <= stamps(folder).items() and answers.read_bytes().startswith(before)
    kept = stamps(folder)
    trained = sorted(path.parent.name for path in folder.glob("emovclip/fold*/prompts.safetensors"))
    assert trained[0] == "fold0" and len(trained) < 3 and not (folder / "metrics.json").exists()
    seen = folder / "emovclip/fold0/features.safetensors"
    seen.write_bytes(b"half of it")
    kept.pop(seen.relative_to(folder), None)
    answered = answers.read_bytes()

    finish(killed)
    for name in MADE:
        assert (folder / name).read_bytes() == (expected / name).read_bytes(), name
    learned = [path.relative_to(expected) for path in expected.glob("emovclip/*/*")]
    assert len(learned) == 9
    for path in [*learned, *(path.relative_to(expected) for path in expected.glob("heads/*/*"))]:
        assert (folder / path).read_bytes() == (expected / path).read_bytes(), path
    assert kept.items() <= stamps(folder).items() and stamps(folder).keys() == stamps(expected).keys()
    told = said(folder)
    assert all(f"EmoVCLIP fold {fold}" in told for fold in range(len(trained), 3))
    assert all(f"EmoVCLIP {name.replace('fold', 'fold ')}" not in told for name in trained)  # not once more
    assert "writing about words" not in told and answers.read_bytes() == answered
    assert len(rows(answers)) == len({row["key"] for row in rows(answers)}) == len({r["row_id"] for r in rows(answers)})

    count("kills", "notebook 06, its kernel and all", 2)
    count("rows compared", "notebook 06", len(rows(answers)))
    count("files compared byte by byte", "notebook 06", len(MADE) + len(learned))
    assert "unchanged" in finish(killed)
