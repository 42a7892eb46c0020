"""Label sets out of descriptions by a chat model (section 2.2: the paper asks InternVL's language model)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from emolab.engine.chat import ChatModel, Question
from emolab.engine.rows import RowFile
from emolab.engine.settings import IN_PROCESS, EngineSettings
from emolab.engine.stage import Task, answer_all, labels_of
from emolab.labels.prompts import EXTRACT_ID, extraction


def extract_with_model(
    descriptions: Mapping[str, str],
    model: ChatModel,
    answers: RowFile,
    *,
    progress: bool = True,
    engine: EngineSettings = IN_PROCESS,
) -> list[dict]:
    """One row a description, in order: clip_id, model, text, labels, prompt_id, error. `answers` keeps every answer;
    `[]` is the answer for no identifiable emotion. `emolab.labels.extract` does the same without a model."""

    def task(clip_id: str, description: str) -> Task:
        prompt = extraction(description)
        return Task(clip_id, (EXTRACT_ID, prompt), partial(Question, prompt))

    tasks = [task(*item) for item in descriptions.items()]
    found = answer_all(model, tasks, answers, "extracting labels", progress, engine)
    rows = []
    for clip_id, answer in zip(descriptions, found, strict=True):
        labels, error = labels_of(answer)
        row = {"clip_id": clip_id, "model": model.identity, "text": answer.text, "labels": labels}
        rows.append({**row, "prompt_id": EXTRACT_ID, "error": error})
    return rows
