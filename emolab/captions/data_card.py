"""The card that lies beside a training set: where it comes from, what was dropped and why, what is in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from emolab.captions.prompts import CAPTION, SIMILARITY
from emolab.captions.settings import FilterSettings
from emolab.labels.extract import extract_labels
from emolab.labels.lexicon import family_of

EXAMPLES = 5
PERCENTILES = (0, 25, 50, 75, 100)


def family_counts(texts: Sequence[str]) -> Counter[str]:
    """How many texts name each family of emotions (lexicon extractor; words without a family stand for themselves)."""
    return Counter(name for text in texts for name in {family_of(word) or word for word in extract_labels(text)})


def data_card(
    title: str,
    corpus: str,
    steps: Sequence[Mapping],
    sweep: Sequence[Mapping],
    pairs: Sequence[Mapping],
    texts: Sequence[str],
    models: Mapping[str, str],
    settings: FilterSettings,
    seed: int,
) -> str:
    """Markdown: counts at each step, threshold sweep, label and length distributions, kept and dropped examples.

    `steps` are rows of `filter.counts`, `sweep` of `filter.sweep`, `texts` the captions of the training set, `models`
    role -> identity. Model text is shown as code, so that nothing in it is read as markup.
    """
    words = np.array([len(text.split()) for text in texts] or [0])
    lengths = ", ".join(f"{p} %: {int(v)}" for p, v in zip(PERCENTILES, np.percentile(words, PERCENTILES), strict=True))
    order = "both orders" if settings.symmetric else "one order"
    rule = f"{settings.score} score ≥ {settings.threshold}, {order}; choice of the pair: {settings.choice}"
    return "\n".join(
        [
            f"# {title}",
            "",
            f"{len(texts)} captions of {corpus} for fine-tuning, made and filtered by emolab as in section 3.1.2 of the"
            " report. Made by models: no human wrote or checked them, but where a reviewer's verdict is named.",
            "",
            *(f"- {role}: {_code(identity)}" for role, identity in models.items()),
            f"- rule: {rule}; seed {seed}",
            f"- captioning prompt: {_code(CAPTION)}",
            f"- judging prompt: {_code(SIMILARITY)}",
            "",
            "## What was left after each step",
            "",
            _table(("step", "n", "lost", "why"), [(s["name"], s["n"], s["lost"], _code(s["why"])) for s in steps]),
            "",
            "## Pairs kept by threshold",
            "",
            _table(
                ("threshold", "kept", "share"),
                [(f"{s['threshold']:.2f}", s["kept"], f"{s['share']:.3f}") for s in sweep],
            ),
            "",
            "## What the captions say",
            "",
            f"Words a caption: {lengths}.",
            "",
            _table(
                ("family of emotions", "captions"), [(_code(k), n) for k, n in family_counts(texts).most_common(25)]
            ),
            "",
            *_examples("Kept", [pair for pair in pairs if pair["kept"]], seed),
            *_examples("Dropped", [pair for pair in pairs if not pair["kept"]], seed),
        ]
    )


def _examples(title: str, pairs: Sequence[Mapping], seed: int) -> list[str]:
    chosen = np.random.default_rng(seed).permutation(len(pairs))[:EXAMPLES]
    lines = [f"## {title}: {len(chosen)} of {len(pairs)}, drawn with the seed", ""]
    for i in sorted(chosen):
        pair = pairs[i]
        why = pair["reason"] or f"score {pair['score']}, {pair['chosen']} chosen"
        lines.append(f"- {_code(pair['image_id'])}: {_code(why)}")
        lines += [f"  - {role}: {_code(pair[role])}" for role in ("first", "second")]
    return [*lines, ""]


def _table(header: Sequence[str], rows: Sequence[Sequence]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _code(text: object) -> str:
    """Text as inline code on one line: backticks, bars and line breaks lose their meaning."""
    plain = " ".join(str(text).split()).replace("`", "'").replace("|", "¦")
    return f"`{plain}`" if plain else ""
