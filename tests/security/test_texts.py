"""Text of strangers (file names, labels, what models wrote) is text: on a terminal, in a report, in a spreadsheet."""

import csv
import io
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from emolab.inspect.annotation_export import _csv
from emolab.scoring.files import read_labels
from emolab.workbench.files import label_csv

CHECKOUT = Path(__file__).resolve().parents[2]
make_project = runpy.run_path(str(CHECKOUT / "tests" / "workbench" / "test_runner.py"))["make_project"]
TITLE = "\x1b]0;owned\x07\x1b[2J\x1b[31m"  # sets a terminal's title, clears it, turns it red
FORMULAS = ['=HYPERLINK("http://host";"x")', "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1"]


def emolab(folder, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-m", "emolab", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stderr + done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", f"{TITLE}.mp4"],
        ["predict", ".", "--transcripts", f"{TITLE}.csv"],
        ["predict", ".", "--set", f"internvl.path=./{TITLE}"],
        ["score", "--truth", f"{TITLE}.csv", "--predictions", "x.csv"],
        ["fuse", "--predictions", f"{TITLE}.csv", "--strategy", "union", "--out", "x.csv"],
        ["extract", "--descriptions", f"{TITLE}.csv", "--out", "x.csv"],
        ["run", TITLE],
        ["run", "03", "--profile", f"{TITLE}.yaml"],
        ["run", "03", "--set", f"internvl.dtype={TITLE}"],
        ["doctor", "--set", f"internvl.path=./{TITLE}"],
    ],
    ids=lambda arguments: " ".join(arguments).replace(TITLE, "TITLE"),
)
def test_the_terminal_obeys_no_name(arguments, tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"x")
    code, told = emolab(tmp_path, *arguments)
    assert code in (1, 2) and "owned" in told and "\x1b" not in told and "\x07" not in told


def test_a_clip_is_told_in_plain_text(tmp_path):
    name = f"{TITLE}\N{CONTROL SEQUENCE INTRODUCER}2J"
    (tmp_path / f"{name}.mp4").write_bytes(b"x")
    code, told = emolab(tmp_path, "predict", ".")
    assert code == 0 and "\x1b" not in told and "\x07" not in told
    row = json.loads(told.splitlines()[-1])
    assert row["clip_id"] == name and "\x1b" in row["error"]  # JSON escapes it


@pytest.mark.parametrize("ending", ["run.finish()", f"raise ValueError({TITLE!r})"])
def test_a_run_and_its_report_pass_on_no_escapes(ending, tmp_path):
    hostile = f"{TITLE}<script>alert(1)</script><img src=x onerror=alert(1)>"
    cells = [
        f"import sys\nprint({hostile!r})\nprint({hostile!r}, file=sys.stderr)",
        f'run.table("scores", [{{"name": {hostile!r}, "n": 1}}], {hostile!r})',
        ending,
    ]
    project = make_project(tmp_path / "project", cells)
    _, told = emolab(project, "run", "03")
    assert "owned" in told and "\x1b" not in told and "\x07" not in told
    report = project / "outputs" / "demo" / "03_small" / "report.html"
    if report.exists():
        page = report.read_text()
        assert "owned" in page and "\x1b" not in page and "<script" not in page and "<img src=x" not in page


def test_label_files_hold_names_as_they_are():
    """A name with a sign before it would be another clip to `emolab score` and to the organisers' script; label cells
    begin with a bracket, so that nothing a model wrote is a formula."""
    sets = {name: [name, "happy"] for name in FORMULAS if name.isprintable()}
    found = list(csv.reader(io.StringIO(label_csv(sets))))[1:]
    assert [name for name, _ in found] == list(sets) and all(cell.startswith("[") for _, cell in found)


def test_label_files_are_read_back(tmp_path):
    sets = {"a": ["=1+1", "+x", "@y", "-z"], "-b": ["happy"]}
    (tmp_path / "x.csv").write_text(label_csv(sets))
    assert read_labels(tmp_path / "x.csv") == sets


@pytest.mark.parametrize("text", FORMULAS)
def test_notes_of_annotations_are_no_formulas(text):
    about = {"clip_id": "a", "labels": ["happy"], "note": text, "author": text, "time": "t"}
    (_, cells) = csv.reader(io.StringIO(_csv([about]), newline=""))
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)
