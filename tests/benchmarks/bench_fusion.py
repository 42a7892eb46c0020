"""Time to train the fusion heads of all folds and seeds: side by side against one by one, in one run.

Features are drawn at random around a mean for each emotion; their widths are those of HuBERT-large, CLIP-large and
Baichuan-13B with `--widths 1024 768 5120`. Nothing is asserted; the mean validation F1 of both ways stands beside.
"""

import argparse
import time

import numpy as np
import torch

from emolab.discriminative.fit import Job, fit
from emolab.discriminative.protocol import plan
from emolab.discriminative.settings import FUSIONS, MODALITIES, FusionSettings
from emolab.discriminative.table import FeatureTable


def draw_table(classes: np.ndarray, widths: list[int], noise: float) -> FeatureTable:
    rng = np.random.default_rng(0)
    vectors = {}
    for name, width in zip(MODALITIES, widths, strict=True):
        found = rng.standard_normal((6, width), np.float32)[classes]
        found += noise * width**0.5 * rng.standard_normal((len(classes), width), np.float32)
        vectors[name] = found
    ids = tuple(str(number) for number in range(len(classes)))
    return FeatureTable(ids, vectors, np.ones((len(classes), len(MODALITIES)), bool))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=180, help="labelled clips; default: 180")
    parser.add_argument("--widths", type=int, nargs=3, default=[160, 64, 128], help="of audio, video, text")
    parser.add_argument("--seeds", type=int, default=3, help="times five folds are the heads; default: 3")
    parser.add_argument("--epochs", type=int, default=20, help="default: 20")
    parser.add_argument("--noise", type=float, default=0.6, help="of the features; default: 0.6")
    parser.add_argument("--device", default="cpu", help="cpu or cuda; default: cpu")
    args = parser.parse_args()

    classes, folds = np.arange(args.clips) % 6, np.arange(args.clips) // 6 % 5
    table = draw_table(classes, args.widths, args.noise)
    splits = plan(np.arange(args.clips), classes, folds, range(args.seeds))
    jobs = [Job(table, split.train, classes, split.valid, split.seed) for split in splits]
    print(
        f"{len(jobs)} heads, {args.clips} clips, {args.epochs} epochs, {torch.get_num_threads()} threads, {args.device}"
    )
    print(f"{'':14}{'together s':>12}{'one by one s':>14}{'ratio':>8}{'F1 together':>13}{'F1 one by one':>15}")
    for kind in FUSIONS:
        settings = FusionSettings(kind=kind, epochs=args.epochs)
        how = {"drop": settings.drop, "progress": False, "device": args.device}
        fit(jobs[:1], FusionSettings(kind=kind, epochs=1), **how)  # what torch loads at its first step
        start = time.perf_counter()
        together = fit(jobs, settings, **how)
        middle = time.perf_counter()
        alone = [fit([job], settings, **how)[0] for job in jobs]
        fast, slow = middle - start, time.perf_counter() - middle
        scores = (np.mean([head.valid_f1 for head in heads]) for heads in (together, alone))
        print(f"{kind:14}{fast:12.2f}{slow:14.2f}{slow / fast:8.1f}{next(scores):13.3f}{next(scores):15.3f}")


if __name__ == "__main__":
    main()
