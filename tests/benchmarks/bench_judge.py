"""The caption judge of the filter (section 3.1.2): emolab's batches against transformers, one pair at a time.

Same weights (the shipped InternVL), same drawn pairs of captions, same prompt and length of answer; emolab's side also
takes the probabilities of the 20 likeliest tokens, for the expected score. Reading scores is timed beside it, alone.
Nothing is asserted.
"""

import argparse
import tempfile
from pathlib import Path
from statistics import median

import report
from plain import OneByOne, same

from emolab.captions.filter import judge
from emolab.captions.prompts import similarity
from emolab.captions.settings import FilterSettings
from emolab.captions.similarity import read_score
from emolab.demo.lessons import caption
from emolab.engine.chat import ChatModel, Question
from emolab.engine.rows import RowFile
from emolab.engine.settings import ModelSettings


def drawn_pairs(count: int) -> list[dict]:
    """Two captions each: of one drawn image, or of two."""
    texts = [caption("bench", i).answer for i in range(count + 1)]
    return [
        {"image_id": str(i), "first": texts[i], "second": texts[i + i % 2], "error": None} for i in range(count)
    ]  # fmt: skip


def judged(model: ChatModel, pairs: list[dict]) -> list[str]:
    with tempfile.TemporaryDirectory() as folder, RowFile(Path(folder) / "answers.jsonl") as answers:
        return [row["answer"] for row in judge(pairs, model, answers, FilterSettings(), progress=False)]


def compare(told: report.Report, options: argparse.Namespace) -> list[str]:
    """Returns the answers."""
    settings = ModelSettings(
        batch_size=options.batch, max_new_tokens=options.tokens, device=options.device, dtype="float32"
    )
    model, pairs, texts = ChatModel(settings), drawn_pairs(options.pairs), {}
    plain = OneByOne(model.folder, options.device, options.tokens)

    def theirs(pairs: list[dict]) -> list[str]:
        return [plain.ask(Question(similarity(pair["first"], pair["second"]))) for pair in pairs]

    judged(model, pairs[:1]), theirs(pairs[:1])  # load and warm up
    sides = {
        "emolab": lambda: texts.update(ours=judged(model, pairs)),
        "transformers, one by one": lambda: texts.update(theirs=theirs(pairs)),
    }
    seconds = report.turns(sides, options.rounds)
    n = f"{options.pairs} pairs, {options.tokens} new tokens, batches of {options.batch}, {options.device}"
    note = same(texts["ours"], texts["theirs"])
    told.compare("pairs judged, in batches", seconds, "pairs/s", options.pairs, n=n, note=note)
    return texts["ours"]


def main() -> None:
    parser = report.parser(__doc__, "bench_judge.py --pairs 1000 --batch 64 --device cuda")
    parser.add_argument("--pairs", type=int, default=128, help="pairs of captions; default: 128")
    parser.add_argument("--batch", type=int, default=16, help="default: 16")
    parser.add_argument("--tokens", type=int, default=16, help="longest answer; default: 16")
    parser.add_argument("--device", default="cpu", help="cpu or cuda; default: cpu")
    parser.add_argument("--read", type=int, default=26_000, help="answers whose score is read; default: 26000")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    options = report.parse(parser, pairs=4, batch=2, tokens=4, read=100, rounds=1)
    told = report.Report("judge", options)
    answers = compare(told, options)
    many = [answers[i % len(answers)] for i in range(options.read)]
    seconds = report.turns({"emolab": lambda: [read_score(answer) for answer in many]}, options.rounds)
    told.add("scores read", options.read / median(seconds["emolab"]), "answers/s", n=f"{options.read:,} answers")


if __name__ == "__main__":
    main()
