"""`make audit` tells of known holes in the pinned versions, and says so where nobody could look."""

import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCK = {line.split("==")[0] for line in (ROOT / "requirements.lock").read_text().split()}


@pytest.fixture
def advisories():
    """A small database of advisories in OSV's form: `holed` is the package with a known hole."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(405)

        def do_POST(self):
            name = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["package"]["name"]
            server.asked.add(name)
            hole = {"id": "PYSEC-1-1", "summary": "a hole", "aliases": [], "affected": []}
            body = json.dumps({"vulns": [hole]} if name == server.holed else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.holed, server.address = set(), None, f"http://127.0.0.1:{server.server_port}/v1/query"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def audit(address):
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    # the environment of this test is the one that `venv` would make
    command = ["make", "-o", "venv", "audit", f"BIN={Path(sys.executable).parent}", f"ADVISORIES={address}"]
    # `make test` tells its children that they are under a make, which would then print its folder
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def test_every_pinned_package_is_asked_about(advisories):
    code, told = audit(advisories.address)
    assert code == 0 and "No known vulnerabilities found" in told
    assert len(advisories.asked) == len(LOCK)


def test_a_known_hole_fails(advisories):
    advisories.holed = "pillow"
    code, told = audit(advisories.address)
    assert code != 0 and "pillow" in told and "PYSEC-1-1" in told


def test_where_nobody_can_look_it_says_so():
    code, told = audit("http://127.0.0.1:9/v1/query")
    assert code == 0 and told.count("\n") == 1 and told.startswith("audit skipped: http://127.0.0.1:9/v1/query")
