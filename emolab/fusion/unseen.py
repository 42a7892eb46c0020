"""What a fitted judgment is worth for models that were not there when it was fitted."""

from __future__ import annotations

from collections.abc import Iterator

from emolab.fusion.comparison import Comparison
from emolab.fusion.held_out import models_left_out, out_of_fold
from emolab.fusion.panel import Panel
from emolab.fusion.strategy import Strategy

_AT_LEAST = 4  # models: two to fit to, two to apply to


def unseen_rows(
    strategy: Strategy, rival: Strategy, panel: Panel, comparison: Comparison, folds: int, seed: int
) -> Iterator[dict]:
    """For pairs of models in which each stands at least once (MODEL/VARIANT: all variants of two): the level-1 F of
    `strategy` fitted to the other models and applied to these two, that of `rival` fitted to these two themselves, and
    the difference, paired by clip. All on clips held out from fitting. Nothing for fewer than 4 models.
    """
    models = list(dict.fromkeys(name.partition("/")[0] for name in panel.names))
    for at in range(0, len(models) if len(models) >= _AT_LEAST else 0, 2):
        pair = {models[at], models[(at + 1) % len(models)]}
        known = [name for name in panel.names if name.partition("/")[0] not in pair]
        own = panel.pick(name for name in panel.names if name not in known)
        truth = comparison.truth
        judged = [
            comparison.judge(name, [labels])
            for name, labels in (
                ("fitted to others", models_left_out(strategy, panel, truth, known, folds, seed)),
                (rival.name, out_of_fold(rival, own, truth, folds, seed)),
            )
        ]
        scores = {each.name.replace(" ", "_"): each.wheel.values()["level1_f"] for each in judged}
        difference = comparison.difference(*judged)
        yield {
            "name": " + ".join(sorted(pair)),
            "n": difference["n"],
            **scores,
            "difference": difference["level1_f"],
            "p": difference["p_level1_f"],
            "interval": {"difference": difference["interval"]["level1_f"]} if difference["interval"] else {},
        }
