"""AffectGPT's SFT, whose launching process is killed in the middle, and then run again."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
import yaml

from emolab.affectgpt.parts import read_trained
from emolab.affectgpt.settings import AffectSftSettings
from emolab.affectgpt.sft import train_qformers, write_training_file
from emolab.affectgpt.train import run
from emolab.engine.weights import RECORD
from emolab.media.settings import FaceSettings

HERE = Path(__file__).resolve().parents[2]
TINY = runpy.run_path(str(HERE / "tests" / "affectgpt" / "conftest.py"))
parts, clips, encoder, store = (TINY[name] for name in ("parts", "clips", "encoder", "store"))  # its fixtures
SFT = AffectSftSettings(
    epochs=45, batch_size=2, learning_rate=1e-2, last_rate=1e-3, warmup_rate=1e-4, warmup_steps=20, save_steps=7
)
STEPS = 180  # seven samples in batches of two; 7 does not divide an epoch, nor the whole
LAUNCH = """
import sys
from pathlib import Path
from emolab.affectgpt.settings import AffectSettings, AffectSftSettings
from emolab.affectgpt.sft import train_qformers
from emolab.media.settings import FaceSettings, FrameSettings, SoundSettings

data, folder, cache = map(Path, sys.argv[1:])
train_qformers(data, {parts!r}, {sft!r}, FaceSettings(), 42, folder, cache, progress=False)
"""


def trainings(folder):
    """The training's own processes: those that work in the folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder) and "emolab.affectgpt.train" in " ".join(process.cmdline()):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


@pytest.fixture(scope="module")
def killed(parts, clips, store, tmp_path_factory):
    """Killed after its second checkpoint, with a half-written one beside it; then run again."""
    place = tmp_path_factory.mktemp("sft")
    data, folder = place / "train.jsonl", place / "seed42"
    write_training_file(clips, data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("PYTHONPATH", str(HERE))
        code = LAUNCH.format(parts=parts, sft=SFT)
        process = subprocess.Popen([sys.executable, "-c", code, str(data), str(folder), str(store.folder)])
        try:
            deadline = time.monotonic() + 300
            while not (folder / "work" / "checkpoint-14" / "trainer_state.json").exists():
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.005)
        finally:
            process.kill()  # not the training: it lives on without the process that watches it
            process.wait()
        orphans = trainings(folder)
        for pid in orphans:  # so that it cannot come to its end before the next one looks
            psutil.Process(pid).suspend()
        log = (folder / "work" / "logging.jsonl").read_text().count("global_step")
        with (folder / "work" / "logging.jsonl").open("ab") as torn:  # half a line that ends in half a character
            torn.write(b'{"loss": 1.0, "told": "' + "情".encode()[:2])
        whole = [path for path in (folder / "work").glob("checkpoint-*") if (path / "trainer_state.json").exists()]
        half = folder / "work" / "checkpoint-999"
        shutil.copytree(max(whole, key=lambda path: int(path.name.rpartition("-")[2])), half)
        weights = half / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-50])
        steps: list[int] = []
        made = train_qformers(
            data, parts, SFT, FaceSettings(), 42, folder, store.folder,
            watch=lambda rows: steps.append(rows[-1]["step"]), progress=False,
        )  # fmt: skip
    return folder, made, orphans, log, steps


def test_it_goes_on_from_its_last_whole_checkpoint(killed, count):
    count("kills", "AffectGPT: watcher")
    folder, made, orphans, before, steps = killed
    begun = Path(yaml.safe_load((folder / "sft.yaml").read_text())["resume_from_checkpoint"])
    number = int(begun.name.removeprefix("checkpoint-"))
    assert 14 <= number <= before < STEPS  # the first one was in the middle
    assert len(orphans) == 1 and not psutil.pid_exists(orphans[0])  # nobody else trains into the folder
    assert steps[0] >= number and steps[-1] == STEPS
    log = [json.loads(line) for line in (made / "training_log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log] == list(range(1, STEPS + 1))  # no step lost, none twice
    assert json.loads((made / RECORD).read_text())["steps"] == STEPS
    assert not (folder / "work").exists() and not trainings(folder)


def test_it_ends_where_an_undisturbed_training_ends(killed, tmp_path):
    """The same settings without a break: the same losses, the same weights, bit for bit."""
    folder, made, *_ = killed
    chosen = yaml.safe_load((folder / "sft.yaml").read_text())
    del chosen["resume_from_checkpoint"]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        run({**chosen, "output_dir": str(tmp_path)})
    finally:
        torch.set_num_threads(threads)
    plain, broken = read_trained(tmp_path / f"checkpoint-{STEPS}"), read_trained(made)
    assert plain.keys() == broken.keys()
    for name, tensor in plain.items():
        assert torch.equal(tensor, broken[name]), name
    losses = [json.loads(line)["loss"] for line in (tmp_path / "logging.jsonl").read_text().splitlines()]
    log = [json.loads(line)["loss"] for line in (made / "training_log.jsonl").read_text().splitlines()]
    assert losses == log and os.path.getsize(tmp_path / "left_out.jsonl") == 0
