"""Media of strangers open nothing but themselves: no other file, address or program, and no memory without end."""

import struct
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from emolab.captions.describe import read_image
from emolab.captions.images import collect_images
from emolab.captions.settings import ImageSettings
from emolab.captions.training_set import _unreadable
from emolab.corpora.clip import Clip
from emolab.errors import InputError
from emolab.inspect.pictures import open_image
from emolab.media.audio import read_audio
from emolab.media.decode import decode_frames, middle_frame
from emolab.media.probe import probe, read_header
from emolab.media.senses import see
from emolab.media.settings import FaceSettings, FrameSettings
from emolab.media.write import write_video

FRAME, FACE = FrameSettings(), FaceSettings()
VIDEO_READERS = {
    "probe": probe,
    "header": read_header,
    "middle frame": middle_frame,
    "frames": lambda path: decode_frames(path, lambda n: [0]),
    "sound": read_audio,
    "senses": lambda path: see(Clip("a", video=str(path)), FRAME, FACE, "frame"),
}
IMAGE_READERS = {
    "senses": lambda path: see(Clip("a", video=str(path)), FRAME, FACE, "frame"),
    "captions": lambda path: read_image(Path(path)),
    "training set": lambda path: _refused(_unreadable(str(path))),
    "pages": lambda path: open_image({"image": str(path)}, Path(path).parent, 64),
    "stills": lambda path: _refused(collect_images([], path.parent, ImageSettings(), path.parent / "out")[0]["error"]),
}
SCRIPTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{other}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile {other}\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet>'
    '<Representation id="0" bandwidth="1"><BaseURL>{other}</BaseURL></Representation></AdaptationSet></Period></MPD>',
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\na=control:{other}\nm=video 5004 RTP/AVP 96\n",
}


def _refused(problem):
    if problem:
        raise InputError(problem)


@pytest.fixture
def server():
    """A server on this machine that notes what it is asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            server.asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.address = [], f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def film(tmp_path):
    """A whole film of two seconds, which others name."""
    path = tmp_path / "film.mp4"
    frames = np.random.default_rng(0).integers(0, 255, (20, 48, 64, 3), np.uint8)
    write_video(path, frames, 10, np.zeros(32_000, np.float32))
    return path


@pytest.mark.parametrize("reader", VIDEO_READERS)
@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("name", ["x.mp4", "x.m3u8"])
def test_a_script_is_no_film(script, reader, name, film, server, tmp_path):
    path = tmp_path / name
    for other in ("film.mp4", film.as_uri(), f"{server.address}/film.ts"):
        path.write_text(SCRIPTS[script].format(other=other))
        with pytest.raises(InputError, match="is not a video or sound file"):
            VIDEO_READERS[reader](path)
    assert server.asked == []


def test_a_script_would_open_the_other_file(film, tmp_path):
    (tmp_path / "x.mp4").write_text(SCRIPTS["concat"].format(other="film.mp4"))
    with av.open(str(tmp_path / "x.mp4")) as container:
        assert next(container.decode(video=0)).width == 64


@pytest.mark.parametrize("reader", VIDEO_READERS)
def test_an_address_is_no_file(reader, server, film, monkeypatch):
    monkeypatch.chdir(film.parent)
    for name in (f"{server.address}/a.mp4", "concat:film.mp4|film.mp4", "subfile,,start,0,end,9,,:film.mp4", "pipe:0"):
        with pytest.raises(InputError):
            VIDEO_READERS[reader](name)
    assert server.asked == []


@pytest.mark.parametrize("name", ["-x.mp4", "a:b.mp4", "concat:a.mp4", "%d.mp4", "a|b.mp4", "http:__host.mp4"])
def test_a_file_may_be_called_anything(name, film, monkeypatch):
    monkeypatch.chdir(film.parent)
    film.rename(name)
    assert probe(name).frames == 20


def bomb(path):
    """A PNG of 100,000 × 100,000 pixels in a few bytes."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(100_000))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


@pytest.mark.parametrize("reader", IMAGE_READERS)
def test_a_picture_that_would_fill_the_memory_is_refused(reader, tmp_path):
    bomb(tmp_path / "x.png")
    with pytest.raises(InputError, match=r"x\.png.* cannot be"):
        IMAGE_READERS[reader](tmp_path / "x.png")


@pytest.mark.parametrize("reader", IMAGE_READERS)
def test_postscript_is_no_picture(reader, tmp_path, monkeypatch):
    """Pillow gives it to Ghostscript, a program that runs what it reads; here one that leaves a mark."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "gs").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    (programs / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)  # not looked for yet
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "x.jpg", "EPS")
    with pytest.raises(InputError, match=r"x\.jpg.* cannot be"):
        IMAGE_READERS[reader](folder / "x.jpg")
    assert not (tmp_path / "ran").exists()
    with pytest.raises(OSError), Image.open(folder / "x.jpg") as image:
        image.load()
    assert (tmp_path / "ran").exists()  # so would any reader that takes all formats


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "MPO"])
def test_pictures_of_usual_kinds_are_read_whatever_their_ending(kind, tmp_path):
    Image.new("RGB", (8, 6), (200, 0, 0)).save(tmp_path / "x.jpg", kind)
    for read in IMAGE_READERS.values():
        read(tmp_path / "x.jpg")
