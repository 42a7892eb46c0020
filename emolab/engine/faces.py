"""Looking for faces in many clips: threads in each worker, crops into the cache, what was found as the result."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from tqdm import tqdm

from emolab.corpora.clip import Clip
from emolab.engine.map import map_unordered
from emolab.engine.settings import IN_PROCESS, EngineSettings
from emolab.media.errors import MediaError
from emolab.media.settings import FaceSettings, FrameSettings
from emolab.media.views import ClipView, clip_view

_BATCH = 8  # clips that go to a worker at once


def look_for_faces(
    clips: Sequence[Clip],
    frames: FrameSettings,
    faces: FaceSettings,
    seed: int,
    cache_dir: Path,
    *,
    engine: EngineSettings = IN_PROCESS,
    progress: bool = True,
) -> list[ClipView | MediaError]:
    """The view `face` of each clip, in order, without its pictures, which are kept in `cache_dir` where the settings
    say so; or the error why there is none (NoFaceError: no face in any of its frames)."""
    batches = [clips[start : start + _BATCH] for start in range(0, len(clips), _BATCH)]
    found: dict[int, list[ClipView | MediaError]] = {}
    make = partial(_Looker, frames, faces, seed, cache_dir)
    bar = tqdm(total=len(clips), desc="faces", unit="clip", mininterval=1.0, disable=not progress)
    with bar, contextlib.closing(map_unordered(make, batches, engine)) as done:
        for number, found[number] in done:
            bar.update(len(batches[number]))
    return [view for number in sorted(found) for view in found[number]]


class _Looker:
    """The worker of the map."""

    def __init__(self, frames: FrameSettings, faces: FaceSettings, seed: int, cache_dir: Path):
        self._how = {"view": "face", "frames": frames, "faces": faces, "seed": seed, "cache_dir": cache_dir}
        self._threads = ThreadPoolExecutor(min(_BATCH, os.cpu_count() or 1))

    def begin(self, clips: Sequence[Clip]) -> list[Future[ClipView | MediaError]]:
        return [self._threads.submit(self._look, clip) for clip in clips]

    def finish(self, begun: list[Future[ClipView | MediaError]]) -> list[ClipView | MediaError]:
        return [each.result() for each in begun]

    def _look(self, clip: Clip) -> ClipView | MediaError:
        try:
            return replace(clip_view(clip, **self._how), images=[])
        except MediaError as error:
            return error
