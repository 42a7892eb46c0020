"""What was really meant in the drawn corpus: only for measuring, no model and no stage reads it."""

from __future__ import annotations

from pathlib import Path

from emolab.demo.emotions import EMOTIONS
from emolab.engine.rows import read_rows


def picture_truth(root: Path) -> dict[str, list[str]]:
    """clip_id -> the labels of what a single picture of it shows (by face, posture or place); clips whose pictures show
    none are absent. Empty where `root` is no drawn corpus."""
    if not (root / "truth.jsonl").is_file():
        return {}
    shown = {}
    for row in read_rows(root / "truth.jsonl"):
        seen = {row["shown_by"][channel] for channel in ("face", "posture", "scene")}
        shown[row["clip_id"]] = [word for word in row["words"] if any(word in EMOTIONS[f].words for f in seen if f)]
    return {clip_id: words for clip_id, words in shown.items() if words}


def six_way(root: Path) -> dict[str, str | None]:
    """clip_id -> the emotion of the six that the primary emotion falls under, None for none of them; also of unlabelled
    clips."""
    return {row["clip_id"]: row["emotion"] for row in read_rows(root / "truth.jsonl")}
