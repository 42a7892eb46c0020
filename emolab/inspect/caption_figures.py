"""Figures of notebooks 01 and 02: images, caption pairs, their scores and what the filter leaves. They can be read in
greyscale: by sign, hatching, marker and number, never by colour alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from emolab.errors import InputError
from emolab.inspect.caption_page import decision, scored
from emolab.inspect.pictures import open_image
from emolab.inspect.style import plain

KEPT = {"facecolor": "0.35", "edgecolor": "white"}
DROPPED = {"facecolor": "white", "edgecolor": "0.35", "hatch": "////"}
_WIDE = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")  # as wide as two Latin letters


def score_histogram(pairs: Sequence[Mapping], threshold: float, corpus: str = "") -> Figure:
    """Histogram of the judge's scores, kept and dropped pairs, with the threshold: of the score read from its answer
    and, where there are any, of the one expected from its token probabilities."""
    title = _title("Similarity of two captions", corpus, len(pairs), "pairs")
    if not pairs:
        return _nothing(title)
    panels = {"score": "score read from the answer", "expected": "score expected from token probabilities"}
    if all(pair["expected"] is None for pair in pairs):
        del panels["expected"]
    figure, axes = plt.subplots(1, len(panels), figsize=(1.5 + 5 * len(panels), 4.2), layout="constrained", sharey=True)
    for axis, (key, name) in zip(np.atleast_1d(axes), panels.items(), strict=True):
        known = [pair for pair in pairs if pair[key] is not None]
        # a score on an edge belongs above it, whatever the edge's last binary digit
        sides = [[pair[key] + 1e-9 for pair in known if bool(pair["kept"]) is kept] for kept in (True, False)]
        names = [f"{word}: {len(side)}" for word, side in zip(("kept", "dropped"), sides, strict=True)]
        _, _, (kept, dropped) = axis.hist(sides, np.linspace(0, 1.05, 22), stacked=True, label=names)
        plt.setp(kept, **KEPT)
        plt.setp(dropped, **DROPPED)
        axis.axvline(threshold, color="black", linestyle="--", linewidth=1.2, label=f"threshold {threshold:.2f}")
        axis.set(xlim=(0, 1.05), xlabel=f"{name}, n = {len(known)}", ylabel="caption pairs" if key == "score" else "")
        axis.yaxis.get_major_locator().set_params(integer=True)
        axis.legend(fontsize=8)
    captionless = sum(not (pair["first"] and pair["second"]) for pair in pairs)
    unread = sum(pair["score"] is None for pair in pairs) - captionless
    missing = f"{unread} answers without a score, {captionless} images without two captions"
    figure.suptitle(f"{title}\nnot shown: {missing}", fontsize=11)
    return figure


def kept_against_threshold(sweep_rows: Sequence[Mapping], threshold: float, corpus: str = "") -> Figure:
    """Kept pairs against the threshold and, where the rows (`threshold`, `kept`) carry `correctness` with `low` and
    `high` (all in [0, 1]), how correct the kept captions are, with its interval."""
    rows = sorted(sweep_rows, key=lambda row: row["threshold"])
    title = _title(
        "What a threshold keeps", corpus, max((row["kept"] for row in rows), default=0), "pairs at the lowest"
    )
    if not rows:
        return _nothing(title)
    correct = [row for row in rows if row.get("correctness") is not None]
    panels = 2 if correct else 1
    figure, axes = plt.subplots(1, panels, figsize=(1.5 + 4.6 * panels, 4), layout="constrained", squeeze=False)
    count = axes[0, 0]
    count.plot([row["threshold"] for row in rows], [row["kept"] for row in rows], "o-", color="0.35", markersize=4)
    count.set(xlabel="threshold", ylabel="pairs kept", ylim=(0, 1.08 * max(1, *(row["kept"] for row in rows))))
    _mark(count, rows, "kept", threshold, "{:d} kept")
    if correct:
        axis = axes[0, 1]
        at, values, low, high = (
            np.array([np.nan if row[key] is None else row[key] for row in correct], float)
            for key in ("threshold", "correctness", "low", "high")
        )
        axis.errorbar(
            at, 100 * values, 100 * np.array([values - low, high - values]),
            fmt="o-", color="0.35", markersize=4, elinewidth=1, capsize=2.5, label="kept captions, with interval",
        )  # fmt: skip
        label = f"at threshold {at[0]:.2f}: {100 * values[0]:.1f} %"
        axis.axhline(100 * values[0], color="0.5", linestyle=":", linewidth=1.2, label=label)
        axis.set(xlabel="threshold", ylabel="correctness of the kept captions (%)")
        _mark(axis, correct, "correctness", threshold, "{:.1%}")
        axis.legend(fontsize=8, loc="upper left")
        axis.margins(y=0.25)
    figure.suptitle(title, fontsize=11)
    return figure


def _mark(axis: Axes, rows: Sequence[Mapping], key: str, threshold: float, form: str) -> None:
    """The threshold in use, with its value where the sweep went through it."""
    axis.axvline(threshold, color="0.6", linestyle="--", linewidth=1, zorder=1)
    used = [row[key] for row in rows if abs(row["threshold"] - threshold) < 1e-9]
    text = f"threshold {threshold:.2f}" + "".join(f"\n{form.format(value)}" for value in used)
    axis.annotate(
        text, (threshold, 0.03), xycoords=("data", "axes fraction"), xytext=(-5, 0), textcoords="offset points",
        ha="right", va="bottom", fontsize=8, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
    )  # fmt: skip


def score_agreement(pairs: Sequence[Mapping], corpus: str = "") -> Figure:
    """The score read from the judge's answer against the one expected from its token probabilities."""
    from scipy.stats import spearmanr

    both = [pair for pair in pairs if pair["score"] is not None and pair["expected"] is not None]
    title = _title("Two readings of a score", corpus, len(both), "pairs")
    if not both:
        return _nothing(title)
    figure, axis = plt.subplots(figsize=(5.4, 5), layout="constrained")
    axis.plot([0, 1], [0, 1], color="0.6", linestyle="--", linewidth=1, label="equal")
    for kept, name, style in (
        (True, "kept", {"color": "0.25"}),
        (False, "dropped", {"c": "none", "edgecolor": "0.25"}),
    ):
        side = [pair for pair in both if bool(pair["kept"]) is kept]
        at = [pair["score"] for pair in side], [pair["expected"] for pair in side]
        axis.scatter(*at, s=26, alpha=0.6, label=f"{name}: {len(side)}", zorder=3, **style)
    axis.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
    axis.set(xlabel="score read from the answer", ylabel="score expected from token probabilities")
    x, y = (np.array([pair[key] for pair in both]) for key in ("score", "expected"))
    rank = f"{spearmanr(x, y)[0]:.2f}" if len(set(x)) > 1 and len(set(y)) > 1 else "–"
    axis.set_title(title, fontsize=11)
    facts = f"Spearman {rank}\nmean difference {np.abs(x - y).mean():.3f}"
    axis.legend(title=facts, fontsize=8, title_fontsize=8)
    return figure


def pair_sheet(pairs: Sequence[Mapping], images_root: str | Path, corpus: str = "") -> Figure:
    """Two pairs a line: image, score, what the filter did and why, both captions; pairs that were not judged yet (no
    `kept`) show the captions alone. For a choice of pairs see `caption_page.near_threshold`."""
    title = _title("Caption pairs", corpus, len(pairs), "shown")
    if not pairs:
        return _nothing(title)
    lines = -(-len(pairs) // 2)
    figure, axes = plt.subplots(
        lines, 4, figsize=(13.5, 2.55 * lines + 0.5), width_ratios=(1, 1.75) * 2, layout="constrained", squeeze=False
    )
    for image, words, pair in zip(axes.flat[::2], axes.flat[1::2], [*pairs, *[None] * (len(pairs) % 2)], strict=True):
        words.set_axis_off()
        image.set_axis_off()
        if pair is None:
            continue
        _draw(image, pair, images_root)
        judged = "kept" in pair
        facts = plain(pair["image_id"], 30) + (f"  ·  {scored(pair)}" if judged else "")
        words.text(0, 1, facts, transform=words.transAxes, va="top", fontsize=9, weight="bold")
        parts = [*_wrapped(decision(pair), 56, 2), ""] if judged else []
        for which in ("first", "second"):
            chosen = " (chosen)" if judged and pair["chosen"] in (which, "both") else ""
            parts += [*_wrapped(f"{which}{chosen}: {pair[which] or '(no caption)'}", 56, 5), ""]
        words.text(0, 0.9, "\n".join(parts), transform=words.transAxes, va="top", fontsize=8.8, linespacing=1.25)
    figure.suptitle(title, fontsize=11)
    return figure


def image_sheet(rows: Sequence[Mapping], images_root: str | Path, corpus: str = "", most: int = 32) -> Figure:
    """Contact sheet of at most `most` Image rows, near-duplicates beside the image that they repeat (those first, up to
    half of the sheet, then others spread evenly over the rows)."""
    title = _title("Images", corpus, sum(bool(row["kept"]) for row in rows), f"kept of {len(rows)}")
    if not rows:
        return _nothing(title)
    shown = _with_duplicates(rows, most)
    columns = min(8, max(4, len(shown)))
    lines = -(-len(shown) // columns)
    figure, axes = plt.subplots(
        lines, columns, figsize=(1.7 * columns, 2.1 * lines + 0.5), layout="constrained", squeeze=False
    )
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.set_axis_off()
    for axis, row in zip(axes.flat, shown, strict=False):
        _draw(axis, row, images_root)
        label = plain(row["image_id"], 26)
        if not row["kept"]:
            label = "\n".join([f"− {label}", *_wrapped(row["error"] or row["reason"] or "dropped", 26, 2)])
            axis.add_patch(plt.Rectangle((0, 0), 1, 1, transform=axis.transAxes, fill=False, hatch="//", color="0.9"))
        axis.text(0, -0.03, label, transform=axis.transAxes, va="top", fontsize=6.5)
    figure.suptitle(f"{title}; {len(shown)} shown, − and hatched: not used", fontsize=11)
    return figure


def _with_duplicates(rows: Sequence[Mapping], most: int) -> list[Mapping]:
    by_id = {row["image_id"]: row for row in rows}
    groups: dict[str, list[Mapping]] = {}
    for row in rows:
        repeated = re.fullmatch(r"near-duplicate of (.+)", row["reason"] or "")
        if repeated and repeated[1] in by_id:
            groups.setdefault(repeated[1], [by_id[repeated[1]]]).append(row)
    first = [row for group in groups.values() for row in group[:3]][: most // 2]
    taken = {row["image_id"] for row in first}
    rest = [row for row in rows if row["image_id"] not in taken]
    even = np.unique(np.linspace(0, len(rest) - 1, min(len(rest), most - len(first))).astype(int)) if rest else ()
    return first + [rest[i] for i in even]


def length_distribution(texts_by_name: Mapping[str, Sequence[str]], corpus: str = "") -> Figure:
    """How long the texts of each name are, in words; a Chinese character counts as a word, empty texts do not count."""
    lengths = {name: np.array([_words(text) for text in texts if text]) for name, texts in texts_by_name.items()}
    title = _title("Length of the texts", corpus, sum(each.size for each in lengths.values()), "texts")
    longest = max((each.max() for each in lengths.values() if each.size), default=0)
    if not longest:
        return _nothing(title)
    figure, axis = plt.subplots(figsize=(7.5, 4), layout="constrained")
    edges = np.linspace(0, longest + 1, min(30, int(longest) + 1) + 1)
    for number, (name, each) in enumerate(lengths.items()):
        median = f"median {np.median(each):.0f}" if each.size else "no text"
        style = {"linestyle": ("-", "--", ":", "-.")[number % 4], "color": f"C{number}", "linewidth": 1.8}
        weights = np.full(each.size, 100 / max(each.size, 1))
        axis.hist(
            each, edges, weights=weights, histtype="step", label=f"{plain(name)}: n = {each.size}, {median}", **style
        )
    axis.set(xlabel="length in words (a Chinese character counts as one)", ylabel="share of the texts (%)")
    axis.set_title(title, fontsize=11)
    axis.legend(fontsize=8)
    return figure


def label_distribution(counts_by_name: Mapping[str, Mapping[str, int]], corpus: str = "", most: int = 20) -> Figure:
    """How often each label or family stands in each set (such as before and after the filter): the `most` common ones,
    by the first set."""
    first = next(iter(counts_by_name.values()), {})
    names = {label for counts in counts_by_name.values() for label in counts}
    labels = sorted(names, key=lambda label: (-first.get(label, 0), label))[:most]
    title = _title("Labels", corpus, len(labels), f"of {len(names)} labels" if len(names) > len(labels) else "labels")
    if not labels:
        return _nothing(title)
    sets = len(counts_by_name)
    figure, axis = plt.subplots(figsize=(7.5, 1.3 + 0.14 * (sets + 0.5) * len(labels)), layout="constrained")
    at, height = np.arange(len(labels)), 0.8 / sets
    styles = (DROPPED, KEPT, {"facecolor": "0.75"}, {**DROPPED, "hatch": "...."})
    for number, (name, counts) in enumerate(counts_by_name.items()):
        y = at + (number - (sets - 1) / 2) * height
        values = [counts.get(label, 0) for label in labels]
        bars = axis.barh(y, values, 0.9 * height, label=f"{plain(name)}: {sum(counts.values())}", **styles[number % 4])
        axis.bar_label(bars, fontsize=6.5, padding=2)
    axis.set_yticks(at, [plain(label) for label in labels])
    axis.invert_yaxis()
    axis.margins(x=0.08, y=0.01)
    axis.set(xlabel="how often")
    axis.set_title(title, fontsize=11)
    axis.legend(fontsize=8, loc="lower right")
    return figure


def _title(what: str, corpus: str, n: int, unit: str) -> str:
    return ", ".join(filter(None, [what, plain(corpus), f"n = {n} {unit}"]))


def _nothing(title: str) -> Figure:
    figure = plt.figure(figsize=(7, 0.6))
    figure.text(0.02, 0.4, title)
    return figure


def _draw(axis: Axes, row: Mapping, images_root: str | Path) -> None:
    try:
        axis.imshow(np.asarray(open_image(row, images_root, 320)))
    except InputError as error:
        axis.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axis.text(0.5, 0.5, "\n".join(_wrapped(str(error), 24, 8)), ha="center", va="center", fontsize=7)


def _words(text: str) -> int:
    return len(_WIDE.findall(text)) + len(_WIDE.sub(" ", text).split())


def _wrapped(text: str, width: int, most: int) -> list[str]:
    """Lines of untrusted text, at most `most` of them, each safe for matplotlib; Chinese takes two columns a letter."""
    wide = _WIDE.sub(lambda letter: letter[0] + "\0", " ".join(text.replace("\0", " ").split()))
    lines = wrap(wide, width, break_on_hyphens=False)
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1][: width - 1] + "…"]
    return [plain(line.replace("\0", ""), width) for line in lines]
