"""What the readers share: CSV and JSON-lines files that people bring, media below a folder, names that stay in it."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from emolab.errors import InputError


def csv_rows(path: str | Path, *columns: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """(file and line, cells) of a UTF-8 CSV file, one cell for each of `columns`: the names that the column may have,
    best first. Text stays text ("0001"). Raises InputError for a file or columns that are missing, and for a line with
    more or fewer cells than the header (text with a comma that is not in quotes).
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            header = [name.strip() for name in next(rows, [])]
            wanted = [next((name for name in names if name in header), None) for names in columns]
            if None in wanted:
                needs = " and ".join(f"one of {', '.join(names)}" if names[1:] else names[0] for names in columns)
                commas = "; separate them by commas" if len(header) == 1 and ";" in header[0] else ""
                raise InputError(f"{path}: has the columns {', '.join(header)[:200] or 'none'}; needs {needs}{commas}.")
            places = [header.index(name) for name in wanted]
            for row in rows:
                where = f"{path} line {rows.line_num}"
                if row and len(row) != len(header):
                    problem = "more cells than columns" if len(row) > len(header) else "fewer cells than columns"
                    raise InputError(f"{where}: {problem}; put the text in quotes.")
                if row:
                    yield where, [row[place] for place in places]
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a UTF-8 CSV file ({error}).") from None


def json_rows(path: Path) -> Iterator[tuple[str, dict]]:
    """(file name and line, JSON object) of a UTF-8 file with one object a line. Raises InputError."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # not at U+2028, which may stand in a text
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not found or not UTF-8 ({error}); expected a JSON object a line.") from None
    for number, line in enumerate(lines, 1):
        where = f"{path.name} line {number}"
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"{where}: not JSON ({error}); mend or delete the line.") from None
        if not isinstance(row, dict):
            raise InputError(f"{where}: not a JSON object; mend or delete the line.")
        yield where, row


def inside(root: Path, name: str, where: str) -> str:
    """The absolute path of a file named below `root` (which may be a link to elsewhere). Raises InputError for a name
    that leads out of it."""
    path = Path(os.path.normpath(root / name))
    if not path.is_relative_to(root):
        raise InputError(f"{where}: {name!r} leads out of the corpus folder; media must lie inside it.")
    return str(path)


def files_below(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """Files with these endings below a folder, sorted; hidden ones and folders are passed over. Raises OSError."""

    def stop(error: OSError) -> None:
        raise error  # else a folder that cannot be read would silently lose its files

    found: list[Path] = []
    for root, folders, names in os.walk(folder, onerror=stop):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(root, name) for name in names if not name.startswith(".")]
    return sorted(path for path in found if path.suffix.lower() in suffixes)


def as_text(name: str) -> str:
    """A file name as text: bytes that are no UTF-8 are shown escaped."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
