"""Quantities that are not known exactly: lowest, best and highest guess, and how they are told."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_TIMES = ((172_800, 86_400, "days"), (5_400, 3_600, "h"), (100, 60, "min"), (0, 1, "s"))
_SIZES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (0, "B"))


@dataclass(frozen=True)
class Span:
    """A quantity between `low` and `high`, most likely `best`."""

    low: float = 0.0
    best: float = 0.0
    high: float = 0.0

    @classmethod
    def of(cls, value: float) -> Span:
        """A quantity that is known."""
        return cls(value, value, value)

    def __add__(self, other: Span) -> Span:
        return Span(self.low + other.low, self.best + other.best, self.high + other.high)

    def __mul__(self, other: Span | float) -> Span:
        other = other if isinstance(other, Span) else Span.of(other)
        return Span(self.low * other.low, self.best * other.best, self.high * other.high)

    __rmul__ = __mul__

    def over(self, rate: Span) -> Span:
        """Divided by a rate: the highest rate gives the lowest quotient."""
        return Span(self.low / rate.high, self.best / rate.best, self.high / rate.low)


NOTHING = Span()


def total(spans: Iterable[Span]) -> Span:
    """Their sum."""
    return sum(spans, NOTHING)


def largest(spans: Iterable[Span]) -> Span:
    """The largest lowest, best and highest guess."""
    spans = [NOTHING, *spans]
    return Span(max(s.low for s in spans), max(s.best for s in spans), max(s.high for s in spans))


def shown_time(seconds: Span) -> str:
    """`about 3 h (2 to 5 h)`; empty for no time at all."""
    unit, name = next((unit, name) for start, unit, name in _TIMES if seconds.best >= start)
    return _shown(Span(seconds.low / unit, seconds.best / unit, seconds.high / unit), name)


def shown_size(size: Span) -> str:
    """`about 140 GB (120 to 160 GB)`; empty for nothing."""
    unit, name = next((unit, name) for unit, name in _SIZES if size.best >= unit)
    unit = unit or 1
    return _shown(Span(size.low / unit, size.best / unit, size.high / unit), name)


def sized(size: float) -> str:
    """A size with three digits: `85.9 GB`."""
    unit, name = next((unit, name) for unit, name in _SIZES if size >= unit)
    return f"{rounded(size / (unit or 1), 3)} {name}"


def _shown(span: Span, unit: str) -> str:
    if not span.high:
        return ""
    low, best, high = (rounded(value) for value in (span.low, span.best, span.high))
    return f"about {best} {unit}" + ("" if low == high else f" ({low} to {high} {unit})")


def rounded(value: float, digits: int = 2) -> str:
    """Two digits are all that an estimate has."""
    if not value:
        return "0"
    behind = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, behind):,.{min(max(0, behind), 2)}f}"
