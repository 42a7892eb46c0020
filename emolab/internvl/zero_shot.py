"""Labels of a clip (section 2.1): six frames and its words in, a description and a label set out; adapter or not."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from emolab.corpora.clip import Clip
from emolab.engine.chat import Answer, ChatModel, Question
from emolab.engine.rows import RowFile
from emolab.engine.settings import EngineSettings
from emolab.engine.stage import IN_PROCESS, Task, answer_all, labels_of
from emolab.internvl.prompts import ZERO_SHOT_ID, zero_shot
from emolab.media.settings import FaceSettings, FrameSettings
from emolab.media.views import clip_view


def predict(
    clips: Sequence[Clip],
    model: ChatModel,
    frames: FrameSettings,
    answers: RowFile,
    *,
    view: str = "frame",
    faces: FaceSettings | None = None,
    seed: int = 0,
    cache_dir: Path | None = None,
    engine: EngineSettings = IN_PROCESS,
    progress: bool = True,
) -> list[dict]:
    """One Prediction row a clip, in order: clip_id, model, view, text, labels, prompt_id, seed, error.

    `view` is what is shown (`media/views.py`): the entire frame, or the face. A clip that cannot be seen (no file, no
    picture, damaged, no face) or whose answer holds no list has `error` in one sentence and no labels. `answers` keeps
    every answer; `cache_dir` keeps frames and crops when the settings say so.
    """
    faces = faces or FaceSettings()
    tasks = [_task(clip, view, frames, faces, seed, cache_dir) for clip in clips]
    how = "fine-tuned" if model.settings.adapter else "zero-shot"
    found = answer_all(model, tasks, answers, f"InternVL {how}, {view}, seed {seed}", progress, engine)
    return [_row(clip, model, view, answer, seed) for clip, answer in zip(clips, found, strict=True)]


def _task(clip: Clip, view: str, frames: FrameSettings, faces: FaceSettings, seed: int, cache_dir: Path | None) -> Task:
    prompt = zero_shot(clip.transcript)
    content: tuple = (ZERO_SHOT_ID, prompt, _content(clip.video), clip.clip_id, frames.parts, seed, view)
    if view != "frame":
        content += (faces.source, faces.openface, faces.choose, faces.size, faces.confidence)
    return Task(clip.clip_id, content, partial(_question, prompt, clip, view, frames, faces, seed, cache_dir))


def _question(
    prompt: str, clip: Clip, view: str, frames: FrameSettings, faces: FaceSettings, seed: int, cache_dir: Path | None
) -> Question:
    return Question(prompt, clip_view(clip, view, frames, faces, seed, cache_dir).images)


def _content(video: str | None) -> str | None:
    """Hash of the file, or None where it cannot be read: then there is no answer to keep."""
    try:
        with open(video or "", "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _row(clip: Clip, model: ChatModel, view: str, answer: Answer, seed: int) -> dict:
    labels, error = labels_of(answer)
    return {
        "clip_id": clip.clip_id,
        "model": model.identity,
        "view": view,
        "text": answer.text,
        "labels": labels,
        "prompt_id": ZERO_SHOT_ID,
        "seed": seed,
        "error": error,
    }
