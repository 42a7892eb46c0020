"""From a folder to clips: emolab's own layout (clips.jsonl) and a plain folder of videos with optional transcripts."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from emolab.corpora.clip import Clip
from emolab.corpora.files import as_text, csv_rows, files_below, inside, json_rows
from emolab.errors import InputError

VIDEO_SUFFIXES = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".ts", ".mpg", ".mpeg", ".flv", ".wmv")
ID_COLUMNS = ("clip_id", "name", "names", "file", "video")
TEXT_COLUMNS = ("transcript", "sentence", "english", "chinese", "text", "subtitle", "subtitles")


def read_rows(root: str | Path) -> list[Clip]:
    """emolab's layout: `clips.jsonl`, one Clip a line, with media paths relative to the folder and inside it (they may
    be links to elsewhere). Raises InputError naming file and line."""
    root = Path(root).absolute()
    return clips_of(json_rows(root / "clips.jsonl"), root)


def clips_of(rows: Iterable[tuple[str, dict]], root: Path) -> list[Clip]:
    """Clips of (where it stands, row) pairs, their media paths below `root`. Raises InputError naming where."""
    clips: dict[str, Clip] = {}
    for where, row in rows:
        clip = Clip.from_row(row, where)
        if clip.clip_id in clips:
            raise InputError(f"{where}: clip_id {clip.clip_id!r} stands twice; ids must be unique.")
        named = {key: getattr(clip, key) for key in ("video", "audio")}
        paths = {key: inside(root, name, where) for key, name in named.items() if name is not None}
        clips[clip.clip_id] = replace(clip, **paths)
    return list(clips.values())


def read_folder(paths: Sequence[str | Path], transcripts: str | Path | None = None) -> list[Clip]:
    """Videos given by name or found below folders, sorted; hidden ones are passed over, one given twice counts once.

    clip_id is the file name (composed, NFC) without its ending, with folder and ending where two would be the same.
    `transcripts` is a CSV, see `read_transcripts`; its names may carry the folder as well. Raises InputError for a path
    that is missing or unreadable, and for a transcript that could belong to several clips.
    """
    files: dict[Path, str] = {}  # file -> its name below the folder that was given
    for path in map(Path, paths):
        try:
            if path.is_dir():
                found = files_below(path, VIDEO_SUFFIXES)
                if not found:
                    raise InputError(f"{path}: holds no video; looked for {', '.join(VIDEO_SUFFIXES)}.")
                files |= {file.absolute(): file.relative_to(path).as_posix() for file in found}
            elif path.exists():
                files[path.absolute()] = f"{path.absolute().parent.name}/{path.name}"
            else:
                raise InputError(f"{path}: no such file or folder; give a video or a folder of videos.")
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions.") from None
    stems = Counter(_composed(file.stem) for file in files)
    spoken = read_transcripts(transcripts) if transcripts else {}
    clips: dict[str, Clip] = {}
    for file, below in files.items():
        stem, below = _composed(file.stem), _composed(below)
        only = stems[stem] == 1
        clip_id = as_text(stem if only else below)
        if clip_id in clips:
            raise InputError(f"{file}: another video is called {clip_id} as well; give one folder above both.")
        words = spoken.get(_bare(below), spoken.get(stem) if only else None)
        if words is None and not only and spoken.get(stem):
            raise InputError(f"{transcripts}: {stem} could be any of {stems[stem]} videos; name the folder too.")
        clips[clip_id] = Clip(clip_id, video=str(file), transcript=words or "", corpus="folder")
    return list(clips.values())


def _composed(name: str) -> str:
    """A name as people type it in their lists: macOS stores ü as u with a mark."""
    return unicodedata.normalize("NFC", name)


def _bare(name: str) -> str:
    """A name without a video's ending; other dots belong to the name."""
    return name[: -len(Path(name).suffix)] if Path(name).suffix.lower() in VIDEO_SUFFIXES else name


def read_transcripts(path: str | Path) -> dict[str, str]:
    """clip -> words spoken, from a CSV with a name column and a text column (see ID_COLUMNS, TEXT_COLUMNS).

    Raises InputError for other columns, a clip that stands twice, and what else `csv_rows` refuses.
    """
    spoken: dict[str, str] = {}
    for where, (name, text) in csv_rows(path, ID_COLUMNS, TEXT_COLUMNS):
        clip = _composed(_bare(name))
        if clip in spoken:
            raise InputError(f"{where}: {clip} stands twice; each clip has one transcript.")
        spoken[clip] = text
    return spoken


def split_ids(clip_ids: Iterable[str], test: int, seed: int) -> set[str]:
    """The ids of the test split, drawn with the seed from the sorted ids (the paper's split was never published)."""
    ids = sorted(clip_ids)
    if test > len(ids):
        raise InputError(f"corpus.test is {test} but there are {len(ids)} clips; lower it.")
    return {ids[i] for i in np.random.default_rng(seed).choice(len(ids), size=test, replace=False)}
