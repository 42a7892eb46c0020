"""`emolab score`: score prediction files against a truth, beside the baselines of the same clips."""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from itertools import chain

from emolab.scoring.settings import PRESETS

_DESCRIPTION = """\
Score label sets against a truth, with bootstrap intervals over clips, beside a constant list and shuffled truth on the
same clips. Two metrics, besides those that files in extensions/ register (see the README):

  mer2024  accuracy, recall and Avg after grouping synonyms (MER2024-OV)
  wheel    F, precision and recall over emotion wheels (OV-MER, MER-UniBench, MER2025, MER2026); with --tables from your
           copy of the official tables, without from emolab's own wheel, which agrees in rank but not in value

Files are csv (name,openset or clip_id,labels), jsonl (clip_id, labels) or npz (filenames, fileitems; never pickled).
Scored are the clips that stand in the truth, in every prediction file, and in the grouping file if there is one; how
many were left out, and every corner case met, is said on stderr. --strict refuses them. With --tables, cells are read
as the official code reads them. Presets (wheel):

"""
_EXAMPLE = """\
examples:
  emolab score --truth check-openset.csv --predictions predict-openset.csv --groups openset-groups.json
  emolab score --truth T.csv --predictions A.npz B.npz --metric wheel --tables emotion_wheel --edition 2025
  emolab score --truth T.csv --predictions A.csv --preset mer2026 --tables emotion_wheel --edition 2026 --compare B.csv
"""
_NOTES = {
    "missing": "{} clip(s) of the truth without a prediction were not scored",
    "unknown": "{} predicted clip(s) without a truth were not scored",
    "without_groups": "{} clip(s) that are not in the grouping file were not scored",
    "failed_groups": "{} clip(s) with an unreadable grouping were scored by exact match",
    "ungrouped": "{} label(s) stand in no group and match only themselves",
    "in_two_groups": "{} label(s) stand in two groups of a clip; the last one counts",
    "split_at_quote": "{} label(s) with a quote inside (don't care) were split there, as officially done",
    "empty_truth": "{} clip(s) without true labels count as 0",
    "empty_predictions": "{} empty prediction(s) count as 0",
    "unmapped_truth": "{} true label(s) stand in no wheel and are dropped",
    "unmapped_predictions": "{} predicted label(s) stand in no wheel and are dropped",
}
_WHEEL_NOTES = {**_NOTES, "empty_truth": "{} clip(s) without true labels are skipped"}


def add_parser(subparsers: "argparse._SubParsersAction") -> None:
    """Add `score` to the command line."""
    parser = subparsers.add_parser(
        "score",
        help="score prediction files against a truth",
        description=_DESCRIPTION + "\n".join(f"  {name:9} {what}" for name, what in PRESETS.items()),
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--truth", required=True, metavar="FILE", help="true labels")
    add("--predictions", required=True, nargs="+", metavar="FILE", help="several give a ranked table")
    add(
        "--metric",
        metavar="NAME",
        help="mer2024, wheel or a registered one; default: mer2024, or wheel with --preset or --tables",
    )
    add(
        "--tables",
        metavar="DIR",
        help="wheel: your copy of the official tables (format.csv, synonym.xlsx, wheel*.xlsx)",
    )
    add("--edition", choices=["2025", "2026"], help="wheel: which edition the tables are")
    add("--preset", choices=list(PRESETS), help="wheel: the published score that ranks (see above)")
    add(
        "--groups",
        metavar="FILE|URL|lexicon|none",
        help="mer2024: which labels mean the same: cached JSON (clip -> list of lists), the address of an "
        "OpenAI-compatible chat model (with --judge), emolab's lexicon, or none (exact match); default: lexicon",
    )
    add("--judge", metavar="MODEL", help="mer2024: name of the chat model at that address (its key: EMOLAB_API_KEY)")
    add("--judge-runs", type=_count, default=1, metavar="N", help="average so many runs of the judge; default: 1")
    add("--cache", metavar="FILE", help="keep the judge's answers here, with the prompts (jsonl)")
    add("--budget", metavar="requests=N,tokens=N,minutes=N", help="stop asking the judge there (any of the three)")
    add("--compare", metavar="FILE", help="a prediction file to compare with, clip by clip: difference, interval, p")
    add("--strict", action="store_true", help="refuse what the official code would pass over")
    add("--constant", type=_count, default=5, metavar="K", help="length of the constant list; default: 5")
    add(
        "--constant-from",
        metavar="FILE",
        help="labels that choose the constant list (e.g. the training split); default: leave-one-out",
    )
    add("--bootstrap", type=_count, default=10_000, metavar="N", help="resamples, 0 for no intervals; default: 10000")
    add("--seed", type=_count, default=0, help="of resamples and shuffles; default: 0")
    add("--json", action="store_true", help="print one JSON object instead of a table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read the files, score, print; 0, or InputError for files that cannot be scored."""
    from emolab import extensions
    from emolab.scoring.clips import spread
    from emolab.scoring.files import official_cell, read_labels
    from emolab.scoring.intervals import bootstrap_intervals, compare
    from emolab.scoring.table import baseline_rows, table_row
    from emolab.workbench.places import project_folder
    from emolab.workbench.score_report import as_json, as_text

    args.metric = args.metric or ("wheel" if args.preset or args.tables else "mer2024")
    extensions.load(project_folder())
    _check(args)
    metric = _metric(args)
    reading = {"cell": official_cell} if args.tables else {}
    truth = read_labels(args.truth, **reading)
    files = {path: read_labels(path, **reading) for path in args.predictions}
    source = read_labels(args.constant_from, **reading) if args.constant_from else None
    other = read_labels(args.compare, **reading) if args.compare else None

    common = set(truth).intersection(*files.values())
    results = {}
    for path, predictions in files.items():
        result = metric.score(truth, predictions)
        _say(path, result.counts, _WHEEL_NOTES if args.metric == "wheel" else _NOTES)
        if len(files) > 1 and result.n > len(common.intersection(result.clip_ids)):
            result = metric.baseline(truth, {clip: labels for clip, labels in predictions.items() if clip in common})
            print(f"{path}: ranked on the {result.n} clips that all files hold", file=sys.stderr)
        results[path] = result

    rows = [
        table_row(path, result, bootstrap_intervals(result, args.bootstrap, args.seed))
        for path, result in results.items()
    ]
    first = results[args.predictions[0]]
    headline = metric.headline or next(iter(first.values()))
    rows.sort(key=lambda row: -row[headline])
    report = {
        "baselines": baseline_rows(
            {clip: truth[clip] for clip in first.clip_ids},
            metric.baseline,
            k=args.constant,
            source=source,
            resamples=args.bootstrap,
            seed=args.seed,
        )
    }
    if len(rows) > 1:
        report["over_files"] = {name: spread(row[name] for row in rows) for name in first.values()}
    if other is not None:
        report["comparisons"] = []
        for row in rows:
            both = {clip: truth[clip] for clip in truth if clip in files[row["name"]] and clip in other}
            one, two = (metric.score(both, {clip: each[clip] for clip in both}) for each in (files[row["name"]], other))
            found = {name: asdict(each) for name, each in compare(one, two, args.bootstrap, args.seed).items()}
            report["comparisons"].append({"name": row["name"], "with": args.compare, "n": one.n, "scores": found})
    if args.json:
        print(json.dumps(as_json(args, first, rows, report)))
    else:
        print(as_text(args, headline, first, rows, report))
    return 0


def _check(args: argparse.Namespace) -> None:
    """InputError for options that do not belong together: none is passed over in silence."""
    from emolab.errors import InputError

    options = {
        "mer2024": {"--groups": args.groups, "--judge": args.judge, "--cache": args.cache, "--budget": args.budget},
        "wheel": {"--tables": args.tables, "--edition": args.edition, "--preset": args.preset},
    }
    strays = [each.items() for metric, each in options.items() if metric != args.metric]
    for option, given in chain(*strays):
        if given:
            raise InputError(
                f"{option} does not belong to --metric {args.metric}; leave it out or name the other metric"
            )
    if args.compare and not args.bootstrap:
        raise InputError("--compare needs resamples; leave --bootstrap 0 out")
    if args.edition and not args.tables:
        raise InputError(
            "--edition names which official tables --tables holds; give both, or neither for the own wheel"
        )
    if args.tables and not args.edition:
        raise InputError("--tables needs --edition 2025 or 2026: scores of the two differ, so it is never guessed")
    if args.judge_runs < 1:
        raise InputError("--judge-runs 0 asks no judge; give 1 or more")


def _metric(args: argparse.Namespace):
    from emolab.errors import InputError
    from emolab.labels.wheel import own_wheels, read_wheels
    from emolab.scoring.endpoint import Endpoint, read_budget
    from emolab.scoring.evaluate import mer2024_metric, registered_metric, wheel_metric

    if args.metric not in ("mer2024", "wheel"):
        return registered_metric(args.metric, strict=args.strict)
    if args.metric == "wheel":
        wheels = read_wheels(args.tables, args.edition) if args.tables else own_wheels()
        if not args.tables:
            print(
                "emolab's own wheel is used (no --tables): good for ranking, not the published numbers", file=sys.stderr
            )
        return wheel_metric(wheels, args.preset, strict=args.strict)
    grouping = args.groups or "lexicon"
    if grouping.startswith(("http://", "https://")):
        if not args.judge:
            raise InputError(f"--groups {grouping} needs --judge, the name of the chat model there")
        ask = Endpoint(grouping, args.judge, read_budget(args.budget))
        judged = {"ask": ask, "cache": args.cache, "judge": args.judge, "runs": args.judge_runs}
        return mer2024_metric("chat", strict=args.strict, **judged)
    if args.judge or args.cache or args.budget or args.judge_runs > 1:
        raise InputError("--judge, --judge-runs, --cache and --budget need --groups http(s)://host/v1, an address")
    return mer2024_metric(args.groups or "lexicon", strict=args.strict)


def _say(path: str, counts: Mapping[str, int], notes: Mapping[str, str]) -> None:
    for key, note in notes.items():
        if counts.get(key):
            print(f"{path}: {note.format(counts[key])}", file=sys.stderr)


def _count(text: str) -> int:
    if not text.isdecimal() or not text.isascii():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 0 or more")
    return int(text)
