"""From videos to scores: clips a second of zero-shot labels, the share of each stage, growth, and other engines.

Drawn clips, the shipped InternVL, six frames, the whole path of notebook 03: frames are decoded, questions answered,
labels read, rows written, scores told with their intervals. A few clips are rendered and copied, each copy with a box
at its end that changes its hash, so that every clip is decoded and asked for itself. Shares are those of the stages one
after another; the path itself decodes the next batch while the model is busy. Sizes grow in a process of its own each.
On as many cores as the model's threads already use, further workers cost their start: the rows of engines say how much.
Nothing is asserted. All sizes of the README: --sizes 100 1000 10000.
"""

import argparse
import json
import struct
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import report

from emolab.corpora.clip import Clip
from emolab.corpora.read import read_rows
from emolab.corpora.settings import CorpusSettings
from emolab.demo.corpus import render
from emolab.engine.chat import Answer, ChatModel, Question
from emolab.engine.rows import RowFile, write_rows
from emolab.engine.rows import read_rows as read_row_file
from emolab.engine.settings import IN_PROCESS, EngineSettings, ModelSettings
from emolab.engine.stage import labels_of
from emolab.internvl.prompts import zero_shot
from emolab.internvl.zero_shot import predict
from emolab.media.settings import FrameSettings
from emolab.media.views import clip_frames
from emolab.scoring.evaluate import score_table
from emolab.scoring.settings import ScoringSettings

FRAMES, SCORING = FrameSettings(), ScoringSettings()


def many_clips(folder: Path, count: int, rendered: int) -> Path:
    """A corpus of `count` clips, each file with a hash of its own, copied from the few that are drawn."""
    sizes = CorpusSettings(described=min(count, rendered), labelled=0, unlabelled=0, stills=0, test=0)
    drawn, root, rows = render(folder, sizes), Path(tempfile.mkdtemp(dir=folder)), []
    (root / "video").mkdir()
    sources = read_row_file(drawn / "clips.jsonl")
    for number in range(count):
        row = sources[number % len(sources)]
        name = f"video/clip{number:06}.mp4"
        padding = struct.pack(">I4sQ", 16, b"free", number)  # a box that players pass over
        (root / name).write_bytes((drawn / row["video"]).read_bytes() + padding)
        rows.append({**row, "clip_id": f"clip{number:06}", "video": name, "audio": name})
    write_rows(root / "clips.jsonl", rows)
    return root


def whole(root: Path, model: ChatModel, out: Path, engine: EngineSettings = IN_PROCESS) -> list[dict]:
    """The path from a corpus to its scores; returns the rows of predictions."""
    out.mkdir()
    clips = read_rows(root)
    with RowFile(out / "answers.jsonl") as answers:
        rows = predict(clips, model, FRAMES, answers, engine=engine, progress=False)
    write_rows(out / "predictions.jsonl", rows)
    write_rows(out / "scores.jsonl", score(clips, rows))
    return rows


def score(clips: Sequence[Clip], rows: Sequence[dict]) -> list[dict]:
    truth = {clip.clip_id: clip.labels for clip in clips}
    return score_table(truth, {"zero-shot": {row["clip_id"]: row["labels"] for row in rows}}, SCORING)


def stages(told: report.Report, root: Path, settings: ModelSettings, folder: Path, rounds: int) -> None:
    """Each stage alone, on all clips, and the whole path beside them."""
    clips, model, briefly = read_rows(root), ChatModel(settings), ChatModel(replace(settings, max_new_tokens=1))
    questions: list[Question] = []
    answers: list[Answer] = []
    rows = whole(root, model, folder / "warm")
    briefly.ask([Question(zero_shot(""), clip_frames(clips[0], FRAMES, 0).images)])

    def prepare() -> None:
        questions[:] = [Question(zero_shot(c.transcript), clip_frames(c, FRAMES, 0).images) for c in clips]

    def write() -> None:
        with tempfile.TemporaryDirectory(dir=folder) as out, RowFile(Path(out) / "answers.jsonl") as kept:
            for start in range(0, len(rows), settings.batch_size):  # as batches come
                kept.append({"key": row["clip_id"], **row} for row in rows[start : start + settings.batch_size])
            write_rows(Path(out) / "predictions.jsonl", rows)

    runs = iter(range(rounds))
    seconds = report.turns(
        {
            "whole": lambda: whole(root, model, folder / f"run{next(runs)}"),
            "frames decoded": prepare,
            "vision and prefill": lambda: briefly.ask(questions),
            "answers": lambda: answers.__setitem__(slice(None), model.ask(questions)),
            "labels read": lambda: [labels_of(answer) for answer in answers],
            "rows written": write,
            "scored, with intervals": lambda: score(clips, rows),
        },
        rounds,
    )
    took = {name: median(each) for name, each in seconds.items()}
    n = f"{len(clips)} clips, six frames, {settings.max_new_tokens} new tokens, batches of {settings.batch_size}"
    parts = {name: part for name, part in took.items() if name not in ("whole", "answers")}
    parts["text written, token by token"] = took["answers"] - took["vision and prefill"]
    total = sum(parts.values())
    note = f"stages one by one: {total:.1f} s"
    told.add("the whole zero-shot path", len(clips) / took["whole"], "clips/s", n=n, note=note)
    for name, part in sorted(parts.items(), key=lambda item: -item[1]):
        told.add(f"of it: {name}", 1000 * part / len(clips), "ms a clip", n=n, note=f"{part / total:.1%} of the stages")


def engines(told: report.Report, root: Path, settings: ModelSettings, folder: Path, rounds: int) -> None:
    """The same in one process, on two of this machine, and on Ray; with the start of workers, and without a model that
    was loaded before."""
    count, made = len(read_rows(root)), iter(range(10**6))
    kinds = {
        "emolab, one process": IN_PROCESS,
        "emolab, two local workers": EngineSettings(workers=2),
        "emolab, Ray with two workers": EngineSettings(kind="ray", workers=2),
    }
    rows = {}

    def run(name: str, engine: EngineSettings) -> None:
        rows[name] = whole(root, ChatModel(settings), folder / f"engine{next(made)}", engine)

    sides = {name: (lambda name=name, engine=engine: run(name, engine)) for name, engine in kinds.items()}
    seconds = report.turns(sides, rounds)
    first, *others = rows.values()
    note = f"start included; the same rows: {'yes' if all(other == first for other in others) else 'no'}"
    told.compare("the whole path by engines", seconds, "clips/s", count, n=f"{count} clips", note=note)


def measure(root: Path, settings: ModelSettings) -> dict:
    """Seconds and peak memory (MiB) of one corpus in this process, the model loaded before."""
    model, first = ChatModel(settings), read_rows(root)[0]
    model.ask([Question(zero_shot(first.transcript), clip_frames(first, FRAMES, 0).images)])
    loaded = report.peak_mib()
    with tempfile.TemporaryDirectory() as folder:
        seconds, _ = report.timed(whole, root, model, Path(folder) / "run")
    return {"seconds": seconds, "loaded": loaded, "peak": report.peak_mib()}


def grow(told: report.Report, options: argparse.Namespace, folder: Path) -> None:
    for count in options.sizes:
        root = many_clips(folder, count, options.rendered)
        asked = ["--batch", options.batch, "--tokens", options.tokens, "--device", options.device]
        m = report.own_process(__file__, *asked, "--measure", root)
        note = f"{m['seconds']:,.0f} s; {m['loaded']:,.0f} MiB with the model alone"
        told.add(f"growth: {count:,} clips", count / m["seconds"], "clips/s", n=f"{count:,} clips", note=note,
                 peak_mib=m["peak"])  # fmt: skip


def main() -> None:
    parser = report.parser(__doc__, "bench_end_to_end.py --sizes 100 1000 10000")
    parser.add_argument("--clips", type=int, default=32, help="clips of stages and engines; default: 32")
    parser.add_argument("--sizes", type=int, nargs="*", default=[100, 300], help="of the growth; default: 100 300")
    parser.add_argument("--rendered", type=int, default=24, help="clips that are drawn and copied; default: 24")
    parser.add_argument("--batch", type=int, default=16, help="default: 16")
    parser.add_argument("--tokens", type=int, default=96, help="longest answer; default: 96")
    parser.add_argument("--device", default="cpu", help="cpu or cuda; default: cpu")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--no-engines", action="store_true", help="leave local workers and Ray out")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    quick = {"clips": 3, "sizes": [3], "rendered": 2, "batch": 2, "tokens": 4, "rounds": 1, "no_engines": True}
    options = report.parse(parser, **quick)
    settings = ModelSettings(
        batch_size=options.batch, max_new_tokens=options.tokens, device=options.device, dtype="float32"
    )
    if options.measure:
        print(json.dumps(measure(options.measure, settings)))
        return
    told = report.Report("end to end", options)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = many_clips(folder, options.clips, options.rendered)
        stages(told, root, settings, folder, options.rounds)
        if not options.no_engines:
            engines(told, root, settings, folder, options.rounds)
        grow(told, options, folder)


if __name__ == "__main__":
    main()
