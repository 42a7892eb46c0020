"""The judge's score of a caption pair (section 3.1.2): read from its answer, and expected by its tokens' chances."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Sequence

import numpy as np

_DIGITS = r"(?:\d+(?:[.,]\d+)?|[.,]\d+)(?![A-Za-z0-9_])(?![.,]\d)"
_NUMBER = rf"(?<![A-Za-z0-9_.,-]){_DIGITS}"
_VALUE = re.compile(
    rf"(?P<low>{_NUMBER})\s*%?\s*(?:-|to|and)\s*(?P<high>{_DIGITS})\s*(?P<of_100>%)?"
    rf"|(?P<part>{_NUMBER})\s*(?:/|out of)\s*(?P<whole>\d+)(?:\.0+)?(?![\d.])"
    r"|(?P<ratio>\d+:\d+)"
    rf"|(?P<one>{_NUMBER})\s*(?P<percent>%|per ?cent)?",
    re.IGNORECASE,
)
# Blanked before anything is read: thoughts, the question repeated, and how sentences or points are counted
_ASIDE = re.compile(
    r"<think>.*?(?:</think>|$)"
    r"|(?:between|from|of|in)?\s*\[?\(?\b0(?:\.0+)?\s*(?:and|to|,|-)\s*1(?:\.0+)?\b\]?\)?(?!\s*[.,]?\d)"
    rf"|\b(?:sentence|caption|description|text|score)s?\s*\(?#?[12]\b\)?\s*[:=]\s*{_DIGITS}"
    r"|\b(?:sentence|caption|description|text|person|image|step)s?\s*\(?#?[12]\b\)?(?![.,]\d)(?:\s*(?:and|&)\s*2\b)?"
    r"|^\s*\(?[1-9][.)]\s(?=\s*\S)",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_MARK = re.compile(r"(?:\b(?:scores?|rating|similarity)\b|相似度|得分|分数|评分)[^\d.]{0,30}$", re.IGNORECASE)
# A number that is denied, bounded, about the difference, or said of what a score would mean is no score
_DENIED = re.compile(
    r"(?:\bnot|cannot|n't|\bnever|\bbelow|\bunder|\babove|\bover|\bleast|\bmost|\bthan|[<>≤≥]"
    r"|\bdis-?similar\w*[^.]{0,20}|\bdiffer\w*[^.]{0,20})\s*(?:be|is|a|by|about)?\s*$",
    re.IGNORECASE,
)
_HYPOTHETICAL = re.compile(
    r"\s*(?:would|means?|meaning|indicat\w+|represent\w+|stands?|being|if|for)\b|\s*to the (?:first|second|other)\b",
    re.IGNORECASE,
)
_ENDS = re.compile(r"[\s.!。\"')\]]*$|\s*[,;.(]?\s*(?:because|since|as)\b", re.IGNORECASE)


def read_score(text: str) -> float | None:
    """The score in [0, 1] that an answer gives, or None where it gives none or several: a score is never guessed.

    Reads 0.95, .9, 0,9, 90 %, 9/10, 0.8-0.9 (their mean), also within prose; numbers after "score", "rating" or
    "similarity" go before others. Numbers above 1 count only with % or a whole, a bare 0 or 1 only where the answer
    ends with it or gives its reason; denied, bounded and hypothetical numbers do not count.
    """
    found = _scores(text)
    return found[0][0] if found else None


def expected_score(tokens: Sequence[dict[str, float]]) -> float | None:
    """The mean of the scores that a judge could have written, by the probabilities of its tokens, or None.

    `tokens`: {token: probability} for each token written, that one first (`Answer.tokens`). Only where the number that
    `read_score` takes is written as 0, 1, 0.… or 1.0…: the alternatives of its first digit and of the first piece after
    the point count; what follows them is taken as written.
    """
    written = [next(iter(each)) for each in tokens]
    found = _scores("".join(written))
    if not found or found[-1][1] is None:
        return None
    ends = np.cumsum([len(token) for token in written])
    first = int(np.searchsorted(ends, found[-1][1], side="right"))  # the token in which the number begins
    own = written[first].strip()
    one, zero = (sum(p for t, p in tokens[first].items() if t.strip() == digit) for digit in "10")
    if own not in ("0", "1") or not one + zero:
        return None
    after = [token.strip() for token in written[first + 1 :]]
    if len(after) < 2 or after[0] != "." or not after[1].isdecimal():
        return round(one / (one + zero), 6)
    below = 0.9  # where 1 was written, what would have stood after "0." is not known: the nearest that can be
    if own == "0":
        digits = {t.strip(): p for t, p in tokens[first + 2].items() if t.strip().isdecimal()}
        rest = "".join(itertools.takewhile(str.isdecimal, after[2:]))
        total = sum(digits.values())
        if not total:
            return None
        below = sum(p * float(f"0.{t}{rest}") for t, p in digits.items()) / total
    return round((one + zero * below) / (one + zero), 6)


def _scores(text: str) -> list[tuple[float, int | None]]:
    """(value, where it begins if it is one number) of each mention of an answer's one score; empty where there is none,
    or more than one value."""
    text = _plain(text)
    found = []
    for match in _VALUE.finditer(text):
        value, before, after = _value(match), text[: match.start()], text[match.end() :]
        if value is None or not 0 <= value <= 1 or _DENIED.search(before) or _HYPOTHETICAL.match(after):
            continue
        if match["one"] in ("0", "1") and not match["percent"] and not _ENDS.match(after):
            continue
        start = match.start() if match["one"] and not match["percent"] else None
        found.append((round(value, 6), start, bool(_MARK.search(before))))
    chosen = [(value, start) for value, start, marked in found if marked] or [each[:2] for each in found]
    return chosen if len({value for value, _ in chosen}) == 1 else []


def _plain(text: str) -> str:
    """Full-width digits, dashes and points written plainly, asides blanked; as long as the text, where that can be."""
    text = unicodedata.normalize("NFKC", text)
    text = re.sub(r"[‐-―−]|(?<=\d)~(?=[\d.])", "-", text).replace("~", " ").replace("*", " ")
    text = re.sub(r"(?<=\d)·(?=\d)", ".", text)
    return _ASIDE.sub(lambda match: " " * len(match[0]), text)


def _value(match: re.Match) -> float | None:
    if match["low"]:
        whole = 100 if match["of_100"] else 1
        low, high = _float(match["low"]) / whole, _float(match["high"]) / whole
        return (low + high) / 2 if low <= high <= 1 else None
    if match["part"]:
        return _float(match["part"]) / int(match["whole"]) if match["whole"] in ("1", "5", "10", "100") else None
    if match["ratio"]:
        return None
    value = _float(match["one"])
    if match["percent"]:
        return value / 100 if value > 1 or value == int(value) else None  # 0.95 % is a slip, of which sort is unknown
    return value


def _float(text: str) -> float:
    return float(text.replace(",", "."))


def compare_scores(pairs: Sequence[dict], threshold: float) -> list[dict]:
    """One row on how the answer's score and the expected score of the pairs differ: name, n (pairs with both),
    unparsable (pairs judged without a score in the answer), correlation (Pearson), mean_difference (expected − answer),
    kept_by_answer, kept_by_expected, kept_by_both (pairs at or above `threshold`)."""
    judged = [row for row in pairs if row["answer"]]
    both = [row for row in judged if row["score"] is not None and row["expected"] is not None]
    if not both:
        return []
    answer, expected = (np.array([row[key] for row in both], float) for key in ("score", "expected"))
    varied = answer.std() > 0 and expected.std() > 0
    return [
        {
            "name": "expected against answer",
            "n": len(both),
            "unparsable": sum(row["score"] is None for row in judged),
            "correlation": float(np.corrcoef(answer, expected)[0, 1]) if varied else None,
            "mean_difference": float((expected - answer).mean()),
            "kept_by_answer": int((answer >= threshold).sum()),
            "kept_by_expected": int((expected >= threshold).sum()),
            "kept_by_both": int(((answer >= threshold) & (expected >= threshold)).sum()),
        }
    ]
