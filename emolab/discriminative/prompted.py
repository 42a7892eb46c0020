"""LLM-prompted text: a chat model writes what the words of a clip suggest (GPT-4 in the source)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from emolab.corpora.clip import Clip
from emolab.discriminative.prompts import WRITER_ID, prompted, what_words_suggest
from emolab.engine.answered import answered
from emolab.engine.chat import CUT, Answer, ChatModel, Question
from emolab.engine.rows import RowFile
from emolab.engine.settings import IN_PROCESS, EngineSettings
from emolab.engine.stage import Task, answer_all
from emolab.errors import InputError
from emolab.scoring.endpoint import Ask


def write_about(
    clips: Sequence[Clip],
    writer: ChatModel | Ask,
    answers: RowFile,
    *,
    model: str = "",
    progress: bool = True,
    engine: EngineSettings = IN_PROCESS,
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
        found = answer_all(writer, tasks, answers, "writing about words", progress, engine)
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
    """A refused prompt (InputError) is an error of its row. Raises that InputError where all are refused."""
    texts = answered(ask, prompts, model, answers, "writing about words", progress)
    refused = [text for text in texts if isinstance(text, InputError)]
    if refused and len(refused) == len(prompts):
        raise refused[0]
    empty = "The model gave an empty answer."
    return [Answer("", str(t)) if isinstance(t, InputError) else Answer(t, None if t else empty) for t in texts]
