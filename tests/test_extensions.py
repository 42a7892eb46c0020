"""Extensions are run once, again when they change, in every process that needs them; errors are one sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from emolab import extensions
from emolab.errors import InputError
from emolab.extensions import Registry, load, told
from emolab.scoring.metrics import METRICS
from emolab.workbench.files import write_json
from emolab.workbench.hashing import Hashes, notebook_hash, source_hashes
from emolab.workbench.profiles import flatten, load_profile
from emolab.workbench.unchanged import why_run

CHECKOUT = Path(__file__).resolve().parents[1]
METRIC = """from emolab.scoring.metrics import metric

@metric("{name}")
def measured(true, said):
    return {{"{score}": {value}}}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project without extensions, as the current folder; what a test loads is forgotten after it."""
    (tmp_path / "notebooks" / "profiles").mkdir(parents=True)
    (tmp_path / "extensions").mkdir()
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    load(tmp_path / "elsewhere")
    assert not METRICS and extensions.inheritance() == {}


def write(project, file, name="mine", score="share", value="1.0"):
    path = project / "extensions" / file
    path.write_text(METRIC.format(name=name, score=score, value=value))
    return path


def share(name="mine"):
    return METRICS[name].score({"a": ["sad"]}, {"a": ["sad"]}).values()


def test_a_file_is_run_once_and_again_when_it_changes(project):
    counting = "import os\nos.environ['EMOLAB_TEST_RUNS'] = os.environ.get('EMOLAB_TEST_RUNS', '') + '{}'\n"
    first = project / "extensions" / "a.py"
    first.write_text(counting.format("a"))
    write(project, "b.py")
    for _ in range(3):
        load_profile("demo")
    assert os.environ.pop("EMOLAB_TEST_RUNS") == "a" and share() == {"share": 1.0}
    write(project, "b.py", value="0.5")  # the same size and, most likely, the same second
    write(project, "b.py", value="0.4")
    load_profile("demo")
    assert share() == {"share": 0.4} and "EMOLAB_TEST_RUNS" not in os.environ
    write(project, "b.py", name="other")
    load_profile("demo")
    assert list(METRICS) == ["other"]
    (project / "extensions" / "b.py").unlink()
    load_profile("demo")
    assert list(METRICS) == []
    assert not list((project / "extensions").glob("**/*.pyc"))


def test_without_notebooks_nothing_is_run(tmp_path, monkeypatch):
    (tmp_path / "extensions").mkdir()
    (tmp_path / "extensions" / "downloaded.py").write_text("raise SystemExit('run')")
    monkeypatch.chdir(tmp_path)
    load_profile("demo")
    assert not [name for name in source_hashes() if name.startswith("extensions/")]


def test_files_of_editors_are_passed_over(project):
    (project / "extensions" / ".#a.py").write_text("broken(")
    (project / "extensions" / "folder.py").mkdir()
    load_profile("demo")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\ndef f(:\n", "a.py line 2: SyntaxError: invalid syntax"),
        ("x = 1\n\n1 / 0\n", "a.py line 3: ZeroDivisionError: division by zero."),
        ("def f():\n    import nothing_of_this_name\nf()\n", "a.py line 2: ModuleNotFoundError: No module named"),
        ("import sys\nsys.exit('enough')\n", "a.py line 2: SystemExit: enough."),
        ("import json\n\njson.loads('{')\n", "a.py line 3: JSONDecodeError"),
        ("x = '\xff'\n".encode("latin-1"), "SyntaxError: (unicode error)"),
        (METRIC.format(name="wheel", score="x", value=1), "a.py line 3: emolab itself has a metric 'wheel'"),
        (METRIC.format(name="a b", score="x", value=1), "a.py line 3: 'a b' is no name for a metric"),
        (2 * METRIC.format(name="m", score="x", value=1), "a.py line 8: the metric 'm' is registered twice"),
    ],
)
def test_an_error_is_one_sentence_with_file_and_line(project, text, said):
    path = project / "extensions" / "a.py"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    for _ in range(2):  # a broken file is not taken for one that has been run
        with pytest.raises(InputError) as raised:
            load_profile("demo")
        assert said in str(raised.value) and str(path) in str(raised.value) and "\n" not in str(raised.value)
    assert not METRICS


def test_two_files_cannot_register_the_same(project):
    first = write(project, "a.py")
    write(project, "b.py")
    with pytest.raises(
        InputError, match=f"b.py line 3: the metric 'mine' is registered twice, the first time by {first}"
    ):
        load_profile("demo")


def test_a_cell_may_register_again_but_not_what_a_file_has(project):
    things = Registry("thing", ["own"])
    things.add("x", 1)
    things.add("x", 2)
    assert dict(things) == {"x": 2}
    write(project, "a.py")
    load_profile("demo")
    with pytest.raises(InputError, match="registered twice, the first time by .*a.py"):
        METRICS.add("mine", None)


def test_errors_when_it_is_called_say_where(project):
    write(project, "a.py", value="1 / len(set(said) - {'sad'})")
    load_profile("demo")
    with pytest.raises(InputError, match="a.py line 5: ZeroDivisionError: division by zero"):
        share()
    with pytest.raises(InputError, match="^metric 'x': KeyError: 'y'.$"), told("metric 'x'"):
        {}["y"]
    with pytest.raises(InputError, match="^as it is$"), told("metric 'x'"):
        raise InputError("as it is")


def test_a_changed_extension_runs_a_notebook_again(project):
    write(project, "a.py")
    before = source_hashes()
    assert "extensions/a.py" in before and "extensions.py" in before
    notebook = next((CHECKOUT / "notebooks").glob("03_*.ipynb"))
    settings, folder = load_profile("demo"), project / "run"
    source = {"notebook": notebook_hash(notebook), "emolab": before}
    folder.mkdir()
    write_json(folder / "run.json", {"settings": flatten(settings), "source": source, "outputs": {"report": {}}})
    assert why_run(folder, notebook, settings, Hashes()) is None
    write(project, "a.py", value="0.5")
    assert "extensions/a.py" in why_run(folder, notebook, settings, Hashes())


DRIVER = """
import os

from emolab.engine.map import map_unordered
from emolab.engine.settings import EngineSettings
from emolab.scoring.metrics import METRICS
from emolab.workbench.profiles import load_profile


class Worker:
    def begin(self, item):
        return item

    def finish(self, item):
        return item, list(METRICS), os.getpid()


if __name__ == "__main__":
    load_profile("demo")
    found = dict(map_unordered(Worker, ["x", "y"], EngineSettings(workers=2)))
    assert [each[:2] for _, each in sorted(found.items())] == [("x", ["mine"]), ("y", ["mine"])], found
    assert os.getpid() not in {each[2] for each in found.values()}
"""


def test_worker_processes_load_them(project):
    """Those on Ray: tests/engine/test_map.py."""
    write(project, "a.py")
    (project / "driver.py").write_text(DRIVER)
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    subprocess.run([sys.executable, "driver.py"], cwd=project, env=environment, check=True, timeout=300)


def test_loading_is_light():
    code = "import sys, emolab.extensions; print({'torch', 'numpy', 'yaml', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
