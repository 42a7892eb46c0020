"""Reviewing caption pairs one by one in a notebook: the pair beside its image, a verdict by key, appended to a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget

from emolab.captions.annotations import annotate, digest, read_annotations
from emolab.errors import InputError
from emolab.inspect.caption_page import CaptionPage
from emolab.inspect.pictures import jpeg, open_image
from emolab.inspect.sources import script, themed

SIDE = 960  # pixels of an image's longer side, as sent to the browser
SENT = ("image_id", "clip_id", "first", "second", "answer", "score", "expected", "kept", "reason", "chosen")


def review(
    pairs: Sequence[Mapping],
    images_root: str | Path,
    annotations: str | Path,
    *,
    corpus: str,
    threshold: float = 0.9,
    headless: bool = False,
) -> CaptionReview | CaptionPage:
    """The review widget for CaptionPair rows, or where there is no browser a page of examples (text/html, text/plain).

    `annotations`: the file (JSONL) that verdicts are appended to; `threshold`: the score below which pairs were
    dropped; `corpus`: whose images these are, for the heading.
    """
    verdicts = read_annotations(annotations)
    page = CaptionPage(pairs, images_root, verdicts, corpus, threshold)
    return page if headless else CaptionReview(page, annotations)


class CaptionReview(anywidget.AnyWidget):
    """The widget. All goes by custom messages: one pair and its image at a time, and of all that the notebook stores no
    more than the examples of the page.

    From the view: `{"kind": "open"}`, `{"kind": "pair", "position"}`, `{"kind": "verdict", "position", "verdict",
    "note"}`. To all views: `index` (what filters and order need), `pair` (texts, verdict and, in a buffer, the image as
    JPEG), `saved`, `problem`. `position` counts the pairs from 0.
    """

    _esm = script(Path(__file__).with_name("caption_review.js"))
    _css = themed(Path(__file__).with_name("caption_review.css"))

    def __init__(self, page: CaptionPage, annotations: str | Path) -> None:
        super().__init__()
        self._page, self._annotations = page, Path(annotations)
        self.on_msg(lambda _, content, __: self.send(*self.reply(content)))

    def reply(self, message: Mapping[str, Any]) -> tuple[dict, list[bytes]]:
        """The answer to one message of a view, and its buffers."""
        try:
            return {"open": self._index, "pair": self._pair, "verdict": self._verdict}[message["kind"]](message)
        except InputError as error:
            return {"kind": "problem", "text": str(error)}, []

    def _index(self, _: Mapping) -> tuple[dict, list[bytes]]:
        pairs = self._page.pairs
        verdicts = read_annotations(self._annotations)  # another view or session may have gone on
        return {
            "kind": "index",
            "corpus": self._page.corpus,
            "threshold": self._page.threshold,
            "scores": [pair["score"] for pair in pairs],
            "kept": [bool(pair["kept"]) for pair in pairs],
            "verdicts": [verdicts.get(pair["image_id"]) for pair in pairs],
        }, []

    def _pair(self, message: Mapping) -> tuple[dict, list[bytes]]:
        pair = self._page.pairs[message["position"]]
        shown = {"kind": "pair", "position": message["position"], "pair": {key: pair.get(key) for key in SENT}}
        try:
            return shown, [jpeg(open_image(pair, self._page.images_root, SIDE))]
        except InputError as error:
            return shown | {"no_image": str(error)}, []

    def _verdict(self, message: Mapping) -> tuple[dict, list[bytes]]:
        pair = self._page.pairs[message["position"]]
        row = annotate(self._annotations, pair["image_id"], message["verdict"], message["note"], digest(pair))
        return {"kind": "saved", "position": message["position"], "row": row}, []

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_(**options)
        return self._page._repr_mimebundle_() | {k: v for k, v in data.items() if k != "text/plain"}, metadata
