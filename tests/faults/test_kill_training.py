"""Real LoRA trainings of the shipped InternVL through ms-swift: killed, resumed, broken; and what an adapter is for."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
import yaml
from PIL import Image

from emolab.demo.draw import Stage
from emolab.demo.lessons import caption
from emolab.demo.scenario import scenario
from emolab.engine.chat import ChatModel, Question
from emolab.engine.rows import write_rows
from emolab.engine.settings import ModelSettings
from emolab.engine.training import Training, last_checkpoint
from emolab.engine.weights import SHIPPED, adapter_record, is_whole
from emolab.errors import InputError, RunError
from emolab.internvl.adapter import trained_before
from emolab.internvl.finetune import content_hash, finetune
from emolab.internvl.settings import SftSettings
from emolab.workbench.cli import main

MODEL = ModelSettings(path="shipped:internvl", batch_size=4, max_new_tokens=64, max_tiles=3, device="cpu")
SFT = SftSettings(
    epochs=2, batch_size=2, rank=4, learning_rate=1e-3, save_steps=2, workers=0, gradient_checkpointing=False
)


def trainings(folder):
    """Processes of ms-swift that work in a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder) and "swift" in " ".join(process.cmdline()):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Trainings inherit it: two threads on a busy machine wait for each other."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    yield
    os.environ.pop("OMP_NUM_THREADS") if before is None else os.environ.update(OMP_NUM_THREADS=before)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Ten captioned drawn images: ten steps."""
    folder, rows = tmp_path_factory.mktemp("data"), []
    for i in range(10):
        lesson = caption("sft-test", i)
        Image.fromarray(Stage(scenario("sft-test", i)).frame(0.5)).save(folder / f"{i}.png")
        question = {"role": "user", "content": f"<image>{lesson.prompt}"}
        messages = [question, {"role": "assistant", "content": lesson.answer}]
        about = {"clip_id": f"clip_{i}", "corpus": "drawn", "source": "generated"}
        rows.append({"messages": messages, "images": [str(folder / f"{i}.png")], **about})
    write_rows(folder / "train.jsonl", rows)
    return folder / "train.jsonl"


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """A run that was killed after its first checkpoint, with the process that watched it, and then run again."""
    folder = tmp_path_factory.mktemp("sft") / "seed0"
    code = (
        "import sys; from pathlib import Path; from emolab.internvl.finetune import finetune\n"
        "from emolab.internvl.settings import SftSettings; from emolab.engine.settings import ModelSettings\n"
        f"finetune(Path({str(data)!r}), {MODEL!r}, {SFT!r}, 0, Path({str(folder)!r}), progress=False)"
    )
    environment = {**os.environ, "PYTHONPATH": str(SHIPPED.parents[2])}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment)
    deadline = time.monotonic() + 400
    while not list((folder / "work").glob("checkpoint-*/trainer_state.json")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()  # not the training: it lives on without the process that watches it
    process.wait()
    orphans = trainings(folder)
    assert not (folder / "adapter").exists()
    for half in (folder / "work").glob("checkpoint-*"):
        newest = half
    shutil.copytree(newest, folder / "work" / "checkpoint-99")
    (folder / "work" / "checkpoint-99" / "trainer_state.json").unlink()  # half-written
    steps: list[int] = []
    adapter = finetune(data, MODEL, SFT, 0, folder, watch=lambda rows: steps.append(rows[-1]["step"]), progress=False)
    return folder, adapter, steps, orphans


def test_a_killed_training_goes_on_from_its_last_whole_checkpoint(trained, count):
    count("kills", "LoRA: watcher")
    folder, adapter, steps, orphans = trained
    begun = yaml.safe_load((folder / "sft.yaml").read_text())["resume_from_checkpoint"]
    assert Path(begun).name in ("checkpoint-2", "checkpoint-4", "checkpoint-6", "checkpoint-8", "checkpoint-10")
    assert len(orphans) >= 2 and not any(map(psutil.pid_exists, orphans))  # nobody else trains into the folder
    log = [json.loads(line) for line in (adapter / "training_log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log] == list(range(1, 11)) and steps[-1] == 10  # no step lost, none twice
    assert is_whole(adapter) and not (folder / "work").exists()
    record = adapter_record(adapter)
    assert record["steps"] == 10 and record["seed"] == 0
    assert len(trained_before(replace(MODEL, adapter=str(adapter)))) == 10 and trained_before(MODEL) == []
    assert "at most 3 tiles" in (folder / "train.log").read_text()
    card = (adapter / "README.md").read_text()
    assert record["base"] in card and record["data"] in card and "10 steps" in card and "rank 4" in card


def test_what_is_done_is_not_done_again(trained, data):
    folder, adapter, *_ = trained
    before = (adapter / "adapter_model.safetensors").stat().st_mtime_ns
    assert finetune(data, MODEL, SFT, 0, folder, progress=False) == adapter
    assert (adapter / "adapter_model.safetensors").stat().st_mtime_ns == before
    assert finetune(data, MODEL, replace(SFT, save_steps=3, workers=1), 0, folder, progress=False) == adapter


def test_other_pictures_are_other_data(data):
    before, picture = content_hash(data), data.with_name("0.png")
    kept = picture.read_bytes()
    Image.new("RGB", (8, 8)).save(picture)
    other = content_hash(data)
    picture.write_bytes(kept)
    assert other != before == content_hash(data)


def test_the_adapter_loads_in_plain_transformers_and_peft(trained):
    from peft import PeftModel
    from transformers import AutoModelForImageTextToText, AutoProcessor

    _, adapter, *_ = trained
    base = SHIPPED / "internvl"
    model = AutoModelForImageTextToText.from_pretrained(base, dtype=torch.float32)
    model = PeftModel.from_pretrained(model, adapter).eval()
    processor = AutoProcessor.from_pretrained(base)
    lesson = caption("sft-test", 3)
    content = [{"type": "image", "image": lesson.images[0]}, {"type": "text", "text": lesson.prompt}]
    inputs = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=True, return_dict=True,
        return_tensors="pt",
    )  # fmt: skip
    with torch.inference_mode():
        output = model.generate(**inputs, max_new_tokens=64, do_sample=False)
    plain = processor.tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True).strip()
    tuned = ChatModel(replace(MODEL, adapter=str(adapter)))
    assert tuned.ask([Question(lesson.prompt, lesson.images)])[0].text == plain
    assert "+adapter@" in tuned.identity


def test_predict_takes_the_adapter(trained, small_corpus, capsys):
    _, adapter, *_ = trained
    video = next((small_corpus / "video").glob("described_*.mp4"))
    assert main(["predict", str(video), "--adapter", str(adapter), "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["error"] is None and row["labels"]
    assert main(["predict", str(video), "--adapter", str(video.parent)]) == 2
    assert "no adapter there" in capsys.readouterr().err


def test_an_adapter_of_another_base_is_refused(trained):
    _, adapter, *_ = trained
    with pytest.raises(InputError, match="was trained on internvl@"):
        ChatModel(replace(MODEL, path="shipped:qwen3_vl", model_type="qwen3_vl", adapter=str(adapter)))


def test_half_an_adapter_is_none(trained, data, tmp_path):
    _, adapter, *_ = trained
    copy = tmp_path / "work" / "checkpoint-4"
    shutil.copytree(adapter, copy)
    weights = copy / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert not is_whole(copy)
    (copy / "trainer_state.json").write_text('{"global_step": 4}')
    training = Training(tmp_path, [], "swift", "", "", "", is_whole)
    assert last_checkpoint(training) is None and not copy.exists()


def test_a_loss_that_is_no_number_ends_the_training(data, tmp_path):
    with pytest.raises(RunError, match=r"(loss|grad_norm) is (nan|inf) at step \d+; lower the learning rate"):
        finetune(data, MODEL, replace(SFT, learning_rate=1e30), 0, tmp_path, progress=False)
    assert not (tmp_path / "adapter").exists()
    assert not trainings(tmp_path)


def test_an_image_that_is_gone_is_named_before_and_during_training(data, tmp_path):
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    for number, row in enumerate(rows):
        row["images"] = [str(shutil.copy(row["images"][0], tmp_path / f"{number}.png"))]
    write_rows(tmp_path / "train.jsonl", rows)

    def remove(log):
        for picture in tmp_path.glob("*.png"):
            picture.unlink()

    with pytest.raises(RunError, match=r"image of the training file is gone or broken \(.*\.png"):
        finetune(tmp_path / "train.jsonl", MODEL, SFT, 0, tmp_path / "sft", watch=remove, progress=False)
    assert not (tmp_path / "sft" / "adapter").exists()
    with pytest.raises(InputError, match=r"0\.png cannot be read \(No such file"):
        finetune(tmp_path / "train.jsonl", MODEL, SFT, 0, tmp_path / "sft", progress=False)


def test_ctrl_c_ends_the_training(data, tmp_path):
    def interrupt():
        while len(trainings(tmp_path)) < 2:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Thread(target=interrupt, daemon=True).start()
        with pytest.raises(KeyboardInterrupt):
            finetune(data, MODEL, SFT, 1, tmp_path, progress=False)
    finally:
        signal.signal(signal.SIGINT, previous)
    assert not trainings(tmp_path)
