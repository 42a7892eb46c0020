"""Emotion words out of a description in prose, without a model, by the built-in lexicon."""

import re
from collections import Counter
from collections.abc import Sequence

from emolab.errors import InputError
from emolab.labels import extract_chinese, extract_english
from emolab.labels.lexicon import family_of
from emolab.labels.mention import Mention
from emolab.labels.parse import parse_labels
from emolab.labels.wheel import valence_of

_READERS = {"en": extract_english.mentions, "zh": extract_chinese.mentions}
LANGUAGES = tuple(_READERS)
_CHINESE_CHAR = re.compile("[\u4e00-\u9fff]")
_LATIN_WORD = re.compile("[A-Za-z]+")
_LIST_CHARS = 400

# States of mind that are emotions only in part (Ortony, Clore & Foss 1987); in prose mostly the manner of a clue.
_COGNITIVE = frozenset(
    "calm seriousness thoughtfulness neutral curiosity determination doubt confusion anticipation hope".split()
)
_GENERAL = frozenset({"negative", "emotional", "questioning"})  # say that there is an emotion, hardly which
_COMPLAINTS = frozenset("complain complaining complaint 抱怨 埋怨 牢骚".split())
_CONCLUDED, _STATE = 2.0, 0.6  # weights of a mention, beside 1.0 for an emotion among the clues
_AGAINST_STRONGEST = 0.2  # a family with less weight than this part of the strongest one's is dropped
_AGAINST_OPPOSITE = 0.4  # and so is a valence with less than this part of the opposite one's
_WORDS_A_FAMILY = 3


def extract_labels(description: str, language: str | None = None) -> list[str]:
    """Emotion words that a description states of its main character: lower-cased, as the lexicon lists them, in order.

    `language` is `en` or `zh`; None takes the one that the text is written in. A description with more than one emotion
    is weighed: what it concludes ("we can infer that", "therefore") counts more than the clues before, emotions more
    than states of mind (calm, thoughtful), and what is mentioned rarely beside a strong emotion, or against the
    prevailing valence, is dropped. Negated emotions, quoted speech and emotions of other people are left out.
    Displeasure with reproach is named as anger, which it adds up to (Ortony, Clore & Collins 1988). Text that is a
    list of labels already gives these. Time is linear in the length of the text. InputError for another language.
    """
    language = language or _language_of(description)
    if language not in _READERS:
        raise InputError(f"no extraction for the language {language!r}; take one of {', '.join(LANGUAGES)}")
    if len(description) <= _LIST_CHARS:
        listed = parse_labels(description)
        if listed and all(map(family_of, listed)):
            return listed
    return _weighed(_READERS[language](description))


def _language_of(text: str) -> str:
    """A Chinese character is about as much text as an English word has in half its length."""
    return "zh" if 2 * len(_CHINESE_CHAR.findall(text)) > len(_LATIN_WORD.findall(text)) else "en"


def _weighed(mentions: Sequence[Mention]) -> list[str]:
    mentions = [m for m in mentions if m.word not in _GENERAL] or mentions
    by_family: Counter[str] = Counter()
    by_word: Counter[str] = Counter()
    by_valence: Counter[int] = Counter()
    for m in mentions:
        weight = (_CONCLUDED if m.concluded else 1.0) * (_STATE if m.family in _COGNITIVE else 1.0)
        by_family[m.family] += weight
        by_word[m.word] += weight
        by_valence[valence_of(m.word)] += weight

    concluded = {m.family for m in mentions if m.concluded}
    strongest = max(by_family.values(), default=0.0)
    valences = {m.family: valence_of(m.word) for m in mentions}
    kept = {
        family
        for family, weight in by_family.items()
        if weight >= _AGAINST_STRONGEST * strongest
        and (family not in _COGNITIVE or family in concluded)
        and (not valences[family] or by_valence[valences[family]] >= _AGAINST_OPPOSITE * by_valence[-valences[family]])
    }
    kept = kept or {family for family, weight in by_family.items() if weight == strongest}
    labels = list(dict.fromkeys(m.word for m in mentions if m.family in kept))
    best = {family: _heaviest(labels, family, by_word) for family in kept}
    labels = [word for word in labels if word in best[family_of(word)]]
    return [*labels, *_anger_of(mentions, kept)]


def _heaviest(labels: Sequence[str], family: str, weights: Counter[str]) -> list[str]:
    words = [word for word in labels if family_of(word) == family]
    return sorted(words, key=lambda word: -weights[word])[:_WORDS_A_FAMILY]


def _anger_of(mentions: Sequence[Mention], kept: set[str]) -> list[str]:
    """The anger that displeasure and reproach, complaint or agitation add up to, unless the text names some."""
    reproach = any(m.family in {"hostility", "excitement"} or m.word in _COMPLAINTS for m in mentions)
    if "disappointment" not in kept or "anger" in kept or not reproach:
        return []
    return ["angry" if mentions[0].word.isascii() else "愤怒"]
