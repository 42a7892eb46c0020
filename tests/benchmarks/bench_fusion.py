"""Time to train the fusion heads of all folds and seeds: side by side against one by one, in one run.

Features are drawn at random around a mean for each emotion; their widths are those of HuBERT-large, CLIP-large and
Baichuan-13B with `--widths 1024 768 5120`. Nothing is asserted; the mean validation F1 of both ways stands beside.
"""

from functools import partial

import numpy as np
import report

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
    parser = report.parser(__doc__, "bench_fusion.py --widths 1024 768 5120 --device cuda")
    parser.add_argument("--clips", type=int, default=180, help="labelled clips; default: 180")
    parser.add_argument("--widths", type=int, nargs=3, default=[160, 64, 128], help="of audio, video, text")
    parser.add_argument("--seeds", type=int, default=3, help="times five folds are the heads; default: 3")
    parser.add_argument("--epochs", type=int, default=10, help="default: 10")
    parser.add_argument("--noise", type=float, default=0.6, help="of the features; default: 0.6")
    parser.add_argument("--device", default="cpu", help="cpu or cuda; default: cpu")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    args = report.parse(parser, clips=60, seeds=1, epochs=1, rounds=1)
    told = report.Report("fusion", args)

    classes, folds = np.arange(args.clips) % 6, np.arange(args.clips) // 6 % 5
    table = draw_table(classes, args.widths, args.noise)
    splits = plan(np.arange(args.clips), classes, folds, range(args.seeds))
    jobs = [Job(table, split.train, classes, split.valid, split.seed) for split in splits]
    for kind in FUSIONS:
        settings = FusionSettings(kind=kind, epochs=args.epochs)
        how = {"drop": settings.drop, "progress": False, "device": args.device}
        train, heads = partial(fit, settings=settings, **how), {}
        fit(jobs[:1], FusionSettings(kind=kind, epochs=1), **how)  # what torch loads at its first step
        sides = {
            "emolab": lambda train=train, heads=heads: heads.update(ours=train(jobs)),
            "one by one": lambda train=train, heads=heads: heads.update(theirs=[train([job])[0] for job in jobs]),
        }
        seconds = report.turns(sides, args.rounds)
        f1, other = (np.mean([head.valid_f1 for head in heads[side]]) for side in ("ours", "theirs"))
        n = f"{len(jobs)} heads, {args.clips} clips, {args.epochs} epochs, {args.device}"
        told.compare(f"{kind} heads, side by side", seconds, n=n, note=f"validation F1 {f1:.3f}, {other:.3f}")


if __name__ == "__main__":
    main()
