"""Time to get six frames of a clip: planned decoding against a full decode and OpenCV, in one run.

Draws its own clips (B-frames; one keyframe every 250 or every 12 frames). Nothing is asserted.
"""

import os
import tempfile
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import report

from emolab.media.decode import decode_frames
from emolab.media.sampling import draw_positions


def make_clip(path: Path, gop: int, seconds: int, width: int, height: int) -> None:
    """A moving texture with some noise at 25 frames a second."""
    rng = np.random.default_rng(0)
    scene = rng.integers(0, 256, (height // 16 + 1, width // 16 + 1, 3), np.uint8).repeat(16, 0).repeat(16, 1)
    noise = rng.integers(0, 12, scene.shape, np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "fast", "sc_threshold": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = gop
        for number in range(seconds * 25):
            pixels = np.roll(scene, 3 * number, 1) // 2 + np.roll(noise, 7 * number, 0)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels[:height, :width]), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def planned(path: Path, positions: list[int]) -> list[np.ndarray]:
    return decode_frames(path, lambda count: positions).images


def full(path: Path, positions: list[int]) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        container.streams.video[0].thread_count = 1
        frames = enumerate(container.decode(video=0))
        return [frame.to_ndarray(format="rgb24") for number, frame in frames if number in positions]


def opencv_grab(path: Path, positions: list[int]) -> list[np.ndarray]:
    import cv2

    capture, images = cv2.VideoCapture(str(path)), []
    for number in range(max(positions) + 1):
        capture.grab()
        if number in positions:
            images.append(capture.retrieve()[1][..., ::-1])
    return images


def opencv_seek(path: Path, positions: list[int]) -> list[np.ndarray]:
    import cv2

    capture, images = cv2.VideoCapture(str(path)), []
    for number in positions:
        capture.set(cv2.CAP_PROP_POS_FRAMES, number)
        images.append(capture.read()[1][..., ::-1])
    return images


def main() -> None:
    parser = report.parser(__doc__, "bench_frames.py --seconds 30 --size 1920x1080")
    parser.add_argument("--seconds", type=int, default=10, help="length of the clips; default: 10")
    parser.add_argument("--size", default="1280x720", help="width x height; default: 1280x720")
    parser.add_argument("--repeat", type=int, default=5, help="draws of six frames; default: 5")
    options = report.parse(parser, seconds=2, size="320x180", repeat=1)
    told = report.Report("frames", options)
    width, height = map(int, options.size.split("x"))
    # Must be set before the import; the comparison is one thread a clip.
    os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "threads;1")
    import cv2

    cv2.setNumThreads(1)
    methods = {
        "emolab": planned, "full decode (PyAV)": full, "OpenCV, grab all": opencv_grab, "OpenCV, seek": opencv_seek
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for gop in (250, 12):
            path = Path(folder) / f"gop{gop}.mp4"
            make_clip(path, gop, options.seconds, width, height)
            seconds: dict[str, list[float]] = {name: [] for name in methods}
            for draw in range(options.repeat):
                positions = draw_positions(25 * options.seconds, clip_id=f"clip{draw}")
                for name, found in report.turns(
                    {n: partial(m, path, positions) for n, m in methods.items()}, 1
                ).items():
                    seconds[name] += found
            n = f"{options.repeat} draws, {options.size}, {options.seconds} s"
            told.compare(f"six frames of a clip, a keyframe every {gop}", seconds, "ms", n=n)


if __name__ == "__main__":
    main()
