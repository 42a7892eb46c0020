"""Which labels of a clip are matched, missed and spurious: the one rule for scores, figures and widgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emolab.labels.lexicon import key_of
from emolab.scoring.grouping import clean_labels


@dataclass(frozen=True)
class Match:
    """Labels of one clip: predicted and true, true but not predicted, predicted but not true."""

    matched: tuple[str, ...]
    missed: tuple[str, ...]
    spurious: tuple[str, ...]


def match(truth: Sequence[str], predicted: Sequence[str], groups: Sequence[Sequence[str]] | None = None) -> Match:
    """Compare by group, as the MER2024 metric does; `groups` defaults to the lexicon's families."""
    true, said = (_keyed(clean_labels(labels), groups) for labels in (truth, predicted))
    true_keys, said_keys = set(true.values()), set(said.values())
    return Match(
        tuple(label for label, key in said.items() if key in true_keys),
        tuple(label for label, key in true.items() if key not in said_keys),
        tuple(label for label, key in said.items() if key not in true_keys),
    )


def _keyed(labels: Sequence[str], groups: Sequence[Sequence[str]] | None) -> dict[str, str | int]:
    """Label -> what it shares with its synonyms."""
    if groups is None:
        return {label: key_of(label) for label in labels}
    group_of = {label: number for number, each in enumerate(groups) for label in clean_labels(each)}
    return {label: group_of.get(label, label) for label in labels}
