"""Time and memory of co-judging many clips, and of two parts of `calibrated` beside a plain way to do the same.

Predictions are drawn with a seed: of every clip one to four emotions are true, of which each member says some, in its
own words, and other words besides; the last two members also describe the clip in a line. Every step runs in a process
of its own, which reads the files first, so that its peak is that of the command line. Beside it, in one process:

- the regression with its settings: by leave-one-out error in closed form, and by scikit-learn's KernelRidge for all
  targets at once in a GridSearchCV of 5 folds over the same settings; the error on clips of neither stands beside;
- choosing words for the best expected score: arrays, and one loop over words in plain Python, timed on a few clips and
  scaled up; the share of clips that both give the same words stands beside.

Nothing is asserted.
"""

import argparse
import csv
import json
import random
import tempfile
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import report

from emolab.fusion import calibrated, kernel_ridge
from emolab.fusion.evidence import descriptions, vote_shares, votes
from emolab.fusion.expected import choose
from emolab.fusion.meanings import true_arrays
from emolab.fusion.panel import Panel, read_panel
from emolab.fusion.settings import FusionSettings
from emolab.fusion.strategies import union, vote
from emolab.fusion.text import count
from emolab.fusion.unsupervised import unsupervised
from emolab.labels.lexicon import families
from emolab.labels.wheel import own_wheels
from emolab.scoring.clips import LabelSets
from emolab.scoring.files import read_labels

STEPS = ("read", "union", "vote", "unsupervised", "calibrated fit", "calibrated fuse")
FILLER = "the speaker looks at the camera and talks while standing in a bright room near an open window".split()


def draw_files(folder: Path, clips: int, members: int, seed: int = 0) -> None:
    """truth.csv, and csv files of members, jsonl with texts for the last two."""
    draw = random.Random(seed)
    kinds = [words for words in families().values() if len(words) > 1]
    true = [draw.choices(kinds[:25], k=draw.randint(1, 4)) for _ in range(clips)]
    (folder / "members").mkdir()
    with open(folder / "truth.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("name", "openset"))
        writer.writerows((f"clip{n}", str([draw.choice(words) for words in each])) for n, each in enumerate(true))
    for member in range(members):
        hit, told = draw.uniform(0.3, 0.8), member >= members - 2
        path = folder / "members" / f"model{member}.{'jsonl' if told else 'csv'}"
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerows([] if told else [("name", "openset")])
            for number, each in enumerate(true):
                said = [draw.choice(words) for words in each if draw.random() < hit]
                said += [draw.choice(draw.choice(kinds)) for _ in range(draw.randint(0, 2))]
                if told:
                    text = " ".join([*draw.choices(FILLER, k=8), *(words[0] for words in each if draw.random() < 0.6)])
                    file.write(json.dumps({"clip_id": f"clip{number}", "labels": said, "text": text}) + "\n")
                else:
                    writer.writerow((f"clip{number}", str(said)))


def fit(panel: Panel, folder: Path, labelled: int) -> calibrated.Calibrated:
    return calibrated.fit(
        panel.on(panel.clip_ids[:labelled]), read_labels(folder / "truth.csv"), own_wheels(), FusionSettings()
    )


def step(name: str, folder: Path, labelled: int) -> dict[str, float]:
    """One step in this process: seconds, and the process's peak in MiB."""
    took, panel = report.timed(read_panel, [folder / "members"])
    plain = {"union": union(), "vote": vote(2), "unsupervised": unsupervised()}
    if name in plain:
        took, _ = report.timed(lambda: plain[name].fit(panel, {})(panel))
    elif name != "read":
        took, model = report.timed(fit, panel, folder, labelled)
        if name == "calibrated fuse":
            took, _ = report.timed(model.fuse, panel)
    return {"seconds": took, "peak": report.peak_mib()}


def apart(shares: np.ndarray, words, to_shares: np.ndarray, to_words) -> tuple[np.ndarray, np.ndarray]:
    """Squared distances between the evidence of clips, by votes and by words."""
    from sklearn.metrics.pairwise import euclidean_distances

    return euclidean_distances(shares, to_shares, squared=True), euclidean_distances(words, to_words, squared=True)


def grid_search(shares: np.ndarray, words, targets: np.ndarray) -> Callable:
    """The same regression by scikit-learn: predicts of new evidence."""
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.model_selection import GridSearchCV

    distances = apart(shares, words, shares, words)
    best = None
    for width, of_words in product(kernel_ridge._WIDTHS, kernel_ridge._TEXT):
        scales = np.array([width, width * of_words]) / [each.mean() for each in distances]

        def kernel(by_votes: np.ndarray, by_words: np.ndarray, scales: np.ndarray = scales) -> np.ndarray:
            return np.exp(-scales[0] * by_votes - scales[1] * by_words) + kernel_ridge._LEVEL

        search = GridSearchCV(
            KernelRidge(kernel="precomputed"), {"alpha": kernel_ridge._RIDGES}, cv=5, scoring="neg_mean_squared_error"
        ).fit(kernel(*distances), targets)
        if best is None or search.best_score_ > best[0].best_score_:
            best = search, kernel
    search, kernel = best
    return lambda new_shares, new_words: search.predict(kernel(*apart(new_shares, new_words, shares, words)))


def plain_choice(p: np.ndarray, r: np.ndarray, model: calibrated.Calibrated) -> list[str]:
    """The greedy choice of `emolab.fusion.expected` for one clip, as one would write it down."""
    meanings, weights = model.meanings, model.view_weights
    said: list[str] = []
    taken: set[int] = set()
    best: tuple[float, int] = (0.0, 0)
    for _ in range(model.most_words):
        found = (-1.0, "", frozenset())
        for word in model.vocabulary:
            columns = taken | set(meanings.find(word))
            if columns == taken:
                continue
            value = 0.0
            for view, weight in enumerate(weights):
                inside = [column for column in columns if meanings.view_of[column] == view]
                if inside:
                    precision, recall = sum(p[column] for column in inside) / len(inside), sum(r[c] for c in inside)
                    value += weight * (model.tradeoff * precision + (1 - model.tradeoff) * recall)
            if value > found[0]:
                found = value, word, columns
        if not found[1]:
            break
        said.append(found[1])
        taken = set(found[2])
        if found[0] > best[0] + 1e-6:
            best = found[0], len(said)
    return said[: best[1]]


Sides = tuple[dict[str, list[float]], str]  # seconds of emolab's and of the plain way, and what both come to


def regressions(panel: Panel, truth: LabelSets, model: calibrated.Calibrated, clips: int, rounds: int) -> Sides:
    """On the first clips that the model was fitted to, the error on as many that it was not fitted to."""
    held, share, _ = true_arrays(model.meanings, truth, panel.clip_ids)
    targets = np.hstack([held[:, model.named], share[:, model.named]])
    fitted, found = len(model.regression.shares), {}
    shares, words, known = model.regression.shares[:clips], model.regression.words[:clips], targets[:clips]
    sides = {
        "emolab": lambda: found.update(ours=kernel_ridge.fit(shares, words, known, np.ones(known.shape[1]))[0].predict),
        "scikit-learn, grid search": lambda: found.update(theirs=grid_search(shares, words, known)),
    }
    seconds = report.turns(sides, rounds)
    new = panel.on(panel.clip_ids[fitted : fitted + clips])
    votes_of = vote_shares(votes(new, model.meanings), model.weights) * model.scale
    told, unknown = model.text.weigh(count(descriptions(new))), targets[fitted : fitted + clips]
    errors = [((found[side](votes_of, told) - unknown) ** 2).mean() for side in ("ours", "theirs")]
    return seconds, f"{known.shape[1]} targets; error on other clips {errors[0]:.5f}, {errors[1]:.5f}"


def choices(panel: Panel, model: calibrated.Calibrated, plainly: int, rounds: int) -> Sides:
    """Of the panel's clips; the plain way of `plainly` of them, scaled up."""
    p, r = model.probabilities(panel)
    how = (model.vocabulary, model.meanings, model.view_weights, model.tradeoff, model.most_words)
    found, name = {}, "plain Python"
    sides = {
        "emolab": lambda: found.update(ours=choose(p, r, *how)),
        name: lambda: found.update(theirs=[plain_choice(p[row], r[row], model) for row in range(plainly)]),
    }
    seconds = report.turns(sides, rounds)
    seconds[name] = [each * len(p) / plainly for each in seconds[name]]
    same = sum(one == other for one, other in zip(found["ours"], found["theirs"], strict=False)) / plainly
    about = f"{len(model.vocabulary)} words; plain: timed on {plainly} clips and scaled up; the same in {same:.0%}"
    return seconds, about


def main() -> None:
    parser = report.parser(__doc__, "bench_judgment.py --clips 100000 --members 15")
    parser.add_argument("--clips", type=int, default=50_000, help="default: 50000")
    parser.add_argument("--members", type=int, default=10, help="default: 10")
    parser.add_argument("--labelled", type=int, default=2000, help="clips to fit to; default: 2000")
    parser.add_argument("--tuned", type=int, nargs="+", default=[300, 1000], help="clips of the compared regression")
    parser.add_argument("--plain", type=int, default=20, help="clips of the plain choice; default: 20")
    parser.add_argument("--rounds", type=int, default=3, help="of the comparisons; default: 3")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = report.parse(parser, clips=300, members=4, labelled=60, tuned=[40], plain=2, rounds=1)
    if args.step:
        print(json.dumps(step(args.step, args.folder, args.labelled)))
        return
    told = report.Report("co-judgment", args)
    with tempfile.TemporaryDirectory() as name:
        folder, n = Path(name), f"{args.clips:,} clips, {args.members} members"
        draw_files(folder, args.clips, args.members)
        for part in STEPS:
            found = report.own_process(__file__, "--step", part, "--folder", folder, "--labelled", args.labelled)
            sizes = f"{args.labelled:,} labelled clips, {args.members} members" if part == "calibrated fit" else n
            told.add(part, found["seconds"], n=sizes, peak_mib=found["peak"])
        panel, truth = read_panel([folder / "members"]), read_labels(folder / "truth.csv")
        model = fit(panel, folder, args.labelled)
        for clips in args.tuned:
            seconds, note = regressions(panel, truth, model, clips, args.rounds)
            told.compare("kernel ridge regression with its grid", seconds, n=f"{clips:,} clips", note=note)
        few = panel.on(panel.clip_ids[-2048:])
        seconds, note = choices(few, model, args.plain, args.rounds)
        told.compare("words for the best expected score", seconds, n=f"{len(few.clip_ids):,} clips", note=note)


if __name__ == "__main__":
    main()
