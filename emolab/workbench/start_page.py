"""The page that `emolab lab` opens: the numbered notebooks, and what has been run with which profile."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from emolab.workbench.files import write_text
from emolab.workbench.places import find_notebooks, outputs_folder
from emolab.workbench.progress import duration
from emolab.workbench.provenance import RUN_FILE, read_run

_TITLE = re.compile(r"#\s*(?:\d+\s*·\s*)?(.+)")
_PAGES = (("report.html", "report"), ("inspector.html", "inspector page"))
_AS_OPENED = {  # what JupyterLab would write: else it holds the page for changed as soon as it is opened
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
        "version": platform.python_version(),
    },
}
_AGAIN = (
    "from IPython.display import Markdown\nfrom emolab.workbench.start_page import overview\n\n"
    "Markdown(overview())  # run this cell to see what has been run since"
)


def write_start_page(outputs: str = "outputs") -> Path:
    """Write start.ipynb anew in the outputs folder: text, which shows without a kernel. Returns its path."""
    from nbformat import v4, writes

    notebook = v4.new_notebook(cells=[v4.new_markdown_cell(overview(outputs)), v4.new_code_cell(_AGAIN)])
    notebook.metadata |= _AS_OPENED
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"start-{number}"  # else the file would differ at each start
    path = outputs_folder(outputs) / "start.ipynb"
    write_text(path, writes(notebook) + "\n")
    return path


def overview(outputs: str = "outputs") -> str:
    """Markdown: a row for each notebook with links to it and, for each profile that it has run with, when, how long and
    its pages. Links are relative to the outputs folder."""
    folder = outputs_folder(outputs)
    notebooks = find_notebooks()
    profiles = sorted({path.parent.parent.name for path in folder.glob(f"*/*/{RUN_FILE}")})
    head = ["notebook", *(f"profile {_plain(profile)}" for profile in profiles)]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for name, path in notebooks.items():
        cells = [f"[{name}]({_link(path, folder)}): {_plain(title_of(path))}"]
        cells += [_state(folder / profile / name, folder) for profile in profiles]
        lines.append(f"| {' | '.join(cells)} |")
    run = "Nothing has been run yet: open a notebook and run its cells, or type `emolab run all --profile demo`."
    about = (
        "Open-vocabulary emotion labels for videos of people. Each notebook works alone once those before it have run; "
        "results lie in `outputs/<profile>/<notebook>/`. Clips, models' answers and your own labels side by side: 08."
    )
    more = f"[README]({_link(folder.parent / 'README.md', folder)})" if (folder.parent / "README.md").is_file() else ""
    return "\n\n".join(filter(None, ["# emolab", about, "\n".join(lines), "" if profiles else run, more]))


def _state(run_folder: Path, folder: Path) -> str:
    """What a run folder holds, in a cell: when it ran, how long, and its pages."""
    run = read_run(run_folder)
    if run is None:
        return "begun, not finished" if any(run_folder.glob("*.jsonl")) else "–"
    pages = [f"[{name}]({_link(run_folder / file, folder)})" for file, name in _PAGES if (run_folder / file).is_file()]
    return ", ".join([f"✓ {_plain(str(run.get('started', ''))[:16].replace('T', ' '))} UTC, {took(run)}", *pages])


def took(run: Mapping[str, Any]) -> str:
    """How long a run took, in words."""
    return duration(float(run.get("seconds") or 0))


def title_of(path: Path) -> str:
    """The heading of a notebook without its number."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        found = _TITLE.match("".join(cells[0]["source"]))
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return ""
    return found[1].strip() if found else ""


def _link(path: Path, folder: Path) -> str:
    return quote(os.path.relpath(path, folder))


def _plain(text: str) -> str:
    """Text of files as text in a table of Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>|#!~$])", r"\\\1", " ".join(text.split()))
