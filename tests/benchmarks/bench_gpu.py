"""InternVL3.5 on a GPU: clips a second by batch size, the share of the roofline, LoRA steps, AffectGPT at real size.

Real shapes with random weights (or real weights by --model: a hub id or a folder), six frames of 256 tokens and the
question of section 2.1 in, 200 tokens out, through emolab's own way of asking where ms-swift is installed, else
through transformers in padded batches; beside it transformers' `generate`, one clip at a time, by the same weights.
Batches grow until memory runs out. The roofline counts operations and bytes (internvl_shapes.py) against what this
device was seen to do in a matrix product and in a copy. LoRA runs through emolab's own training, with its default
settings, which are the paper's as far as it gives them. Answers of `--model` end where the model ends them. Nothing is
asserted. --tiny runs the same code on a CPU; without it and without a GPU the exit code is 2.
"""

import argparse
import gc
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from statistics import median

import internvl_shapes
import numpy as np
import report
from internvl_shapes import Roofline
from plain import OneByOne

from emolab.engine.chat import ChatModel, Question
from emolab.engine.rows import write_rows
from emolab.engine.settings import ModelSettings
from emolab.errors import EmolabError, RunError
from emolab.internvl.prompts import zero_shot
from emolab.internvl.settings import SftSettings

SPOKEN = "I do not know what you mean, but she said that they would be back home by now."
FRAMES = 6
PARTS = ("ask", "lora", "affectgpt")
SWIFT = importlib.util.find_spec("swift") is not None


def probe(device: str, dtype: str, side: int, size: int) -> tuple[float, float]:
    """Operations a second of a product of two square matrices, and bytes a second of a copy; the best of ten."""
    import torch

    a = torch.randn(side, side, device=device, dtype=getattr(torch, dtype))
    source = torch.empty(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)

    def best(work: Callable[[], object]) -> float:
        return min(report.timed(lambda: (work(), wait(device)))[0] for _ in range(11))

    return 2 * side**3 / best(lambda: a @ a), 2 * size / best(lambda: target.copy_(source))


def wait(device: str) -> None:
    if device != "cpu":
        import torch

        torch.cuda.synchronize()


def question(number: int, side: int) -> Question:
    """Six frames of noise and a sentence."""
    pixels = np.random.default_rng(number).integers(0, 256, (FRAMES, side, side, 3), np.uint8)
    return Question(zero_shot(SPOKEN), list(pixels))


class Asked:
    """The model in both ways, with one set of weights: `ask` (emolab's batches) and `plain` (one by one).

    `written`: mean tokens of the answers that `ask` gave last.
    """

    def __init__(self, folder: Path, options: argparse.Namespace):
        self.way, self.written, model = "padded batches of transformers (no ms-swift here)", 0.0, None
        self._chat, self._tokens = None, options.tokens
        if SWIFT:
            self.way = "emolab's ask, through ms-swift"
            settings = ModelSettings(
                str(folder), device=options.device, dtype=options.dtype, batch_size=max(options.batches),
                max_new_tokens=options.tokens,
            )  # fmt: skip
            self._chat = ChatModel(settings)
            self._chat.load()
            model = self._chat._engine.model  # a second copy might not fit beside it
        self.plain = OneByOne(folder, options.device, options.tokens, options.dtype, model=model)

    def ask(self, questions: Sequence[Question]) -> None:
        if self._chat:
            answers = self._chat.ask(questions)
            failed = next((answer.error for answer in answers if answer.failed), None)
            if failed:
                raise RunError(failed)
            tokenizer = self.plain.processor.tokenizer
            counts = [self._tokens if a.cut else len(tokenizer(a.text)["input_ids"]) for a in answers]
        else:
            special = set(self.plain.processor.tokenizer.all_special_ids)
            counts = [sum(token not in special for token in each) for each in self.plain.tokens(questions).tolist()]
        self.written = sum(counts) / len(counts)


def out_of_memory(device: str) -> int:
    """How often memory ran out: emolab halves a batch that does not fit, and goes on."""
    import torch

    return 0 if device == "cpu" else torch.cuda.memory_stats().get("num_ooms", 0)


def sweep(told: report.Report, options: argparse.Namespace, name: str, folder: Path, roof: tuple[float, float]) -> None:
    """Batch sizes until memory runs out."""
    import torch

    asked = Asked(folder, options)
    config = asked.plain.model.config
    side = config.vision_config.image_size[0]
    questions = [question(number, side) for number in range(max(options.batches))]
    tokens = asked.plain.inputs(questions[:1])["input_ids"].shape[1]
    asked.ask(questions[:1]), asked.plain.ask(questions[0])  # warm up
    roofline = Roofline(*roof, size=2 if options.dtype == "bfloat16" else 4)
    for batch in options.batches:
        before = out_of_memory(options.device)
        if options.device != "cpu":
            torch.cuda.reset_peak_memory_stats()
        sides = {
            "emolab": lambda batch=batch: (asked.ask(questions[:batch]), wait(options.device)),
            "transformers, one by one": lambda: (asked.plain.ask(questions[0]), wait(options.device)),
        }
        try:
            seconds = report.turns(sides, options.rounds)
        except (torch.OutOfMemoryError, RunError) as error:
            told.skip(f"{name}, batches of {batch}", f"Does not fit into memory ({str(error)[:100]}).")
            return
        if out_of_memory(options.device) > before:
            told.skip(f"{name}, batches of {batch}", "Does not fit into memory at once (emolab halves such a batch).")
            return
        seconds["emolab"] = [each / batch for each in seconds["emolab"]]
        took = median(seconds["emolab"])
        share = roofline.seconds(config, batch, tokens, FRAMES, round(asked.written)) / (took * batch)
        peak = torch.cuda.max_memory_allocated() if options.device != "cpu" else report.peak_mib() * 2**20
        note = f"{asked.written / took:,.0f} tokens/s written; {share:.1%} of the roofline; {asked.way}"
        n = f"batches of {batch}, {tokens:,} tokens in, {asked.written:.0f} out, {options.dtype}"
        told.compare(f"{name}, zero-shot", seconds, "clips/s", n=n, note=note, peak_mib=peak / 2**20)
        keep_rate(options, name, "zero-shot", batch, 1 / took, peak)


def keep_rate(options: argparse.Namespace, model: str, what: str, batch: int, clips: float, peak: float) -> None:
    """A row for `emolab doctor`, which estimates a run from what this device was seen to do."""
    if options.rates:
        date = datetime.now().isoformat(timespec="seconds")
        row = {"device": told_device(options.device), "model": model, "what": what, "batch": batch}
        row |= {"clips_per_s": round(clips, 4), "peak_gb": round(peak / 1e9, 2), "date": date}
        options.rates.parent.mkdir(parents=True, exist_ok=True)
        with options.rates.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def told_device(device: str) -> str:
    import torch

    return "CPU" if device == "cpu" else torch.cuda.get_device_name()


def training_rows(folder: Path, count: int, side: int) -> Path:
    """Captions as notebook 02 gives them: one image and about 200 tokens."""
    from PIL import Image

    from emolab.captions.prompts import CAPTION

    rows, answer = [], " ".join([SPOKEN] * 10)
    for number in range(count):
        path = folder / f"{number}.png"
        Image.fromarray(question(number, side).images[0]).save(path)
        turns = [{"role": "user", "content": f"<image>{CAPTION}"}, {"role": "assistant", "content": answer}]
        rows.append({"messages": turns, "images": [str(path)]})
    write_rows(folder / "train.jsonl", rows)
    return folder / "train.jsonl"


def train(told: report.Report, options: argparse.Namespace, name: str, folder: Path, work: Path) -> None:
    """Time and memory of a step of `emolab.internvl.finetune`, which runs `swift sft`."""
    if not SWIFT:
        told.skip(f"{name}, LoRA step", "ms-swift, which trains, is not installed.")
        return
    from transformers import AutoConfig

    from emolab.internvl.finetune import finetune

    side = AutoConfig.from_pretrained(folder).vision_config.image_size[0]
    model = ModelSettings(str(folder), device=options.device, dtype=options.dtype)
    for batch in options.sft_batches:
        data = training_rows(work, batch * options.steps, side)
        sft = SftSettings(batch_size=batch, max_steps=options.steps, save_steps=10**6, workers=options.workers)
        out = work / f"lora{batch}"
        try:
            finetune(data, model, sft, 0, out, progress=False)
        except RunError as error:
            told.skip(f"{name}, LoRA step, batches of {batch}", str(error).partition(" The log:")[0])
            return
        log = (out / "train.log").read_text("utf-8", errors="replace")
        means = re.findall(r"'global_step/max_steps': '(\d+)/.*?'train_speed\(s/it\)': '?([\d.]+)", log)
        ends = {int(number): int(number) * float(mean) for number, mean in reversed(means)}  # seconds since the start
        first, last = max(1, options.steps // 4), options.steps
        step = (ends[last] - ends[first]) / (last - first)
        memory = re.findall(r"'memory\(GiB\)': '?([\d.]+)", log)
        peak = 2**30 * max(map(float, memory), default=0.0)
        n = f"batches of {batch}, one image and an answer, rank {sft.rank}, {last - first} steps"
        how = "checkpointed, frozen vision, through emolab's finetune (swift sft)"
        told.add(f"{name}, LoRA step", 1000 * step, "ms", n=n, note=f"{batch / step:.2f} samples/s; {how}",
                 peak_mib=peak / 2**20 or None)  # fmt: skip
        keep_rate(options, name, "lora", batch, batch / step, peak)


def affectgpt(told: report.Report, options: argparse.Namespace) -> None:
    """bench_affectgpt's own sweep, in a process of its own; its rows join these."""
    command = [sys.executable, str(Path(__file__).with_name("bench_affectgpt.py")), "--gpu"]
    command += ["--tiny", "--quick"] if options.tiny else []
    command += ["--rows", str(options.rows)] if options.rows else []
    if subprocess.run(command).returncode:
        raise RuntimeError("bench_affectgpt.py --gpu failed.")


def checkpoint(name: str, options: argparse.Namespace, work: Path) -> Path:
    """The folder of a model: written with random weights, or the one that was asked for."""
    if name in internvl_shapes.LANGUAGE:
        internvl_shapes.write(name, work, options.device, options.dtype)
        return work
    from emolab.engine import weights

    return weights.resolve(ModelSettings(name))


def parse() -> argparse.Namespace:
    parser = report.parser(__doc__, "bench_gpu.py --model OpenGVLab/InternVL3_5-8B-HF --batches 1 8 32")
    sizes = [name for name in internvl_shapes.LANGUAGE if name != "tiny"]
    parser.add_argument("--shapes", nargs="+", choices=sizes, default=sizes, help=f"default: {' '.join(sizes)}")
    parser.add_argument("--model", help="real weights instead: hub id or folder of an InternVL in transformers' form")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help=f"default: {' '.join(PARTS)}")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64], help="default: 1 to 64")
    parser.add_argument("--tokens", type=int, default=200, help="longest answer; default: 200")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--steps", type=int, default=40, help="of LoRA; default: 40")
    parser.add_argument("--sft-batches", type=int, nargs="+", default=[1, 4], help="of LoRA; default: 1 4")
    parser.add_argument("--tiny", action="store_true", help="the same code with tiny shapes on the CPU")
    parser.add_argument("--rates", type=Path, help="default: outputs/bench/gpu_rates.jsonl, which emolab doctor reads")
    options = report.parse(parser, batches=[1, 2], tokens=4, rounds=1, steps=4, sft_batches=[1], parts=["ask"])
    options.device, options.dtype, options.workers = ("cpu", "float32", 0) if options.tiny else ("cuda", "bfloat16", 4)
    if not options.tiny:
        options.rates = options.rates or report.OUTPUTS / "gpu_rates.jsonl"
    return options


def main() -> int:
    options = parse()
    import torch

    told = report.Report("GPU", options)
    if not options.tiny and not torch.cuda.is_available():
        told.skip(
            "everything on a GPU", "torch sees no GPU here; --tiny runs the same code with tiny shapes on the CPU."
        )
        return 2
    roof = probe(options.device, options.dtype, *((256, 2**20) if options.tiny else (8192, 2**30)))
    where = told_device(options.device)
    told.add("matrix product", roof[0] / 1e12, "TFLOP/s", note=f"{where}, {options.dtype}")
    told.add("copy", roof[1] / 1e9, "GB/s", note=where)
    for name in [options.model] if options.model else ["tiny"] if options.tiny else options.shapes:
        label = name.rstrip("/").rpartition("/")[2] if name == options.model else f"InternVL3_5-{name}"
        with tempfile.TemporaryDirectory() as folder:
            path = checkpoint(name, options, Path(folder))
            if "ask" in options.parts:
                sweep(told, options, label, path, roof)
            gc.collect()  # the training, in a process of its own, needs the memory
            if options.device != "cpu":
                torch.cuda.empty_cache()
            if "lora" in options.parts:
                with tempfile.TemporaryDirectory() as work:
                    train(told, options, label, path, Path(work))
    if "affectgpt" in options.parts:
        affectgpt(told, options)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EmolabError as error:
        sys.exit(str(error))
