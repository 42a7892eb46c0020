"""Keys of the environment stay there: no file of a run, no line on the terminal, no message of an error holds one."""

import os
import runpy
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
make_project = runpy.run_path(str(CHECKOUT / "tests" / "workbench" / "test_runner.py"))["make_project"]
NAMES = ("EMOLAB_API_KEY", "OPENAI_API_KEY", "HF_TOKEN", "WANDB_API_KEY", "AWS_SECRET_ACCESS_KEY")
MARK = "a-key-that-nobody-may-see"
CELLS = [
    "run.settings",
    'from emolab.engine.chat import ChatModel\nmodel = ChatModel(run.settings.internvl)\nrun.asks("model", model)',
    'run.table("scores", [{"name": "a", "n": 1}])',
    "run.finish()",
]


def emolab(folder, *arguments):
    keys = dict.fromkeys(NAMES, MARK)
    environment = {**os.environ, **keys, "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-m", "emolab", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def holding(folder):
    """Files below a folder that hold the mark, in whatever encoding of text."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [path for path in files if MARK.encode() in path.read_bytes()]


def test_a_run_writes_no_key(tmp_path):
    project = make_project(tmp_path / "project", CELLS)
    done = emolab(project, "run", "03", "--profile", "demo")
    assert done.returncode == 0, done.stderr
    assert (project / "outputs" / "demo" / "03_small" / "run.json").is_file()
    assert holding(project) == [] and MARK not in done.stdout + done.stderr


def test_a_run_that_fails_writes_no_key(tmp_path):
    project = make_project(tmp_path / "project", ["raise RuntimeError('x')"])
    done = emolab(project, "run", "03", "--profile", "demo")
    assert done.returncode == 1 and holding(project) == [] and MARK not in done.stdout + done.stderr


def test_the_mark_would_be_found(tmp_path):
    project = make_project(tmp_path / "project", ["import os\nprint(os.environ['HF_TOKEN'])", "run.finish()"])
    emolab(project, "run", "03", "--profile", "demo")
    assert {path.name for path in holding(project)} >= {"03_small.ipynb", "report.html"}


@pytest.mark.parametrize(
    "setting",
    [f"discriminative.endpoint=https://me:{MARK}@host/v1", f"discriminative.endpoint=https://h/v1?key={MARK}"],
)
def test_a_key_in_an_address_is_written_nowhere(setting, tmp_path):
    project = make_project(tmp_path / "project", CELLS)
    done = emolab(project, "run", "03", "--profile", "demo", "--set", setting)
    assert done.returncode == 2 and "EMOLAB_API_KEY" in done.stderr and MARK not in done.stdout + done.stderr
    assert holding(project) == []


@pytest.fixture
def telling():
    """An endpoint that refuses and repeats the key that it was sent."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            server.keys.append(self.headers["Authorization"])
            said = f'{{"error": {{"message": "Incorrect API key provided: {self.headers["Authorization"]}"}}}}'
            self.send_response(server.status, f"no {self.headers['Authorization']}")
            self.end_headers()
            self.wfile.write(said.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.keys = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("status", [400, 401, 404])
def test_an_endpoint_that_repeats_the_key_is_not_quoted(status, telling, tmp_path):
    telling.status = status
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(f"name,openset\n1,\"['happy', '{name[0]}']\"\n")
    judge = ["--strategy", "judge", "--endpoint", f"http://127.0.0.1:{telling.server_port}/v1", "--judge", "m"]
    done = emolab(tmp_path, "fuse", "--predictions", "a.csv", "b.csv", *judge, "--out", "fused.csv")
    assert telling.keys and set(telling.keys) == {f"Bearer {MARK}"}
    assert MARK not in done.stdout + done.stderr and holding(tmp_path) == []
