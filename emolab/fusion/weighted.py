"""Votes that weigh as much as their member was right on calibration clips."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product

from emolab.errors import InputError
from emolab.fusion.panel import Panel
from emolab.fusion.strategy import Fuse, Strategy
from emolab.fusion.votes import Candidate, answered, candidates, keep
from emolab.labels.lexicon import key_of
from emolab.labels.wheel import own_wheels
from emolab.scoring import wheel
from emolab.scoring.clips import LabelSets
from emolab.scoring.grouping import clean_labels

Metric = Callable[[LabelSets, LabelSets], float]  # (truth, predictions) -> what to make large
_THRESHOLDS = (0.5, 0.4, 0.6, 0.3, 0.25, 0.2, 0.15)  # on ties the one nearest to a half
WORDS = (1, 2)  # words of a group that are tried: the wheels tell synonyms apart that the lexicon does not


def weighted(metric: Metric | None = None) -> Strategy:
    """Weighted voting: a group stays if its voters hold a large enough share of the weight of all that answered.

    A member weighs its precision on the calibration clips: the share of its synonym groups that are true. Share and
    number of words (one or two) are those with the best `metric` on the same clips, level-1 F of emolab's own wheel
    unless another is given. Members that were not there in fitting weigh the mean. A clip where no group has the share
    keeps the heaviest. InputError where no clip of the panel has true labels.
    """
    metric = metric or level1_f

    def fit(panel: Panel, truth: LabelSets) -> Fuse:
        panel, truth = labelled(panel, truth)
        precision = precisions(panel, truth)
        said = {clip: candidates(panel, clip) for clip in panel.clip_ids}
        shares = {clip: _shares(panel, clip, said[clip], precision) for clip in said}

        def score(setting: tuple[float, int]) -> float:
            least, words = setting
            return metric(truth, {clip: keep(said[clip], shares[clip], least, words=words) for clip in said})

        least, words = max(product(_THRESHOLDS, WORDS), key=score)

        def fuse(panel: Panel) -> dict[str, list[str]]:
            fused = {}
            for clip in panel.clip_ids:
                groups = candidates(panel, clip)
                fused[clip] = keep(groups, _shares(panel, clip, groups, precision), least, words=words)
            return fused

        return fuse

    return Strategy("weighted", "votes weigh the member's precision on calibration clips", fit, learns=True)


def level1_f(truth: LabelSets, predictions: LabelSets) -> float:
    """Level-1 F of emolab's own wheel, which needs no tables."""
    return wheel.score(truth, predictions, own_wheels()).values()["level1_f"]


def labelled(panel: Panel, truth: LabelSets) -> tuple[Panel, dict[str, list[str]]]:
    """The panel on its clips with true labels, and their labels alone. InputError where there is no such clip."""
    true = {clip: clean_labels(truth[clip]) for clip in panel.clip_ids if clip in truth}
    if not any(true.values()):
        raise InputError("this strategy learns from true labels, and none of the clips has some; name a truth for them")
    return panel.on(true), true


def precisions(panel: Panel, truth: LabelSets) -> dict[str, float]:
    """Member -> share of the synonym groups it said that are true; one that said nothing has the mean of the others.

    All 1 where no member was ever right, so that votes count alike.
    """
    said, right = dict.fromkeys(panel.names, 0), dict.fromkeys(panel.names, 0)
    for clip in panel.clip_ids:
        true = set(map(key_of, truth[clip]))
        for member in panel.members:
            groups = set(map(key_of, member.labels.get(clip, ())))
            said[member.name] += len(groups)
            right[member.name] += len(groups & true)
    if not any(right.values()):
        return dict.fromkeys(panel.names, 1.0)
    known = {name: right[name] / said[name] for name in said if said[name]}
    return {name: known.get(name, sum(known.values()) / len(known)) for name in said}


def _shares(panel: Panel, clip: str, groups: Sequence[Candidate], precision: Mapping[str, float]) -> list[float]:
    mean = sum(precision.values()) / len(precision)
    weight = {name: precision.get(name, mean) for name in answered(panel, clip)}
    total = sum(weight.values())
    return [sum(weight[name] for name in each.voters) / total if total else 0.0 for each in groups]
