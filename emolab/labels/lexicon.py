"""Built-in emotion lexicon: English and Chinese emotion words in families of one meaning.

The families are emolab's own choice of words, laid out after published psychology: the primary emotions and
their dyads in Plutchik (1980), Ekman's basic emotions (1992), the second and third level of Parrott's tree (2001),
and, for the low-arousal states (calm, tired, neutral), Russell's circumplex (1980). Regular inflections
(happily, happiness, worrying, amazement) are found by rule, irregular ones (anxiety, fury) are listed in
`lexicon.json`.
"""

import json
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib.resources import files

# Words that only say how strong the feeling is; "not" and "less" are none of them, since they turn it round.
_DEGREES = frozenset(
    "a an bit of deep deeply extreme extremely feel feeling feelings feels genuine genuinely great greatly "
    "highly inner intense intensely kind little mildly moderately overly pretty profound quite rather really "
    "sense slight slightly so some somewhat state strong strongly truly utterly very".split()
)
_DEGREES_ZH = ("非常", "有点", "有些", "感到", "感觉", "十分", "略带", "略显", "极度", "轻微", "很")
_TAILS_ZH = ("的", "地", "感")

# (ending, what may stand in its place), tried in this order
_ENDINGS = (
    ("iness", ("y",)), ("ness", ("",)), ("ily", ("y",)), ("ally", ("", "al")), ("ly", ("", "le")),
    ("iest", ("y",)), ("ier", ("y",)), ("ment", ("ed", "d")), ("ying", ("y", "ied")), ("ied", ("y",)),
    ("ies", ("y",)), ("ing", ("", "e", "ed")), ("ed", ("", "e", "ing")), ("s", ("",)),
)  # fmt: skip


@cache
def families() -> dict[str, tuple[str, ...]]:
    """Family name -> its words, English first, then Chinese; a word stands in one family only."""
    data = json.loads(files("emolab.labels").joinpath("lexicon.json").read_text(encoding="utf-8"))
    return {name: (*words["en"], *words["zh"]) for name, words in data.items()}


@cache
def _family_by_word() -> dict[str, str]:
    return {word: name for name, words in families().items() for word in words}


@lru_cache(maxsize=65536)
def family_of(label: str) -> str | None:
    """Family of a label, or None for a label that the lexicon does not know.

    Case, hyphens, regular inflections and words of degree ("slightly anxious", "有点担心") do not matter; a
    negated label ("not happy") is unknown unless it is listed.
    """
    words = label.lower().replace("’", "'").replace("-", " ").replace("_", " ").split()
    if len(words) > 8:
        return None
    for start in range(len(words)):
        found = listed_form(" ".join(words[start:]))
        if found or words[start] not in _DEGREES:
            return _family_by_word()[found] if found else None
    return None


def key_of(label: str) -> str:
    """What synonyms share: the family of a label, else the label itself. Each family is named by one of its words, so
    that no label without a family has the key of one."""
    return family_of(label) or label


def in_english(label: str) -> str:
    """A Chinese label as the first English word of its family; others, and labels of no family, as they are."""
    family = None if label.isascii() else family_of(label)
    return families()[family][0] if family else label


@lru_cache(maxsize=65536)
def listed_form(phrase: str) -> str | None:
    """The word of the lexicon that a lower-cased phrase is an inflection of (happily -> happy), or None."""
    known = _family_by_word()
    if phrase in known:
        return phrase
    if not phrase.isascii():
        return _listed_form_chinese(phrase)
    for ending, replacements in _ENDINGS:
        stem = phrase.removesuffix(ending)
        if stem != phrase and len(stem) > 2:
            for replacement in replacements:
                if stem + replacement in known:
                    return stem + replacement
    return None


def group(labels: Iterable[str]) -> list[list[str]]:
    """Labels of one family together, in order of first appearance; an unknown label stays alone."""
    groups: dict[str, list[str]] = {}
    for label in dict.fromkeys(labels):
        groups.setdefault(key_of(label), []).append(label)
    return list(groups.values())


def _listed_form_chinese(phrase: str) -> str | None:
    known = _family_by_word()
    for degree in _DEGREES_ZH:
        phrase = phrase.removeprefix(degree)
    for tail in ("", *_TAILS_ZH):
        if phrase.removesuffix(tail) in known:
            return phrase.removesuffix(tail)
    return None
