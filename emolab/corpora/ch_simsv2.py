"""CH-SIMS v2(s): the clips of the paper's generated captions, in the layout in which they are distributed."""

from __future__ import annotations

import os
from pathlib import Path

from emolab.corpora.clip import Clip
from emolab.corpora.files import csv_rows, inside
from emolab.errors import InputError

FOLDER = "ch-simsv2s"
COLUMNS = (("video_id",), ("clip_id",), ("text",), ("mode",))
MODES = ("train", "valid", "test")


def read_ch_simsv2(root: str | Path) -> list[Clip]:
    """The clips of `meta.csv`, in its order, with their videos `Raw/<video_id>/<clip_id>.mp4`; `root` is the folder
    ch-simsv2s or the one above it.

    clip_id is `<video_id>_<clip_id>` as written (leading zeros belong to the name), split is `mode`. The sentiment
    scores are not read: emolab's labels are open-vocabulary words. Videos without a row are left out (the release holds
    more videos than annotated clips); a row whose video is missing stays, and fails where the video is needed. Raises
    InputError.
    """
    root = Path(root).absolute()
    folder = root / FOLDER if (root / FOLDER).is_dir() else root
    meta, raw = folder / "meta.csv", folder / "Raw"
    for path, what in ((meta, "the annotations"), (raw, "the videos, unpacked from Raw.zip")):
        if not path.exists():
            raise InputError(f"{path}: not found, and it holds {what} of CH-SIMS v2; point corpus.root at {FOLDER}.")
    clips: dict[str, Clip] = {}
    for where, (video_id, clip_id, text, mode) in csv_rows(meta, *COLUMNS):
        name = f"{video_id}_{clip_id}"
        if not video_id or not clip_id:
            raise InputError(f"{where}: has no video_id or no clip_id; name both or delete the line.")
        if name in clips:
            raise InputError(f"{where}: {name} stands twice; each clip has one row.")
        if mode not in MODES:
            raise InputError(f"{where}: mode is {mode!r}; one of {', '.join(MODES)}.")
        if text.strip().lower() == "nan":
            raise InputError(
                f"{where}: text is {text!r}, a table program's empty cell; leave it empty if nobody speaks."
            )
        video = inside(raw, f"{video_id}/{clip_id}.mp4", where)
        clips[name] = Clip(name, video, video, text, "chinese", mode, corpus="ch-simsv2")
    if not clips:
        raise InputError(f"{meta}: holds no clips; download CH-SIMS v2's meta file again.")
    if not any(os.path.exists(clip.video) for clip in clips.values()):
        first = next(iter(clips.values())).video
        raise InputError(
            f"{meta}: none of its {len(clips)} clips lies in {raw} (the first would be {first}); a table "
            "program may have taken the zeros off the ids."
        )
    return list(clips.values())
