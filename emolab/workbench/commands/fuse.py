"""`emolab fuse`: several models' label sets of the same clips become one."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from emolab.fusion.settings import STRATEGIES

if TYPE_CHECKING:
    from emolab.fusion.calibrated import Calibrated
    from emolab.fusion.panel import Panel
    from emolab.fusion.settings import FusionSettings
    from emolab.fusion.strategy import Strategy
    from emolab.labels.wheel import Wheels
    from emolab.scoring.clips import LabelSets
    from emolab.scoring.settings import ScoringSettings

_DESCRIPTION = """\
Fuse label sets of several models. Files are csv (name,openset or clip_id,labels), jsonl (clip_id, labels; text and
probabilities are used where they are there) or npz as published (VARIANT-openset.npz, with VARIANT-reason.jsonl beside
it); a folder stands for all of them in it; NAME=FILE names one. With --truth, a strategy that learns fuses every clip
by what it learned from the clips of other folds, and the scores are printed. Strategies, besides those that files in
extensions/ register (see the README):

"""
_EXAMPLE = """\
examples:
  emolab fuse --predictions A.npz B.csv C.jsonl --strategy vote --min-votes 2 --out fused.csv
  emolab fuse --predictions FOLDER --strategy calibrated --truth check-openset.csv \\
      --tables emotion_wheel --edition 2025 --out fused.csv --save judgment.safetensors
  emolab fuse --predictions NEW_FOLDER --strategy calibrated --load judgment.safetensors \\
      --tables emotion_wheel --edition 2025 --out new.csv
"""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add `fuse` to the command line."""
    parser = subparsers.add_parser(
        "fuse",
        help="fuse the label sets of several models",
        description=_DESCRIPTION + "\n".join(f"  {name:21} {what}" for name, what in STRATEGIES.items()),
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--predictions", required=True, nargs="+", metavar="[NAME=]FILE", help="prediction files, or folders of them")
    add("--strategy", required=True, metavar="NAME", help="see above")
    add("--out", required=True, type=Path, metavar="FILE", help="csv (name,openset), or jsonl of Prediction rows")
    add("--min-votes", type=int, metavar="K", help="vote: at least so many models; default: 2")
    add("--truth", metavar="FILE", help="true labels: to learn from, fold by fold, and to score with")
    add("--folds", type=int, default=5, help="with --truth; default: 5")
    add("--seed", type=int, default=0, help="of the folds and of resamples; default: 0")
    add("--tradeoff", type=float, metavar="W", help="calibrated: weight of precision, 0 to 1; default: the best for F")
    add("--most-words", type=int, metavar="N", help="calibrated: at most so many words of a clip; default: 10")
    add("--tables", metavar="DIR", help="your copy of the official wheel tables; default: emolab's own wheel")
    add("--edition", choices=["2025", "2026"], help="which edition the tables are")
    add("--save", type=Path, metavar="FILE", help="calibrated: keep what all labelled clips taught (safetensors)")
    add("--load", type=Path, metavar="FILE", help="calibrated: use what was kept")
    add("--endpoint", metavar="URL", help="judge: address of an OpenAI-compatible chat model (key: EMOLAB_API_KEY)")
    add("--judge", metavar="MODEL", help="judge: its name")
    add("--cache", metavar="FILE", help="judge: keep its answers here (jsonl), to go on or to repeat without asking")
    add("--budget", metavar="requests=N,tokens=N,minutes=N", help="judge: stop asking there (any of the three)")
    add("--bootstrap", type=int, default=10_000, metavar="N", help="resamples, 0 for no intervals; default: 10000")
    add("--json", action="store_true", help="print one JSON object instead of a table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read, fuse, write, score; 0, or InputError for files and options that do not go together."""
    from emolab import extensions
    from emolab.errors import InputError
    from emolab.fusion.held_out import out_of_fold
    from emolab.fusion.panel import read_panel
    from emolab.scoring.evaluate import profile_wheels
    from emolab.scoring.files import official_cell, read_labels
    from emolab.scoring.settings import ScoringSettings
    from emolab.workbench.places import project_folder
    from emolab.workbench.tables import printable

    extensions.load(project_folder())
    _check(args)
    scoring = ScoringSettings(tables=args.tables, edition=args.edition, bootstrap=args.bootstrap)
    wheels = profile_wheels(scoring)
    reading = {"cell": official_cell} if args.tables else {}
    panel = read_panel(args.predictions, **reading)
    if not panel.clip_ids:
        raise InputError("the predictions answer no clip: all their rows are errors")
    truth = read_labels(args.truth, **reading) if args.truth else {}
    if truth and not any(truth.get(clip) for clip in panel.clip_ids):
        raise InputError(f"{args.truth}: has true labels for none of the {len(panel.clip_ids)} predicted clips")
    _say(panel, truth)
    if args.load:
        from emolab.fusion.saved import load

        fused = load(args.load, wheels).fuse(panel, args.tradeoff)
    else:
        with ExitStack() as held:
            strategy = _strategy(args, wheels, held)
            fused = out_of_fold(strategy, panel, truth, args.folds, args.seed)
        for problem in getattr(strategy, "problems", {}).values():  # of the judge's answers
            print(printable(problem), file=sys.stderr)
    if args.save:
        from emolab.fusion.saved import save

        save(args.save, _fit(args, panel, truth, wheels))
    _write(args.out, panel, fused, args.strategy, args.seed)
    _report(args, fused, truth, scoring)
    return 0


def _check(args: argparse.Namespace) -> None:
    from emolab.errors import InputError

    calibrated = args.strategy == "calibrated"
    if not calibrated and _learns(args.strategy) and not args.truth:
        raise InputError(f"{args.strategy} learns from labelled clips: name them with --truth, or take vote")
    if calibrated and not (args.truth or args.load):
        raise InputError(
            "calibrated needs labelled clips (--truth) or a saved one (--load); without either: unsupervised"
        )
    if (args.save or args.load or args.tradeoff is not None or args.most_words is not None) and not calibrated:
        raise InputError("--save, --load, --tradeoff and --most-words belong to --strategy calibrated")
    if args.load and args.most_words is not None:
        raise InputError("--most-words is learned with: give it where the co-judgment is saved, not with --load")
    if args.save and args.load:
        raise InputError("--load uses a saved co-judgment and --save writes one; give one of them")
    if args.save and not args.truth:
        raise InputError("--save keeps what labelled clips taught; name them with --truth")
    if args.min_votes is not None and args.strategy != "vote":
        raise InputError("--min-votes belongs to --strategy vote")
    asks = args.strategy == "judge"
    if not asks == bool(args.endpoint) == bool(args.judge):
        raise InputError("--strategy judge, --endpoint URL and --judge MODEL belong together")
    if (args.cache or args.budget) and not asks:
        raise InputError("--cache and --budget belong to --strategy judge")
    if bool(args.tables) != bool(args.edition):
        raise InputError("--tables DIR and --edition 2025 or 2026 belong together: the editions' scores differ")
    if args.out.suffix not in (".csv", ".jsonl"):
        raise InputError(f"{args.out}: ends in neither .csv nor .jsonl; choose one of these")
    if args.seed < 0:
        raise InputError("--seed starts at 0")
    _settings(args)  # InputError for folds or a trade-off out of range
    out = args.out.resolve()
    for name in args.predictions:
        given = Path(name.partition("=")[2] or name).resolve()
        # a folder stands for the files in it and one level below: next time this one would vote
        if given == out or given.is_dir() and given in (out.parent, out.parent.parent):
            raise InputError(f"{args.out} is, or would become, one of the predictions; name another --out")
    if out in (Path(each).resolve() for each in (args.truth, args.save) if each):
        raise InputError(f"{args.out} is named twice; name another --out")


def _learns(strategy: str) -> bool:
    """Whether a strategy is fitted to labelled clips. InputError for a name that there is not."""
    from emolab.errors import InputError
    from emolab.fusion.strategy import REGISTERED

    if strategy in STRATEGIES:
        return strategy in ("best-vote", "weighted", "calibrated")
    if strategy not in REGISTERED:
        known = ", ".join((*STRATEGIES, *REGISTERED))
        raise InputError(f"no strategy {strategy!r}; there are {known}, or what a file in extensions/ registers")
    return REGISTERED[strategy].learns


def _strategy(args: argparse.Namespace, wheels: Wheels, held: ExitStack) -> Strategy:
    from emolab.fusion import strategies
    from emolab.fusion.strategy import REGISTERED
    from emolab.fusion.unsupervised import unsupervised
    from emolab.fusion.weighted import weighted
    from emolab.scoring.wheel import score

    def level1_f(truth: LabelSets, fused: LabelSets) -> float:
        return score(truth, fused, wheels).values()["level1_f"]

    if args.strategy == "calibrated":
        from emolab.fusion.calibrated import calibrated

        return calibrated(wheels, _settings(args))
    if args.strategy == "judge":
        return _judge(args, held)
    if args.strategy in REGISTERED:
        return REGISTERED[args.strategy]
    return {
        "union": strategies.union,
        "vote": lambda: strategies.vote(2 if args.min_votes is None else args.min_votes),
        "best-vote": lambda: strategies.best_vote(level1_f),
        "weighted": lambda: weighted(level1_f),
        "unsupervised": unsupervised,
        "discriminative-first": strategies.discriminative_first,
    }[args.strategy]()


def _judge(args: argparse.Namespace, held: ExitStack) -> Strategy:
    from emolab.fusion.judge import judge
    from emolab.scoring.endpoint import Endpoint, read_budget

    ask = Endpoint(args.endpoint, args.judge, read_budget(args.budget))
    if args.cache:
        from emolab.engine.answered import keeping
        from emolab.engine.rows import RowFile

        ask = keeping(ask, args.judge, held.enter_context(RowFile(args.cache)), "judging")
    return judge(ask)


def _settings(args: argparse.Namespace) -> FusionSettings:
    from emolab.fusion.settings import FusionSettings

    most = {} if args.most_words is None else {"most_words": args.most_words}
    return FusionSettings(tradeoff=args.tradeoff, folds=args.folds, seeds=[args.seed], **most)


def _fit(args: argparse.Namespace, panel: Panel, truth: LabelSets, wheels: Wheels) -> Calibrated:
    from emolab.fusion.calibrated import fit

    return fit(panel, truth, wheels, _settings(args))


def _say(panel: Panel, truth: LabelSets) -> None:
    """On stderr: members, clips that not all of them judged, repeated rows, clips without truth."""
    from emolab.workbench.tables import printable

    for member in panel.members:
        lost = len(panel.clip_ids) - len(member.labels)
        notes = [f"{lost} of {len(panel.clip_ids)} clips are not in it" if lost else ""]
        notes += [f"{member.repeated} repeated clip(s) were spliced" if member.repeated else ""]
        notes += ["all its answers are empty" if not any(member.labels.values()) else ""]
        if any(notes):
            print(printable(f"{member.name}: {'; '.join(filter(None, notes))}"), file=sys.stderr)
    if truth:
        without = sum(not truth.get(clip) for clip in panel.clip_ids)
        if without:
            print(f"{without} clip(s) have no true labels: they are fused, not scored", file=sys.stderr)
        lost = len(truth.keys() - set(panel.clip_ids))
        if lost:
            print(f"{lost} clip(s) of the truth have no prediction: they are not scored", file=sys.stderr)


def _write(path: Path, panel: Panel, fused: LabelSets, strategy: str, seed: int) -> None:
    from emolab.engine.rows import write_rows
    from emolab.errors import InputError
    from emolab.fusion.votes import prediction_rows
    from emolab.labels.parse import parse_label_cell
    from emolab.workbench.files import label_csv, write_text

    if path.suffix == ".csv":
        odd = sorted(each for each in {*chain(*fused.values())} if parse_label_cell(str([each])) != [each])
        if odd:  # commas, both kinds of quotes
            print(f"{len(odd)} label(s) read differently from a csv; --out x.jsonl keeps {odd[0]!r}", file=sys.stderr)
    try:
        if path.suffix == ".csv":
            write_text(path, label_csv(fused))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_rows(path, prediction_rows(panel, fused, f"fusion/{strategy}", seed))
    except UnicodeEncodeError as error:
        raise InputError(
            f"{path}: a clip id or label is no valid text ({error.reason}); mend the file it is from"
        ) from error
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); name another --out") from error


def _report(args: argparse.Namespace, fused: LabelSets, truth: LabelSets, scoring: ScoringSettings) -> None:
    from emolab.fusion.comparison import Comparison
    from emolab.workbench.tables import Table

    about = {
        "out": str(args.out),
        "strategy": args.strategy,
        "n": len(fused),
        "labels_per_clip": sum(map(len, fused.values())) / len(fused),
        "empty": sum(not labels for labels in fused.values()),
    }
    scored = {clip: labels for clip, labels in truth.items() if labels and clip in fused}
    row = None
    if scored:
        comparison = Comparison(scored, scoring, args.seed)
        row = comparison.row(comparison.judge(args.strategy, [fused]))
    if args.json:
        print(json.dumps(about | ({"scores": row} if row else {})))
        return
    line = f"{args.out}: {about['n']} clips, {about['labels_per_clip']:.2f} labels a clip, {about['empty']} without any"
    print(line, file=sys.stderr)
    if row:
        held = f"; each clip by what the other folds of {args.folds} taught (seed {args.seed})"
        held = held if _learns(args.strategy) else ""
        if args.load:
            held = f"; held out only if {args.load} was not fitted to these clips"
        print(Table("scores", [row], f"Wheels: {args.edition or 'emolab own'}; MER2024 groups: lexicon{held}."))
