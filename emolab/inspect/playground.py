"""The fusion playground: choose members, a strategy and its setting; see scores and labels move."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget

from emolab.errors import InputError
from emolab.fusion.panel import Panel
from emolab.inspect.playground_bench import MEASURES, PAGE, Bench, Knobbed
from emolab.inspect.playground_page import PlaygroundPage, iso_f
from emolab.inspect.sources import script, themed
from emolab.scoring.clips import LabelSets


def playground(
    panel: Panel,
    truth: LabelSets,
    score: Callable[[LabelSets], Mapping[str, float]],
    strategies: Sequence[Knobbed],
    *,
    corpus: str,
    points: Sequence[Mapping] = (),
    headless: bool = False,
) -> Playground | PlaygroundPage:
    """The playground widget, or where there is no browser a page of curves and examples (text/html, text/plain).

    `truth`: clip -> labels; `score` of fused label sets gives n, labels_per_clip, and precision, recall, f and avg in
    0..1; `points`: rows with name, precision and recall that are drawn on the plane; `corpus`: whose clips these are.
    InputError without strategies, and for two of one name.
    """
    page = PlaygroundPage(Bench(panel, truth, score, strategies, corpus, points))
    return page if headless else Playground(page)


class Playground(anywidget.AnyWidget):
    """The widget. All is computed here on request and goes by custom messages; a view never holds more than one page of
    clips.

    From a view, each with a `request` of its own that comes back in the answer: `{"kind": "open"}` -> `opened`;
    `{"kind": "fuse", "members", "strategy", "value"}` -> `fused` (scores); `{"kind": "clips", "from", "filter"}` with
    the same three -> `clips` (one page with chips). `problem` (a sentence) is the answer to what cannot be done.
    """

    _esm = script(Path(__file__).with_name("playground.js"))
    _css = themed(Path(__file__).with_name("playground.css"))

    def __init__(self, page: PlaygroundPage) -> None:
        super().__init__()
        self._page, self._bench = page, page.bench
        self.on_msg(lambda _, content, __: self.send(self.reply(content)))

    def reply(self, message: Mapping[str, Any]) -> dict:
        """The answer to one message of a view."""
        try:
            answer = {"open": self._opened, "fuse": self._fused, "clips": self._clips}[message["kind"]](message)
        except InputError as error:
            answer = {"kind": "problem", "text": str(error)}
        return answer | {"request": message["request"]}

    def _opened(self, _: Mapping) -> dict:
        bench = self._bench
        return {
            "kind": "opened",
            "corpus": bench.corpus,
            "clips": len(bench.clip_ids),
            "members": [{"name": member.name, "clips": len(member.labels)} for member in bench.panel.members],
            "strategies": [
                {"name": each.name, "about": each.about, "knob": each.knob and vars(each.knob)}
                for each in bench.strategies.values()
            ],
            "measures": MEASURES,
            "points": [{key: point[key] for key in ("name", "precision", "recall")} for point in bench.points],
            "iso": [{"level": level, "line": iso_f(level)} for level in range(5, 100, 5)],
        }

    def _fused(self, message: Mapping) -> dict:
        fused = self._bench.fused(message["members"], message["strategy"], message["value"])
        return {"kind": "fused", "scores": fused.scores}

    def _clips(self, message: Mapping) -> dict:
        members, bench = message["members"], self._bench
        labels = bench.fused(members, message["strategy"], message["value"]).labels
        found = bench.find(labels, message["filter"])
        start = max(0, min(message["from"], (len(found) - 1) // PAGE * PAGE))
        shown = found[start : start + PAGE]
        chips = [{"clip_id": clip, "chips": bench.chips(clip, labels, members)} for clip in shown]
        return {"kind": "clips", "from": start, "total": len(found), "page": PAGE, "clips": chips}

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_(**options)
        return self._page._repr_mimebundle_() | {k: v for k, v in data.items() if k != "text/plain"}, metadata
