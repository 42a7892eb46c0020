"""Filtering (section 3.1.2): the judge scores how similar two captions of an image are, pairs below 0.9 are dropped,
one caption of each pair that stays is chosen."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

from emolab.captions.prompts import SIMILARITY_ID, similarity
from emolab.captions.settings import FilterSettings
from emolab.captions.similarity import expected_score, read_score
from emolab.engine.chat import Answer, ChatModel, Question
from emolab.engine.rows import RowFile
from emolab.engine.settings import IN_PROCESS, EngineSettings
from emolab.engine.stage import Task, answer_all
from emolab.errors import InputError

COLUMN = {"answer": "score", "expected": "expected"}  # of the pair rows, by `filter.score`
TOP_TOKENS = 20  # alternatives asked for a token: all ten digits are among them


def pairs_of(first: Sequence[dict], second: Sequence[dict]) -> list[dict]:
    """Caption rows of the two captioners -> pair rows, in the order of the first's: image_id, clip_id, image, first,
    second, error (why there is no pair, else None)."""
    others = {row["image_id"]: row for row in second}
    pairs = []
    for row in first:
        other = others.get(row["image_id"], {"text": "", "error": "not captioned"})
        missing = [f"{role}: {r['error']}" for role, r in (("first", row), ("second", other)) if not r["text"]]
        pairs.append(
            {
                **{key: row[key] for key in ("image_id", "clip_id", "image")},
                "first": row["text"],
                "second": other["text"],
                "error": f"No pair of captions ({'; '.join(missing)})." if missing else None,
            }
        )
    return pairs


def judge(
    pairs: Sequence[dict],
    model: ChatModel,
    answers: RowFile,
    settings: FilterSettings,
    *,
    engine: EngineSettings = IN_PROCESS,
    progress: bool = True,
) -> list[dict]:
    """The pair rows with the judge's `answer` (raw text), `score` (read from it) and `expected` (from the probabilities
    of its tokens), both in [0, 1] or None. With `settings.symmetric` the pair is judged in both orders: the second
    answer is `answer_swapped`, and scores are the mean of the two, None where one of them is."""
    whole = [row for row in pairs if not row["error"]]
    orders = [("first", "second"), ("second", "first")][: 1 + settings.symmetric]
    tasks = [_task(row["image_id"], row[a], row[b]) for row in whole for a, b in orders]
    found = answer_all(model, tasks, answers, "judge", progress, engine)
    by_image = {row["image_id"]: found[i * len(orders) : (i + 1) * len(orders)] for i, row in enumerate(whole)}
    return [{**row, **_scored(by_image.get(row["image_id"], []), settings.symmetric)} for row in pairs]


def agreements_with(
    third: Sequence[dict],
    pairs: Sequence[dict],
    model: ChatModel,
    answers: RowFile,
    settings: FilterSettings,
    *,
    engine: EngineSettings = IN_PROCESS,
    progress: bool = True,
) -> dict[str, tuple[float | None, float | None]]:
    """image_id -> how similar the judge finds the first and the second caption to the third captioner's (`third`:
    its Caption rows), by the same scores as the pairs; None where there is no score. Images without three captions are
    absent. Raises InputError where there is no third captioner at all."""
    texts = {row["image_id"]: row["text"] for row in third}
    if not any(texts.values()):
        raise InputError(
            "filter.choice is agreement, but notebook 01 has no captions of a third captioner; name one "
            "(captioners.third.path) and run 01 again with the same settings."
        )
    whole = [row for row in pairs if not row["error"] and texts.get(row["image_id"])]
    both = [
        {"image_id": f"{row['image_id']} {role}", "first": row[role], "second": texts[row["image_id"]], "error": None}
        for row in whole
        for role in ("first", "second")
    ]
    judged = judge(both, model, answers, settings, engine=engine, progress=progress)
    scores = [row[COLUMN[settings.score]] for row in judged]
    return {row["image_id"]: (scores[2 * i], scores[2 * i + 1]) for i, row in enumerate(whole)}


def decide(
    pairs: Sequence[dict],
    settings: FilterSettings,
    seed: int = 0,
    *,
    verdicts: Mapping[str, str] | None = None,
    agreements: Mapping[str, tuple[float | None, float | None]] | None = None,
) -> list[dict]:
    """The pair rows with `kept`, `reason` (one sentence where dropped, or where a reviewer kept it) and `chosen`.

    A score below `settings.threshold` drops a pair, and so does an answer without a score. `verdicts` are a reviewer's:
    image_id -> keep | drop, and go before the score. `agreements` (for choice `agreement`): image_id -> how similar the
    first and the second caption are to the third captioner's.
    """
    rows = []
    for row in pairs:
        kept, reason = _verdict(row, settings, (verdicts or {}).get(row["image_id"]))
        third = (agreements or {}).get(row["image_id"])
        rows.append({**row, "kept": kept, "reason": reason, "chosen": _choice(row, settings, seed, third, kept)})
    return rows


def unfiltered(pairs: Sequence[dict], settings: FilterSettings, seed: int = 0, agreements=None) -> list[dict]:
    """One caption row of each whole pair, chosen by the same rule, whether the pair was kept or not: image_id, clip_id,
    text, kept, score, expected. With choice `both` there are two."""
    rows = []
    for row in pairs:
        third = (agreements or {}).get(row["image_id"])
        choice = None if row["error"] else _choice(row, settings, seed, third, kept=True)
        keys = ("image_id", "clip_id", "kept", "score", "expected")
        which = ("first", "second") if choice == "both" else (choice,) if choice else ()
        rows += [{**{key: row[key] for key in keys}, "text": row[each]} for each in which]
    return rows


def sweep(pairs: Sequence[dict], thresholds: Sequence[float], score: str = "answer") -> list[dict]:
    """How many pairs each threshold would keep: rows of name, threshold, kept, share (of all pairs)."""
    scores = [row[COLUMN[score]] for row in pairs if row.get(COLUMN[score]) is not None]
    kept = [sum(s >= threshold for s in scores) for threshold in thresholds]
    return [
        {"name": f"≥ {threshold:.2f}", "threshold": threshold, "kept": count, "share": count / max(1, len(pairs))}
        for threshold, count in zip(thresholds, kept, strict=True)
    ]


def counts(images: Sequence[dict], pairs: Sequence[dict], score: str = "answer") -> list[dict]:
    """What is left after each step: rows of name, n, lost, why (the most common reasons). Clips that were left out
    on purpose count nowhere."""
    images = [row for row in images if row["image"] or row["error"]]
    read = [row for row in images if not row["error"]]
    unique = [row for row in read if row["kept"]]
    paired = [row for row in pairs if not row["error"]]
    scored = [row for row in paired if row[COLUMN[score]] is not None or row["kept"]]
    kept = [row for row in pairs if row["kept"]]
    steps = [
        ("images drawn", images, []),
        ("images readable", read, [row["error"] for row in images if row["error"]]),
        ("images without near-duplicates", unique, ["near-duplicate" for _ in range(len(read) - len(unique))]),
        ("images with two captions", paired, [row["error"] for row in pairs if row["error"]]),
        ("pairs with a score", scored, ["no score in the judge's answer" for _ in range(len(paired) - len(scored))]),
        ("pairs kept", kept, ["below the threshold or dropped by a reviewer"] * (len(scored) - len(kept))),
    ]
    rows, before = [], len(images)
    for step, left, why in steps:
        common = "; ".join(f"{text} ({n})" for text, n in Counter(why).most_common(2))
        rows.append({"name": step, "n": len(left), "lost": before - len(left), "why": common})
        before = len(left)
    return rows


def _task(image_id: str, first: str, second: str) -> Task:
    prompt = similarity(first, second)
    return Task(image_id, (SIMILARITY_ID, prompt, TOP_TOKENS), partial(Question, prompt, (), TOP_TOKENS))


def _scored(found: Sequence[Answer], symmetric: bool) -> dict:
    texts = [answer.text or answer.error for answer in found]
    scores = [read_score(answer.text) for answer in found]
    expected = [expected_score(answer.tokens) if answer.tokens else None for answer in found]
    swapped = {"answer_swapped": texts[1] if len(texts) > 1 else None} if symmetric else {}
    return {"answer": texts[0] if texts else None, **swapped, "score": _mean(scores), "expected": _mean(expected)}


def _mean(values: Sequence[float | None]) -> float | None:
    return None if not values or None in values else round(sum(values) / len(values), 6)


def _verdict(row: dict, settings: FilterSettings, verdict: str | None) -> tuple[bool, str | None]:
    if row["error"]:
        return False, row["error"]
    if verdict in ("keep", "drop"):
        return verdict == "keep", f"A reviewer chose to {verdict} it."
    score = row[COLUMN[settings.score]]
    if score is None:
        answers = " / ".join(repr(row[key]) for key in ("answer", "answer_swapped") if row.get(key))
        if settings.score == "expected" and row["score"] is not None:
            return False, f"No token probabilities of the score in the judge's answer: {answers}."
        return False, f"No score in the judge's answer: {answers}."
    if score < settings.threshold:
        return False, f"Similarity {score:.2f} is below {settings.threshold:.2f}."
    return True, None


def _choice(row: dict, settings: FilterSettings, seed: int, third: tuple | None, kept: bool) -> str | None:
    if not kept:
        return None
    if settings.choice == "both":
        return "both"
    sizes = {
        "longer": (len(row["first"]), len(row["second"])),
        "agreement": tuple(-1.0 if value is None else value for value in third or (None, None)),
    }.get(settings.choice, (0, 0))
    if sizes[0] != sizes[1]:
        return "first" if sizes[0] > sizes[1] else "second"
    # through a hash: the same choice whatever rows are around, and in every version of numpy
    draw = hashlib.blake2b(f"choice\0{seed}\0{row['image_id']}".encode(), digest_size=1).digest()[0]
    return "first" if draw < 128 else "second"
