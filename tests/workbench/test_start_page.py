"""The page that `emolab lab` opens."""

import json

import nbformat
import pytest

from emolab.workbench import places
from emolab.workbench.start_page import overview, write_start_page


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with two notebooks, of which one has run with the profile demo, to its end with `laptop` not."""
    (tmp_path / "notebooks" / "profiles").mkdir(parents=True)
    for name, title in (("01_first", "# 01 · Look | at <b>it</b>"), ("02_second", "# 02 · More")):
        cells = [nbformat.v4.new_markdown_cell(f"{title}\n\nText.")]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "notebooks" / f"{name}.ipynb")
    done, begun = (tmp_path / "outputs" / profile / "01_first" for profile in ("demo", "laptop"))
    done.mkdir(parents=True)
    (done / "run.json").write_text(json.dumps({"started": "2026-11-22T03:36:01+00:00", "seconds": 130.2}))
    (done / "report.html").write_text("")
    begun.mkdir(parents=True)
    (begun / "rows.jsonl").write_text("{}\n")
    (tmp_path / "outputs" / "laptop" / "02_second").mkdir()
    (tmp_path / "outputs" / "laptop" / "02_second" / "run.json").write_text('{"seconds": 7}')
    monkeypatch.chdir(tmp_path)
    assert places.project_folder() == tmp_path
    return tmp_path


def test_it_links_the_notebooks_and_says_what_has_run(project):
    lines = [line for line in overview().splitlines() if line.startswith("|")]
    assert lines[0] == "| notebook | profile demo | profile laptop |"
    first, second = lines[2:]
    assert first.startswith(r"| [01_first](../notebooks/01_first.ipynb): Look \| at \<b\>it\</b\> |")
    assert "✓ 2026-11-22 03:36 UTC, 2 min, [report](demo/01_first/report.html)" in first
    assert first.endswith("| begun, not finished |") and "| – | ✓" in second


def test_before_anything_has_run_it_says_how_to_begin(project):
    for path in project.glob("outputs/*/*/run.json"):
        path.unlink()
    assert "Nothing has been run yet" in overview()


def test_it_is_a_notebook_that_is_the_same_each_time(project):
    path = write_start_page()
    before = path.read_bytes()
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    assert path == project / "outputs" / "start.ipynb" and notebook.cells[0].source == overview()
    assert write_start_page().read_bytes() == before
    compile(notebook.cells[1].source, "cell", "exec")
