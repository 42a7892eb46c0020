"""Label files that people bring: csv, JSON lines and npz, each read into clip id -> labels.

Nothing is unpickled or evaluated. Whatever cannot be read is an InputError of one sentence: file, cause,
cure.
"""

import csv
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from emolab.errors import InputError
from emolab.labels.parse import parse_label_cell
from emolab.scoring.grouping import clean_labels

Cell = Callable[[str], list[str]]
ID_COLUMNS = ("clip_id", "name", "names", "filename", "filenames")
LABEL_COLUMNS = ("labels", "openset", "emotions", "fileitems")
# csv's own limit of 131072 characters is below what a runaway model writes into one cell
_LONGEST_CELL = 2**27


def read_labels(path: str | Path, cell: Cell = parse_label_cell) -> dict[str, list[str]]:
    """Clip id -> labels of a file, by its ending.

    - `.csv`: a column clip_id (or name) and a column labels (or openset): `['happy', 'sad']`, `[happy, sad]`
      or `happy,sad`; UTF-8, with or without a byte-order mark.
    - `.jsonl`: one object a line with the same keys, `labels` a list or such a text. A row whose `error` is
      set counts as an empty prediction, unless another row of the same clip has none.
    - `.npz`: arrays `filenames` and `fileitems` of text.

    `cell` reads a text of labels: `parse_label_cell`, or `official_cell` for the published wheel numbers.
    InputError for anything else, for a clip id that stands in two rows, and for a file without rows.
    """
    labels: dict[str, list[str]] = {}
    for where, clip, value in label_rows(path, cell):
        if clip in labels:
            raise InputError(f"{path}: clip id {clip!r} stands in two rows (again in {where}); keep one of them")
        labels[clip] = value
    return labels


def label_rows(path: str | Path, cell: Cell = parse_label_cell) -> Iterator[tuple[str, str, list[str]]]:
    """(where, clip id, labels) of each row of a file that `read_labels` reads, several a clip where it holds several;
    InputError as there."""
    path = Path(path)
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl, ".npz": _read_npz}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: ends in none of {', '.join(readers)}; save the labels in one of these formats")
    empty = True
    try:
        for where, clip, value in reader(path, cell):
            clip, empty = clip.strip(), False
            if not clip:
                raise InputError(f"{path}: {where} has no clip id; name the clip or remove the row")
            yield where, clip, value
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text (byte {error.start}); save it again as UTF-8") from error
    if empty:
        raise InputError(f"{path}: holds no rows; expected a clip id and its labels in each")


def official_cell(text: str) -> list[str]:
    """Labels of a cell as the official wheel code reads it: a bracket is taken off each end, and what remains is cut at
    every comma and quote, prose and all (`string_to_list` of OV-MER and AffectGPT).

    The published scores of a few files with prose in their cells can only be had so; `parse_label_cell` reads better.
    """
    return clean_labels(re.split("['\",]", text.removeprefix("[").removesuffix("]")))


def _read_csv(path: Path, cell: Cell) -> Iterator[tuple[str, str, list[str]]]:
    csv.field_size_limit(_LONGEST_CELL)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, strict=True)
        try:
            header = [cell.strip() for cell in next(rows, [])]
            id_column, label_column = _columns(path, header)
            for row in rows:
                if not row:
                    continue
                where = f"line {rows.line_num}"
                if len(row) != len(header):
                    raise InputError(
                        f"{path}: {where} has {len(row)} cells where the header has {len(header)}; "
                        'put a list of labels in double quotes ("happy, sad")'
                    )
                yield where, row[id_column], cell(row[label_column])
        except csv.Error as error:
            raise InputError(f"{path}: is not a valid csv near line {rows.line_num} ({error}); repair it") from error


def _columns(path: Path, header: list[str]) -> tuple[int, int]:
    if not header:
        raise InputError(f"{path}: is empty; expected a csv with the columns clip_id and labels (or name and openset)")
    lower = [name.lower() for name in header]
    if len(header) == 1:
        for delimiter, what in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
            if delimiter in header[0]:
                raise InputError(f"{path}: is separated by {what}; save it again with commas")
    found = [
        next((lower.index(name) for name in names if name in lower), None) for names in (ID_COLUMNS, LABEL_COLUMNS)
    ]
    for index, names in zip(found, (ID_COLUMNS, LABEL_COLUMNS), strict=True):
        if index is None:
            shown = ", ".join(header)[:200]
            raise InputError(f"{path}: has the columns {shown}, but none of {', '.join(names)}; rename one of them")
    return found[0], found[1]


def _read_jsonl(path: Path, cell: Cell) -> Iterable[tuple[str, str, list[str]]]:
    rows: list[tuple[str, str, list[str]]] = []
    errors: dict[str, tuple[str, str, list[str]]] = {}
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            where = f"line {number}"
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise InputError(f"{path}: {where} is not JSON; expected one object a line") from error
            clip, labels = _json_row(path, where, row, cell)
            if row.get("error"):
                errors[clip] = (where, clip, [])
            else:
                rows.append((where, clip, labels))
    answered = {clip for _, clip, _ in rows}
    return [*rows, *(row for clip, row in errors.items() if clip not in answered)]


def _json_row(path: Path, where: str, row: object, cell: Cell) -> tuple[str, list[str]]:
    if not isinstance(row, dict):
        raise InputError(f"{path}: {where} is no JSON object; expected keys clip_id and labels")
    clip = next((row[key] for key in ID_COLUMNS if key in row), None)
    labels = next((row[key] for key in LABEL_COLUMNS if key in row), None)
    if not isinstance(clip, str):
        raise InputError(f"{path}: {where} has no text clip_id; expected keys clip_id and labels")
    if row.get("error"):
        return clip, []
    if isinstance(labels, str):
        return clip, cell(labels)
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise InputError(f"{path}: {where} has no list of texts under labels; expected keys clip_id and labels")
    return clip, clean_labels(labels)


def _read_npz(path: Path, cell: Cell) -> Iterable[tuple[str, str, list[str]]]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            names, items = arrays["filenames"], arrays["fileitems"]
    except KeyError as error:
        raise InputError(f"{path}: lacks the array filenames or fileitems; save both as arrays of text") from error
    except (ValueError, EOFError, TypeError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        if "pickle" in str(error):
            raise InputError(
                f"{path}: holds pickled objects, which emolab never loads; where you trust the file, convert "
                "it with d = np.load(file, allow_pickle=True); np.savez(new, "
                "filenames=np.array(d['filenames'], str), "
                "fileitems=np.array([str(item) for item in d['fileitems']]))"
            ) from error
        raise InputError(f"{path}: is not a readable npz file; save it again with np.savez") from error
    if names.dtype.kind != "U" or items.dtype.kind != "U" or names.ndim != 1 or names.shape != items.shape:
        raise InputError(f"{path}: filenames and fileitems must be two arrays of text of one length; save them so")
    pairs = zip(names.tolist(), items.tolist(), strict=True)
    return [(f"entry {number}", name, cell(item)) for number, (name, item) in enumerate(pairs, 1)]
