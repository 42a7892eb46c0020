"""The fusion playground where no widget runs: curves, numbers and examples as HTML that loads nothing, and as text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from emolab.errors import InputError
from emolab.inspect.playground_bench import MEASURES, Bench

SETTINGS = 9  # of each strategy, at most
EXAMPLES = 12
_SIDE, _LEFT, _TOP = 360, 44, 10  # pixels of the plane and of its margins
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "1 4")
_SHAPES = (  # of 10 pixels
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z", "M-4 -4h8v8h-8z", "M0 -5L5 0L0 5L-5 0z", "M0 -5L5 4H-5z", "M0 5L5 -4H-5z",
)  # fmt: skip
_TABLE = "border-collapse:collapse;font-variant-numeric:tabular-nums;margin:12px 0"
_CHIP = "display:inline-block;border:1px solid {};border-radius:10px;padding:0 8px;margin:1px 4px 1px 0"
_TONES = {"✓": "#3d9a55", "−": "#8a8a8a", "+": "#d6459a"}  # seen on light and dark


class Step(NamedTuple):
    """One setting of a strategy: what it gives, or why it gives nothing."""

    strategy: str
    setting: str
    scores: Mapping[str, float] | None
    problem: str = ""


def iso_f(level: float, points: int = 33) -> list[list[float]]:
    """Points [precision, recall] in % where F is `level` %: the hyperbola (2P - F)(2R - F) = F², up to 100 %."""
    far = math.log((200 - level) / level)
    bends = [level * math.exp(far * (2 * n / (points - 1) - 1)) for n in range(points)]
    return [[round((level + bend) / 2, 3), round((level + level**2 / bend) / 2, 3)] for bend in bends]


class PlaygroundPage:
    """The plane with each strategy's curve over its setting (all members), the same numbers as a table, and example
    clips under the first strategy; `_repr_mimebundle_` gives text/html (all text escaped) and text/plain."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        steps = [step for name in self.bench.strategies for step in self._steps(name)]
        title, examples = self._examples()
        members = f"{len(self.bench.panel.members)} members: {', '.join(self.bench.panel.names)}"
        heading = f"Fusion playground, {self.bench.corpus}, n = {len(self.bench.clip_ids)} clips, {members}."
        points = [f"{number}  {point['name']}" for number, point in enumerate(self.bench.points, 1)]
        html = [
            f'<p style="overflow-wrap:anywhere">{escape(heading)}</p>',
            '<div style="display:flex;flex-wrap:wrap;gap:20px">',
            f"{_plane(steps, self.bench.points)}{self._legend()}</div>",
            _table(steps),
            f"<p>{escape(title)}</p>",
            *(
                f'<div style="overflow-wrap:anywhere"><b>{escape(clip)}</b> {_chips(own)}</div>'
                for clip, own in examples
            ),
        ]
        lines = [f"{clip}: {'  '.join(_words(chip) for chip in chips)}" for clip, chips in examples]
        return {"text/html": "\n".join(html), "text/plain": "\n".join([heading, *_rows(steps), *points, title, *lines])}

    def _steps(self, name: str) -> list[Step]:
        strategy, steps = self.bench.strategies[name], []
        for value in strategy.knob.spread(SETTINGS) if strategy.knob else [None]:
            try:
                scores = self.bench.fused(self.bench.panel.names, name, value).scores
                steps.append(Step(name, strategy.setting(value), scores))
            except InputError as error:
                if not steps or steps[-1].problem != str(error):  # the same one is said once
                    steps.append(Step(name, strategy.setting(value), None, str(error)))
        return steps

    def _examples(self) -> tuple[str, list[tuple[str, list[dict]]]]:
        name, strategy = next(iter(self.bench.strategies.items()))
        value = strategy.knob and strategy.knob.start
        try:
            labels = self.bench.fused(self.bench.panel.names, name, value).labels
        except InputError as error:
            return f"No examples of {name}: {error}", []
        clips = self.bench.find(labels, "")
        count = min(EXAMPLES, len(clips))
        chosen = [clips[round(n * (len(clips) - 1) / max(1, count - 1))] for n in range(count)]
        title = f"{count} of {len(clips)} clips, evenly drawn, under {name} ({strategy.setting(value)})"
        signs = "✓ matched, − missed, + spurious; the number says how many members say it."
        return f"{title}: {signs}", [(clip, self.bench.chips(clip, labels, self.bench.panel.names)) for clip in chosen]

    def _legend(self) -> str:
        entries = [
            f'<li><svg width="34" height="12" fill="currentColor">{_line([(0, 6), (34, 6)], number)}'
            f"{_mark(17, 6, number)}</svg> <b>{escape(strategy.name)}</b>: {escape(strategy.about)}</li>"
            for number, strategy in enumerate(self.bench.strategies.values())
        ]
        entries += [
            f"<li>□ {number} {escape(str(row['name']))}</li>" for number, row in enumerate(self.bench.points, 1)
        ]
        style = "list-style:none;flex:1 1 220px;margin:0;padding:0;overflow-wrap:anywhere"
        return f'<ul style="{style}">{"".join(entries)}<li>dotted: equal F</li></ul>'


def _plane(steps: Sequence[Step], points: Sequence[Mapping]) -> str:
    scored = [(step, _percents(step.scores)) for step in steps if step.scores]
    fixed = [_percents(point) for point in points]
    values = [value for pair in (*(pair for _, pair in scored), *fixed) for value in pair] or [0, 100]
    low, high = max(0, math.floor(min(values) / 10 - 0.3) * 10), min(100, math.ceil(max(values) / 10 + 0.3) * 10)

    def place(pair: tuple[float, float]) -> tuple[float, float]:
        x, y = ((value - low) / (high - low) * _SIDE for value in pair)
        return round(_LEFT + x, 1), round(_TOP + _SIDE - y, 1)

    drawn = [_axes(low, high)]
    for number, name in enumerate(dict.fromkeys(step.strategy for step in steps)):
        own = [(place(pair), step.setting) for step, pair in scored if step.strategy == name]
        drawn.append(_line([at for at, _ in own], number))
        drawn += [_mark(*at, number, f"{name}, {setting}") for at, setting in own]
    for number, (pair, point) in enumerate(zip(fixed, points, strict=True), 1):
        x, y = place(pair)
        title = f"<title>{escape(str(point['name']))}</title>"
        drawn.append(
            f'<rect x="{x - 3}" y="{y - 3}" width="6" height="6" fill="none" stroke="currentColor">{title}</rect>'
        )
        drawn.append(f'<text x="{x + 5}" y="{y - 3}" font-size="9">{number}</text>')
    width, height = _LEFT + _SIDE + 40, _TOP + _SIDE + 40
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" style="max-width:100%;flex:0 1 auto" fill="currentColor" '
        f'font-family="sans-serif" role="img" aria-label="recall against precision">{"".join(drawn)}</svg>'
    )


def _percents(scores: Mapping) -> tuple[float, float]:
    return 100 * scores["precision"], 100 * scores["recall"]


def _axes(low: int, high: int) -> str:
    span, bottom, right = high - low, _TOP + _SIDE, _LEFT + _SIDE
    parts = [f'<rect x="{_LEFT}" y="{_TOP}" width="{_SIDE}" height="{_SIDE}" fill="none" stroke="currentColor"/>']
    for value in range(low, high + 1, 10):
        way = (value - low) / span * _SIDE
        parts.append(
            f'<text x="{_LEFT + way:.1f}" y="{bottom + 14}" font-size="10" text-anchor="middle">{value}</text>'
        )
        parts.append(
            f'<text x="{_LEFT - 5}" y="{bottom - way + 3:.1f}" font-size="10" text-anchor="end">{value}</text>'
        )
    parts.append(
        f'<text x="{_LEFT + _SIDE / 2}" y="{bottom + 32}" font-size="11" text-anchor="middle">precision (%)</text>'
    )
    middle = _TOP + _SIDE / 2
    turn = f'transform="rotate(-90 12 {middle})" font-size="11" text-anchor="middle"'
    parts.append(f'<text x="12" y="{middle}" {turn}>recall (%)</text>')
    lines = []
    for level in range(10, 100, 10 if span > 50 else 5):
        points = " ".join(f"{p},{-r}" for p, r in iso_f(level))
        lines.append(f'<polyline points="{points}" vector-effect="non-scaling-stroke"/>')
        edge = level * high / (2 * high - level)  # where it leaves at the right, or else its middle
        if low < level < high:
            way = ((edge if edge > low else level) - low) / span * _SIDE
            x = right + 5 if edge > low else _LEFT + way
            parts.append(f'<text x="{x:.1f}" y="{bottom - way + 3:.1f}" font-size="9" opacity=".7">F {level}</text>')
    window = f'x="{_LEFT}" y="{_TOP}" width="{_SIDE}" height="{_SIDE}" viewBox="{low} {-high} {span} {span}"'
    faint = 'fill="none" stroke="currentColor" stroke-dasharray="1 3" opacity=".6"'
    return f'{"".join(parts)}<svg {window} preserveAspectRatio="none"><g {faint}>{"".join(lines)}</g></svg>'


def _line(points: Iterable[tuple[float, float]], number: int) -> str:
    places = " ".join(f"{x},{y}" for x, y in points)
    dash = _DASHES[number % len(_DASHES)]
    return (
        f'<polyline points="{places}" fill="none" stroke="currentColor" stroke-width="1.4" stroke-dasharray="{dash}"/>'
    )


def _mark(x: float, y: float, number: int, title: str = "") -> str:
    shape = _SHAPES[number % len(_SHAPES)]
    said = f"<title>{escape(title)}</title>" if title else ""
    return f'<path transform="translate({x} {y})" d="{shape}">{said}</path>'


def _numbers(step: Step) -> list[str]:
    return [f"{step.scores[m]:.2f}" if m == "labels_per_clip" else f"{100 * step.scores[m]:.1f}" for m in MEASURES]


def _head() -> list[str]:
    return [
        "strategy",
        "setting",
        *(f"{said} (%)" if m != "labels_per_clip" else said for m, said in MEASURES.items()),
        "n",
    ]


def _table(steps: Sequence[Step]) -> str:
    lines = ["".join(f'<th style="padding:1px 8px;text-align:left">{each}</th>' for each in _head())]
    for step in steps:
        named = f'<td style="padding:1px 8px;text-align:left">{escape(step.strategy)}</td>'
        named += f'<td style="padding:1px 8px;text-align:left">{escape(step.setting)}</td>'
        if step.scores:
            cells = [*_numbers(step), str(step.scores["n"])]
            numbers = "".join(f'<td style="padding:1px 8px;text-align:right">{cell}</td>' for cell in cells)
        else:
            numbers = f'<td colspan="6" style="padding:1px 8px;text-align:left">{escape(step.problem)}</td>'
        lines.append(named + numbers)
    return f'<table style="{_TABLE}">{"".join(f"<tr>{line}</tr>" for line in lines)}</table>'


def _rows(steps: Sequence[Step]) -> list[str]:
    lines = [_head()]
    for step in steps:
        numbers = [*_numbers(step), str(step.scores["n"])] if step.scores else [step.problem]
        lines.append([step.strategy, step.setting, *numbers])
    widths = [max(len(line[column]) for line in lines if len(line) == 8) for column in range(8)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=False)).rstrip() for line in lines]


def _words(chip: Mapping) -> str:
    return f"{chip['sign']} {chip['label']} ({len(chip['said'])})"


def _chips(chips: Sequence[Mapping]) -> str:
    parts = []
    for chip in chips:
        said = escape(f"said by {', '.join(chip['said']) or 'none'}")
        parts.append(f'<span style="{_CHIP.format(_TONES[chip["sign"]])}" title="{said}">{escape(_words(chip))}</span>')
    return "".join(parts)
