"""Captions of images: the batched map against one question at a time, and cost against number of images.

Same weights (the shipped InternVL, no network), same drawn images, same prompt and length of answer on both sides.
Nothing is asserted. Up to the paper's size: `bench_captions.py --sizes 1000 5000 26000`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

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


def plain_transformers(folder: Path, device: str, count: int, new_tokens: int) -> tuple[list[str], float]:
    """Texts of `generate` for one image at a time, and the seconds it took without loading."""
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    processor = AutoProcessor.from_pretrained(folder)
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).to(device).eval()

    def ask(i: int) -> str:
        content = [{"type": "image", "image": picture(i)}, {"type": "text", "text": CAPTION}]
        inputs = processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=True, return_dict=True,
            return_tensors="pt",
        ).to(device)  # fmt: skip
        with torch.inference_mode():
            output = model.generate(**inputs, max_new_tokens=new_tokens, do_sample=False)
        return processor.tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True).strip()

    ask(count)  # warm up on an image that is not among those timed
    begin = time.perf_counter()
    texts = [ask(i) for i in range(count)]
    return texts, time.perf_counter() - begin


def compare(options: argparse.Namespace) -> None:
    model = ChatModel(settings(options))
    model.ask([question(options.images)])  # loads and warms up
    begin = time.perf_counter()
    ours = batched(model, options.images)
    seconds = {"batched map": time.perf_counter() - begin}
    texts, seconds["one by one"] = plain_transformers(model.folder, options.device, options.images, options.tokens)
    same = sum(a == b for a, b in zip(ours, texts, strict=True))
    print(
        f"\n{options.images} images, {options.tokens} new tokens at most, batches of {options.batch}, {options.device}"
    )
    print(f"{'':<12} {'images/s':>9} {'x':>6}")
    for name, value in seconds.items():
        print(f"{name:<12} {options.images / value:>9.2f} {seconds['one by one'] / value:>6.2f}")
    print(f"the same text for {same} of {options.images} images")


def measure(options: argparse.Namespace, count: int) -> dict:
    """Seconds and peak memory (MiB, of the process with the model) of one size; a process of its own for each."""
    import resource

    model = ChatModel(settings(options))
    model.ask([question(count)])
    loaded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.perf_counter()
    batched(model, count)
    took, peak = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return {"seconds": took, "loaded": loaded / unit, "peak": peak / unit}


def scale(options: argparse.Namespace) -> None:
    print(f"\n{'images':>7} {'seconds':>8} {'ms/image':>9} {'MiB loaded':>11} {'MiB peak':>9}")
    for count in options.sizes:
        command = [sys.executable, __file__, *sys.argv[1:], "--measure", str(count)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
        m = json.loads(done.stdout.splitlines()[-1])
        each = 1000 * m["seconds"] / count
        print(f"{count:>7} {m['seconds']:>8.1f} {each:>9.1f} {m['loaded']:>11.0f} {m['peak']:>9.0f}", flush=True)


def settings(options: argparse.Namespace) -> ModelSettings:
    return ModelSettings(
        batch_size=options.batch, max_new_tokens=options.tokens, device=options.device, dtype="float32"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=64, help="images of the comparison")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 200, 400, 800], help="images of the runs")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=48, help="longest answer")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    if options.measure:
        print(json.dumps(measure(options, options.measure)))
        return
    compare(options)
    scale(options)


if __name__ == "__main__":
    main()
