"""Fine-tuning through emolab against ms-swift's own command line, and batched answers against one by one.

Same base (the shipped InternVL), same drawn data, same arguments, one run; nothing is asserted. The command line is
given the very sft.yaml that emolab writes.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import report
import yaml
from PIL import Image
from plain import same

from emolab.demo.lessons import caption, describe
from emolab.engine.chat import ChatModel, Question
from emolab.engine.rows import write_rows
from emolab.engine.settings import ModelSettings
from emolab.internvl.finetune import finetune
from emolab.internvl.settings import SftSettings

MODEL = ModelSettings(path="shipped:internvl", batch_size=32, max_new_tokens=96)
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


def train(told: report.Report, options: argparse.Namespace, folder: Path) -> Path:
    """The adapter that emolab trained."""
    data, adapters = training_file(folder, options.rows_trained), []

    def ours() -> None:
        adapters.append(finetune(data, MODEL, SFT, 0, folder / f"ours{len(adapters)}", progress=False))

    def theirs() -> None:
        settings = yaml.safe_load((folder / "ours0" / "sft.yaml").read_text()) | {"output_dir": str(folder / "theirs")}
        (folder / "sft.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
        shutil.rmtree(folder / "theirs", ignore_errors=True)
        command = [sys.executable, "-m", "swift.cli.main", "sft", "sft.yaml"]
        subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=True)

    seconds = report.turns({"emolab": ours, "swift sft": theirs}, options.rounds)
    name = "adapter_model.safetensors"
    other = next((folder / "theirs").glob(f"checkpoint-*/{name}"))
    alike = "the same" if (adapters[-1] / name).read_bytes() == other.read_bytes() else "other"
    n = f"{options.rows_trained} rows, one epoch, with start"
    told.compare("LoRA training", seconds, n=n, note=f"{alike} weights, byte for byte")
    return adapters[-1]


def answer(told: report.Report, options: argparse.Namespace, adapter: Path) -> None:
    """In batches, with an adapter, against one by one through the same engine."""
    questions = [Question(each.prompt, each.images) for each in (describe("bench", i) for i in range(options.clips))]
    texts, sides = {}, {}
    for name, size in {"emolab": MODEL.batch_size, "emolab, one by one": 1}.items():
        model = ChatModel(replace(MODEL, batch_size=size, adapter=str(adapter)))
        model.ask(questions[:1])  # loads and warms up
        sides[name] = lambda model=model, name=name: texts.update({name: [a.text for a in model.ask(questions)]})
    seconds = report.turns(sides, options.rounds)
    n = f"{options.clips} clips of six frames, batches of {MODEL.batch_size}"
    told.compare("answers with an adapter on", seconds, "clips/s", options.clips, n=n, note=same(*texts.values()))


def main() -> None:
    parser = report.parser(__doc__, "bench_finetune.py --rows-trained 512")
    parser.add_argument("--rows-trained", type=int, default=64, help="rows to train on; default: 64")
    parser.add_argument("--clips", type=int, default=32, help="clips to answer; default: 32")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    options = report.parse(parser, rows_trained=4, clips=2, rounds=1)
    told = report.Report("fine-tuning", options)
    with tempfile.TemporaryDirectory() as folder:
        answer(told, options, train(told, options, Path(folder)))


if __name__ == "__main__":
    main()
