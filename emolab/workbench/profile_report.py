"""`emolab report`: what the notebooks of a profile found, joined into one page that loads nothing."""

from __future__ import annotations

import base64
import json
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from emolab.errors import InputError
from emolab.workbench.files import write_text
from emolab.workbench.places import find_notebooks, outputs_folder
from emolab.workbench.preflight.needs import WITHOUT_MODELS
from emolab.workbench.profiles import flatten, load_profile
from emolab.workbench.provenance import read_run
from emolab.workbench.report import POLICY, STYLE
from emolab.workbench.report_sections import SECTIONS, Part, Section
from emolab.workbench.settings import Settings
from emolab.workbench.start_page import title_of, took
from emolab.workbench.tables import Table, printable, shown_interval, shown_value

_PICTURE = "notebooks/pictures/pipeline.svg"
_HEADINGS = {
    "name": "", "avg": "Avg", "level1_f": "level-1 F", "level2_f": "level-2 F", "labels_per_clip": "labels a clip",
    "p_level1_f": "p (level-1 F)", "p_avg": "p (Avg)", "by_seed": "over the seeds", "runs": "seeds",
    "preprocess": "what is seen", "weighted_f1": "weighted F1", "macro_f1": "macro F1",
}  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What a notebook left: its run.json, its tables (name -> rows), their notes, its figures (name -> in words)."""

    name: str
    folder: Path
    run: Mapping[str, Any]
    tables: Mapping[str, list[dict]]
    notes: Mapping[str, str]
    figures: Mapping[str, str]


def write_profile_report(profile: str, outputs: str | None = None, to: Path | None = None) -> Path:
    """Join the complete runs of a profile's notebooks into one page (default: report.html of the profile's folder).

    `profile`: its name (or file); `outputs`: the outputs folder, where it is not the profile's own. What has not run is
    named with the command that runs it. Raises InputError where nothing has run with the profile to its end.
    """
    settings = load_profile(profile, [f"outputs={outputs}"] if outputs else None)
    folder = outputs_folder(settings.outputs) / settings.profile
    found = {name: run for name in find_notebooks() if (run := _found(folder / name)) is not None}
    if not found:
        first = f"emolab run {'all' if settings.internvl.path else '07 08'} --profile {profile}"
        raise InputError(f"{folder}: no notebook of profile {settings.profile} has run to its end; first: {first}")
    report = to or folder / "report.html"
    page = _page(settings, profile, found, report.parent)
    try:
        write_text(report, page)
    except OSError as error:
        raise InputError(f"{report} cannot be written ({error.strerror}); give another --out FILE") from None
    return report


_MAPPINGS = ("settings", "source", "inputs", "outputs", "seeds", "versions", "git", "device")  # of run.json


def _found(folder: Path) -> Found | None:
    """What a complete run left; None where there is none, or its files are not as a run writes them."""
    run = read_run(folder)
    if run is None or run.get("notebook") != folder.name:
        return None
    try:
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        tables: dict[str, list[dict]] = {}
        for row in metrics["table"]:
            tables.setdefault(row["table"], []).append(row)
        tables = {name: Table(name, rows).rows for name, rows in tables.items()}
        notes, figures = dict(metrics["notes"]), dict(metrics.get("figures", {}))
        run = {**run, **{key: dict(run.get(key) or {}) for key in _MAPPINGS}}
        for files_ in (run["inputs"], run["outputs"]):
            files_.update({label: dict(file) for label, file in files_.items()})
        took(run)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return Found(folder.name, folder, run, tables, notes, figures)


def _page(settings: Settings, profile: str, found: Mapping[str, Found], start: Path) -> str:
    from jinja2 import Environment

    template = files("emolab.workbench").joinpath("profile_report.html.jinja").read_text(encoding="utf-8")
    newest = max(found.values(), key=lambda each: str(each.run.get("started", ""))).run.get("settings", {})
    models = newest.get("internvl.path") and not newest.get("fusion.predictions")
    possible = [name for name in find_notebooks() if models or name in WITHOUT_MODELS or name in found]
    others = [f"--set={key}={value}" for key, value in _differing(newest, flatten(load_profile(profile)))]
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(
        policy=POLICY,
        style=STYLE,
        profile=printable(settings.profile),
        about=printable(settings.about),
        clips=_whose(newest),
        drawn=any(_is_drawn(each.run["settings"]) for each in found.values()),
        strange=any(_is_strange(each.run["settings"]) for each in found.values()),
        picture=_pipeline(),
        notebooks=[
            _state(name, shlex.join([f"--profile={profile}", *others]), found.get(name), start) for name in possible
        ],
        sections=[section for each in SECTIONS if (section := _section(each, found, possible))],
        mixed=_mixed(found),
        runs=[_provenance(each) for each in found.values()],
        versions=_versions(found),
        changed=_differing(newest, flatten(Settings(settings.profile, settings.about))),
    )


def _is_drawn(settings: Mapping[str, Any]) -> bool:
    return settings.get("corpus.reader") == "drawn" and not settings.get("fusion.predictions")


def _is_strange(settings: Mapping[str, Any]) -> bool:
    """Whether the small models were asked about other clips than those they understand."""
    published = settings.get("fusion.predictions")
    return not published and not _is_drawn(settings) and str(settings.get("internvl.path")).startswith("shipped:")


def _whose(settings: Mapping[str, Any]) -> str:
    """The clips of the newest run, in words."""
    if predictions := settings.get("fusion.predictions"):
        return printable(f"those of the predictions in {predictions}")
    return "drawn by emolab" if _is_drawn(settings) else printable(str(settings.get("corpus.root")))


def _pipeline() -> str | None:
    """The picture of the pipeline, where emolab runs from a clone."""
    roots = {path.parent.parent for path in find_notebooks().values()}
    return next((_embedded(root / _PICTURE) for root in roots if (root / _PICTURE).is_file()), None)


def _state(name: str, again: str, found: Found | None, start: Path) -> dict[str, str]:
    """A line of the table of notebooks."""
    about = {"name": name, "title": title_of(find_notebooks()[name])}
    if found is None:
        return about | {"missing": printable(f"emolab run {name[:2]} {again}")}
    pages = {"report": found.folder / "report.html", "inspector": found.folder / "inspector.html"}
    links = {label: quote(os.path.relpath(path, start)) for label, path in pages.items() if path.is_file()}
    started = str(found.run.get("started", ""))[:16].replace("T", " ")
    return about | {"started": f"{printable(started)} UTC", "took": took(found.run), "links": links}


def _section(section: Section, found: Mapping[str, Found], possible: Sequence[str]) -> dict[str, Any] | None:
    """The parts of a section that are there, and the notebooks that could be and are not; None without any part."""
    parts = [shown for part in section.parts if (shown := _part(part, found))]
    wanted = dict.fromkeys(part.notebook for part in section.parts)
    missing = [name for name in wanted if name not in found and name in possible]
    if not parts:
        return None
    return {"key": section.key, "title": section.title, "about": section.about, "parts": parts, "missing": missing}


def _part(part: Part, found: Mapping[str, Found]) -> dict[str, Any] | None:
    source = found.get(part.notebook) or found.get(part.instead)
    if part.figure:
        if source is None or part.name not in source.figures:
            return None
        picture, told = _picture(source.folder / part.name), printable(source.figures[part.name])
        return picture and {"title": part.title, "from": source.name, "picture": picture, "alt": told}
    more, name = part.more or ("", "")
    tables = [(each, key) for each, key in ((source, part.name), (found.get(more), name)) if each is not None]
    rows = [row for each, key in tables for row in each.tables.get(key, ())]
    notes = [each.notes.get(key, "") for each, key in tables]
    about = {"title": part.title, "from": ", ".join(each.name for each, _ in tables)}
    return about | _table(rows, part.columns, notes) if rows else None


def _table(rows: list[dict], columns: tuple[str, ...], notes: list[str]) -> dict[str, Any]:
    """Cells as text, each with its interval; the paper's columns come last, under a heading of their own."""
    keys = dict.fromkeys(key for row in rows for key in row if key not in ("table", "interval", "name"))
    wanted = ["name", *(key for key in columns or keys if key in keys)]
    wanted.sort(key=_is_paper)  # stable: the order is else as given
    kinds = {key: _kind(key, [row.get(key) for row in rows]) for key in wanted}
    cells = [
        [
            {"text": _shown(key, row.get(key)), "interval": shown_interval(row, key), "kind": kinds[key]}
            for key in wanted
        ]
        for row in rows
    ]
    heads = [{"text": _heading(key), "kind": kinds[key]} for key in wanted]
    told = list(dict.fromkeys(printable(note) for note in notes if note))
    return {"heads": heads, "rows": cells, "paper": sum(map(_is_paper, wanted)), "notes": told}


def _is_paper(key: str) -> bool:
    return key.split("_")[0] == "paper"


def _kind(key: str, values: list[Any]) -> str:
    """How a column is set: the paper's, one of text, of long text, or of numbers."""
    texts = [value for value in values if isinstance(value, str)]
    if _is_paper(key) or not texts:
        return "paper" if _is_paper(key) else "number"
    return "long words" if max(map(len, texts)) > 40 else "words"


def _shown(key: str, value: Any) -> str:
    small = key.split("_")[0] == "p" and isinstance(value, float) and value < 0.001
    return "< 0.001" if small else shown_value(value)


def _heading(key: str) -> str:
    key = "n" if key == "paper" else key.removeprefix("paper_")
    return _HEADINGS.get(key, printable(key).replace("_", " "))


def _picture(path: Path) -> str | None:
    """The figure as SVG, which stays sharp on paper; as PNG where it holds photographs, which SVG only wraps."""
    svg, png = path.with_suffix(".svg"), path.with_suffix(".png")
    if not svg.is_file() or not png.is_file():
        return None
    return _embedded(svg if b"<image" not in svg.read_bytes() else png)


def _embedded(path: Path) -> str:
    kind = {".svg": "image/svg+xml", ".png": "image/png"}[path.suffix]
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _mixed(found: Mapping[str, Found]) -> list[str]:
    """Settings in which the notebooks' runs differ: then one table may not belong beside another."""
    runs = {name: each.run.get("settings", {}) for name, each in found.items()}
    told = []
    for key in dict.fromkeys(key for settings in runs.values() for key in settings if key not in ("about", "outputs")):
        values: dict[str, list[str]] = {}
        for name, settings in runs.items():
            values.setdefault(printable(str(settings.get(key))), []).append(name[:2])
        if len(values) > 1:
            each = (f"{value[-80:]} ({', '.join(names)})" for value, names in values.items())
            told.append(f"{printable(key)}: {'; '.join(each)}")
    sources = {json.dumps(each.run.get("source", {}).get("emolab"), sort_keys=True) for each in found.values()}
    return told + (["emolab's source code changed between the runs"] if len(sources) > 1 else [])


def _provenance(found: Found) -> dict[str, Any]:
    run = found.run
    git, device = run.get("git") or {}, run.get("device") or {}
    commit = f"{git['commit'][:12]}{' with changes' if git.get('changed') else ''}" if git.get("commit") else "no git"
    files_ = [
        {"side": side, "label": printable(label), "what": _what(file)}
        for side in ("inputs", "outputs")
        for label, file in (run.get(side) or {}).items()
    ]
    return {
        "name": found.name,
        "started": printable(str(run.get("started", ""))),
        "took": took(run),
        "commit": printable(commit),
        "seeds": printable(", ".join(f"{name} {value}" for name, value in (run.get("seeds") or {}).items())),
        "device": printable(
            f"{device.get('accelerator') or 'no GPU'}, {device.get('cpus')} cores, {device.get('system')}"
        ),
        "files": files_,
    }


def _what(file: Mapping[str, Any]) -> str:
    """A file that was read or written: where, how many rows, its hash; or a model's name on the hub."""
    if "path" not in file:
        return printable(str(file.get("identity", "")))
    rows = f", {file['rows']} rows" if "rows" in file else ""
    return printable(f"{file['path']}{rows}, sha256 {str(file.get('sha256'))[:12]}")


def _versions(found: Mapping[str, Found]) -> str:
    """Versions of Python and packages; several of one where the runs differ."""
    every: dict[str, dict[str, None]] = {}
    for each in found.values():
        for name, version in (each.run.get("versions") or {}).items():
            every.setdefault(name, {})[str(version)] = None
    return printable(", ".join(f"{name} {' and '.join(versions)}" for name, versions in every.items()))


def _differing(settings: Mapping[str, Any], plain: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Settings of a run that are others than those of `plain`, as they are typed."""
    changed = {key: value for key, value in settings.items() if plain.get(key) != value and key != "about"}
    return [(key, printable(v if isinstance(v, str) else json.dumps(v))) for key, v in changed.items()]
