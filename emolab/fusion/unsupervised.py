"""How reliable each member is, estimated without any true label from how they agree (Dawid and Skene, 1979).

An item is a clip and a synonym group; whether the group belongs to the clip is unknown, and each member that answered
the clip says yes or no. Items that nobody said have to be among them: with said ones only, members seem to disagree
by nature, and the estimate turns round (level-1 F .53 against .64 on the five published two-stage outputs).
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import log

import numpy as np

from emolab.errors import InputError
from emolab.fusion.panel import Panel
from emolab.fusion.strategy import Fuse, Strategy
from emolab.fusion.votes import Candidate, answered, candidates, keep
from emolab.scoring.clips import LabelSets

FEWEST = 3  # with two members, nobody can tell which one errs
_GROUPS = 30  # the most said ones; rarer ones say little about anyone
_ANSWERS = 40_000  # that the estimate is made from, drawn by clips: a second or two
_ROUNDS = 30
_LEAST = 1e-3  # of a rate, so that a member which never errs in the sample has no infinite weight


@dataclass(frozen=True)
class Reliability:
    """Rates by member: `sensitivity`, how often it says a group that belongs to the clip, and `false_alarms`, one that
    does not; `prior`, how often a group belongs."""

    prior: float
    sensitivity: Mapping[str, float]
    false_alarms: Mapping[str, float]


def unsupervised(threshold: float | None = None, *, words: int = 1, seed: int = 0) -> Strategy:
    """Synonym groups that are probable by the estimated reliability of who said them and who did not.

    `threshold` is the posterior probability to reach. None cuts where the fitting panel gets as many groups a clip as
    one member says on average: models of one family err together, which makes the posterior of many members far too
    sure (.5 keeps 3.6 groups a clip of 15 published outputs, which say 2.1 each). A clip where no group reaches it
    keeps the most probable. Members that were not there in fitting have mean weights. InputError for fewer than three
    members.
    """

    def fit(panel: Panel, truth: LabelSets) -> Fuse:
        rates = estimate(panel, seed)
        least = _size_cut(panel, rates) if threshold is None else _log_odds(threshold)

        def fuse(panel: Panel) -> dict[str, list[str]]:
            weigh, fused = _Weights(rates), {}
            for clip in panel.clip_ids:
                groups = candidates(panel, clip)
                fused[clip] = keep(groups, weigh(panel, clip, groups), least, words=words)
            return fused

        return fuse

    if threshold is not None and not 0 < threshold < 1:
        raise InputError("unsupervised: the threshold is a probability between 0 and 1")
    return Strategy("unsupervised", "reliability estimated from how members agree (Dawid and Skene 1979)", fit)


def reliability(panel: Panel, seed: int = 0) -> list[dict]:
    """The estimate as rows: name, sensitivity, specificity and precision (each estimated, of synonym groups), and n,
    the clips that the member answered. InputError for fewer than three members.

    What members err in alike counts as right, so that precision is too high and only its order says something: .50 to
    .67 for the five published two-stage outputs, whose labels are right in .36 to .42, in the same order.
    """
    rates = estimate(panel, seed)
    rows = []
    for member in panel.members:
        hits = rates.prior * rates.sensitivity[member.name]
        alarms = (1 - rates.prior) * rates.false_alarms[member.name]
        rows.append(
            {
                "name": member.name,
                "sensitivity": rates.sensitivity[member.name],
                "specificity": 1 - rates.false_alarms[member.name],
                "precision": hits / (hits + alarms),
                "n": sum(clip in member.labels for clip in panel.clip_ids),
            }
        )
    return rows


def estimate(panel: Panel, seed: int = 0) -> Reliability:
    """Reliability of the members by Dawid and Skene's EM (crowd-kit), on the most said groups of clips drawn with
    `seed` where there are too many. InputError for fewer than three members, and where none said anything."""
    if len(panel.members) < FEWEST:
        raise InputError(f"reliability without true labels needs at least {FEWEST} predictions that can be compared")
    drawn = np.random.default_rng(seed).permutation(len(panel.clip_ids))
    clips = [panel.clip_ids[i] for i in drawn[: max(1, _ANSWERS // (_GROUPS * len(panel.members)))]]
    said = {clip: {each.key: set(each.voters) for each in candidates(panel, clip)} for clip in clips}
    counts = Counter(key for groups in said.values() for key, voters in groups.items() for _ in voters)
    if not counts:
        raise InputError("reliability cannot be estimated: no prediction has a label for the clips looked at")
    keys = [key for key, _ in counts.most_common(_GROUPS)]
    rows = [
        (f"{clip}\n{key}", name, int(name in said[clip].get(key, ())))
        for clip, key in product(clips, keys)
        for name in answered(panel, clip)
    ]
    return _dawid_skene(rows, panel.names)


def _dawid_skene(rows: list[tuple[str, str, int]], names: tuple[str, ...]) -> Reliability:
    """Rates of members from (item, member, answer) rows; a member without rows has the mean of the others."""
    import pandas as pd
    from crowdkit.aggregation import DawidSkene

    # Its own stopping rule counts the prior once an answer, not once an item, and can end the rounds at the second.
    model = DawidSkene(n_iter=_ROUNDS, tol=-np.inf)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # arguments that pandas deprecates
        model.fit(pd.DataFrame(rows, columns=["task", "worker", "label"]))
    errors = model.errors_.reindex(columns=[0, 1], fill_value=0.0)
    asked = {name for _, name, _ in rows}
    rates = []
    for truth in (1, 0):
        known = {name: _rate(errors[truth].get((name, 1), 0.0)) for name in asked}
        rates.append({name: known.get(name, sum(known.values()) / len(known)) for name in names})
    return Reliability(_rate(model.priors_.get(1, 0.0)), *rates)


def _rate(value: float) -> float:
    return float(np.clip(value, _LEAST, 1 - _LEAST))


class _Weights:
    """Posterior log odds of the groups of a clip."""

    def __init__(self, rates: Reliability) -> None:
        self.prior = _log_odds(rates.prior)
        both = {name: (rates.sensitivity[name], rates.false_alarms[name]) for name in rates.sensitivity}
        self.yes = {name: log(hit / alarm) for name, (hit, alarm) in both.items()}
        self.no = {name: log((1 - hit) / (1 - alarm)) for name, (hit, alarm) in both.items()}

    def __call__(self, panel: Panel, clip: str, groups: list[Candidate]) -> list[float]:
        names = answered(panel, clip)
        silent = self.prior + sum(self._of(self.no, name) for name in names)
        return [
            # rounded, so that the order of the sum splits no ties
            round(silent + sum(self._of(self.yes, name) - self._of(self.no, name) for name in each.voters), 9)
            for each in groups
        ]

    def _of(self, weights: Mapping[str, float], name: str) -> float:
        return weights[name] if name in weights else sum(weights.values()) / len(weights)


def _log_odds(probability: float) -> float:
    return log(probability / (1 - probability))


def _size_cut(panel: Panel, rates: Reliability) -> float:
    """Log odds above which the panel has as many groups a clip as a member that said something does on average, or as
    near to it as groups of equal odds allow."""
    weigh, odds, votes, sets = _Weights(rates), [], 0, 0
    for clip in panel.clip_ids:
        groups = candidates(panel, clip)
        odds += weigh(panel, clip, groups)
        votes += sum(len(each.voters) for each in groups)
        sets += len({name for each in groups for name in each.voters})
    values, counts = np.unique(-np.array(odds), return_counts=True)
    wanted = votes / sets * len(panel.clip_ids)
    return float(-values[np.argmin(np.abs(np.cumsum(counts) - wanted))])
