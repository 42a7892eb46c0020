"""One stage over many rows: questions are prepared ahead in threads, answered in batches, kept as they come."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from tqdm import tqdm

from emolab.engine.chat import CUT, Answer, ChatModel, Question
from emolab.engine.map import map_unordered
from emolab.engine.rows import RowFile
from emolab.engine.settings import IN_PROCESS, EngineSettings, ModelSettings
from emolab.errors import EmolabError, RunError
from emolab.labels.parse import parse_labels

_EMPTY_LIST = re.compile(r"\[\s*\]")


@dataclass(frozen=True)
class Task:
    """One row to be answered. `content` names everything the question is made of (prompt, hash of the media, frames
    taken) without making it; `prepare` makes it, and may raise an EmolabError, which becomes the row's error. It may
    have to travel to another process: a `functools.partial` of a module's function, holding paths and no images."""

    row_id: str
    content: tuple
    prepare: Callable[[], Question]


def labels_of(answer: Answer) -> tuple[list[str], str | None]:
    """The label set of an answer, and why there is none; `[]` says in the right form that no emotion was found."""
    labels = parse_labels(answer.text)
    if answer.error or labels or _EMPTY_LIST.search(answer.text):
        return labels, answer.error
    return [], CUT if answer.cut else "The answer holds no list of labels."


def key_of(model: ChatModel, task: Task) -> str:
    """The key of an answer: changes with prompt, media, model, adapter and generation settings, and nothing else."""
    parts = [list(task.content), model.identity, model.generation]
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).hexdigest()


class Asker:
    """Answers batches of tasks; threads make the questions, those of the next batch while the model is busy."""

    def __init__(self, model: ChatModel):
        self._model, self._threads = model, ThreadPoolExecutor(max(2, os.cpu_count() or 2))

    @classmethod
    def with_own_model(cls, settings: ModelSettings, seed: int) -> Asker:
        """In another process, where the model has to be loaded again."""
        return cls(ChatModel(settings, seed))

    def begin(self, tasks: Sequence[Task]) -> list[Future]:
        return [self._threads.submit(_prepare, task) for task in tasks]

    def finish(self, prepared: list[Future]) -> list[Answer]:
        questions = [future.result() for future in prepared]
        asked = [question for question in questions if isinstance(question, Question)]
        answers = iter(self._model.ask(asked) if asked else ())
        return [next(answers) if isinstance(each, Question) else Answer("", each) for each in questions]


def _prepare(task: Task) -> Question | str:
    try:
        return task.prepare()
    except RunError:  # a full disk is no row's error
        raise
    except EmolabError as error:
        return str(error)
    except Exception as error:  # whatever a strange file does to a library is this row's error, not the run's end
        return f"{task.row_id}: could not be prepared ({type(error).__name__}: {str(error)[:300]})."


def answer_all(
    model: ChatModel,
    tasks: Sequence[Task],
    cache: RowFile,
    title: str,
    progress: bool = True,
    engine: EngineSettings = IN_PROCESS,
) -> list[Answer]:
    """Answers in the order of the tasks, the same whatever the engine: only where the batches are done differs.

    Answers found in `cache` are not asked again; good new ones are added as soon as their batch is done; errors and
    empty answers are returned but never kept, so the next run tries them again. Workers in other processes each load
    the model. Raises RunError when a model or its workers fail for good.
    """
    keys = [key_of(model, task) for task in tasks]
    found = {i: _kept(cache[key]) for i, key in enumerate(keys) if key in cache}
    open_, size = [i for i in range(len(tasks)) if i not in found], model.settings.batch_size
    # cut from all tasks, whatever is kept of them: an error that is tried again shifts none of the others
    cut = [range(start, min(start + size, len(tasks))) for start in range(0, len(tasks), size)]
    batches = [batch for part in cut if (batch := [i for i in part if i not in found])]
    if engine.in_process:
        make = partial(Asker, model)
    else:
        make = partial(Asker.with_own_model, model.settings, model.seed)
    gpu = model.settings.device in ("auto", "cuda")
    bar = tqdm(
        total=len(tasks), initial=len(found), desc=title, unit="row", mininterval=1.0, disable=not (progress and open_)
    )
    done = map_unordered(make, [[tasks[i] for i in batch] for batch in batches], engine, gpu)
    with bar, contextlib.closing(done):
        for number, answers in done:
            new = dict(zip(batches[number], answers, strict=True))
            cache.append(_row(keys[i], tasks[i], model, answer) for i, answer in new.items() if not answer.error)
            found |= new
            bar.update(len(new))
    return [found[i] for i in range(len(tasks))]


def _row(key: str, task: Task, model: ChatModel, answer: Answer) -> dict:
    row = {"key": key, "row_id": task.row_id, "model": model.identity, "text": answer.text}
    return row | ({"cut": True} if answer.cut else {}) | ({"tokens": answer.tokens} if answer.tokens else {})


def _kept(row: dict) -> Answer:
    return Answer(row["text"], cut=row.get("cut", False), tokens=row.get("tokens"))
