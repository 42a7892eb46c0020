"""Zero-shot labels (section 2.1): six frames and the words of a clip in, a description and a label set out."""

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
from emolab.media.errors import MediaError
from emolab.media.sampling import SampledFrames, cached_frames, six_frames
from emolab.media.settings import FrameSettings

VIEW = "frame"  # entire image; face crops are the other view of Table 2


def predict(
    clips: Sequence[Clip],
    model: ChatModel,
    frames: FrameSettings,
    answers: RowFile,
    *,
    seed: int = 0,
    cache_dir: Path | None = None,
    engine: EngineSettings = IN_PROCESS,
    progress: bool = True,
) -> list[dict]:
    """One Prediction row a clip, in order: clip_id, model, view, text, labels, prompt_id, seed, error.

    A clip that cannot be seen (no file, no picture, damaged) or whose answer holds no list has `error` in one sentence
    and no labels. `answers` keeps every answer; `cache_dir` keeps the frames when the settings say so.
    """
    tasks = [_task(clip, frames, seed, cache_dir) for clip in clips]
    found = answer_all(model, tasks, answers, "InternVL zero-shot", progress, engine)
    return [_row(clip, model, answer, seed) for clip, answer in zip(clips, found, strict=True)]


def clip_frames(clip: Clip, frames: FrameSettings, seed: int, cache_dir: Path | None = None) -> SampledFrames:
    """The frames of a clip that the model sees. Raises MediaError where there is no picture."""
    if clip.video is None:
        raise MediaError(f"{clip.clip_id}: has no video, and InternVL needs pictures; give its file.")
    if frames.cache and cache_dir is not None:
        return cached_frames(clip.video, clip_id=clip.clip_id, seed=seed, parts=frames.parts, cache_dir=cache_dir)
    return six_frames(clip.video, clip_id=clip.clip_id, seed=seed, parts=frames.parts)


def _task(clip: Clip, frames: FrameSettings, seed: int, cache_dir: Path | None) -> Task:
    prompt = zero_shot(clip.transcript)
    content = (ZERO_SHOT_ID, prompt, _content(clip.video), clip.clip_id, frames.parts, seed, VIEW)
    return Task(clip.clip_id, content, partial(_question, prompt, clip, frames, seed, cache_dir))


def _question(prompt: str, clip: Clip, frames: FrameSettings, seed: int, cache_dir: Path | None) -> Question:
    return Question(prompt, clip_frames(clip, frames, seed, cache_dir).images)


def _content(video: str | None) -> str | None:
    """Hash of the file, or None where it cannot be read: then there is no answer to keep."""
    try:
        with open(video or "", "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _row(clip: Clip, model: ChatModel, answer: Answer, seed: int) -> dict:
    labels, error = labels_of(answer)
    return {
        "clip_id": clip.clip_id,
        "model": model.identity,
        "view": VIEW,
        "text": answer.text,
        "labels": labels,
        "prompt_id": ZERO_SHOT_ID,
        "seed": seed,
        "error": error,
    }
