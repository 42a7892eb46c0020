"""`emolab predict`: labels for any video."""

import argparse
import json
import sys
from dataclasses import replace


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "predict",
        help="open-vocabulary emotion labels for videos",
        description="Label videos with the profile's InternVL, zero-shot or with an adapter. A clip that cannot be "
        "labelled has `error`. Prints a line a clip; through a pipe, or with --json, a JSON object: clip_id, labels, "
        "text, error.",
        epilog="example:  emolab predict my_videos/ --transcripts words.csv --json > labels.jsonl",
    )
    parser.add_argument(
        "videos",
        nargs="+",
        metavar="VIDEO|FOLDER",
        help="video files (./-x.mp4 where a name starts with -) or folders",
    )
    parser.add_argument("--profile", default="demo", help="name of a profile, or a YAML file (default: demo)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a setting")
    parser.add_argument("--adapter", metavar="DIR", help="LoRA adapter, such as outputs/demo/03_…/sft/seed0/adapter")
    parser.add_argument("--transcripts", metavar="CSV", help="what is said: a column name or clip_id, and one of text")
    parser.add_argument("--json", action="store_true", help="JSON lines also on a terminal")


def run(args: argparse.Namespace) -> int:
    """Predict and print."""
    from emolab.corpora.read import read_folder
    from emolab.workbench.profiles import load_profile

    settings = load_profile(args.profile, args.set)
    if args.adapter:
        settings.internvl = replace(settings.internvl, adapter=args.adapter)
    clips = read_folder(args.videos, args.transcripts)
    if args.transcripts:
        print(f"{sum(bool(clip.transcript) for clip in clips)} of {len(clips)} clips have words", file=sys.stderr)

    from emolab.engine.chat import ChatModel
    from emolab.engine.rows import RowFile
    from emolab.internvl.zero_shot import predict
    from emolab.workbench.live import note
    from emolab.workbench.places import outputs_folder
    from emolab.workbench.tables import printable

    model = ChatModel(settings.internvl, settings.seed)
    # beside the notebooks' folders, so that a long folder that was interrupted goes on where it stopped
    folder = outputs_folder(settings.outputs) / settings.profile / "predict"
    with RowFile(folder / "answers.jsonl") as answers:
        how = {"seed": settings.seed, "cache_dir": folder / "frames", "engine": settings.engine}
        rows = predict(clips, model, settings.frames, answers, **how)
    warning = note(settings, [clip for clip, row in zip(clips, rows, strict=True) if not row["error"]])
    if warning:
        print(printable(f"note: {warning}"), file=sys.stderr)
    for row in rows:
        if args.json or not sys.stdout.isatty():
            print(json.dumps({key: row[key] for key in ("clip_id", "labels", "text", "error")}, ensure_ascii=False))
        else:
            print(printable(f"{row['clip_id']}: {', '.join(row['labels']) or row['error'] or 'no emotion'}"))
    return 0
