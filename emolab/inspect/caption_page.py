"""Caption pairs where no widget runs: examples as HTML that loads nothing, and as plain text."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from emolab.errors import InputError
from emolab.inspect.pictures import jpeg, open_image

SIGNS = {"keep": "✓", "drop": "−", "flag": "⚑"}


def near_threshold(pairs: Sequence[Mapping], threshold: float, most: int = 12, seed: int = 0) -> list[Mapping]:
    """At most `most` pairs by score, kept and dropped ones in equal parts as far as they go: drawn with the seed among
    those nearest to the threshold, where the filter's decisions are worth a look. Pairs without a score come last."""
    rng = np.random.default_rng(seed)
    kept = [pair for pair in pairs if pair["kept"]]
    dropped = [pair for pair in pairs if not pair["kept"]]
    count = min(len(kept), max(most // 2, most - len(dropped)))  # one side takes what the other has not
    chosen = []
    for side, share in ((kept, count), (dropped, min(len(dropped), most - count))):
        near = sorted(side, key=lambda pair: 1.0 if pair["score"] is None else abs(pair["score"] - threshold))
        chosen += [near[i] for i in rng.permutation(min(3 * share, len(near)))[:share]]
    return sorted(chosen, key=lambda pair: (pair["score"] is None, -(pair["score"] or 0), pair["image_id"]))


def decision(pair: Mapping) -> str:
    """What the filter did with a pair, in words."""
    if not pair["kept"]:
        return f"− dropped: {pair['reason'] or 'no reason given'}"
    return "✓ kept" + (f", chosen: {pair['chosen']}" if pair["chosen"] else "")


def scored(pair: Mapping) -> str:
    """The score of a pair, in words."""
    if pair["score"] is None:
        return "no score"
    expected = pair.get("expected")
    return f"score {pair['score']:.2f}" + ("" if expected is None else f" (expected {expected:.2f})")


class CaptionPage:
    """Examples of CaptionPair rows around the threshold with image, both captions, the filter's decision and the
    reviewer's verdict; `_repr_mimebundle_` gives text/html (images within, all text escaped) and text/plain."""

    def __init__(
        self,
        pairs: Sequence[Mapping],
        images_root: str | Path,
        verdicts: Mapping[str, Mapping],
        corpus: str,
        threshold: float,
    ) -> None:
        self.pairs, self.images_root, self.verdicts = pairs, images_root, verdicts
        self.corpus, self.threshold = corpus, threshold

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        shown = near_threshold(self.pairs, self.threshold)
        heading = self._heading(len(shown))
        cards = "\n".join(map(self._card, shown))
        html = f'<p>{escape(heading)}</p>\n<div style="display:grid;gap:14px">\n{cards}\n</div>'
        return {"text/html": html, "text/plain": "\n\n".join([heading, *map(self._text, shown)])}

    def _heading(self, shown: int) -> str:
        kept = sum(bool(pair["kept"]) for pair in self.pairs)
        counts = f"{kept} of {len(self.pairs)} pairs kept at threshold {self.threshold:.2f}"
        ids = {pair["image_id"] for pair in self.pairs}
        return f"Caption pairs, {self.corpus}: {counts}, {len(ids & self.verdicts.keys())} reviewed; {shown} shown."

    def _lines(self, pair: Mapping) -> list[str]:
        verdict = self.verdicts.get(pair["image_id"])
        lines = [f"{pair['image_id']} · {scored(pair)}", decision(pair)]
        if verdict:
            note = verdict.get("note")
            said = f"{SIGNS[verdict['verdict']]} reviewer: {verdict['verdict']}"
            lines.append(f"{said} ({note})" if note else said)
        return lines

    def _text(self, pair: Mapping) -> str:
        captions = [f"  {name}: {pair[name] or '(no caption)'}" for name in ("first", "second")]
        return "\n".join([*self._lines(pair), *captions])

    def _card(self, pair: Mapping) -> str:
        try:
            image = b64encode(jpeg(open_image(pair, self.images_root, 180), quality=80)).decode()
            picture = f'<img src="data:image/jpeg;base64,{image}" alt="" style="width:150px;border-radius:4px">'
        except InputError as error:
            picture = escape(str(error))
        head, *rest = map(escape, self._lines(pair))
        captions = "".join(
            f'<p style="margin:4px 0"><b>{name}{" (chosen)" if pair["chosen"] in (name, "both") else ""}</b>: '
            f"{escape(pair[name] or '(no caption)')}</p>"
            for name in ("first", "second")
        )
        return (
            '<div style="display:grid;grid-template-columns:150px minmax(0,1fr);gap:14px;text-align:left;'
            'overflow-wrap:anywhere;border-top:1px solid rgba(127,127,127,.4);padding-top:10px">'
            f"<div>{picture}</div><div><b>{head}</b><br>{'<br>'.join(rest)}{captions}</div></div>"
        )
