"""Whether a run on disk is still what running again would give: from run.json and hashes, without torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emolab.workbench.hashing import Hashes, notebook_hash, source_hashes
from emolab.workbench.places import project_folder
from emolab.workbench.profiles import flatten
from emolab.workbench.provenance import RUN_FILE, read_run
from emolab.workbench.settings import Settings


def why_run(folder: Path, notebook: Path, settings: Settings, hashes: Hashes) -> str | None:
    """The reason to run a notebook (again); None when its run is complete and nothing has changed."""
    run = read_run(folder)
    if run is None:
        return f"{RUN_FILE} cannot be read" if (folder / RUN_FILE).exists() else "no complete run yet"
    if "report" not in run.get("outputs", {}):
        return "its last run was not made by `emolab run`, there is no report"
    checks = (
        _settings_changed(run.get("settings", {}), flatten(settings)),
        _source_changed(run.get("source", {}), notebook),
        _files_changed("input", run.get("inputs", {}), hashes),
        _files_changed("output", run["outputs"], hashes),
    )
    return next((reason for reason in checks if reason), None)


def _settings_changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> str | None:
    changed = [key for key in {**old, **new} if key != "about" and old.get(key) != new.get(key)]
    if not changed:
        return None
    return "settings changed: " + ", ".join(f"{key} {old.get(key)} -> {new.get(key)}" for key in changed)


def _source_changed(old: Mapping[str, Any], notebook: Path) -> str | None:
    if old.get("notebook") != notebook_hash(notebook):
        return "the notebook changed"
    then, now = old.get("emolab") or {}, source_hashes()
    changed = sorted(name for name in {**then, **now} if then.get(name) != now.get(name))
    if not changed:
        return None
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    return f"emolab's source changed: {', '.join(changed[:3])}{more}"


def _files_changed(kind: str, files: Mapping[str, Mapping[str, Any]], hashes: Hashes) -> str | None:
    for label, file in files.items():
        if "path" not in file:
            continue  # a hub identity
        path = project_folder() / file["path"]
        if file["sha256"] is None:  # it was not there, and was not needed
            if path.exists():
                return f"{kind} {label} has come: {path}"
            continue
        if not path.exists():
            return f"{kind} {label} is missing: {path}"
        if hashes.of(path) != file["sha256"]:
            return f"{kind} {label} changed: {path}"
    return None
