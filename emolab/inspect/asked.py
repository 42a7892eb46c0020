"""The question behind an answer, put together again from its prompt's id and the clip's words."""

from __future__ import annotations

from collections.abc import Mapping

from emolab.affectgpt.prompts import TRIMODAL_ID, trimodal
from emolab.corpora.clip import Clip
from emolab.internvl.prompts import ZERO_SHOT_ID, zero_shot


def prompt_of(row: Mapping, clip: Clip) -> str | None:
    """What the model was asked, where the row says it or its prompt is one of emolab's; else None."""
    if isinstance(row.get("prompt"), str):
        return row["prompt"]
    if row.get("prompt_id") == ZERO_SHOT_ID:
        return zero_shot(clip.transcript)
    if row.get("prompt_id") == TRIMODAL_ID:
        given = row.get("modalities") or ("audio", "video", "text")
        return trimodal(clip.transcript if "text" in given else "", audio="audio" in given, video="video" in given)
    return None
