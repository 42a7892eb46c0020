"""Captions of images by a captioner (section 3.1.2): one image and the paper's question in, a description out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from emolab.captions.prompts import CAPTION, CAPTION_ID
from emolab.engine.chat import CUT, ChatModel, Question
from emolab.engine.rows import RowFile
from emolab.engine.settings import IN_PROCESS, EngineSettings
from emolab.engine.stage import Task, answer_all
from emolab.media.stills import read_image


def describe(
    images: Sequence[dict],
    folder: Path,
    model: ChatModel,
    role: str,
    answers: RowFile,
    *,
    engine: EngineSettings = IN_PROCESS,
    progress: bool = True,
) -> list[dict]:
    """One Caption row an image, in order: image_id, clip_id, image, captioner, model, text, prompt_id, error.

    `images` are Image rows whose `image` is a path below `folder` or an absolute one; `role` is `first`, `second` or
    `third`. An image that cannot be read, or an answer that is empty, is a row with `error` in one sentence and no
    text. `answers` keeps every answer.
    """
    tasks = [_task(row["image_id"], folder / row["image"]) for row in images]
    found = answer_all(model, tasks, answers, f"{role} captioner", progress, engine)
    return [
        {
            **{key: row[key] for key in ("image_id", "clip_id", "image")},
            "captioner": role,
            "model": model.identity,
            "text": "" if answer.cut else answer.text,  # the emotion comes last: a cut caption has lost it
            "prompt_id": CAPTION_ID,
            "error": CUT if answer.cut else answer.error,
        }
        for row, answer in zip(images, found, strict=True)
    ]


def _task(image_id: str, path: Path) -> Task:
    return Task(image_id, (CAPTION_ID, CAPTION, _content(path)), partial(_question, path))


def _question(path: Path) -> Question:
    return Question(CAPTION, [read_image(path)])


def _content(path: Path) -> str | None:
    """Hash of the file, or None where it cannot be read: then there is no answer to keep."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
