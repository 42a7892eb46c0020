"""The judge's score of a caption pair (section 3.1.2): read from its answer, and expected by its tokens' chances."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np

_DIGITS = r"(?:\d+(?:[.,]\d+)?|[.,]\d+)(?!\w)(?![.,]\d)"
_NUMBER = rf"(?<![\w.,-]){_DIGITS}"
# What is no score: the question repeated, and how the sentences or points are counted
_NOT_A_SCORE = re.compile(
    r"(?:between|from|of|in)?\s*\[?\(?\b0(?:\.0+)?\s*(?:and|to|,|-)\s*1(?:\.0+)?\b\]?\)?(?!\s*[.,]?\d)"
    r"|\b(?:sentence|caption|description|text|person|image|step)s?\s*\(?#?[12]\b\)?(?![.,]\d)(?:\s*(?:and|&)\s*2\b)?"
    r"|^\s*[1-9][.)]\s(?=\s*\S)",
    re.IGNORECASE | re.MULTILINE,
)
_VALUE = re.compile(
    rf"(?P<low>{_NUMBER})\s*(?P<unit1>%)?\s*(?:-|to|and)\s*(?P<high>{_DIGITS})\s*(?P<unit>%)?"
    rf"|(?P<part>{_NUMBER})\s*(?:/|out of)\s*(?P<whole>100|10|5|1)(?:\.0+)?(?![\d.])"
    rf"|(?P<one>{_NUMBER})\s*(?P<percent>%|percent)?",
    re.IGNORECASE,
)
_MARKED = re.compile(r"(?:\b(?:scores?|rating|similarity)\b|相似度|得分|分数|评分)[^\d.]{0,30}$", re.IGNORECASE)


def read_score(text: str) -> float | None:
    """The score in [0, 1] that an answer gives, or None where it gives none or several: a score is never guessed.

    Reads 0.95, .9, 0,9, 90 %, 9/10, 0.8-0.9 (their mean), also within prose; numbers after "score", "rating" or
    "similarity" go before others. Numbers above 1 count only with % or a whole.
    """
    # full-width digits and the many dashes are written plainly
    text = re.sub(r"[‐-―−~]", "-", unicodedata.normalize("NFKC", text)).replace("*", "")
    text = _NOT_A_SCORE.sub(" ", text)
    found = [(value, bool(_MARKED.search(text[: match.start()]))) for match, value in _values(text)]
    marked = {value for value, after_word in found if after_word}
    values = marked or {value for value, _ in found}
    return values.pop() if len(values) == 1 else None


def _values(text: str) -> Iterator[tuple[re.Match, float]]:
    for match in _VALUE.finditer(text):
        if match["low"]:
            whole = 100 if match["unit"] or match["unit1"] else 1
            low, high = _float(match["low"]) / whole, _float(match["high"]) / whole
            value = (low + high) / 2 if low <= high <= 1 else None
        elif match["part"]:
            value = _float(match["part"]) / _float(match["whole"])
        else:
            value = _float(match["one"]) / (100 if match["percent"] else 1)
        if value is not None and 0 <= value <= 1:
            yield match, round(value, 6)


def _float(text: str) -> float:
    return float(text.replace(",", "."))


def expected_score(tokens: Sequence[dict[str, float]]) -> float | None:
    """The mean of the scores that a judge could have written, by the probabilities of its tokens, or None.

    `tokens`: {token: probability} for each token written, that one first (`Answer.tokens`). Only for scores written as
    0.… or 1…: the alternatives of the digit before and of the first piece after the point count; what follows them is
    taken as written. One answer then tells 0.85 ± little from 0.85 by a hair.
    """
    written = [next(iter(each)).strip() for each in tokens]
    start = next((i for i, token in enumerate(written) if re.fullmatch(r"[01]", token)), None)
    if start is None:
        return None
    one, zero = (sum(p for t, p in tokens[start].items() if t.strip() == digit) for digit in "10")
    point = start + 1
    if point + 1 >= len(written) or written[point] != "." or not written[point + 1].isdecimal():
        return 1.0 if written[start] == "1" and one else None
    if written[start] == "1":
        below = 0.9  # what stood after "0." is not known: the nearest that can be
    else:
        rest, digits = "", {t.strip(): p for t, p in tokens[point + 1].items() if t.strip().isdecimal()}
        for token in written[point + 2 :]:
            if not token.isdecimal():
                break
            rest += token
        below = sum(p * float(f"0.{t}{rest}") for t, p in digits.items()) / sum(digits.values())
    return round((one + zero * below) / (one + zero), 6)


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
