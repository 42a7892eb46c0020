"""The first second of a clip as the inspector plays it, and in two plain ways, in one run.

The inspector plays by ranges of /files/ of a Jupyter server; ipywidgets.Video and data URIs have the clip whole. A
drawn clip of 10 MB, Chromium, a line of `--line` Mbit/s. Nothing is asserted.
"""

import base64
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import report
from browser import chromium

from emolab.media.write import write_video

PLAY = """async ([url, way]) => {
  const video = document.createElement("video");
  video.muted = true;
  document.body.replaceChildren(video);
  const begin = performance.now();
  const whole = way === "ranges" ? null : await (await fetch(way === "bytes" ? url : `${url}.txt`)).blob();
  if (way === "ranges") video.src = url;
  else video.src = way === "bytes" ? URL.createObjectURL(whole) : await whole.text();
  video.play();
  await new Promise((then) => video.requestVideoFrameCallback(then));
  const first = performance.now() - begin;
  while (video.currentTime < 1) await new Promise((then) => setTimeout(then, 20));
  video.removeAttribute("src");
  video.load();
  return [first / 1000, whole && whole.size / 1e6];
}"""


@contextmanager
def jupyter_server(folder: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {"port": port, "ip": "127.0.0.1", "root_dir": folder, "open_browser": False, "allow_root": True}
    command = [sys.executable, "-m", "jupyter_server", "--IdentityProvider.token=t"]
    command += [f"--ServerApp.{name}={value}" for name, value in options.items()]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}/"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}api/status?token=t", timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait()


def draw_video(path: Path, seconds: int = 9) -> str:
    """A moving texture with noise, of about 10 MB; says what it is."""
    rng = np.random.default_rng(0)
    scene = rng.integers(0, 200, (23, 40, 3), np.uint8).repeat(16, 0).repeat(16, 1)[:360]
    noise = rng.integers(0, 24, scene.shape, np.uint8)
    moved = (np.roll(scene, 3 * n, 1) + np.roll(noise, (7 * n, 5 * n), (0, 1)) for n in range(25 * seconds))
    write_video(path, moved, 25)
    return f"{path.stat().st_size / 1e6:.1f} MB, {seconds} s of {scene.shape[1]}x{scene.shape[0]}"


def play(browser: Any, address: str, way: str, line_speed: float) -> tuple[float, float]:
    """Seconds until the first picture, and MB fetched when one second has been played."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(300_000)
    page.route(f"{address}bench", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
    context.request.get(f"{address}api/status?token=t")  # lets in
    page.goto(f"{address}bench")
    devtools, got = context.new_cdp_session(page), []
    devtools.on("Network.dataReceived", lambda event: got.append(event["dataLength"]))
    devtools.send("Network.enable")
    speed = line_speed * 1e6 / 8
    limits = {"offline": False, "latency": 20, "downloadThroughput": speed, "uploadThroughput": speed}
    devtools.send("Network.emulateNetworkConditions", limits)
    seconds, whole = page.evaluate(PLAY, [f"{address}files/clip.mp4", way])
    context.close()
    return seconds, whole or sum(got) / 1e6


def videos(told: report.Report, browser: Any, folder: Path, line_speed: float, rounds: int) -> None:
    """The first second of a clip, in three ways."""
    n = f"{draw_video(folder / 'clip.mp4')}, {line_speed:g} Mbit/s"
    data = (folder / "clip.mp4").read_bytes()
    (folder / "clip.mp4.txt").write_text("data:video/mp4;base64," + base64.b64encode(data).decode())
    ways = {"emolab": "ranges", "ipywidgets.Video (whole bytes)": "bytes", "a data URI": "data URI"}
    seconds, sizes = {name: [] for name in ways}, {}
    with jupyter_server(folder) as address:
        for _ in range(rounds):
            for name, way in ways.items():
                took, sizes[way] = play(browser, address, way, line_speed)
                seconds[name].append(took)
    note = "MB at 1 s: " + ", ".join(f"{way} {size:.1f}" for way, size in sizes.items())
    told.compare("video: first picture", seconds, n=n, note=note)


def main() -> None:
    parser = report.parser(__doc__, "bench_player.py --line 100")
    parser.add_argument("--line", type=float, default=20, help="Mbit/s to the server of videos; default: 20")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    args = report.parse(parser, line=200, rounds=1)
    told = report.Report("player", args)
    with tempfile.TemporaryDirectory() as folder, chromium(told) as browser:
        if browser:
            videos(told, browser, Path(folder), args.line, args.rounds)


if __name__ == "__main__":
    main()
