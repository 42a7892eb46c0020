"""Does filtering help? The emotions that captions name against true label sets, before and after (section 3.1.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from emolab.labels.extract import extract_labels
from emolab.scoring import mer2024
from emolab.scoring.grouping import lexicon_grouping

MEASURES = ("avg", "accuracy", "recall")


def correctness(
    captions: Sequence[dict],
    truth: Mapping[str, Sequence[str]],
    *,
    resamples: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
) -> list[dict]:
    """Rows `all pairs`, `kept`, `dropped` and `kept − all`: name, n (captions), clips, avg, accuracy, recall, interval.

    `captions` are rows of clip_id, text and kept, one for each pair; `truth` is clip_id -> true labels of what the
    picture shows. Labels are taken out of the text by the lexicon extractor and scored by the MER2024 metric, synonyms
    grouped by the lexicon. Intervals resample clips, so that frames of one clip stay together; in each resample the
    difference is taken on the same clips.
    """
    rows = [row for row in captions if row["clip_id"] in truth]
    if not rows:
        return []
    true = {str(i): list(truth[row["clip_id"]]) for i, row in enumerate(rows)}
    named = {str(i): extract_labels(row["text"]) for i, row in enumerate(rows)}
    columns = mer2024.score(true, named, lexicon_grouping(true, named)).columns  # [n, 2] accuracy, recall
    kept = np.array([bool(row["kept"]) for row in rows])
    clips, clip_of = np.unique([row["clip_id"] for row in rows], return_inverse=True)
    parts = {"all pairs": np.ones_like(kept), "kept": kept, "dropped": ~kept}
    # what each clip adds to each part: accuracy, recall, captions
    totals = {
        name: np.stack([np.bincount(clip_of, part * column, len(clips)) for column in (*columns.T, np.ones(len(rows)))])
        for name, part in parts.items()
    }
    drawn = [
        {name: _means(part @ total.T) for name, total in totals.items()} for part in _draws(len(clips), resamples, seed)
    ]
    means = {name: np.concatenate([each[name] for each in drawn] or [np.empty((0, 3))]) for name in totals}
    found = {name: _means(total.sum(axis=1)) for name, total in totals.items()}
    means["kept − all"] = means["kept"] - means["all pairs"]
    found["kept − all"] = found["kept"] - found["all pairs"]
    sizes = {name: (int(part.sum()), len(set(clip_of[part.astype(bool)]))) for name, part in parts.items()}
    sizes["kept − all"] = sizes["kept"]
    return [
        {
            "name": name,
            "n": sizes[name][0],
            "clips": sizes[name][1],
            **{key: float(value) for key, value in zip(MEASURES, found[name], strict=True)},
            "interval": _intervals(means[name], confidence),
        }
        for name in found
        if sizes[name][0]
    ]


def correctness_sweep(
    captions: Sequence[dict], truth: Mapping[str, Sequence[str]], thresholds: Sequence[float], column: str, **options
) -> list[dict]:
    """Correctness (Avg) of what each threshold on `column` of the rows would keep: threshold, kept, correctness, low,
    high."""
    rows = []
    for threshold in thresholds:
        marked = [{**row, "kept": row[column] is not None and row[column] >= threshold} for row in captions]
        found = {row["name"]: row for row in correctness(marked, truth, **options)}.get("kept")
        count = sum(row["kept"] for row in marked)
        low, high = found["interval"].get("avg", (None, None)) if found else (None, None)
        correct = found["avg"] if found else None
        rows.append({"threshold": threshold, "kept": count, "correctness": correct, "low": low, "high": high})
    return rows


def _draws(clips: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """How often each clip is drawn [some, clips], in parts of at most 32 MB."""
    rng, size = np.random.default_rng(seed), max(1, 4_000_000 // clips)
    for start in range(0, resamples, size):
        yield rng.multinomial(clips, np.full(clips, 1 / clips), size=min(size, resamples - start)).astype(float)


def _means(totals: np.ndarray) -> np.ndarray:
    """[..., 3] sums of accuracy, recall and captions -> [..., 3] avg, accuracy, recall; nan where nothing is left."""
    with np.errstate(invalid="ignore", divide="ignore"):
        accuracy, recall = totals[..., 0] / totals[..., 2], totals[..., 1] / totals[..., 2]
    return np.stack([(accuracy + recall) / 2, accuracy, recall], axis=-1)


def _intervals(values: np.ndarray, confidence: float) -> dict[str, list[float]]:
    tail = (1 - confidence) / 2
    if not len(values):
        return {}
    bounds = np.nanquantile(values, [tail, 1 - tail], axis=0)
    return {name: [float(low), float(high)] for name, low, high in zip(MEASURES, *bounds, strict=True)}
