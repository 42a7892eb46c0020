"""`emolab lab` is a server of this machine alone, and lets nobody in without its token."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """What the running server says of itself (url, token, pid); it is started as a user does, with no settings."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "notebooks").mkdir()
    (folder / "notebooks" / "01_x.ipynb").write_text(
        json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    places = {f"JUPYTER_{name}_DIR": str(folder / ".jupyter" / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    clean = {key: value for key, value in os.environ.items() if not key.startswith("JUPYTER")}
    # containers are root, and Jupyter asks root to say so
    command = [sys.executable, "-m", "emolab", "lab", "--port", "0", "--", "--no-browser", "--allow-root"]
    with (folder / "log").open("w") as log:
        environment = {**clean, **places, "HOME": str(folder), "PYTHONPATH": str(CHECKOUT)}
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        said = None
        while said is None:
            assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.1)
            for notes in (folder / ".jupyter" / "RUNTIME").glob("jpserver-*.json"):
                with contextlib.suppress(ValueError):  # being written
                    said = json.loads(notes.read_text())
        yield said
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def status(address, **headers):
    """The status of a request, redirects not followed."""
    try:
        return (
            urllib.request.build_opener(Stay).open(urllib.request.Request(address, headers=headers), timeout=20).status
        )
    except urllib.error.HTTPError as error:
        return error.code


PAGES = ["lab", "files/notebooks/01_x.ipynb", "api/contents", "api/kernels", "api/terminals"]


@pytest.mark.parametrize("page", PAGES)
def test_nobody_enters_without_the_token(server, page):
    assert status(server["url"] + page) in (302, 403)
    assert status(server["url"] + page, Authorization="token wrong") in (302, 403)


def test_with_the_token_one_enters(server):
    assert len(server["token"]) >= 32
    for page in ("lab", "files/notebooks/01_x.ipynb", "api/contents"):
        assert status(server["url"] + page, Authorization=f"token {server['token']}") == 200


def test_it_listens_on_this_machine_only(server):
    heard = [
        each.laddr for each in psutil.Process(server["pid"]).net_connections() if each.status == psutil.CONN_LISTEN
    ]
    assert {address.ip for address in heard} <= {"127.0.0.1", "::1"} and server["port"] in {each.port for each in heard}


def test_pages_of_others_may_not_read_its_answers(server):
    request = urllib.request.Request(server["url"] + "api/contents", headers={"Origin": "https://elsewhere.example"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=20)
    assert "Access-Control-Allow-Origin" not in refused.value.headers


def test_files_with_a_token_are_for_their_owner(server):
    notes = Path(psutil.Process(server["pid"]).environ()["JUPYTER_RUNTIME_DIR"]) / f"jpserver-{server['pid']}.json"
    assert notes.stat().st_mode & 0o077 == 0
