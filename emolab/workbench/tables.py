"""Tables of scores: checked rows that a notebook shows and a program reads from metrics.json."""

import html
import math
import unicodedata
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any


class Table:
    """Rows of `name`, `n`, metric columns and `interval` ({metric: [low, high]}), as HTML and plain text.

    Numbers become plain Python numbers, NaN becomes None (JSON has no NaN). Raises ValueError for a row
    without a `name`, an interval that belongs to no column, a value that is neither text, number nor None.
    """

    def __init__(self, name: str, rows: Sequence[Mapping[str, Any]], note: str = "") -> None:
        self.name, self.note = name, note
        self.rows = [_checked(row) for row in rows]
        self.columns = list(dict.fromkeys(key for row in self.rows for key in row if key not in _ASIDE))

    def _cells(self) -> list[list[str]]:
        return [
            [f"{shown_value(row.get(column))} {shown_interval(row, column)}".strip() for column in self.columns]
            for row in self.rows
        ]

    def _repr_html_(self) -> str:
        def line(tag: str, cells: list[str]) -> str:
            return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

        body = "\n".join(line("td", cells) for cells in self._cells())
        note = f"<p>{html.escape(printable(self.note))}</p>" if self.note else ""
        return f'<table class="emolab">\n{line("th", self.columns)}\n{body}\n</table>{note}'

    def __str__(self) -> str:
        if not self.rows:
            return "(no rows)"
        grid = [self.columns, *self._cells()]
        widths = [max(_width(cell) for cell in column) for column in zip(*grid, strict=True)]
        lines = ["  ".join(_padded(c, w, k) for k, (c, w) in enumerate(zip(r, widths, strict=True))) for r in grid]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join([*(line.rstrip() for line in lines), *([printable(self.note)] if self.note else [])])

    __repr__ = __str__  # what Jupyter shows as text/plain


_ASIDE = ("table", "interval")  # keys of a row that are no column


def _checked(row: Mapping[str, Any]) -> dict[str, Any]:
    checked = {printable(str(key)): _plain(value) for key, value in row.items() if key not in _ASIDE}
    if not isinstance(checked.get("name"), str):
        raise ValueError(f"a table's row needs a 'name': {dict(row)!r}")
    intervals = row.get("interval") or {}
    if stray := set(intervals) - set(checked):
        raise ValueError(f"row {checked['name']!r}: interval of {sorted(stray)}, which the row does not have")
    checked["interval"] = {key: [_plain(low), _plain(high)] for key, (low, high) in intervals.items()}
    return checked


def _plain(value: Any) -> str | int | float | bool | None:
    if hasattr(value, "item"):
        value = value.item()  # a number of numpy or torch
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value) if math.isfinite(value) else None
    raise ValueError(f"a table holds text and numbers, not {type(value).__name__}: {value!r}")


def shown_interval(row: Mapping[str, Any], column: str) -> str:
    """The interval of a row's value, "[low, high]"; empty where it has none."""
    bounds = row["interval"].get(column)
    return f"[{shown_value(bounds[0])}, {shown_value(bounds[1])}]" if bounds else ""


def shown_value(value: Any) -> str:
    """A value of a row as tables show it."""
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else printable(str(value))


def printable(text: str) -> str:
    """The text on one line without control characters (names may come from files and models)."""
    return "".join(c if c.isprintable() else " " for c in text)


def _width(text: str) -> int:
    return sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def _padded(text: str, width: int, column: int) -> str:
    space = " " * (width - _width(text))
    return text + space if column == 0 else space + text
