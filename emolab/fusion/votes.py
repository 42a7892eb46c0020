"""What a panel says about a clip, counted over groups of synonyms: the lexicon's families, other labels alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emolab.fusion.panel import Panel
from emolab.labels.lexicon import key_of
from emolab.scoring.clips import LabelSets


@dataclass(frozen=True, slots=True)
class Candidate:
    """A group of synonyms that members said about a clip: its key (`lexicon.key_of`), its words, most said first and in
    order of appearance on ties, and the names of the members that said one of them."""

    key: str
    words: tuple[str, ...]
    voters: tuple[str, ...]

    @property
    def word(self) -> str:
        return self.words[0]


def candidates(panel: Panel, clip: str) -> list[Candidate]:
    """The groups that the members said about a clip, in order of first appearance. A member votes once for a group,
    however many of its words it said."""
    groups: dict[str, tuple[dict[str, int], dict[str, None]]] = {}
    for member in panel.members:
        for label in dict.fromkeys(member.labels.get(clip, ())):
            words, voters = groups.setdefault(key_of(label), ({}, {}))
            words[label] = words.get(label, 0) + 1
            voters[member.name] = None
    return [
        Candidate(key, tuple(sorted(words, key=words.get, reverse=True)), tuple(voters))
        for key, (words, voters) in groups.items()
    ]


def answered(panel: Panel, clip: str) -> list[str]:
    """Names of the members that answered for a clip, if only with an empty list."""
    return [member.name for member in panel.members if clip in member.labels]


def keep(
    groups: Sequence[Candidate], weights: Sequence[float], least: float, *, fallback: bool = True, words: int = 1
) -> list[str]:
    """Up to `words` words of each group that weighs at least `least`; where none does and `fallback` is on, of those
    that weigh most, for an empty set is never right."""
    if fallback and groups:
        least = min(least, max(weights))
    return [
        word for each, weight in zip(groups, weights, strict=True) if weight >= least for word in each.words[:words]
    ]


def prediction_rows(panel: Panel, fused: LabelSets, model: str, seed: int | None = None) -> list[dict]:
    """One Prediction row for each clip of the panel: clip_id, model, text (none), labels, votes, seed, error.

    `votes` gives for each label the members that said it or a synonym. A clip for which no member answered has no
    labels, and an error.
    """
    rows = []
    for clip in panel.clip_ids:
        row = {"clip_id": clip, "model": model, "text": "", "labels": [], "votes": {}, "seed": seed, "error": None}
        if answered(panel, clip):
            voters = {each.key: list(each.voters) for each in candidates(panel, clip)}
            row["labels"] = list(fused[clip])
            row["votes"] = {label: voters.get(key_of(label), []) for label in row["labels"]}
        else:
            row["error"] = f"{clip}: none of the fused models answered for this clip."
        rows.append(row)
    return rows
