"""SIGKILL of notebooks 01 and 02 at random moments: nothing lost, nothing repeated, the bytes of an undisturbed run."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SMALL = [
    "corpus.described=4", "corpus.labelled=0", "corpus.unlabelled=8", "corpus.stills=4", "corpus.test=1",
    "captioners.first.batch_size=2", "captioners.second.batch_size=2", "internvl.batch_size=2", "scoring.bootstrap=200",
]  # fmt: skip
FILES = ("01_data_generation/images.jsonl", "01_data_generation/captions.jsonl", "02_caption_filtering/pairs.jsonl")


def command(project):
    shutil.copytree(REPOSITORY / "notebooks", project / "notebooks", dirs_exist_ok=True)
    settings = [part for setting in SMALL for part in ("--set", setting)]
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return {"args": [sys.executable, "-m", "emolab", "run", "01", "02", *settings], "cwd": project, "env": env}


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def keys_so_far(outputs):
    files = [outputs / name / "answers.jsonl" for name in ("01_data_generation", "02_caption_filtering")]
    return sum(file.read_bytes().count(b"\n") for file in files if file.exists())


@pytest.mark.skipif(os.environ.get("EMOLAB_FAULTS") != "full", reason="minutes of kills: make faults")
def test_killed_again_and_again_the_pairs_are_those_of_a_calm_run(tmp_path, seeded, until, below, count):
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    for project in (calm, killed):
        project.mkdir()
    finished = subprocess.run(**command(calm), capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    expected = calm / "outputs/demo"
    total = keys_so_far(expected)
    rng = seeded
    outputs = killed / "outputs/demo"
    for share in (0.2, 0.8):  # somewhere in notebook 01, then late in 01 or in 02
        wanted = max(keys_so_far(outputs) + 1, int(total * share * rng.uniform(0.8, 1.1)))
        process = subprocess.Popen(**command(killed), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 300
        while keys_so_far(outputs) < wanted and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(rng.uniform(0, 0.5))
        family = below(process.pid, "")
        process.kill()
        process.wait()
        until(lambda f=family: not any(each.is_running() and each.status() != "zombie" for each in f))
        count("kills", "notebooks 01 and 02")
    again = subprocess.run(**command(killed), capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    for name in FILES:
        left, right = rows(outputs / name), rows(expected / name)
        drop = {"image"}  # stills are named by their absolute path
        assert [{k: v for k, v in row.items() if k not in drop} for row in left] == [
            {k: v for k, v in row.items() if k not in drop} for row in right
        ]
    for notebook in ("01_data_generation", "02_caption_filtering"):
        answers = rows(outputs / notebook / "answers.jsonl")
        assert len({row["key"] for row in answers}) == len(answers)
        assert sorted(row["key"] for row in answers) == sorted(
            row["key"] for row in rows(expected / notebook / "answers.jsonl")
        )
    assert len(rows(outputs / "02_caption_filtering/train.jsonl")) == len(
        rows(expected / "02_caption_filtering/train.jsonl")
    )
    count("rows compared", "notebooks 01 and 02", len(answers))
    third = subprocess.run(**command(killed), capture_output=True, text=True)
    assert third.returncode == 0 and "unchanged" in third.stdout + third.stderr
