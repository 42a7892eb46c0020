"""Clips below the root of a Jupyter server are played from it: a real server must serve the URLs that are given."""

import json
import os
import subprocess
import sys
import time
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pytest

from emolab.corpora.clip import Clip
from emolab.inspect.media import Media
from emolab.media.write import write_video


@pytest.fixture(scope="module")
def clip_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "plain.mp4"
    write_video(path, [np.full((64, 96, 3), 5 * n, np.uint8) for n in range(24)], 12)
    return path


@pytest.fixture
def media(tmp_path):
    return Media([], tmp_path / "copies")


def clip(path):
    return Clip("clip", video=str(path))


ODD = ["plain.mp4", "two words.mp4", "100%25 #1?.mp4", "她很高兴 é.mp4", "quote\"' & <b>.mp4", "deep/er/a+b;c=d.mp4"]


TOKEN = {"Authorization": "token secret"}


@pytest.fixture(scope="module")
def server(tmp_path_factory, clip_file):
    """A Jupyter server behind a base URL: its root, URL, process number and runtime folder."""
    root, notes = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("runtime")
    for name in [*ODD, ".hidden/a.mp4", "b/.c.mp4"]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(clip_file.read_bytes())
    (root / "link.mp4").symlink_to(root / "two words.mp4")
    (root / "outward.mp4").symlink_to(clip_file)
    environment = os.environ | {"JUPYTER_RUNTIME_DIR": str(notes), "JUPYTER_CONFIG_DIR": str(notes / "config")}
    options = [
        "--ServerApp.base_url=/user/me/",
        "--IdentityProvider.token=secret",
        "--port=0",
        "--allow-root",
        "--no-browser",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyter_server", f"--ServerApp.root_dir={root}", *options],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    note = notes / f"jpserver-{process.pid}.json"
    try:
        for _ in range(600):
            if note.exists() and note.read_text().endswith("}"):
                break
            assert process.poll() is None, "the Jupyter server ended"
            time.sleep(0.1)
        yield root, json.loads(note.read_text())["url"], process.pid, notes
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def in_jupyter(server, monkeypatch):
    root, base, number, notes = server
    monkeypatch.setenv("JPY_PARENT_PID", str(number))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(notes))
    return root, base


@pytest.mark.parametrize("name", [*ODD, "link.mp4"])
def test_a_jupyter_server_serves_the_url(in_jupyter, media, name):
    root, base = in_jupyter
    said = media.describe(clip(root / name))
    with urlopen(Request(base + said["url"], headers=TOKEN | {"Range": "bytes=4-7"})) as answer:
        assert answer.status == 206 and answer.read() == b"ftyp"
        assert answer.headers["Content-Range"] == f"bytes 4-7/{said['bytes']}"


def test_what_the_server_does_not_serve_has_no_url(in_jupyter, media, clip_file):
    root, base = in_jupyter
    for path in (clip_file, root / ".hidden/a.mp4", root / "b/.c.mp4", root / "outward.mp4"):
        said = media.describe(clip(path))
        assert (said["state"], said["url"]) == ("file", None)
    for below in ("outward.mp4", "b/.c.mp4"):
        with pytest.raises(HTTPError, match="403|404"):
            urlopen(Request(f"{base}files/{below}", headers=TOKEN))


def test_a_path_through_a_link_from_outside(in_jupyter, media, tmp_path):
    root, _ = in_jupyter
    (tmp_path / "other").symlink_to(root)
    assert media.describe(clip(tmp_path / "other" / "plain.mp4"))["url"] == "files/plain.mp4"


def test_a_converted_copy_is_served(in_jupyter, clip_file):
    root, base = in_jupyter
    media = Media([], root / "copies")
    media.convert(clip(clip_file), lambda done: None)
    said = media.describe(clip(clip_file))
    with urlopen(Request(base + said["url"], headers=TOKEN)) as answer:
        assert len(answer.read()) == said["bytes"] and said["converted"]


def test_a_kernel_of_no_server(monkeypatch, media, clip_file):
    monkeypatch.setenv("JPY_PARENT_PID", "1")
    assert media.describe(clip(clip_file))["url"] is None
