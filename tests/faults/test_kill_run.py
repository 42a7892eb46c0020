"""SIGKILL in the middle of `emolab run`: nothing lost, nothing repeated, the same bytes as an undisturbed run."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SMALL = [
    "corpus.described=24", "corpus.labelled=0", "corpus.unlabelled=0", "corpus.stills=0",
    "corpus.test=6", "internvl.batch_size=4", "scoring.bootstrap=200",
    "sft.seeds=[]",  # trainings are killed in test_kill_training.py
]  # fmt: skip


def command(project):
    shutil.copytree(REPOSITORY / "notebooks", project / "notebooks", dirs_exist_ok=True)
    settings = [part for setting in SMALL for part in ("--set", setting)]
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return {"args": [sys.executable, "-m", "emolab", "run", "03", *settings], "cwd": project, "env": env}


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def wait_until_unlocked(path):
    deadline = time.monotonic() + 30
    with path.open("rb") as file:
        while True:
            try:
                return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                assert time.monotonic() < deadline
                time.sleep(0.1)


def test_a_killed_run_goes_on_without_losing_or_repeating_a_row(tmp_path, count):
    (tmp_path / "calm").mkdir()
    calm = subprocess.run(**command(tmp_path / "calm"), capture_output=True, text=True)
    assert calm.returncode == 0, calm.stderr
    killed = tmp_path / "killed"
    killed.mkdir()
    folder = killed / "outputs/demo/03_internvl_finetune"
    process = subprocess.Popen(**command(killed), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    answers = folder / "answers.jsonl"
    deadline = time.monotonic() + 300
    while not (answers.exists() and answers.read_bytes().count(b"\n") >= 4):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_until_unlocked(answers)  # the kernel notices within seconds that its runner is gone
    assert not (folder / "run.json").exists() and not (folder / "zero_shot.jsonl").exists()
    with answers.open("ab") as file:
        file.write(b'{"key": "half a r')  # what a power cut may leave
    again = subprocess.run(**command(killed), capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    undisturbed = tmp_path / "calm/outputs/demo/03_internvl_finetune"
    for name in ("answers.jsonl", "zero_shot.jsonl", "metrics.json"):
        assert (folder / name).read_bytes() == (undisturbed / name).read_bytes(), name
    kept = rows(answers)
    assert len(kept) == len({row["key"] for row in kept}) == len({row["row_id"] for row in kept}) == 24
    assert len(rows(folder / "zero_shot.jsonl")) == 24
    assert json.loads((folder / "run.json").read_text())["outputs"]["zero_shot"]["rows"] == 24

    count("kills", "notebook 03")
    count("rows compared", "notebook 03", 48)
    count("files compared byte by byte", "notebook 03", 3)
    skipped = subprocess.run(**command(killed), capture_output=True, text=True)
    assert skipped.returncode == 0 and "unchanged" in skipped.stdout + skipped.stderr
