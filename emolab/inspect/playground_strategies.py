"""The strategies of the playground, and how it scores them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from emolab.fusion.calibrated import Believed, Calibrated, believe, choose_held
from emolab.fusion.panel import Panel
from emolab.fusion.strategies import union, vote
from emolab.inspect.playground_bench import Knob, Knobbed
from emolab.labels.wheel import Wheels
from emolab.scoring import wheel
from emolab.scoring.clips import LabelSets

_MEASURES = {"precision": "level1_precision", "recall": "level1_recall", "f": "level1_f", "avg": "level1_avg"}


def knobbed(panel: Panel, models: Sequence[tuple[Calibrated, Sequence[str]]]) -> list[Knobbed]:
    """`calibrated` (by the models of the folds, see `emolab.fusion.held_out.fitted`, so that no clip is judged by what
    has seen its truth), `vote` with two words of a synonym group, and `union`."""

    @lru_cache(maxsize=8)  # by members: moving the slider only chooses again
    def believed(names: tuple[str, ...]) -> Believed:
        return believe(models, panel.pick(names))

    def voted(some: Panel, k: float | None) -> LabelSets:
        return vote(int(k), words=2).fit(some, {})(some)

    weight = Knob("weight of precision", 0.1, 0.95, 0.05, 0.55)
    votes = Knob("votes at least", 1, max(1, min(8, len(panel.members))), 1, min(2, len(panel.members)))
    return [
        Knobbed(
            "calibrated", "best expected score, held out", weight, lambda some, w: choose_held(believed(some.names), w)
        ),
        Knobbed("vote", "synonym groups with so many votes", votes, voted),
        Knobbed("union", "all labels of all members", None, lambda some, _: union().fit(some, {})(some)),
    ]


def level1(truth: LabelSets, wheels: Wheels) -> Callable[[LabelSets], Mapping[str, float]]:
    """The scores that the playground shows, at level 1 of these wheels."""

    def score(fused: LabelSets) -> dict[str, float]:
        found = wheel.score(truth, fused, wheels)
        values = found.values()
        shown = {name: values[key] for name, key in _MEASURES.items()}
        return {"n": found.n, "labels_per_clip": found.labels_per_clip, **shown}

    return score
