"""What the benchmarks share: rows of results, sides timed in turns, one form of command line, one table."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from statistics import median

OUTPUTS = Path(__file__).parents[2] / "outputs" / "bench"
OK, SKIPPED, FAILED = "ok", "skipped", "failed"
UNITS = {  # seconds and count -> what is told; more is better where it is a rate
    "s": lambda seconds, count: seconds / count,
    "ms": lambda seconds, count: 1000 * seconds / count,
}


@dataclass(frozen=True)
class Result:
    """One row: what emolab needed (`value`, a median), what the named alternative needed in the same run (`other`), and
    how many times as fast emolab was (`ratio`, the median of the rounds', with the lowest and the highest).

    `n` says how much was done, `peak_mib` what memory it took at most, where that was measured. A row that was skipped
    or failed says why in `note`.
    """

    stage: str
    what: str
    value: float | None = None
    unit: str = ""
    against: str | None = None
    other: float | None = None
    ratio: float | None = None
    lowest: float | None = None
    highest: float | None = None
    n: str = ""
    peak_mib: float | None = None
    note: str = ""
    status: str = OK

    def __str__(self) -> str:
        if self.status != OK:
            return f"{self.what}: {self.status}. {self.note}"
        said = [f"{self.what}: {_amount(self.value, self.unit)}"]
        if self.against:
            said.append(f"{self.against} {_amount(self.other, self.unit)}, {self.times}")
        said += [f"{self.peak_mib:,.0f} MiB at most"] if self.peak_mib else []
        return "; ".join([*said, *filter(None, (self.n, self.note))])

    @property
    def times(self) -> str:
        """The ratio as the table has it."""
        if self.ratio is None:
            return ""
        spread = "" if self.lowest == self.highest else f" ({_short(self.lowest)}–{_short(self.highest)})"
        return f"× {_short(self.ratio)}{spread}"


class Report:
    """The rows of one benchmark: printed as they come, and added to `--rows`, where that is given."""

    def __init__(self, stage: str, options: argparse.Namespace):
        self.stage, self._path = stage, options.rows
        print(f"\n{stage}", flush=True)

    def add(self, what: str, value: float | None = None, unit: str = "s", **more) -> None:
        """One row; `more` are columns of `Result`."""
        result = Result(self.stage, what, value, unit, **more)
        print(f"  {result}", flush=True)
        if self._path:
            append([result], self._path)

    def compare(
        self, what: str, seconds: Mapping[str, Sequence[float]], unit: str = "s", count: float = 1, **more
    ) -> None:
        """A row for each alternative; the first side of `seconds` (side -> those of its rounds) is emolab's.

        `unit`: s, ms (of one of `count`), or a rate such as clips/s.
        """
        (_, ours), *others = seconds.items()
        value = _told(median(ours), unit, count)
        for name, theirs in others:
            ratios = [their / our for our, their in zip(ours, theirs, strict=True)]
            spread = {"ratio": median(ratios), "lowest": min(ratios), "highest": max(ratios)}
            self.add(what, value, unit, against=name, other=_told(median(theirs), unit, count), **spread, **more)

    def skip(self, what: str, why: str) -> None:
        """A row that says what could not be measured here."""
        self.add(what, note=why, status=SKIPPED)


def turns(sides: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of every side in every round, in turns (A B A B), so that a busy machine hurts all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, work in sides.items():
            seconds[name].append(timed(work)[0])
    return seconds


def timed(work: Callable, *arguments: object) -> tuple[float, object]:
    """Seconds, and what `work` returns."""
    begin = time.perf_counter()
    result = work(*arguments)
    return time.perf_counter() - begin, result


def peak_mib() -> float:
    """Most memory this process had so far. Not `ru_maxrss`: that counts what the parent had when it started this."""
    try:
        status = Path("/proc/self/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 2**10
    except OSError:  # no Linux
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2 ** (20 if sys.platform == "darwin" else 10)


def own_process(file: str, *words: object) -> dict:
    """What `file` prints in its last line, as JSON, when it runs in a process of its own with these words."""
    command = [sys.executable, file, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[1:])}: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def parser(about: str | None, example: str) -> argparse.ArgumentParser:
    """The command line of a benchmark: what all have, and an example."""
    made = argparse.ArgumentParser(
        description=about, epilog=f"example: {example}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--rows", type=Path, help="JSON lines file to which the results are added")
    made.add_argument("--quick", action="store_true", help="the smallest sizes: only to see that it runs")
    return made


def parse(made: argparse.ArgumentParser, words: Sequence[str] | None = None, **quick: object) -> argparse.Namespace:
    """The options; with --quick, `quick` are the defaults."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    if made.parse_args(words).quick:
        made.set_defaults(**quick)
    return made.parse_args(words)


# --- files and the table


def append(results: Iterable[Result], path: Path) -> None:
    """Add rows to a JSON lines file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(result), ensure_ascii=False) + "\n" for result in results)


def read(path: Path) -> list[Result]:
    """The rows of a JSON lines file; none where there is no file."""
    return [Result(**json.loads(line)) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def machine() -> str:
    """Processor, cores, memory, GPU, date, versions and commit, in two lines."""
    import psutil
    import torch

    from emolab.workbench.provenance import git_state, versions

    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text().splitlines() if cpus.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    memory, load = psutil.virtual_memory().total / 2**30, psutil.getloadavg()[0]
    git, found = git_state(), versions()
    commit = f"{git['commit'][:10]}{' with changes' * git['changed']}" if git else "unknown"
    wanted = ("emolab", "python", "torch", "transformers", "ms-swift", "ray", "av", "numpy")
    return (
        f"{names[0] if names else platform.processor()}, {psutil.cpu_count()} cores, {memory:.0f} GiB, {gpu}, "
        f"{torch.get_num_threads()} threads; "
        f"{date.today()}, load {load:.1f} before the start\n"
        f"{', '.join(f'{name} {found[name]}' for name in wanted if name in found)}; commit {commit}"
    )


def table(results: Sequence[Result], head: str) -> str:
    """All rows as one Markdown table below `head`."""
    lines = [f"{head.replace(chr(10), '  ' + chr(10))}\n"]
    lines += [
        "× : how many times as fast emolab is as the alternative, in the same run, taking turns; the median of the",
        "rounds, and in brackets the lowest and the highest.\n",
        "| stage | what | emolab | alternative | ratio | sizes | peak MiB | note |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in results:
        other = f"{row.against}: {_amount(row.other, row.unit)}" if row.against else ""
        ours = row.status if row.status != OK else _amount(row.value, row.unit)
        peak = f"{row.peak_mib:,.0f}" if row.peak_mib else ""
        cells = [row.stage, row.what, ours, other, row.times, row.n, peak, row.note]
        lines.append(f"| {' | '.join(' '.join(cell.replace('|', '/').split()) for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _told(seconds: float, unit: str, count: float) -> float:
    return UNITS[unit](seconds, count) if unit in UNITS else count / seconds


def _amount(value: float | None, unit: str) -> str:
    return "" if value is None else f"{_short(value)} {unit}".strip()


def _short(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
