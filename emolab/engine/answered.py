"""Answers of a chat model behind an address, or of any callable, each kept as soon as it is there."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from functools import partial

from tqdm import tqdm

from emolab.engine.rows import RowFile
from emolab.errors import InputError
from emolab.scoring.endpoint import Ask, each_answer


def answered(
    ask: Ask, prompts: Sequence[str], model: str, kept: RowFile, title: str, progress: bool = True
) -> list[str | InputError]:
    """The answer to each prompt, in order, or the InputError that refused it. A plain callable is asked one at a time.

    `kept` holds answers by model and exact prompt: those are not asked again; an empty answer is not kept. Raises
    what ends the whole (RunError: no answer, budget spent); what was answered before is kept.
    """
    keys = [hashlib.blake2b(json.dumps([model, prompt]).encode(), digest_size=16).hexdigest() for prompt in prompts]
    found: dict[str, str | InputError] = {key: kept[key]["text"] for key in keys if key in kept}
    open_ = {key: prompt for key, prompt in zip(keys, prompts, strict=True) if key not in found}
    names = list(open_)
    bar = tqdm(total=len(open_), desc=title, unit="row", disable=not (progress and open_))
    with bar, contextlib.closing(each_answer(ask, list(open_.values()))) as answers:
        for position, answer in answers:
            key = names[position]
            found[key] = answer if isinstance(answer, InputError) else answer.strip()
            if found[key] and not isinstance(answer, InputError):
                kept.append([{"key": key, "row_id": open_[key], "text": found[key], "model": model}])
            bar.update()
    return [found[key] for key in keys]


def keeping(ask: Ask, model: str, kept: RowFile, title: str) -> Ask:
    """The same `ask`, with every answer kept in a row file; a refused prompt raises its InputError at the end."""
    return partial(_all_answered, ask, model, kept, title)


def _all_answered(ask: Ask, model: str, kept: RowFile, title: str, prompts: list[str]) -> list[str]:
    answers = answered(ask, prompts, model, kept, title)
    for answer in answers:
        if isinstance(answer, InputError):
            raise answer
    return answers
