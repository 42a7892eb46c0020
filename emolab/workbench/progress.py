"""How far a run is, and each notebook that runs: on a terminal one line that stays in place, else lines of news."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TextIO

from emolab.workbench.tables import printable


class Board:
    """All notebooks of a run. `expect` tells it the seconds that each is estimated to take; by how much those were
    wrong of the notebooks that have ended corrects them for the others. `jobs`: how many run side by side."""

    def __init__(self, names: Sequence[str], jobs: int = 1) -> None:
        self._names, self._jobs = list(names), jobs
        self._expected: dict[str, float] = {}
        self._ended: dict[str, float] = {}  # seconds taken
        self._lanes: dict[str, Lane] = {}
        self._printed, self._held = 0.0, threading.Lock()
        self._in_place = sys.stderr.isatty()

    def expect(self, seconds: Mapping[str, float]) -> None:
        """Seconds that notebooks are estimated to take; those that are not named have nothing to do."""
        self._expected = dict(seconds)

    def begin(self, name: str) -> Lane:
        """A notebook starts: what it does is told to the lane that comes back."""
        with self._held:
            self._lanes[name] = Lane(name, self)
            return self._lanes[name]

    def end(self, name: str) -> None:
        """It has ended, well or not, or had nothing to do."""
        with self._held:
            lane = self._lanes.pop(name, None)
            self._ended[name] = lane.seconds if lane else 0.0
            self._clear()

    def where(self) -> str:
        """Such as `[2 of 8 done, about 6 min left]`; without the time where nothing was estimated."""
        told = f"{len(self._ended)} of {len(self._names)} done"
        left = self._left()
        return f"[{told}]" if left is None else f"[{told}, about {duration(left)} left]"

    def _left(self) -> float | None:
        if not set(self._lanes) <= self._expected.keys():
            return None
        estimated = sum(self._expected.get(name, 0.0) for name in self._ended)
        taken = sum(seconds for name, seconds in self._ended.items() if name in self._expected)
        pace = taken / estimated if estimated else 1.0
        rest = {name: pace * self._expected.get(name, 0.0) for name in self._names if name not in self._ended}
        rest |= {name: max(0.0, rest[name] - lane.seconds) for name, lane in self._lanes.items()}
        return max(sum(rest.values()) / self._jobs, *rest.values())

    def show(self, lane: Lane) -> None:
        """Print what there is to tell, if it is time to."""
        with self._held:
            moment = time.monotonic()
            if self._in_place:
                if moment - self._printed >= 0.2:
                    self._printed = moment
                    width = shutil.get_terminal_size().columns - 1
                    room = (width - len(self.where())) // max(1, len(self._lanes)) - 3
                    lines = " | ".join(each.told(short=len(self._lanes) > 1)[:room] for each in self._lanes.values())
                    print(f"\r\x1b[2K{f'{self.where()} {lines}'[:width]}", end="", file=sys.stderr, flush=True)
            elif moment - lane.printed >= (5 if lane.news else 60):
                lane.printed, lane.news = moment, False
                print(f"{self.where()} {lane.told()}", file=sys.stderr, flush=True)

    def say(self, text: str, stream: TextIO | None = None) -> None:
        """Print lines that stay, above the one that tells how far it is."""
        with self._held:
            self._clear()
            print("\n".join(map(printable, text.split("\n"))), file=stream or sys.stdout, flush=True)

    def _clear(self) -> None:
        """Clear the line that stays in place."""
        if self._in_place:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)


class Lane:
    """One notebook that runs."""

    def __init__(self, name: str, board: Board) -> None:
        self._name, self._board, self._cell, self._cells, self._text = name, board, 0, 0, ""
        self._began = self.printed = time.monotonic()
        self.news = False

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    def cell(self, index: int, cells: int) -> None:
        """Cell `index` (from 0) of `cells` has started."""
        self._cell, self._cells, self._text, self.news = index + 1, cells, "", True
        self.show()

    def text(self, text: str) -> None:
        """A piece of what the cell wrote to stderr: its newest line (a progress bar, mostly) is passed on."""
        lines = [line for line in text.replace("\r", "\n").split("\n") if line.strip()]
        if lines:
            self._text, self.news = printable(lines[-1]).strip(), True
        self.show()

    def show(self) -> None:
        """Let the board print, if it is time to."""
        self._board.show(self)

    def told(self, short: bool = False) -> str:
        """What it does, in a line; `short`: with its number for its name."""
        minutes, seconds = divmod(int(self.seconds), 60)
        where = f"cell {self._cell}/{self._cells}" if self._cells else "starting"
        name = self._name[:2] if short else self._name
        return f"{name}  {where}  {minutes}:{seconds:02d}" + (f"  {self._text}" if self._text else "")


def duration(seconds: float) -> str:
    """A time to be read at a glance: 40 s, 6 min, 3 h."""
    units = ((3600, "h"), (60, "min"))
    return next((f"{seconds / unit:.0f} {name}" for unit, name in units if seconds > 1.6 * unit), f"{seconds:.0f} s")
