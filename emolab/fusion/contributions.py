"""Who contributes what: which members say the labels that are right, and those that are wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from emolab.fusion.panel import Panel
from emolab.labels.lexicon import group
from emolab.scoring.clips import LabelSets
from emolab.scoring.grouping import clean_labels
from emolab.scoring.match import match

Said = Sequence[tuple[tuple[str, ...], bool]]


def contributed(panel: Panel, truth: LabelSets) -> Said:
    """Each label that members say of a labelled clip, words of one lexicon family as one: the names of the members that
    say it, and whether it is right."""
    said = []
    for clip in panel.clip_ids:
        if clip not in truth:
            continue
        words = {member.name: set(clean_labels(member.labels.get(clip, ()))) for member in panel.members}
        every = clean_labels(word for member in panel.members for word in member.labels.get(clip, ()))
        right = set(match(truth[clip], every).matched)
        for each in group(every):
            names = tuple(name for name, own in words.items() if own.intersection(each))
            said.append((names, each[0] in right))
    return said


def word_rows(panel: Panel, truth: LabelSets) -> list[dict]:
    """Rows of member, word, right and wrong: in how many labelled clips each member says a word rightly and wrongly."""
    rows = []
    for member in panel.members:
        right, wrong = Counter(), Counter()
        for clip in panel.clip_ids:
            if clip in truth and clip in member.labels:
                found = match(truth[clip], member.labels[clip])
                right.update(found.matched)
                wrong.update(found.spurious)
        rows += [
            {"member": member.name, "word": word, "right": right[word], "wrong": wrong[word]}
            for word in sorted(right.keys() | wrong.keys(), key=lambda word: (-right[word] - wrong[word], word))
        ]
    return rows


def share_rows(said: Said) -> list[dict]:
    """For each member, of `contributed`: name, n (labels it said), right (the share of them that is), alone (the share
    that nobody else said) and right_alone (of those, the share that is right; None without any)."""
    rows = []
    for name in dict.fromkeys(name for names, _ in said for name in names):
        own = [(names, right) for names, right in said if name in names]
        alone = [right for names, right in own if len(names) == 1]
        rows.append(
            {
                "name": name,
                "n": len(own),
                "right": sum(right for _, right in own) / len(own),
                "alone": len(alone) / len(own),
                "right_alone": sum(alone) / len(alone) if alone else None,
            }
        )
    return sorted(rows, key=lambda row: row["name"])
