"""`emolab run` on small real notebooks: success, failure, skipping, killing, two at once."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from emolab.workbench.hashing import Hashes
from emolab.workbench.profiles import load_profile
from emolab.workbench.unchanged import why_run

CHECKOUT = Path(__file__).resolve().parents[2]
PARAMETERS = 'profile = "demo"\nsettings = {}'
START = 'from emolab import workbench\nrun = workbench.start("03_small", profile=profile, settings=settings)\nrun'
GOOD = [
    "import sys\nfor i in range(3):\n    print(i, file=sys.stderr)",
    'run.use("data", workbench.places.project_folder() / "data.csv")',
    'p = run.folder / "rows.jsonl"\n_ = p.write_text("{}\\n{}\\n")\nrun.rows("predictions", p)',
    'row = {"name": "<script>alert(1)</script>", "n": 2, "avg": 0.5, "interval": {"avg": [0, 1]}}\n'
    'run.table("zero_shot", [row])',
    "from matplotlib import pyplot\nfigure, axes = pyplot.subplots()\nrun.figure(figure, 'curve')",
    "run.finish()",
]
SLEEP = """import os, pathlib, subprocess, time
child = subprocess.Popen(["sleep", "600"])
(run.folder / "rows.jsonl").write_text("{}")
pathlib.Path(run.folder / "pids").write_text(f"{os.getpid()} {child.pid}")
time.sleep(600)"""


def make_project(folder, cells):
    v4 = nbformat.v4
    parameters = v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    notebook = [v4.new_markdown_cell("# Small"), parameters, *map(v4.new_code_cell, [START, *cells])]
    (folder / "notebooks").mkdir(parents=True)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(v4.new_notebook(cells=notebook, metadata=kernel), folder / "notebooks" / "03_small.ipynb")
    (folder / "data.csv").write_text("clip_id\n1\n")
    return folder


def command(*arguments, flags=()):
    return [sys.executable, *flags, "-m", "emolab", *arguments]


def options(folder):
    return {"cwd": folder, "text": True, "env": {**os.environ, "PYTHONPATH": str(CHECKOUT)}}


def emolab(folder, *arguments, flags=()):
    return subprocess.run(command(*arguments, flags=flags), capture_output=True, timeout=120, **options(folder))


def output_of(folder):
    return folder / "outputs" / "demo" / "03_small"


def alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A project whose one notebook has run."""
    folder = make_project(tmp_path_factory.mktemp("done"), GOOD)
    finished = emolab(folder, "run", "03", "--profile", "demo", "--set", "seed=3")
    assert finished.returncode == 0, finished.stderr
    return folder, finished


def test_success_leaves_everything(done):
    folder, finished = done
    output = output_of(folder)
    assert "03_small: running, no complete run yet" in finished.stdout
    assert "0.500 [0, 1]" in finished.stdout and "outputs/demo/03_small/report.html" in finished.stdout
    run = json.loads((output / "run.json").read_text())
    assert run["settings"]["seed"] == 3 and run["outputs"]["predictions"]["rows"] == 2
    assert {"metrics", "notebook", "report", "curve.png", "curve.svg"} <= set(run["outputs"])
    assert run["inputs"]["data"]["path"] == "data.csv"
    metrics = json.loads((output / "metrics.json").read_text())
    assert metrics["table"] == [
        {
            "table": "zero_shot",
            "name": "<script>alert(1)</script>",
            "n": 2,
            "avg": 0.5,
            "interval": {"avg": [0, 1]},
        }
    ]
    assert not (output / "record.json").exists() and not (output / "execute.log").exists()
    executed = nbformat.read(output / "03_small.ipynb", 4)
    stderr = [out for cell in executed.cells for out in cell.get("outputs", []) if out.get("name") == "stderr"]
    assert [out.text for out in stderr] == ["0\n1\n2\n"]  # one output, however often it was written


def test_the_report_stands_alone(done):
    page = (output_of(done[0]) / "report.html").read_text()
    assert not re.search(r"https?://|<script|<link|<iframe|@import", page)
    assert "data:image/png;base64," in page and "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_unchanged_is_skipped_without_anything_heavy(done):
    again = emolab(done[0], "run", "--set", "seed=3", flags=("-X", "importtime"))
    assert again.returncode == 0
    assert "03_small: complete and unchanged, nothing to do" in again.stdout and "0.500 [0, 1]" in again.stdout
    loaded = set(re.findall(r"^import time:.*\|\s+(\w+)", again.stderr, re.MULTILINE))
    assert not loaded & {"torch", "papermill", "nbconvert", "matplotlib", "pandas", "transformers"}


def change_notebook(folder):
    path = folder / "notebooks" / "03_small.ipynb"
    path.write_text(path.read_text().replace("# Small", "# Changed"))
    return path


def change_source(folder):
    path = output_of(folder) / "run.json"
    run = json.loads(path.read_text())
    run["source"]["emolab"]["errors.py"] = "other"
    path.write_text(json.dumps(run))
    return path


def rewrite(text):
    def change(folder):
        path = folder / text
        path.write_text("changed")
        return path

    return change


def remove(text):
    def change(folder):
        (folder / text).unlink()
        return folder / text

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (change_notebook, "the notebook changed"),
        (change_source, "emolab's source changed: errors.py"),
        (rewrite("data.csv"), "input data changed"),
        (remove("data.csv"), "input data is missing"),
        (rewrite("outputs/demo/03_small/rows.jsonl"), "output predictions changed"),
        (remove("outputs/demo/03_small/curve.png"), "output curve.png is missing"),
        (rewrite("outputs/demo/03_small/report.html"), "output report changed"),
        (remove("outputs/demo/03_small/run.json"), "no complete run yet"),
        (rewrite("outputs/demo/03_small/run.json"), "run.json cannot be read"),
    ],
)
def test_reasons_to_run_again(done, monkeypatch, change, reason):
    folder, settings = done[0], load_profile("demo", ["seed=3"])
    monkeypatch.chdir(folder)
    notebook = folder / "notebooks" / "03_small.ipynb"
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert why_run(output_of(folder), notebook, settings, Hashes()) is None
    path = change(folder)
    said = why_run(output_of(folder), notebook, settings, Hashes())
    path.write_bytes(before[path])
    assert reason in said
    assert why_run(output_of(folder), notebook, settings, Hashes()) is None


def test_changed_settings_are_named_and_run_again(tmp_path):
    folder = make_project(tmp_path, ["run.finish()"])
    assert emolab(folder, "run").returncode == 0
    again = emolab(folder, "run", "--set", "seed=4", "--set", "frames.parts=3")
    assert "running, settings changed: seed 0 -> 4, frames.parts 6 -> 3" in again.stdout
    assert json.loads((output_of(folder) / "run.json").read_text())["settings"]["seed"] == 4


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("1 / 0", "03_small.ipynb failed in cell 5 (`1 / 0`): ZeroDivisionError: division by zero"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "the kernel died"),
        ("pass", "without run.finish()"),
    ],
)
def test_failure(tmp_path, cell, said):
    folder = make_project(tmp_path, [cell])
    failed = emolab(folder, "run")
    assert failed.returncode == 1
    assert said in failed.stderr and "Traceback" not in failed.stderr
    assert (output_of(folder) / "03_small.ipynb").exists()
    assert not (output_of(folder) / "run.json").exists()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_no_kernel_lives_on(tmp_path, number, code):
    folder = make_project(tmp_path, [SLEEP, "run.finish()"])
    # as from a terminal: a test run in the background has SIGINT ignored, and children inherit that
    heard = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    process = subprocess.Popen(command("run"), stderr=subprocess.PIPE, **heard, **options(folder))
    note = output_of(folder) / "pids"
    wait_for(lambda: note.exists() and len(note.read_text().split()) == 2 or process.poll() is not None)
    pids = [int(pid) for pid in note.read_text().split()]
    family = psutil.Process(process.pid).children(recursive=True)
    assert all(map(alive, pids)) and set(pids) <= {member.pid for member in family}
    process.send_signal(number)
    assert process.wait(timeout=30) == code
    wait_for(lambda: not any(alive(member.pid) for member in family), 15)
    assert "Traceback" not in process.stderr.read()
    assert not (output_of(folder) / "run.json").exists()
    assert (output_of(folder) / "rows.jsonl").exists()


def test_nohup_outlives_the_terminal(tmp_path):
    folder = make_project(tmp_path, [SLEEP])
    deaf = {"preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)}
    process = subprocess.Popen(command("run"), stderr=subprocess.DEVNULL, **deaf, **options(folder))
    try:
        wait_for(lambda: (output_of(folder) / "pids").exists())
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=2)
    finally:
        process.terminate()
        process.wait(timeout=30)


def test_two_at_once(tmp_path):
    folder = make_project(tmp_path, [SLEEP])
    first = subprocess.Popen(command("run"), stderr=subprocess.DEVNULL, **options(folder))
    try:
        wait_for(lambda: (output_of(folder) / "pids").exists())
        second = emolab(folder, "run")
        assert second.returncode == 2
        assert f"is in use by process {first.pid}" in second.stderr
        assert first.poll() is None
    finally:
        first.terminate()
        first.wait(timeout=30)


def test_plain_papermill_works_and_emolab_run_comes_after(tmp_path):
    folder = make_project(tmp_path, ["run.finish()"])
    plain = [sys.executable, "-m", "papermill", "03_small.ipynb", "../out.ipynb", "-p", "profile", "demo"]
    plain += ["-p", "settings", "seed=9"]
    finished = subprocess.run(plain, capture_output=True, timeout=120, **options(folder / "notebooks"))
    assert finished.returncode == 0, finished.stderr
    assert json.loads((output_of(folder) / "run.json").read_text())["settings"]["seed"] == 9
    after = emolab(folder, "run", "--set", "seed=9")
    assert "running, its last run was not made by `emolab run`" in after.stdout
    assert (output_of(folder) / "report.html").exists()


def test_what_a_notebook_reads_from_runs_before_it(tmp_path):
    folder = make_project(tmp_path / "p", GOOD[1:3] + GOOD[-1:])
    first = folder / "notebooks" / "03_small.ipynb"
    notebook = nbformat.read(first, 4)
    for cell in notebook.cells:
        cell.source = cell.source.replace("03_small", "04_next")
    notebook.metadata["emolab"] = {"needs": {"03_small": "", "01_gone": ""}}
    nbformat.write(notebook, folder / "notebooks" / "04_next.ipynb")
    needs = {"03_small": "sft.seeds", "04_next": "internvl.path !fusion.predictions"}
    notebook.metadata["emolab"] = {"needs": needs}
    for cell in notebook.cells:
        cell.source = cell.source.replace("04_next", "05_last")
    nbformat.write(notebook, folder / "notebooks" / "05_last.ipynb")
    alone = emolab(folder, "run", "05", "--set", "sft.seeds=[]", "predictions=own")  # a ! says where it is not needed
    assert alone.returncode == 0 and "04_next" not in alone.stdout
    done = emolab(folder, "run", "05", "--set", "sft.seeds=[]")
    assert done.returncode == 0, done.stderr
    assert (
        done.stdout.index("03_small: running") < done.stdout.index("04_next: running") < done.stdout.index("05_last: r")
    )
    assert "05_last reads what 04_next writes" in done.stdout
    again = emolab(folder, "run", "05", "--set", "sft.seeds=[]")
    assert "05_last: complete and unchanged" in again.stdout and "04_next" not in again.stdout
