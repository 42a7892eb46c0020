"""A chat model as the judge: it picks from the candidates of a clip, with the models' descriptions as evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from emolab.errors import InputError
from emolab.fusion.panel import Panel
from emolab.fusion.prompts import judge_prompt
from emolab.fusion.strategy import Strategy
from emolab.fusion.votes import Candidate, answered, candidates
from emolab.labels.lexicon import key_of
from emolab.labels.parse import parse_labels

Ask = Callable[[list[str]], list[str]]
_ASKED_AT_ONCE = 64


@dataclass(frozen=True)
class Judge(Strategy):
    """`problems`: clip -> why its last answer gave no label, in one sentence; filled while it fuses."""

    problems: dict[str, str] = field(default_factory=dict)


def judge(ask: Ask, evidence_chars: int = 600) -> Judge:
    """A strategy that asks a chat model (prompts -> answers, in order) which candidates of each clip to keep.

    Of the answer only candidates and synonyms of one count, a synonym as the candidate's most said word. An answer
    without any gives an empty set and a problem. A clip with one candidate or none is not asked about: there is nothing
    to choose. Each description gives at most `evidence_chars` characters.
    """
    if evidence_chars < 1:
        raise InputError("judge: evidence_chars, the characters of a description in the prompt, start at 1")
    problems: dict[str, str] = {}

    def fuse(panel: Panel) -> dict[str, list[str]]:
        said = {clip: candidates(panel, clip) for clip in panel.clip_ids}
        fused = {clip: [each.word for each in groups] for clip, groups in said.items()}
        asked = [clip for clip, groups in said.items() if len(groups) > 1]
        for start in range(0, len(asked), _ASKED_AT_ONCE):
            batch = asked[start : start + _ASKED_AT_ONCE]
            answers = ask([_prompt(panel, clip, said[clip], evidence_chars) for clip in batch])
            for clip, answer in zip(batch, answers, strict=True):
                fused[clip] = read_answer(answer, said[clip])
                problems.pop(clip, None)
                if not fused[clip]:
                    shown = answer.strip()[:80]
                    problems[clip] = f"{clip}: the judge's answer names none of the candidates ({shown!r})."
        return fused

    return Judge("judge", "a chat model picks from the candidates", lambda panel, truth: fuse, problems=problems)


def read_answer(answer: str, groups: Sequence[Candidate]) -> list[str]:
    """The candidates that an answer names, by their most said words, in the order of the answer."""
    word_of = {each.key: each.word for each in groups}
    # a label that is no plain word ("angry/displeased", "1st shock") can come back as its reader reads it
    read = {key_of(label): each.word for each in groups for word in each.words for label in parse_labels(f"[{word}]")}
    named = (word_of.get(key_of(label), read.get(key_of(label))) for label in parse_labels(answer))
    return list(dict.fromkeys(word for word in named if word))


def _prompt(panel: Panel, clip: str, groups: Sequence[Candidate], evidence_chars: int) -> str:
    voted = [(each.word, len(each.voters)) for each in groups]
    descriptions = [member.texts[clip] for member in panel.members if clip in member.texts]
    return judge_prompt(voted, len(answered(panel, clip)), descriptions, evidence_chars)
