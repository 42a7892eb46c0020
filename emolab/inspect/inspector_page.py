"""The inspector without a kernel: one page that filters by itself, and the examples that a notebook keeps."""

from __future__ import annotations

import json
import math
import os
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

from tqdm import tqdm

from emolab.errors import InputError
from emolab.inspect.inspection import ANSWERED, FAILED, NOT_ASKED, Inspection
from emolab.inspect.media import Look, Media
from emolab.inspect.sources import PAGE, script, style

EXAMPLES = 8
_LABEL = 120  # characters of a label in the examples
_SIDE = 112  # pixels, at most, of a frame
_STYLE = """body { margin: 0; }
@media (prefers-color-scheme: dark) { body { background: #15181c; } }
.emolab-inspector { height: 100vh; border: 0; border-radius: 0; resize: none; }
noscript { display: block; padding: 12px; font: 14px/1.5 system-ui, sans-serif; }
"""
_CHIP = "display:inline-block;border:1px {} {};border-radius:10px;padding:0 8px;margin:1px 4px 1px 0"
_NOTHING = {NOT_ASKED: "not asked", ANSWERED: "said nothing", FAILED: "⚠ error"}
_TONES = {"✓": ("solid", "#3d9a55"), "−": ("dashed", "#8a8a8a"), "+": ("solid", "#d6459a"), "·": ("solid", "#8a8a8a")}


def write_page(
    inspection: Inspection,
    path: str | Path,
    media: Media | None = None,
    *,
    most: int = 2000,
    pictures: int = 200,
    title: str = "",
) -> Path:
    """Write one HTML file that shows and filters the `most` worst clips (by mean F) without a kernel or a network.

    It holds their answers in full, and of the worst `pictures` with a video, through `media`, a thumbnail and the
    frames that models saw. Returns the path. InputError where it cannot be written, and for numbers below 1.
    """
    if most < 1 or pictures < 0:
        raise InputError(f"most is {most} and pictures {pictures}; a page takes at least one clip and no less than 0.")
    worst = inspection.worst()[:most]
    positions = sorted(worst.tolist())  # as in the file; the page sorts them itself
    filmed = [position for position in worst.tolist() if inspection.clips[position].video]
    shown = set(filmed[:pictures]) if media else set()
    illustrated = [(place, position) for place, position in enumerate(positions) if position in shown]
    bar = tqdm(illustrated, "pictures of the page", unit="clip", delay=2, leave=False)
    taken = {place: _pictures(inspection, position, media) for place, position in bar}
    looks = media.looks if taken else ()
    parts = [_index(inspection, positions, looks, sum(bool(each["thumb"]) for each in taken.values()), title)]
    parts.append(_data("ei-texts", _base64(inspection.texts(positions))))
    parts += [_data(f"ei-clip-{place}", _clip(inspection, position)) for place, position in enumerate(positions)]
    parts += [_data(f"ei-pictures-{place}", each) for place, each in taken.items()]
    return _write(Path(path), _document(title or f"Inspector · {inspection.corpus}", parts))


def _index(inspection: Inspection, positions: Sequence[int], looks: Sequence[Look], pictures: int, title: str) -> str:
    """`pictures`: how many clips have some; a file without any still says why in its place."""
    about, buffers = inspection.index(positions)
    held = "all clips" if len(positions) == len(inspection) else f"the worst of {len(inspection):,} clips"
    note = f"{held}, {pictures:,} of them with pictures" if pictures else f"{held}, without pictures"
    more = {"kind": "index", "fixed": True, "writable": False, "author": "", "live": None, "sort": "worst"}
    more |= {"against": "corpus", "annotations": {}, "keep": None, "note": f"this page: {note}"} | (
        {"corpus": title} if title else {}
    )
    more |= {"looks": [{"name": look.name} for look in looks]}
    return _data("ei-index", {"index": about | more, "buffers": [_base64(buffer) for buffer in buffers]})


def _clip(inspection: Inspection, position: int) -> dict[str, Any]:
    return inspection.detail(position) | {"annotation": None, "history": []}


def _pictures(inspection: Inspection, position: int, media: Media) -> dict[str, Any]:
    clip, frames = inspection.clips[position], []
    for look in range(len(media.looks)):
        about, images = media.frames(clip, look, side=_SIDE)
        frames.append({"about": about, "pictures": [_base64(image) for image in images]})
    return {"thumb": _base64(media.thumb(clip)), "frames": frames}


def _data(name: str, value: Any) -> str:
    """Data that a script reads and nothing runs; no sign in it can end its element."""
    text = json.dumps(_finite(value), separators=(",", ":"))  # ASCII, so that no line separator is left
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return f'<script type="application/json" id="{name}">{text}</script>'


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _base64(data: bytes) -> str:
    return b64encode(data).decode()


def _document(title: str, parts: Iterable[str]) -> str:
    source = f"\n{script(PAGE)}\n"
    code = _base64(sha256(source.encode()).digest())
    policy = f"default-src 'none'; script-src 'sha256-{code}'; style-src 'unsafe-inline'; img-src data: blob:"
    lines = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}; base-uri 'none'; form-action 'none'\">",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        f"<style>{style()}{_STYLE}</style></head><body>",
        f"<main></main><noscript>{escape(title)}: this page needs scripts to show its clips. "
        "In JupyterLab's viewer press Trust HTML above.</noscript>",
        *parts,
        f'<script type="module">{source}</script></body></html>',
    ]
    return "\n".join(lines)


def _write(path: Path, text: str) -> Path:
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text, encoding="utf-8", errors="replace")
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot be written ({error.strerror}); check the folder.") from error
    return path


class InspectorExamples:
    """The worst clips of an inspection where no widget runs, as HTML without scripts and as text; `link` is the address
    of the page that shows all."""

    def __init__(self, inspection: Inspection, media: Media, link: str | None = None) -> None:
        self.inspection, self.media, self.link = inspection, media, link

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        worst = [int(position) for position in self.inspection.worst()[:EXAMPLES]]
        heading = self._heading(len(worst))
        html = [f'<p style="overflow-wrap:anywhere">{escape(heading)}{self._linked()}</p>']
        html.append(f'<div style="display:grid;gap:10px">{"".join(map(self._card, worst))}</div>')
        lines = [line for position in worst for line in ("", *self._lines(position))]
        return {"text/html": "\n".join(html), "text/plain": "\n".join([heading, *lines])}

    def _heading(self, shown: int) -> str:
        clips, models = len(self.inspection), self.inspection.models
        counts = f"n = {clips:,} clips, {len(models)} models ({', '.join(map(_short, models))})"
        signs = "✓ matched, − missed, + spurious"
        return f"Inspector, {self.inspection.corpus}: {counts}. The {shown} clips with the lowest mean F: {signs}."

    def _linked(self) -> str:
        address = escape(self.link or "", quote=True)
        return f' <a href="{address}">All clips on a page that filters</a>' if self.link else ""

    def _card(self, position: int) -> str:
        clip = self.inspection.clips[position]
        picture = self.media.thumb(clip)
        image = f'<img src="data:image/jpeg;base64,{_base64(picture)}" alt="" style="width:120px;border-radius:4px">'
        rows = [f"<div>{escape(name)}: {chips or said}</div>" for name, chips, said in self._models(position, _chip)]
        return (
            '<div style="display:grid;grid-template-columns:120px minmax(0,1fr);gap:12px;text-align:left;'
            'overflow-wrap:anywhere;border-top:1px solid rgba(127,127,127,.4);padding-top:8px">'
            f"<div>{image if picture else ''}</div><div><b>{escape(clip.clip_id)}</b> · {escape(self._truth(position))}"
            f"{''.join(rows)}</div></div>"
        )

    def _models(self, position: int, shown: Callable[[str, str], str]) -> Iterator[tuple[str, str, str]]:
        """Of each model its name, its chips, and what to say where it has none."""
        for number, entry in enumerate(self.inspection.detail(position)["models"]):
            chips = " ".join(shown(sign, _short(label)) for sign, label in self.inspection.chips(position, number))
            yield _short(entry["name"]), chips, _NOTHING[entry["status"]]

    def _truth(self, position: int) -> str:
        truth = self.inspection.truth(position)
        return "no true labels" if truth is None else f"truth: {', '.join(map(_short, truth)) or '(no label)'}"

    def _lines(self, position: int) -> list[str]:
        lines = [f"{self.inspection.clips[position].clip_id} · {self._truth(position)}"]
        said = self._models(position, lambda sign, label: f"{sign} {label}")
        return lines + [f"  {name}: {chips or nothing}" for name, chips, nothing in said]


def _chip(sign: str, label: str) -> str:
    return f'<span style="{_CHIP.format(*_TONES[sign])}">{sign} {escape(label)}</span>'


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LABEL else f"{text[:_LABEL]}…"
