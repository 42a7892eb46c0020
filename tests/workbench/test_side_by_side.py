"""`emolab run --jobs`: notebooks side by side, none before those it waits for."""

import json
import runpy
import signal
import subprocess
from pathlib import Path
from types import SimpleNamespace

import nbformat
import psutil
import pytest

runner = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("test_runner.py"))))
NAMES = {"01": "01_first", "02": "02_second", "03": "03_third"}
TIMED = """import time
(run.folder / "began").write_text(str(time.time()))
time.sleep(1.5)
(run.folder / "ended").write_text(str(time.time()))"""
MEET = """import os, pathlib, time
(run.folder / "pid").write_text(str(os.getpid()))
while not (run.folder.parent / "{other}" / "pid").exists():
    time.sleep(0.05)"""


def notebook(folder, number, *cells, needs=()):
    v4 = nbformat.v4
    parameters = v4.new_code_cell('profile = "demo"\nsettings = {}', metadata={"tags": ["parameters"]})
    start = f'from emolab import workbench\nrun = workbench.start("{NAMES[number]}", profile, settings)'
    code = [v4.new_code_cell(each) for each in (start, *cells, "run.finish()")]
    made = v4.new_notebook(cells=[parameters, *code], metadata={"emolab": {"needs": dict.fromkeys(needs, "")}})
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    (folder / "notebooks").mkdir(exist_ok=True)
    nbformat.write(made, folder / "notebooks" / f"{NAMES[number]}.ipynb")


def left(folder, number, name):
    return folder / "outputs" / "demo" / NAMES[number] / name


def test_side_by_side_but_never_before_what_is_read(tmp_path):
    notebook(tmp_path, "01", MEET.format(other=NAMES["03"]), TIMED)
    notebook(tmp_path, "02", TIMED, needs=[NAMES["01"]])
    notebook(tmp_path, "03", MEET.format(other=NAMES["01"]), TIMED)  # these two wait for each other: alone neither ends
    done = runner.emolab(tmp_path, "run", "all", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    began, ended = (
        float(left(tmp_path, number, name).read_text()) for number, name in (("02", "began"), ("01", "ended"))
    )
    assert began > ended and "3 notebooks in" in done.stdout
    again = runner.emolab(tmp_path, "run", "all", "--jobs", "3")
    assert again.returncode == 0 and again.stdout.count("complete and unchanged") == 3


def test_what_runs_beside_a_failure_runs_on_and_nothing_new_starts(tmp_path):
    notebook(tmp_path, "01", MEET.format(other=NAMES["03"]), "raise ValueError('no good')")
    notebook(tmp_path, "02", TIMED, needs=[NAMES["01"]])
    notebook(tmp_path, "03", MEET.format(other=NAMES["01"]), TIMED)
    done = runner.emolab(tmp_path, "run", "all", "--jobs", "2")
    assert done.returncode == 1 and "01_first.ipynb failed in cell" in done.stderr and "no good" in done.stderr
    assert "what runs beside it runs on to its end" in done.stderr
    assert left(tmp_path, "03", "run.json").is_file() and not left(tmp_path, "02", "").exists()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_of_them(tmp_path, sent):
    for number, other in (("01", "03"), ("03", "01")):
        notebook(tmp_path, number, MEET.format(other=NAMES[other]), "import time; time.sleep(600)")
    running = subprocess.Popen(
        runner.command("run", "all", "--jobs", "2"),
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a test run in the background ignores it
        **runner.options(tmp_path),
    )
    try:
        runner.wait_for(lambda: all(left(tmp_path, number, "pid").exists() for number in ("01", "03")))
        family = [each.pid for each in psutil.Process(running.pid).children(recursive=True)]
        running.send_signal(sent)
        assert running.wait(timeout=30) in (130, 143, -signal.SIGTERM)
        runner.wait_for(lambda: not any(map(runner.alive, family)))
    finally:
        running.kill()
    assert len(family) >= 4  # two that execute, two kernels
    assert not any(left(tmp_path, number, "run.json").exists() for number in ("01", "03"))


def test_notebooks_that_wait_for_each_other_are_refused(tmp_path):
    notebook(tmp_path, "01", needs=[NAMES["03"]])
    notebook(tmp_path, "03", needs=[NAMES["01"]])
    done = runner.emolab(tmp_path, "run", "all", "--jobs", "2")
    assert done.returncode == 2 and "01_first, 03_third wait for each other" in done.stderr


def test_a_run_that_is_stopped_while_it_decides_leaves_the_last_one(tmp_path, monkeypatch):
    notebook(tmp_path, "01")
    assert runner.emolab(tmp_path, "run", "all").returncode == 0
    from emolab.workbench import runner as module

    monkeypatch.chdir(tmp_path)
    settings = module.load_profile("demo")
    batch = module._Batch(module.find_notebooks(), settings, {"profile": "demo", "settings": []}, True, False, 1)
    monkeypatch.setattr(batch, "_estimated", lambda: batch.stop.set() or {})  # Ctrl-C comes meanwhile
    batch.run(NAMES["01"])
    assert batch.ran == 0 and left(tmp_path, "01", "run.json").is_file()


def test_the_demo_waits_as_its_notebooks_say():
    from emolab.workbench.places import find_notebooks
    from emolab.workbench.profiles import load_profile
    from emolab.workbench.runner import _waits_for

    settings = load_profile("demo")
    waits = {name[:2]: {each[:2] for each in _waits_for(path, settings)} for name, path in find_notebooks().items()}
    assert waits["01"] == waits["04"] == waits["06"] == set()
    assert waits["05"] == {"03"} and waits["07"] == {"03", "04", "06"} and waits["08"] == {"03", "04", "06", "07"}
    assert all(json.loads(path.read_text())["metadata"]["kernelspec"] for path in find_notebooks().values())


def test_no_jobs_is_one_sentence(tmp_path):
    notebook(tmp_path, "01")
    done = runner.emolab(tmp_path, "run", "all", "--jobs", "0")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "at least one" in done.stderr
