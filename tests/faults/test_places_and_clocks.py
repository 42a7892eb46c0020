"""A read-only output folder, two runs on one folder, a clock that jumps, row files with a broken end or middle."""

import json
import os
import subprocess
import sys

import pytest

from emolab.corpora.clip import Clip
from emolab.engine.feature_store import FeatureStore
from emolab.engine.journal import Journal
from emolab.engine.rows import RowFile
from emolab.engine.training_log import read_log
from emolab.errors import InputError
from emolab.workbench.cli import main

HALF = "情".encode()[:2]
TAILS = [b'{"key": "half a r', b'{"key": "x", "text": "' + HALF, b"\0" * 4096, b'{"key": "x"}\0\0', b"\n", HALF]
CLOCK = """import os, time
_shift, _time, _time_ns = float(os.environ.get("FAULT_CLOCK", "0")), time.time, time.time_ns
time.time = lambda: _time() + _shift
time.time_ns = lambda: _time_ns() + int(_shift * 1e9)
"""
YEARS = 40 * 365 * 86400


@pytest.fixture
def read_only(tmp_path):
    """A folder that nobody can write to, root neither where it can mount."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    if os.getuid():
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)
        return
    mount = ["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("root writes everywhere, and no read-only disk can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_read_only_folder_is_refused_in_a_sentence(read_only, tmp_path, project, capsys, count):
    small = project(tmp_path / "project")
    refused = small.run("--set", f"outputs={read_only}")
    assert refused.code == 2 and refused.told.count("\n") == 1, refused.told
    assert f"cannot write to the output folder {read_only}/demo/01_small: Read-only" in refused.told or os.getuid()
    texts, truth = tmp_path / "texts.jsonl", tmp_path / "truth.csv"
    texts.write_text('{"clip_id": "a", "text": "She is happy."}\n')
    truth.write_text("name,openset\na,['happy']\n")
    assert main(["extract", "--descriptions", str(texts), "--out", str(read_only / "o.csv")]) == 2
    assert main(["fuse", "--predictions", str(truth), "--strategy", "union", "--out", str(read_only / "o.csv")]) == 2
    told = capsys.readouterr().err
    assert told.count("cannot be written") == 2 and "Traceback" not in told
    with pytest.raises(InputError, match="cannot be opened for writing"):
        RowFile(read_only / "answers.jsonl")
    with pytest.raises(InputError, match="cannot be (used|written)|cannot be used for features"):
        FeatureStore(read_only / "features", "e", None, {"x": 1}).compute([Clip("a")], Named(), progress=False)
    count("read-only", "folders", 5)


class Named:
    identity = "e"


def test_of_two_runs_one_is_refused_and_the_other_ends_well(tmp_path, project, calm, until, count):
    small = project(tmp_path, FAULT_PAUSE="0.1")
    first = small.start()
    until(lambda: small.answered() > 2 or first.poll() is not None)
    second = small.run()
    assert second.code == 2 and f"01_small is in use by process {first.pid}: wait for it" in second.told, second.told
    code = f"from emolab.workbench import start; start('01_small', settings='outputs={small.folder}/outputs')"
    live = subprocess.run([sys.executable, "-c", code], cwd=small.folder, env=small.environment, capture_output=True)
    assert f"is in use by process {first.pid}".encode() in live.stderr  # a notebook in a live kernel
    _, told = first.communicate(timeout=200)
    assert first.returncode == 0 and small.made() == calm and max(small.asked().values()) == 1, told
    code = code.replace("; start", "; run = start") + "; print('held', flush=True); input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    held = subprocess.Popen([sys.executable, "-c", code], cwd=small.folder, env=small.environment, **pipes)
    assert held.stdout.readline() == "held\n"
    refused = small.run()  # beside a notebook in a live kernel
    held.communicate("\n", timeout=60)
    assert refused.code == 2 and f"in use by process {held.pid}" in refused.told and "kernel" in refused.told
    count("two at once", "refused", 3)


def test_a_clock_that_jumps_changes_nothing(tmp_path, project, calm, until, count):
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "sitecustomize.py").write_text(CLOCK)
    small = project(tmp_path / "project")
    small.environment["PYTHONPATH"] += os.pathsep + str(tmp_path / "clock")
    small.environment["FAULT_CLOCK"] = str(YEARS)  # decades ahead, and killed
    process = small.start()
    until(lambda: small.answered() > 20 or process.poll() is not None)
    process.kill()
    process.communicate()
    small.environment["FAULT_CLOCK"] = str(-YEARS)  # then decades back
    ended = small.run()
    assert ended.code == 0 and small.made() == calm, ended.told
    assert max(small.asked().values()) == 1 or small.asked().total() == 151
    for moment in (4e9, 1):  # all files are from the future, then from 1970
        for path in small.folder.rglob("*"):
            os.utime(path, (moment, moment))
        small.environment["FAULT_CLOCK"] = "0"
        assert "unchanged" in small.run().out
    count("clock jumps", "runs", 4)


@pytest.mark.parametrize("tail", TAILS, ids=range(len(TAILS)))
def test_a_broken_end_is_cut_off(tail, tmp_path, count):
    path, journal, log = tmp_path / "a.jsonl", tmp_path / "j.jsonl", tmp_path / "logging.jsonl"
    whole = '{"key": "1", "text": "情"}\n'.encode()
    for file in (path, journal):
        file.write_bytes(whole + tail)
    with RowFile(path) as rows:
        rows.append([{"key": "2"}])
    assert path.read_bytes() == whole + b'{"key": "2"}\n'
    decisions = Journal(journal, lambda row: isinstance(row["key"], str), "row")
    assert len(decisions.read()) == 1
    decisions.append(lambda _: {"key": "2"})
    assert journal.read_bytes().replace(b"\n\n", b"\n") == whole + b'{"key": "2"}\n'  # an empty line is none
    step = {"global_step/max_steps": "1/2", "loss": 1.0, "grad_norm": 1.0, "learning_rate": 0.1, "epoch": 0.5}
    log.write_bytes(json.dumps(step).encode() + b"\n" + tail)
    assert [row["step"] for row in read_log(log)] == [1]
    count("broken ends", "row file, journal, training log", 3)


def test_a_run_goes_on_after_a_broken_end_and_refuses_a_broken_middle(tmp_path, project, calm, count):
    small = project(tmp_path, FAULT_PAUSE="0")
    small.output.mkdir(parents=True)
    lines = calm["answers.jsonl"].splitlines(keepends=True)
    answers = small.output / "answers.jsonl"
    answers.write_bytes(b"".join(lines[:40]) + lines[40][:-8])  # within the last character of the text
    ended = small.run()
    assert ended.code == 0 and small.made() == calm and small.asked().total() == 110, ended.told
    answers.write_bytes(b"".join(lines[:2]) + b"\0\n" + b"".join(lines[3:]))
    refused = small.run("--force")
    said = f"answers.jsonl: broken row at byte {len(lines[0] + lines[1])}; delete the line or the file"
    assert refused.code == 1 and said in refused.told and "Traceback" not in refused.told, refused.told
    assert answers.read_bytes().count(b"\n") == 150  # left as it is
    count("broken ends", "run")
    count("broken middles", "run")
