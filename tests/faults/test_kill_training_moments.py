"""SIGKILL of real trainings at random moments (`make faults`): of the process that watches, of the trainer, of both.
What comes out is what an undisturbed training gives, weights and log byte by byte. The short form of these kills is in
test_kill_training.py and test_kill_affectgpt.py."""

import json
import os
import runpy
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

HERE = Path(__file__).resolve().parent
LORA, SFT = (runpy.run_path(str(HERE / name)) for name in ("test_kill_training.py", "test_kill_affectgpt.py"))
data, parts, clips, encoder, store = LORA["data"], *(SFT[name] for name in ("parts", "clips", "encoder", "store"))
TARGETS = ["watcher", "trainer", "watcher and trainer"]
KILLS = 5
pytestmark = pytest.mark.skipif(os.environ.get("EMOLAB_FAULTS") != "full", reason="minutes of training: make faults")


def steps(folder):
    path = folder / "work" / "logging.jsonl"
    return path.read_bytes().count(b"global_step/max") if path.exists() else 0


def killed_at_random(code, folder, trainings, seeded, until, count, name):
    """Kill and run again, then to the end."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1]), "OMP_NUM_THREADS": "1"}
    targets = seeded.sample(TARGETS * 2, KILLS)

    def start():
        return subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True)

    for target in targets:
        process, enough = start(), steps(folder) + seeded.randint(0, 3)
        until(lambda p=process, n=enough: trainings(folder) and steps(folder) >= n or p.poll() is not None, 300)
        time.sleep(seeded.uniform(0, 0.2))
        for pid in trainings(folder) if "trainer" in target else ():
            if psutil.pid_exists(pid):
                psutil.Process(pid).kill()
        if "watcher" in target:
            process.kill()
        _, told = process.communicate(timeout=120)
        if process.returncode == 0:  # it came to its end before: a watcher that is killed leaves its trainer at work
            break
        assert process.returncode == (-9 if "watcher" in target else 1), told
        assert "watcher" in target or "it was killed" in told.splitlines()[-1]
        count("kills", f"{name}: {target}")
    last = start()
    _, told = last.communicate(timeout=500)
    assert last.returncode == 0 and not trainings(folder), told


def same(made, calm, names, count, name):
    for each in names:
        assert (made / each).read_bytes() == (calm / each).read_bytes(), each
    log = [json.loads(line) for line in (made / "training_log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log] == list(range(1, log[-1]["steps"] + 1))  # none lost, none twice
    count("files compared byte by byte", name, len(names))
    count("rows compared", f"{name}, steps", len(log))


def test_lora(data, tmp_path, seeded, until, count):  # noqa: F811
    def code(folder):
        return (
            "from pathlib import Path; from emolab.internvl.finetune import finetune\n"
            "from emolab.internvl.settings import SftSettings; from emolab.engine.settings import ModelSettings\n"
            f"finetune(Path({str(data)!r}), {LORA['MODEL']!r}, {LORA['SFT']!r}, 0, "
            f"Path({str(folder)!r}), progress=False)"
        )

    killed_at_random(code(tmp_path / "killed"), tmp_path / "killed", LORA["trainings"], seeded, until, count, "LoRA")
    subprocess.run([sys.executable, "-c", code(tmp_path / "calm")], check=True)
    names = ("adapter_model.safetensors", "training_log.jsonl")
    same(tmp_path / "killed" / "adapter", tmp_path / "calm" / "adapter", names, count, "LoRA")


def test_affectgpt(parts, clips, store, tmp_path, seeded, until, count):  # noqa: F811
    table = tmp_path / "train.jsonl"
    SFT["write_training_file"](clips, table)

    def code(folder):
        words = [str(table), str(folder), str(store.folder)]
        return f"import sys; sys.argv[1:] = {words!r}\n" + SFT["LAUNCH"].format(parts=parts, sft=SFT["SFT"])

    folder, calm = tmp_path / "killed", tmp_path / "calm"
    killed_at_random(code(folder), folder, SFT["trainings"], seeded, until, count, "AffectGPT")
    subprocess.run([sys.executable, "-c", code(calm)], check=True)
    names = ("model.safetensors", "training_log.jsonl")
    same(folder / "qformers", calm / "qformers", names, count, "AffectGPT")
