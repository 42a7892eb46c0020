"""A video that somebody brings while inspecting: received in pieces, given to the models at hand, one row each."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emolab.corpora.clip import Clip
from emolab.corpora.files import as_text
from emolab.corpora.read import VIDEO_SUFFIXES
from emolab.errors import EmolabError, InputError

LARGEST = 512 * 2**20  # bytes that are received; a larger file is named by its path
Say = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Predictor:
    """A model that can be asked about one clip. `predict(clip, said, say)` gives a Prediction row; `said` are the rows
    of the predictors before it by name, `say(text)` tells what it is doing."""

    name: str
    predict: Callable[[Clip, Mapping[str, Mapping[str, Any]], Callable[[str], None]], dict[str, Any]]


class LivePanel:
    """Predictors and the folder that received videos are kept in."""

    def __init__(self, predictors: Sequence[Predictor], folder: str | Path) -> None:
        self._predictors = {each.name: each for each in predictors}
        self._folder = Path(folder)
        self._uploads: dict[str, Path] = {}  # by the id that the view gave

    @property
    def names(self) -> list[str]:
        return list(self._predictors)

    def receive(self, message: Mapping[str, Any], chunk: bytes | memoryview) -> int:
        """Write a piece of a video (`id`, `name`, `from`, `bytes` of all) and return where the next one begins.
        InputError for what is no video by its name, too large, or out of turn."""
        start, total = message["from"], message["bytes"]
        path = self._received(message) if start else self._new(message["id"], message["name"])
        if total > LARGEST:
            raise InputError(f"{message['name']} has {total / 1e6:,.0f} MB; give the path of so large a file instead.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if start != (path.stat().st_size if start else 0):
                raise InputError(f"{message['name']}: a piece of it arrived out of turn; choose the file again.")
            with path.open("ab" if start else "wb") as file:
                file.write(chunk)
        except OSError as error:
            raise InputError(f"{self._folder}: cannot be written ({error.strerror}); free space there.") from None
        return start + len(chunk)

    def predict(
        self, message: Mapping[str, Any], known: Sequence[str], say: Say
    ) -> tuple[Clip, dict[str, dict[str, Any]]]:
        """The clip that `message` asks for (`id`, `name` of a received video, or a `path`; `transcript`; `models`) and
        a Prediction row of each of these models. A model that fails has an `error` in its row. InputError for a file
        that is not there and a model that is not known."""
        path = Path(message["path"]).expanduser() if message.get("path") else self._received(message)
        if not path.is_file():
            raise InputError(f"{path}: no such file; give the path of a video on the machine that runs the kernel.")
        wanted = [name for name in self._predictors if name in message["models"]]
        if not wanted:
            raise InputError("no model is chosen; tick at least one.")
        name = as_text((path if message.get("path") else Path(message["name"])).stem)
        clip_id = "".join(letter if letter.isprintable() else "_" for letter in name)[:120] or "video"
        clip = Clip(_unused(clip_id, set(known)), str(path.absolute()), transcript=message["transcript"], corpus="live")
        rows: dict[str, dict[str, Any]] = {}
        for number, each in enumerate(wanted):
            said = {"done": number, "of": len(wanted)}

            def tell(text: str, said: Mapping[str, Any] = said, name: str = each) -> None:
                say({**said, "text": f"{name}: {text}"})

            tell("asked")
            try:
                rows[each] = self._predictors[each].predict(clip, rows, tell)
            except EmolabError as error:
                rows[each] = _failed(clip, each, str(error))
            except Exception as error:  # a model's library may raise anything; the other models go on
                rows[each] = _failed(clip, each, f"{type(error).__name__}: {str(error)[:300]}")
        say({"done": len(wanted), "of": len(wanted), "text": "done"})
        return clip, rows

    def _new(self, upload: str, name: str) -> Path:
        """A new file for a video of this name, which is not trusted with a place."""
        suffix = Path(name).suffix.lower()
        if suffix not in VIDEO_SUFFIXES:
            raise InputError(f"{name or 'the file'} is no video by its name; known are {', '.join(VIDEO_SUFFIXES)}.")
        self._uploads[upload] = self._folder / f"{uuid.uuid4().hex}{suffix}"
        return self._uploads[upload]

    def _received(self, message: Mapping[str, Any]) -> Path:
        if message["id"] not in self._uploads:
            raise InputError(f"{message['name'] or 'the video'} has not been received; choose the file again.")
        return self._uploads[message["id"]]


def _failed(clip: Clip, model: str, sentence: str) -> dict[str, Any]:
    return {"clip_id": clip.clip_id, "model": model, "text": "", "labels": [], "error": sentence}


def _unused(clip_id: str, known: set[str]) -> str:
    number, name = 2, clip_id
    while name in known:
        name, number = f"{clip_id} ({number})", number + 1
    return name
