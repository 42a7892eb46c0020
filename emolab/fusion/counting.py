"""Counting without learning: the splice of more and more members, and votes of more and more of them."""

from __future__ import annotations

from itertools import combinations, islice
from math import comb

from emolab.fusion.panel import Panel
from emolab.fusion.strategies import union, vote
from emolab.scoring.runs import Runs

_MOST_SETS = 40  # of members whose splices are averaged


def spliced(panel: Panel) -> dict[str, Runs]:
    """`union of 1` to `union of all` -> the splices of every set of so many members (of 40 spread evenly over all sets,
    where there are more), whose scores are to be averaged: the best would be chosen on the clips that are scored."""
    found: dict[str, Runs] = {}
    for size in range(1, len(panel.members) + 1):
        step = -(-comb(len(panel.members), size) // _MOST_SETS)
        sets = [panel.pick(names) for names in islice(combinations(panel.names, size), step // 2, None, step)]
        found[f"union of {size}"] = [union().fit(each, {})(each) for each in sets]
    return found


def voted(panel: Panel, words: int = 1) -> dict[str, Runs]:
    """`vote 2` and on -> the label sets that so many members agree on, up to `words` words of each synonym group."""
    strategies = [vote(k, words=words) for k in range(2, len(panel.members) + 1)]
    return {each.name: [each.fit(panel, {})(panel)] for each in strategies}
