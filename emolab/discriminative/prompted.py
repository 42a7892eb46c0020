"""LLM-prompted text: a chat model writes what the words of a clip suggest (GPT-4 in the source)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import partial

from tqdm import tqdm

from emolab.corpora.clip import Clip
from emolab.discriminative.prompts import WRITER_ID, prompted, what_words_suggest
from emolab.engine.chat import CUT, Answer, ChatModel, Question
from emolab.engine.rows import RowFile
from emolab.engine.stage import Task, answer_all

_AT_ONCE = 32
Ask = Callable[[list[str]], list[str]]  # prompts to answers, as `emolab.scoring.endpoint.endpoint_judge` makes it


def write_about(
    clips: Sequence[Clip],
    writer: ChatModel | Ask,
    answers: RowFile,
    *,
    model: str = "",
    progress: bool = True,
) -> list[dict]:
    """One row a clip, in order: clip_id, model, prompt_id, prompt (as asked), written, text, error.

    `text` is what the second LM reads: the answer and then the transcript. Clips that say the same are asked about
    once; `answers` keeps every answer under its exact prompt. A clip without words, or without a whole answer, has no
    text and says why. `model` names the model behind a plain callable. Raises RunError where the writer fails for good.
    """
    prompts = {clip.clip_id: what_words_suggest(clip.transcript) for clip in clips if clip.transcript.strip()}
    distinct = list(dict.fromkeys(prompts.values()))
    if isinstance(writer, ChatModel):
        tasks = [Task(prompt, (WRITER_ID, prompt), partial(Question, prompt)) for prompt in distinct]
        found = answer_all(writer, tasks, answers, "writing about words", progress)
        model = writer.identity
    else:
        found = _asked(distinct, writer, model, answers, progress)
    by_prompt = dict(zip(distinct, found, strict=True))
    return [_row(clip, model, prompts.get(clip.clip_id), by_prompt) for clip in clips]


def _row(clip: Clip, model: str, prompt: str | None, answers: dict[str, Answer]) -> dict:
    answer = Answer("", f"{clip.clip_id} has no words.") if prompt is None else answers[prompt]
    error = CUT if answer.cut else answer.error
    row = {"clip_id": clip.clip_id, "model": model, "prompt_id": WRITER_ID, "prompt": prompt, "written": answer.text}
    return {**row, "text": "" if error else prompted(answer.text, clip.transcript), "error": error}


def _asked(prompts: Sequence[str], ask: Ask, model: str, answers: RowFile, progress: bool) -> list[Answer]:
    keys = [hashlib.blake2b(json.dumps([model, prompt]).encode(), digest_size=16).hexdigest() for prompt in prompts]
    found = {key: answers[key]["text"] for key in keys if key in answers}
    open_ = [(key, prompt) for key, prompt in zip(keys, prompts, strict=True) if key not in found]
    bar = tqdm(total=len(open_), desc="writing about words", unit="row", disable=not (progress and open_))
    with bar:
        for start in range(0, len(open_), _AT_ONCE):
            part = open_[start : start + _AT_ONCE]
            texts = [text.strip() for text in ask([prompt for _, prompt in part])]
            rows = [{"key": key, "row_id": p, "text": t} for (key, p), t in zip(part, texts, strict=True)]
            answers.append(row | {"model": model} for row in rows if row["text"])
            found |= {key: text for (key, _), text in zip(part, texts, strict=True)}
            bar.update(len(part))
    return [Answer(found[key], None if found[key] else "The model gave an empty answer.") for key in keys]
