"""Time to score by the wheel metrics and to resample them: emolab's arrays against the plain reference, in one run.

Words and predictions are drawn at random; the plain reference is that of tests/scoring, whose resamples are timed on a
few and scaled up. Nothing is asserted but that both give the same scores.
"""

import random
import runpy
from functools import cache
from pathlib import Path
from statistics import median

import report

from emolab.labels.lexicon import families
from emolab.labels.wheel import Wheels, own_wheels
from emolab.scoring import mer2024, wheel
from emolab.scoring.grouping import lexicon_grouping
from emolab.scoring.intervals import bootstrap_intervals, compare

PLAIN = runpy.run_path(str(Path(__file__).parents[1] / "scoring" / "plain_reference.py"))
NUMBERS = range(1, 6)
VIEWS = ("m1", "m2", *(f"{level}/{number}" for number in NUMBERS for level in ("level1", "level2")))


def clusters_of(label: str) -> tuple[str | None, ...]:
    """Twelve views, as many as the official tables have, out of emolab's own wheel."""
    inner, middle = own_wheels().find(label)
    return (label, middle, *(inner, middle) * 5)


def draw_sets(clips: int, seed: int) -> dict[str, list[str]]:
    draw = random.Random(seed)
    words = [word for each in families().values() for word in each] + ["chair", "table"]
    return {str(number): draw.choices(words, k=draw.randint(0, 6)) for number in range(clips)}


def plain_scores(truth: dict, predictions: dict) -> dict[str, float]:
    found = [
        PLAIN["precision_recall"](truth, predictions, cached_clusters, view) or (0, 0) for view in range(len(VIEWS))
    ]
    fs = [PLAIN["f_score"](*each) for each in found]
    return {"level1_f": sum(fs[2::2]) / 5, "level2_f": sum(fs[3::2]) / 5}


cached_clusters = cache(lambda label: clusters_of(label.lower().strip()))


def plain_resamples(truth: dict, predictions: dict, resamples: int) -> None:
    draw, clips = random.Random(0), list(truth)
    for _ in range(resamples):
        drawn = list(enumerate(draw.choices(clips, k=len(clips))))
        plain_scores({n: truth[clip] for n, clip in drawn}, {n: predictions[clip] for n, clip in drawn})


def main() -> None:
    parser = report.parser(__doc__, "bench_scoring.py --predictions 1000000")
    parser.add_argument("--predictions", type=int, default=100_000, help="predictions to score; default: 100000")
    parser.add_argument("--clips", type=int, default=332, help="clips to resample; default: 332")
    parser.add_argument("--resamples", type=int, default=10_000, help="bootstrap resamples; default: 10000")
    parser.add_argument("--plain-resamples", type=int, default=20, help="resamples of the plain reference; default: 20")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    args = report.parse(parser, predictions=500, clips=40, resamples=100, plain_resamples=2, rounds=1)
    told, wheels = report.Report("scoring", args), Wheels("bench", VIEWS, clusters_of)

    truth, predictions = draw_sets(args.predictions, 0), draw_sets(args.predictions, 1)
    wheel.score(truth, truth, wheels)  # the lexicon has seen every word before either is timed
    for word in {word for labels in truth.values() for word in labels}:
        cached_clusters(word)
    result, plain = wheel.score(truth, predictions, wheels), plain_scores(truth, predictions)
    assert all(abs(result.values()[name] - value) < 1e-9 for name, value in plain.items())
    sides = {
        "emolab": lambda: wheel.score(truth, predictions, wheels),
        "plain Python": lambda: plain_scores(truth, predictions),
    }
    n = f"{args.predictions:,} predictions"
    told.compare("wheel metrics, 12 views", report.turns(sides, args.rounds), n=n)

    few, other = draw_sets(args.clips, 2), draw_sets(args.clips, 3)
    result, perfect = wheel.score(few, other, wheels), wheel.score(few, few, wheels)
    grouped = mer2024.score(few, other, lexicon_grouping(few, other))
    sides = {
        "emolab": lambda: bootstrap_intervals(result, args.resamples),
        "plain Python": lambda: plain_resamples(few, other, args.plain_resamples),
    }
    seconds = report.turns(sides, args.rounds)
    seconds["plain Python"] = [each * args.resamples / args.plain_resamples for each in seconds["plain Python"]]
    n = f"{args.clips:,} clips, {args.resamples:,} resamples"
    note = f"plain: timed on {args.plain_resamples} resamples and scaled up"
    told.compare("intervals of the wheel metrics", seconds, n=n, note=note)
    alone = {
        "paired comparison by the wheel metrics": lambda: compare(result, perfect, args.resamples),
        "intervals of the MER2024 metric": lambda: bootstrap_intervals(grouped, args.resamples),
    }
    for what, found in report.turns(alone, args.rounds).items():
        told.add(what, median(found), n=n)


if __name__ == "__main__":
    main()
