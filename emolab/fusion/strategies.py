"""The strategies that count: the paper's union, votes, and a main label with what does not contradict it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from emolab.errors import InputError
from emolab.fusion.panel import Panel
from emolab.fusion.settings import FusionSettings
from emolab.fusion.strategy import REGISTERED, Fuse, Strategy
from emolab.fusion.unsupervised import FEWEST, unsupervised
from emolab.fusion.votes import Candidate, candidates, keep
from emolab.fusion.weighted import WORDS, Metric, labelled, level1_f, weighted
from emolab.labels.lexicon import family_of
from emolab.labels.wheel import own_wheels, valence_of
from emolab.scoring.clips import LabelSets

_MOST_VOTES = 8  # that `best vote` tries


def plain_strategies(settings: FusionSettings, panel: Panel, metric: Metric | None = None) -> list[Strategy]:
    """The strategies of this file, `weighted` and `unsupervised`, as far as the panel has the members they need, and
    those that extensions register.

    `metric` is what those that learn make large, see `weighted`.
    """
    chosen = [union()]
    chosen += [vote(k) for k in settings.min_votes if k <= len(panel.members)]
    chosen += [best_vote(metric), weighted(metric)]
    if len(panel.members) >= FEWEST:
        chosen.append(unsupervised())
    if any(member.probabilities for member in panel.members):
        chosen.append(discriminative_first())
    return [*chosen, *REGISTERED.values()]


def union() -> Strategy:
    """All words of all members, in the order of the members, each word once (the splice of section 2.3)."""

    def fuse(panel: Panel) -> dict[str, list[str]]:
        return {clip: _union(panel, clip) for clip in panel.clip_ids}

    return _plain("union", "all labels of all members", fuse)


def vote(k: int, *, fallback: bool = True, words: int = 1) -> Strategy:
    """The synonym groups that at least `k` members said, with up to `words` words of each, most said first.

    A clip where no group has k votes, perhaps since few members answered it, keeps the groups with the most, for an
    empty set is never right; `fallback=False` leaves it empty. InputError for k below 1 and, in fusing, for more votes
    than there are members.
    """
    if k < 1 or words < 1:
        raise InputError("vote: votes and words of a group are counted from 1")

    def fuse(panel: Panel) -> dict[str, list[str]]:
        if k > len(panel.members):
            raise InputError(f"no label can have {k} votes of {len(panel.members)} predictions; ask for fewer votes")
        return {clip: _voted(candidates(panel, clip), k, fallback=fallback, words=words) for clip in panel.clip_ids}

    name = f"vote {k}" if words == 1 else f"vote {k}, {words} words"
    return _plain(name, f"groups of synonyms that at least {k} members said", fuse)


def best_vote(metric: Metric | None = None) -> Strategy:
    """`vote` with the votes (1 to 8, or all members) and words of a group (1 or 2) that have the best `metric` on
    calibration clips, level-1 F of emolab's own wheel unless another is given; on ties the most votes. InputError where
    no clip of the panel has true labels."""
    metric = metric or level1_f

    def fit(panel: Panel, truth: LabelSets) -> Fuse:
        panel, truth = labelled(panel, truth)
        said = {clip: candidates(panel, clip) for clip in panel.clip_ids}

        def score(setting: tuple[int, int]) -> float:
            k, words = setting
            return metric(truth, {clip: _voted(groups, k, words=words) for clip, groups in said.items()})

        k, words = max(product(range(min(_MOST_VOTES, len(panel.members)), 0, -1), WORDS), key=score)

        def fuse(panel: Panel) -> dict[str, list[str]]:
            return {clip: _voted(candidates(panel, clip), k, words=words) for clip in panel.clip_ids}

        return fuse

    return Strategy("best vote", "votes needed are chosen on calibration clips", fit, learns=True)


def discriminative_first(member: str | None = None) -> Strategy:
    """The first label of the discriminative member, then the labels of all members that do not contradict it.

    That member is the one named, else the first that gives probabilities; its labels come likeliest first. Labels
    contradict where one is pleasant and the other unpleasant, or one is neutral and the other an emotion, calm apart.
    A clip without its answer has the union of the others. InputError where there is no such member.
    """

    def fuse(panel: Panel) -> dict[str, list[str]]:
        found = panel.pick([member]).members if member else [each for each in panel.members if each.probabilities]
        if not found:
            raise InputError("none of the predictions has probabilities; name the one that is discriminative")
        fused = {}
        for clip in panel.clip_ids:
            main, rest = list(found[0].labels.get(clip, ()))[:1], _union(panel, clip)
            kept = [label for label in rest if not (main and contradict(main[0], label))]
            fused[clip] = list(dict.fromkeys(main + kept))
        return fused

    return _plain("discriminative-first", "the discriminative label and what does not contradict it", fuse)


def contradict(one: str, other: str) -> bool:
    """Whether two labels exclude each other, see `discriminative_first`."""
    if valence_of(one) * valence_of(other) < 0:
        return True
    neutral = [family_of(label) == "neutral" for label in (one, other)]
    return neutral[0] != neutral[1] and own_wheels().find(one if neutral[1] else other)[0] not in (None, "calm")


def _plain(name: str, about: str, fuse: Fuse) -> Strategy:
    return Strategy(name, about, lambda panel, truth: fuse)


def _union(panel: Panel, clip: str) -> list[str]:
    return list(dict.fromkeys(label for member in panel.members for label in member.labels.get(clip, ())))


def _voted(groups: Sequence[Candidate], k: int, *, fallback: bool = True, words: int = 1) -> list[str]:
    return keep(groups, [len(each.voters) for each in groups], k, fallback=fallback, words=words)
