"""The estimate of a run as the doctor prints it."""

from __future__ import annotations

from emolab.workbench.preflight.needs import FETCHED, Estimate, Need
from emolab.workbench.preflight.numbers import largest, rounded, shown_size, shown_time, total

_COLUMNS = ("notebook", "clips", "time", "disk", "GPU memory", "memory", "known from")


def as_text(found: Estimate, price: tuple[float, float] | None = None) -> str:
    """The table with its total, what it rests on, and what takes longest. `price`: per million tokens in and out."""
    rows = [_COLUMNS, *(_row(need) for need in found.needs), _total(found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    lines += ["", _about(found)]
    for need in found.needs:
        lines += [f"{need.notebook}: {note}." for note in need.notes]
        lines += [f"{need.notebook}: {_piece(work)}" for work in _largest_pieces(need)]
    if asked := [work for need in found.needs for work in need.work if work.requests.best]:
        lines += [f"Endpoint, {work.what}: {_requests(work, price)}" for work in asked]
    return "\n".join(lines)


def _row(need: Need) -> tuple[str, ...]:
    clips = f"{need.clips:,}" if need.clips else ""
    basis = "" if need.notebook == FETCHED or not need.seconds.best else need.basis
    if basis and any("measured" in work.cost.basis for work in need.work) and need.measured is None:
        basis = "estimated, partly measured"
    if any("not known" in work.cost.basis for work in need.work):
        basis += ", a part not known"
    sizes = (shown_size(need.disk), shown_size(need.gpu), shown_size(need.memory))
    return (need.notebook, clips, _cell(shown_time(need.seconds)), *map(_cell, sizes), basis)


def _total(found: Estimate) -> tuple[str, ...]:
    seconds, disk = total(n.seconds for n in found.needs), total(n.disk for n in found.needs)
    gpu, memory = largest(n.gpu for n in found.needs), largest(n.memory for n in found.needs)
    return ("in all", "", _cell(shown_time(seconds)), *(_cell(shown_size(size)) for size in (disk, gpu, memory)), "")


def _cell(shown: str) -> str:
    return shown.removeprefix("about ") or "–"


def _about(found: Estimate) -> str:
    counts, machine = found.counts, found.machine
    gpus = f"{len(machine.gpus)} × {machine.gpus[0].name}" if machine.gpus else f"no GPU, {machine.cores} cores"
    if machine.gpus and machine.gpus[0].guessed:
        gpus += " (not in emolab's table: reckoned as a small one)"
    there = ["planned for, not this machine"] if machine.elsewhere else ["free disk not known"]
    if machine.disk is not None:
        there = [f"{machine.disk / 1e9:.0f} GB of disk free"]
    if machine.memory is not None:
        there.append(f"{machine.memory / 1e9:.0f} GB of memory")
    kinds = {"labels": counts.labelled, "one of six emotions": counts.six, "nothing": counts.unlabelled}
    held = ", ".join(f"{n:,} with {what}" for what, n in kinds.items() if n)
    return (
        f"Machine: {gpus} ({', '.join(there)}).\n"
        f"Data: {counts.clips:,} clips {counts.whose} ({held or 'none labelled'}).\n"
        f"Clips: {found.sample.said}.\n"
        "In brackets from the lowest to the highest guess; GPU memory is of each GPU."
    )


def _largest_pieces(need: Need) -> list:
    """Those that take a quarter or more of a notebook's hours, gigabytes of disk, and what is not known."""
    long = max(0.25 * need.estimated.best, 900)
    large = [w for w in need.work if w.cost.seconds.best > long or w.disk.best > 5e9]
    return [w for w in need.work if "not known" in w.cost.basis or w in large]


def _piece(work) -> str:
    parts = [f"{work.n:,.0f} {work.what}" if work.n > 1 else work.what]
    parts += [shown_time(work.cost.seconds)] if work.cost.seconds.best else []
    parts += [f"{shown_size(work.disk)} on disk"] if work.disk.best > 5e9 else []
    parts += [work.cost.basis] if work.cost.seconds.best or "not known" in work.cost.basis else []
    return ", ".join(parts)


def _requests(work, price: tuple[float, float] | None) -> str:
    said = f"{work.requests.best:,.0f} requests, about {rounded(work.tokens_in.best / 1e6)} million tokens in, "
    said += f"{rounded(work.tokens_out.best / 1e6)} million out"
    if price is None:
        return f"{said} (--price IN OUT, per million tokens, tells the cost)"
    cost = work.tokens_in * (price[0] / 1e6) + work.tokens_out * (price[1] / 1e6)
    return f"{said}; about {rounded(cost.best)} ({rounded(cost.low)} to {rounded(cost.high)}) in the price's currency"
