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
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date
from itertools import product
from pathlib import Path

import numpy as np

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


def seconds(work: Callable, *arguments) -> tuple[float, object]:
    start = time.perf_counter()
    result = work(*arguments)
    return time.perf_counter() - start, result


def fit(panel: Panel, folder: Path, labelled: int) -> calibrated.Calibrated:
    return calibrated.fit(
        panel.on(panel.clip_ids[:labelled]), read_labels(folder / "truth.csv"), own_wheels(), FusionSettings()
    )


def step(name: str, folder: Path, labelled: int) -> dict[str, float]:
    """One step in this process: seconds, and the process's peak in MiB."""
    took, panel = seconds(read_panel, [folder / "members"])
    plain = {"union": union(), "vote": vote(2), "unsupervised": unsupervised()}
    if name in plain:
        took, _ = seconds(lambda: plain[name].fit(panel, {})(panel))
    elif name != "read":
        took, model = seconds(fit, panel, folder, labelled)
        if name == "calibrated fuse":
            took, _ = seconds(model.fuse, panel)
    return {"seconds": took, "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


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


Row = tuple[str, float, float, str]  # name, emolab's seconds, the plain way's, what both come to


def regressions(panel: Panel, truth: LabelSets, model: calibrated.Calibrated, clips: int) -> Row:
    """On the first clips that the model was fitted to, the error on as many that it was not fitted to."""
    held, share, _ = true_arrays(model.meanings, truth, panel.clip_ids)
    targets = np.hstack([held[:, model.named], share[:, model.named]])
    fitted = len(model.regression.shares)
    shares, words, known = model.regression.shares[:clips], model.regression.words[:clips], targets[:clips]
    fast, (regression, _) = seconds(kernel_ridge.fit, shares, words, known, np.ones(known.shape[1]))
    slow, predict = seconds(grid_search, shares, words, known)
    new = panel.on(panel.clip_ids[fitted : fitted + clips])
    votes_of = vote_shares(votes(new, model.meanings), model.weights) * model.scale
    told, unknown = model.text.weigh(count(descriptions(new))), targets[fitted : fitted + clips]
    errors = [((each(votes_of, told) - unknown) ** 2).mean() for each in (regression.predict, predict)]
    about = f"{known.shape[1]} targets; error on other clips {errors[0]:.5f}, {errors[1]:.5f}"
    return f"regression, {clips} clips", fast, slow, about


def choices(panel: Panel, model: calibrated.Calibrated, plainly: int) -> Row:
    """Of the panel's clips; the plain way of so many."""
    p, r = model.probabilities(panel)
    how = (model.vocabulary, model.meanings, model.view_weights, model.tradeoff, model.most_words)
    fast, ours = seconds(choose, p, r, *how)
    slow, plain = seconds(lambda: [plain_choice(p[row], r[row], model) for row in range(plainly)])
    same = sum(one == other for one, other in zip(ours, plain, strict=False)) / plainly
    about = f"of {len(model.vocabulary)}; the same in {same:.0%} of {plainly} clips"
    return f"words, {len(p)} clips", fast, slow * len(p) / plainly, about


def machine() -> str:
    names = [line.partition(":")[2].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {len(names)} cores; Python {platform.python_version()}"


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=100_000, help="default: 100000")
    parser.add_argument("--members", type=int, default=10, help="default: 10")
    parser.add_argument("--labelled", type=int, default=2000, help="clips to fit to; default: 2000")
    parser.add_argument("--tuned", type=int, nargs="+", default=[300, 1000], help="clips of the compared regression")
    parser.add_argument("--plain", type=int, default=20, help="clips of the plain choice; default: 20")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args(words)
    if args.step:
        print(json.dumps(step(args.step, args.folder, args.labelled)))
        return
    print(f"{args.clips} clips x {args.members} members, {args.labelled} labelled; {machine()}; {date.today()}")
    with tempfile.TemporaryDirectory() as folder:
        draw_files(Path(folder), args.clips, args.members)
        print(f"\n{'':18}{'s':>9}{'peak MiB':>10}")
        for name in STEPS:
            command = [sys.executable, __file__, "--step", name, "--folder", folder, "--labelled", str(args.labelled)]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            print(f"{name:18}{found['seconds']:9.2f}{found['mib']:10.0f}", flush=True)
        print(f"\n{'':26}{'emolab s':>10}{'plain s':>10}{'ratio':>8}")
        panel, truth = read_panel([Path(folder) / "members"]), read_labels(Path(folder) / "truth.csv")
        model = fit(panel, Path(folder), args.labelled)
        rows = [regressions(panel, truth, model, clips) for clips in args.tuned]
        rows.append(choices(panel.on(panel.clip_ids[-2048:]), model, args.plain))
        for name, fast, slow, about in rows:
            print(f"{name:26}{fast:10.2f}{slow:10.2f}{slow / fast:8.1f}  {about}")


if __name__ == "__main__":
    main()
