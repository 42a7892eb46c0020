"""Captions of images: the batched map against one question at a time, and cost against number of images.

Same weights (the shipped InternVL, no network), same drawn images, same prompt and length of answer on both sides.
Nothing is asserted. Up to the paper's size: --sizes 1000 5000 26000.
"""

import argparse
import json
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import report
from plain import OneByOne, same

from emolab.captions.prompts import CAPTION
from emolab.engine.chat import ChatModel, Question
from emolab.engine.rows import RowFile
from emolab.engine.settings import ModelSettings
from emolab.engine.stage import Task, answer_all


def picture(i: int) -> np.ndarray:
    """A drawn frame, [224, 224, 3] uint8 RGB, made when it is asked for and never kept."""
    from emolab.demo.draw import Stage
    from emolab.demo.scenario import scenario

    return Stage(scenario("bench", i)).frame(0.5)


def question(i: int) -> Question:
    return Question(CAPTION, [picture(i)])


def batched(model: ChatModel, count: int) -> list[str]:
    tasks = [Task(f"image_{i}", ("bench", i), partial(question, i)) for i in range(count)]
    with tempfile.TemporaryDirectory() as folder, RowFile(Path(folder) / "answers.jsonl") as cache:
        return [answer.text for answer in answer_all(model, tasks, cache, "bench", progress=False)]


def compare(told: report.Report, options: argparse.Namespace) -> None:
    model = ChatModel(settings(options))
    plain = OneByOne(model.folder, options.device, options.tokens)
    model.ask([question(options.images)])  # loads and warms up, on an image that is not among those timed
    plain.ask(question(options.images))
    texts = {}
    sides = {
        "emolab": lambda: texts.update(ours=batched(model, options.images)),
        "transformers, one by one": lambda: texts.update(
            theirs=[plain.ask(question(i)) for i in range(options.images)]
        ),
    }
    seconds = report.turns(sides, options.rounds)
    n = f"{options.images} images, {options.tokens} new tokens, batches of {options.batch}, {options.device}"
    note = same(texts["ours"], texts["theirs"])
    told.compare("captions, in batches", seconds, "images/s", options.images, n=n, note=note)


def measure(options: argparse.Namespace) -> dict:
    """Seconds and peak memory (MiB) of one size, in this process."""
    model, count = ChatModel(settings(options)), options.measure
    model.ask([question(count)])
    loaded = report.peak_mib()
    seconds, _ = report.timed(batched, model, count)
    return {"seconds": seconds, "loaded": loaded, "peak": report.peak_mib()}


def scale(told: report.Report, options: argparse.Namespace) -> None:
    for count in options.sizes:
        same_options = ["--batch", options.batch, "--tokens", options.tokens, "--device", options.device]
        m = report.own_process(__file__, *same_options, "--measure", count)
        note = f"{m['loaded']:,.0f} MiB with the model alone"
        told.add(f"captions of {count:,}", count / m["seconds"], "images/s", n=f"{count:,} images", note=note,
                 peak_mib=m["peak"])  # fmt: skip


def settings(options: argparse.Namespace) -> ModelSettings:
    return ModelSettings(
        batch_size=options.batch, max_new_tokens=options.tokens, device=options.device, dtype="float32"
    )


def main() -> None:
    parser = report.parser(__doc__, "bench_captions.py --sizes 1000 5000 26000")
    parser.add_argument("--images", type=int, default=64, help="images of the comparison; default: 64")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 400], help="images of the runs; default: 100 400")
    parser.add_argument("--batch", type=int, default=16, help="default: 16")
    parser.add_argument("--tokens", type=int, default=48, help="longest answer; default: 48")
    parser.add_argument("--device", default="cpu", help="cpu or cuda; default: cpu")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    options = report.parse(parser, images=4, sizes=[4], batch=2, tokens=4, rounds=1)
    if options.measure:
        print(json.dumps(measure(options)))
        return
    told = report.Report("captions", options)
    compare(told, options)
    scale(told, options)


if __name__ == "__main__":
    main()
