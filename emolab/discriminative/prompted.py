"""LLM-prompted text: a chat model writes what the words of a clip suggest (GPT-4 in the source)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial

from tqdm import tqdm

from emolab.corpora.clip import Clip
from emolab.discriminative.prompts import WRITER_ID, prompted, what_words_suggest
from emolab.engine.chat import CUT, Answer, ChatModel, Question
from emolab.engine.rows import RowFile
from emolab.engine.stage import Task, answer_all
from emolab.errors import InputError

_AT_ONCE = 4
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

    `text` is what the second LM reads: the answer and then the transcript, or, where the writer gave no whole answer
    (`error` says why), the transcript alone; a clip without words has none. Clips that say the same are asked about
    once; `answers` keeps every answer under its exact prompt. `model` names the model behind a plain callable. Raises
    RunError where the writer fails for good.
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
    text = clip.transcript.strip() if error else prompted(answer.text, clip.transcript)
    return {**row, "text": text, "error": error}


def _asked(prompts: Sequence[str], ask: Ask, model: str, answers: RowFile, progress: bool) -> list[Answer]:
    """Each prompt is asked for itself, a few at once, and kept at once: a refused one (InputError) is an error of its
    row. Raises that InputError where all are refused and RunError where the model fails; what was answered is kept."""
    keys = [hashlib.blake2b(json.dumps([model, prompt]).encode(), digest_size=16).hexdigest() for prompt in prompts]
    found = {key: Answer(answers[key]["text"]) for key in keys if key in answers}
    open_ = {key: prompt for key, prompt in zip(keys, prompts, strict=True) if key not in found}
    refused: list[InputError] = []
    bar = tqdm(total=len(open_), desc="writing about words", unit="row", disable=not (progress and open_))
    with bar, ThreadPoolExecutor(_AT_ONCE) as pool:
        running = {pool.submit(ask, [prompt]): key for key, prompt in open_.items()}
        try:
            for done in as_completed(running):
                key = running[done]
                try:
                    text = done.result()[0].strip()
                    found[key] = Answer(text, None if text else "The model gave an empty answer.")
                except InputError as error:
                    refused.append(error)
                    found[key] = Answer("", str(error))
                if found[key].text:
                    answers.append([{"key": key, "row_id": open_[key], "text": found[key].text, "model": model}])
                bar.update()
        finally:
            pool.shutdown(cancel_futures=True)
    if refused and len(refused) == len(prompts):
        raise refused[0]
    return [found[key] for key in keys]
