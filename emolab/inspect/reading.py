"""Clips and predictions as people have them (rows, DataFrames, files, folders) for the inspector."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from emolab.corpora import Clip, read_folder, read_rows
from emolab.corpora.files import inside, json_rows
from emolab.corpora.read import VIDEO_SUFFIXES
from emolab.errors import InputError
from emolab.fusion.panel import Member, prediction_files, read_member, read_panel
from emolab.labels.parse import parse_label_cell
from emolab.scoring.files import ID_COLUMNS, LABEL_COLUMNS, Cell, read_labels

Rows = dict[str, Mapping[str, Any]]  # clip_id -> Prediction row
Answers = dict[str, Rows]  # model -> its rows
_ONLY = "predictions"  # the name of a model that has none
# What tells several answers of one model to one clip apart, in this order
_VARIANTS = ("system", "given", "extractor", "view", "source", "sft_seed", "seed")


def as_clips(source: Any, cell: Cell = parse_label_cell) -> list[Clip]:
    """Clips of Clip rows, a DataFrame or JSON rows of them (columns of `Clip`; name and openset count as clip_id and
    labels), clip_id -> true labels, a folder of videos or with clips.jsonl, a video, or a file: clips.jsonl, or true
    labels as csv, jsonl or npz. InputError for anything else, naming it.
    """
    if isinstance(source, str | Path):
        return _clips_of(Path(source), cell)
    if isinstance(source, Mapping):
        source = [{"clip_id": clip, "labels": labels} for clip, labels in source.items()]
    clips = []
    for number, row in enumerate(_records(source, "clips")):
        clips.append(row if isinstance(row, Clip) else _clip(row, f"clips, row {number}", cell))
    return clips


def as_answers(source: Any, cell: Cell = parse_label_cell) -> Answers:
    """Model -> clip_id -> Prediction row, see `Inspection`.

    `source`: name -> one of the following, or one of them alone: Prediction rows or a DataFrame of them (of several
    models by their column `model`), clip_id -> row or labels, a file (csv, jsonl, npz) or a folder of files. Where a
    model answered a clip several times, what differs (system, given, extractor, view, source, seeds) tells its answers
    apart. InputError for anything else, and for answers that nothing tells apart.
    """
    if isinstance(source, Mapping) and not _is_by_clip(source):
        found: Answers = {}
        for name, each in source.items():
            parts = _answers_of(each, cell) if not _is_nothing(each) else {"": {}}  # a model that has not answered yet
            for part, rows in parts.items():
                found[name if len(parts) == 1 else f"{name}: {part}"] = rows
        return found
    return _answers_of(source, cell)


# --- clips


def _clips_of(path: Path, cell: Cell) -> list[Clip]:
    if path.is_dir():
        return read_rows(path) if (path / "clips.jsonl").is_file() else read_folder([path])
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return read_folder([path])
    if path.suffix.lower() != ".jsonl":
        return [Clip(clip, labels=tuple(labels)) for clip, labels in read_labels(path, cell).items()]
    root = path.absolute().parent
    clips = []
    for where, row in json_rows(path):
        clip = _clip(row, where, cell)
        named = {key: getattr(clip, key) for key in ("video", "audio")}
        clips.append(replace(clip, **{key: inside(root, name, where) for key, name in named.items() if name}))
    return clips


def _clip(row: Mapping[str, Any], where: str, cell: Cell) -> Clip:
    row = {str(key): None if _is_missing(value) else value for key, value in row.items()}
    for name, others in (("clip_id", ID_COLUMNS), ("labels", LABEL_COLUMNS)):
        if name not in row and (other := next((each for each in others if each in row), None)):
            row[name] = row.pop(other)
    if row.get("labels") is not None:
        row["labels"] = _labels(row["labels"], where, cell)
    return Clip.from_row(row, where)


# --- predictions


def _is_by_clip(source: Mapping) -> bool:
    """Whether a mapping is clip_id -> labels or row, and not model -> predictions."""
    values = [value for value in source.values() if value is not None and not _is_nothing(value)]
    if any(isinstance(value, Mapping) for value in values):
        return any(isinstance(value, Mapping) and any(name in value for name in LABEL_COLUMNS) for value in values)
    if not values:
        return bool(source)
    return all(isinstance(value, list | tuple) and all(isinstance(each, str) for each in value) for value in values)


def _is_nothing(value: Any) -> bool:
    return isinstance(value, list | tuple | Mapping) and not value


def _answers_of(source: Any, cell: Cell) -> Answers:
    if isinstance(source, str | Path):
        return _answers_in(Path(source), cell)
    if isinstance(source, Member):
        return {source.name: _rows_of(source)}
    if isinstance(source, Mapping):  # by clip: rows, or labels alone
        asked = {clip: own for clip, own in source.items() if own is not None}
        rows = [
            {**(own if isinstance(own, Mapping) else {"labels": own}), "clip_id": each} for each, own in asked.items()
        ]
        return {_ONLY: {row["clip_id"]: row for row in (_prediction(row, "predictions", cell) for row in rows)}}
    return _by_model(
        [_prediction(row, f"predictions, row {n}", cell) for n, row in enumerate(_records(source, "rows"))]
    )


def _answers_in(path: Path, cell: Cell) -> Answers:
    if not path.exists():
        raise InputError(f"{path}: is not there; name a prediction file, or a folder of them")
    if not path.is_dir():
        parts = (
            _json_answers(path, cell) if _is_json(path) else {path.stem: _rows_of(read_member(path, path.stem, cell))}
        )
        return {path.stem: next(iter(parts.values()))} if len(parts) == 1 else parts
    found: Answers = {}
    for file, member in zip(prediction_files(path), read_panel([path], cell).members, strict=True):
        parts = _json_answers(file, cell) if _is_json(file) else {"": _rows_of(member)}
        found |= {member.name if len(parts) == 1 else f"{member.name}: {part}": rows for part, rows in parts.items()}
    return found


def _is_json(path: Path) -> bool:
    return path.suffix.lower() == ".jsonl"


def _json_answers(path: Path, cell: Cell) -> Answers:
    """The rows of a file with all that they say, which the inspector shows."""
    return _by_model([_prediction(row, where, cell) for where, row in json_rows(path)])


def _rows_of(member: Member) -> Rows:
    return {
        clip: {
            "clip_id": clip,
            "labels": labels,
            "text": member.texts.get(clip, ""),
            "probabilities": member.probabilities.get(clip),
        }
        for clip, labels in member.labels.items()
    }


def _prediction(row: Mapping[str, Any], where: str, cell: Cell) -> dict[str, Any]:
    row = {str(key): None if _is_missing(value) else value for key, value in row.items()}
    clip = next((row[key] for key in ID_COLUMNS if key in row), None)
    labels = next((row[key] for key in LABEL_COLUMNS if key in row), None)
    if not isinstance(clip, str) or not clip.strip():
        raise InputError(f"{where}: has no text clip_id; expected clip_id (or {', '.join(ID_COLUMNS[1:])}) and labels")
    if not row.get("error") and not any(name in row for name in LABEL_COLUMNS):
        raise InputError(f"{where}: {clip} has neither labels nor an error; expected {' or '.join(LABEL_COLUMNS)}")
    labels = [] if row.get("error") or labels is None else _labels(labels, f"{where}: {clip}", cell)
    return {**row, "clip_id": clip.strip(), "labels": labels, "text": row.get("text") or row.get("reason") or ""}


def _labels(value: Any, where: str, cell: Cell) -> list[str]:
    """A list of words, a tuple or an array of them, or the text of a cell. InputError for anything else."""
    if isinstance(value, str):
        return cell(value)
    labels = list(value) if isinstance(value, Iterable) and not isinstance(value, Mapping) else [None]
    if not all(isinstance(label, str) for label in labels):
        raise InputError(f"{where} has labels that are no texts; expected a list of words")
    return labels


def _by_model(rows: Sequence[Mapping[str, Any]]) -> Answers:
    """The rows of each model, and of each of its variants where it answered clips several times."""
    if not rows:
        raise InputError("there are no predictions; expected rows with clip_id and labels")
    models: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        models.setdefault(str(row.get("model") or _ONLY), []).append(row)
    found: Answers = {}
    for model, own in models.items():
        for name, part in _variants(model, own).items():
            twice = next((clip for clip, count in Counter(row["clip_id"] for row in part).items() if count > 1), None)
            if twice is not None:
                raise InputError(
                    f"predictions of {name}: clip {twice!r} stands twice; give each model's rows apart, as "
                    '{"name": rows, …}, or tell them apart by a column "model"'
                )
            found[name] = {row["clip_id"]: row for row in part}
    return found


def _variants(model: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    if len({row["clip_id"] for row in rows}) == len(rows):
        return {model: list(rows)}
    telling = [key for key in _VARIANTS if len({str(row.get(key)) for row in rows}) > 1]
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        said = ", ".join(_plain(row.get(key)) for key in telling)
        found.setdefault(f"{model}, {said}" if said else model, []).append(row)
    return found


def _plain(value: Any) -> str:
    return " + ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _records(source: Any, what: str) -> Iterable[Any]:
    """The rows of a DataFrame, or of a sequence of rows."""
    if hasattr(source, "to_dict") and hasattr(source, "columns"):
        return source.to_dict("records")
    if isinstance(source, Iterable):
        rows = list(source)
        if all(isinstance(row, Mapping | Clip) for row in rows):
            return rows
    raise InputError(f"{what}: expected a DataFrame, rows, a mapping or a path, not {type(source).__name__}")


def _is_missing(value: Any) -> bool:
    """Whether a cell of a DataFrame is empty: None, NaN, NaT, NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value
