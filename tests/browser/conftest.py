"""What the browser tests share: Chromium driven by Playwright, and a JupyterLab of their own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
CHROMIUM = Path("/usr/bin/chromium")
QUIET = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"


@pytest.fixture(scope="module")
def browser():
    """Chromium. Of a module, not of the session: while Playwright runs, other tests cannot run an event loop."""
    if not CHROMIUM.exists():
        pytest.skip(f"no browser: {CHROMIUM} is not there (Debian: chromium)")
    why = "Playwright is not installed (pip install playwright)"
    sync_api = pytest.importorskip("playwright.sync_api", reason=why)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=QUIET.split())
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def jupyterlab():
    """`with jupyterlab(folder) as address:` a server that serves the folder until the end of the block."""
    return serve


@contextmanager
def serve(folder, *command, base_url="/"):
    """JupyterLab with the folder as root, or what `command` starts there, such as "emolab", "lab"; yields its address,
    to which it lets everybody in who adds ?token=t. Settings, notes and log lie in .jupyter of the folder."""
    own = folder / ".jupyter"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = {"ip": "127.0.0.1", "port_retries": 0, "allow_root": True, "open_browser": False, "base_url": base_url}
    settings = {
        "ServerApp": server,
        "IdentityProvider": {"token": "t"},
        "LabApp": {"expose_app_in_browser": True},
    }
    (own / "CONFIG" / "labconfig").mkdir(parents=True, exist_ok=True)
    (own / "CONFIG" / "jupyter_server_config.json").write_text(json.dumps(settings))
    quiet = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}  # it asks about news
    (own / "CONFIG" / "labconfig" / "page_config.json").write_text(json.dumps(quiet))
    places = {f"JUPYTER_{name}_DIR": str(own / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    start = [sys.executable, "-m", *(command or ("jupyterlab", f"--ServerApp.root_dir={folder}")), f"--port={port}"]
    address = f"http://127.0.0.1:{port}{base_url}"
    with (own / "lab.log").open("w") as log:
        process = subprocess.Popen(
            start,
            cwd=folder,
            env=os.environ | places | {"PYTHONPATH": str(REPOSITORY)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            _wait_for(f"{address}api/status?token=t", process, own / "lab.log")
            yield address
        finally:
            process.send_signal(signal.SIGTERM)  # it ends its kernels
            process.wait(60)


def _wait_for(address, process, log):
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())
