"""The zero-shot labels of clips: emolab's batches against transformers' `generate`, one clip at a time.

Same weights (the shipped InternVL), same drawn clips, same six frames, same question and length of answer. Both sides
decode the frames; nothing is kept between rounds and nothing is asserted.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import report
from plain import OneByOne, same

from emolab.corpora.clip import Clip
from emolab.corpora.read import read_rows
from emolab.corpora.settings import CorpusSettings
from emolab.demo.corpus import render
from emolab.engine.chat import ChatModel, Question
from emolab.engine.rows import RowFile
from emolab.engine.settings import ModelSettings
from emolab.internvl.prompts import zero_shot
from emolab.internvl.zero_shot import predict
from emolab.media.settings import FrameSettings
from emolab.media.views import clip_frames

FRAMES = FrameSettings()


def ours(model: ChatModel, clips: Sequence[Clip]) -> list[str]:
    with tempfile.TemporaryDirectory() as folder, RowFile(Path(folder) / "answers.jsonl") as answers:
        return [row["text"] for row in predict(clips, model, FRAMES, answers, progress=False)]


def theirs(plain: OneByOne, clips: Sequence[Clip]) -> list[str]:
    return [plain.ask(Question(zero_shot(clip.transcript), clip_frames(clip, FRAMES, 0).images)) for clip in clips]


def compare(told: report.Report, options: argparse.Namespace, clips: Sequence[Clip]) -> None:
    settings = ModelSettings(
        batch_size=options.batch, max_new_tokens=options.tokens, device=options.device, dtype="float32"
    )
    model, texts = ChatModel(settings), {}
    plain = OneByOne(model.folder, options.device, options.tokens)
    ours(model, clips[:1]), theirs(plain, clips[:1])  # load and warm up
    sides = {
        "emolab": lambda: texts.update(ours=ours(model, clips)),
        "transformers, one by one": lambda: texts.update(theirs=theirs(plain, clips)),
    }
    seconds = report.turns(sides, options.rounds)
    n = f"{len(clips)} clips, six frames, {options.tokens} new tokens, batches of {options.batch}, {options.device}"
    note = same(texts["ours"], texts["theirs"])
    told.compare("zero-shot, in batches", seconds, "clips/s", len(clips), n=n, note=note)


def main() -> None:
    parser = report.parser(__doc__, "bench_zero_shot.py --clips 256 --device cuda")
    parser.add_argument("--clips", type=int, default=32, help="drawn clips; default: 32")
    parser.add_argument("--batch", type=int, default=16, help="default: 16")
    parser.add_argument("--tokens", type=int, default=96, help="longest answer; default: 96")
    parser.add_argument("--device", default="cpu", help="cpu or cuda; default: cpu")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    options = report.parse(parser, clips=2, batch=2, tokens=4, rounds=1)
    told = report.Report("zero-shot", options)
    sizes = CorpusSettings(described=options.clips, labelled=0, unlabelled=0, stills=0, test=0)
    with tempfile.TemporaryDirectory() as folder:
        compare(told, options, read_rows(render(Path(folder), sizes)))


if __name__ == "__main__":
    main()
