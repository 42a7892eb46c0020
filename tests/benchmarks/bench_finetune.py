"""Fine-tuning through emolab against ms-swift's own command line, and batched answers against one by one.

Same base (the shipped InternVL), same drawn data, same arguments, one run; nothing is asserted. The command line is
given the very sft.yaml that emolab writes.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import yaml
from PIL import Image

from emolab.demo.lessons import caption, describe
from emolab.engine.chat import ChatModel, Question
from emolab.engine.rows import write_rows
from emolab.engine.settings import ModelSettings
from emolab.internvl.finetune import finetune
from emolab.internvl.settings import SftSettings

MODEL = ModelSettings(path="shipped:internvl", batch_size=64, max_new_tokens=96)
SFT = SftSettings(
    epochs=1, batch_size=16, rank=16, learning_rate=1e-3, freeze_vit=False, freeze_aligner=False,
    gradient_checkpointing=False, workers=0, save_steps=1000,
)  # fmt: skip


def training_file(folder: Path, count: int) -> Path:
    rows = []
    for i in range(count):
        lesson, path = caption("bench", i), folder / f"{i}.png"
        Image.fromarray(lesson.images[0]).save(path)
        question = {"role": "user", "content": f"<image>{lesson.prompt}"}
        rows.append({"messages": [question, {"role": "assistant", "content": lesson.answer}], "images": [str(path)]})
    write_rows(folder / "train.jsonl", rows)
    return folder / "train.jsonl"


def train(count: int) -> Path:
    folder = Path(tempfile.mkdtemp())
    data = training_file(folder, count)
    begin = time.perf_counter()
    adapter = finetune(data, MODEL, SFT, 0, folder / "ours", progress=False)
    ours = time.perf_counter() - begin
    settings = yaml.safe_load((folder / "ours" / "sft.yaml").read_text()) | {"output_dir": str(folder / "theirs")}
    (folder / "sft.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    command = [sys.executable, "-m", "swift.cli.main", "sft", "sft.yaml"]
    begin = time.perf_counter()
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    theirs = time.perf_counter() - begin
    same = all(
        (adapter / name).read_bytes() == next((folder / "theirs").glob(f"checkpoint-*/{name}")).read_bytes()
        for name in ["adapter_model.safetensors"]
    )
    print(f"\nfine-tuning on {count} rows, in seconds with start: emolab {ours:.1f}, ms-swift's command {theirs:.1f}")
    print(f"overhead {100 * (ours / theirs - 1):+.1f} %; the same weights, byte for byte: {same}")
    return adapter


def answer(adapter: Path, count: int) -> None:
    questions = [Question(lesson.prompt, lesson.images) for lesson in (describe("bench", i) for i in range(count))]
    found, seconds = {}, {}
    for size in (MODEL.batch_size, 1):
        model = ChatModel(replace(MODEL, batch_size=size, adapter=str(adapter)))
        model.ask(questions[:1])  # loads and warms up
        begin = time.perf_counter()
        found[size] = [each.text for each in model.ask(questions)]
        seconds[size] = time.perf_counter() - begin
    same = sum(a == b for a, b in zip(*found.values(), strict=True))
    batched, single = seconds.values()
    print(
        f"\n{count} clips of six frames, adapter on: {count / batched:.1f} clips/s in batches of {MODEL.batch_size}, "
    )
    print(f"{count / single:.1f} one by one: x {single / batched:.1f}; the same text for {same} of {count}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=128, help="rows to train on")
    parser.add_argument("--clips", type=int, default=64, help="clips to answer")
    options = parser.parse_args()
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    answer(train(options.rows), options.clips)


if __name__ == "__main__":
    main()
