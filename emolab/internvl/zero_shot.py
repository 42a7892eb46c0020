"""Labels of a clip (section 2.1): six frames and its words in, a description and a label set out; adapter or not."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from emolab.corpora.clip import Clip
from emolab.engine.chat import Answer, ChatModel, Question
from emolab.engine.rows import RowFile
from emolab.engine.settings import IN_PROCESS, EngineSettings
from emolab.engine.stage import Task, answer_all, labels_of
from emolab.internvl.prompts import ZERO_SHOT_ID, zero_shot
from emolab.media.errors import MediaError
from emolab.media.senses import seen_key
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
    with ThreadPoolExecutor() as pool:  # the files are hashed
        tasks = list(pool.map(lambda clip: _task(clip, view, frames, faces, seed, cache_dir), clips))
    how = "fine-tuned" if model.settings.adapter else "zero-shot"
    found = answer_all(model, tasks, answers, f"InternVL {how}, {view}, seed {seed}", progress, engine)
    return [_row(clip, model, view, answer, seed) for clip, answer in zip(clips, found, strict=True)]


def _task(clip: Clip, view: str, frames: FrameSettings, faces: FaceSettings, seed: int, cache_dir: Path | None) -> Task:
    prompt = zero_shot(clip.transcript)
    try:
        shown = seen_key(clip, frames, faces, view, seed)
    except (MediaError, ValueError):  # a missing file, a path that is none: there will be no answer to keep
        shown = None
    question = partial(_question, prompt, clip, view, frames, faces, seed, cache_dir)
    return Task(clip.clip_id, (ZERO_SHOT_ID, prompt, clip.clip_id, shown), question)


def _question(
    prompt: str, clip: Clip, view: str, frames: FrameSettings, faces: FaceSettings, seed: int, cache_dir: Path | None
) -> Question:
    return Question(prompt, clip_view(clip, view, frames, faces, seed, cache_dir).images)


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
