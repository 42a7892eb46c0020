"""A stranger's folder of videos through predict, 03, 08 and the report, with nothing but what the README says."""

import base64
import io
import json
import os
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from emolab.media.write import write_video
from emolab.workbench.profile_report import write_profile_report

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = "it's <b>my clips, 100%"
LONG = "a very long name " * 13 + "ends"
# clip_id -> (width, height) as displayed; None: no video
CLIPS = {
    "-brief": (96, 64),
    "<b>turned": (64, 96),
    "4K": (3840, 2160),
    "it's variable": (96, 64),
    "no sound, 你好": (96, 64),
    "not a video": None,
    "one frame": (96, 64),
    LONG: (96, 64),
    "Überall portrait": (64, 96),
    "sound goes on & on": (96, 64),
}
TONE = np.sin(np.arange(48000) / 10).astype(np.float32) / 2


def pictures(width, height, count):
    """Red above, blue below, a white bar at the left that grows: what is upright can be told."""
    for number in range(count):
        image = np.zeros((height, width, 3), np.uint8)
        image[: height // 2, :, 0], image[height // 2 :, :, 2] = 220, 220
        image[:, : width // 8 + number % (width // 4)] = 255
        yield image


def turned(path):
    """Stored lying, as telephones do, with a display matrix that turns it upright."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.set_display_rotation(90, False, False)
        for image in pictures(64, 96, 20):
            lying = np.ascontiguousarray(np.rot90(image, -1))  # shown turned counter-clockwise by 90°
            container.mux(stream.encode(av.VideoFrame.from_ndarray(lying, format="rgb24")))
        container.mux(stream.encode(None))


def variable(path):
    """At 30 frames a second, then 2, then 30."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 30)
        ticks = [*range(10), *range(25, 100, 15), *range(100, 110)]
        for tick, image in zip(ticks, pictures(96, 64, len(ticks)), strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.fixture(scope="module")
def strange(tmp_path_factory):
    """The folder of videos, the CSV of what is said in some, and an outputs folder beside it."""
    root = tmp_path_factory.mktemp("stranger")
    clips = root / FOLDER
    (clips / "holiday").mkdir(parents=True)
    write_video(clips / "-brief.mp4", pictures(96, 64, 6), 30)  # 0.2 s
    turned(clips / "<b>turned.mp4")
    write_video(clips / "4K.mp4", pictures(3840, 2160, 2), 10)
    variable(clips / "it's variable.MP4")
    write_video(clips / "no sound, 你好.mp4", pictures(96, 64, 20), 10)
    (clips / "not a video.mp4").write_text("My diary.")
    write_video(clips / "holiday" / "one frame.mp4", pictures(96, 64, 1), 25)
    write_video(clips / f"{LONG}.mp4", pictures(96, 64, 20), 10)
    write_video(clips / "U\u0308berall portrait.mp4", pictures(64, 96, 20), 10, TONE[:32000])  # as macOS stores it
    write_video(clips / "holiday" / "sound goes on & on.mp4", pictures(96, 64, 10), 10, TONE)
    words = 'name,text\nÜberall portrait.mp4,"I am so happy, really"\nit\'s variable,</script><b>oh & well\n'
    (root / "words.csv").write_text(words, encoding="utf-8")
    return root


def emolab(root, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "emolab", *map(str, arguments), "--set", f"outputs={root / 'outputs'}"],
        capture_output=True, text=True, cwd=root,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def is_upright(image):
    pixels = np.asarray(image.convert("RGB")).astype(int)
    height, width = pixels.shape[:2]
    above, below, left = pixels[height // 8, -width // 8], pixels[-height // 8, -width // 8], pixels[height // 8, 0]
    return above[0] > 150 > above[2] and below[2] > 150 > below[0] and left.min() > 150


def page_data(page, name):
    return json.loads(re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page)[1])


def test_predict_gives_every_clip_a_row(strange):
    done = emolab(strange, "predict", strange / FOLDER, "--transcripts", strange / "words.csv", "--json")
    rows = {row["clip_id"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert rows.keys() == CLIPS.keys()
    assert {clip for clip, row in rows.items() if row["error"]} == {"not a video"}
    assert "not a video.mp4 is not a video" in rows["not a video"]["error"]
    assert all(row["text"] for clip, row in rows.items() if CLIPS[clip])
    assert "2 of 10 clips have words" in done.stderr
    assert f"its labels for {len(CLIPS) - 1} of {len(CLIPS) - 1} videos" in done.stderr


@pytest.fixture(scope="module")
def notebooks(strange):
    """The folders of notebooks 03 and 08."""
    words = f"corpus.transcripts={strange / 'words.csv'}"
    emolab(strange, "run", "03", "08", "--data", strange / FOLDER, "--set", "sft.seeds=[]", words)
    demo = strange / "outputs" / "demo"
    return demo / "03_internvl_finetune", demo / "08_inspect_predictions"


def test_03_answers_and_keeps_the_error_in_its_row(notebooks):
    rows = [json.loads(line) for line in (notebooks[0] / "zero_shot.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {row["clip_id"]: bool(row["error"]) for row in rows} == {clip: not size for clip, size in CLIPS.items()}


def test_the_inspectors_page_shows_frames_upright(notebooks):
    page = (notebooks[1] / "inspector.html").read_text(encoding="utf-8")
    index = page_data(page, "ei-index")
    assert index["index"]["n"] == len(CLIPS)
    for place in range(len(CLIPS)):
        size = CLIPS[page_data(page, f"ei-clip-{place}")["clip"]["clip_id"]]
        shown = page_data(page, f"ei-pictures-{place}")
        frames = [Image.open(io.BytesIO(base64.b64decode(each))) for each in shown["frames"][0]["pictures"]]
        if size is None:
            assert not frames and not shown["thumb"] and "is not a video" in shown["frames"][0]["about"]["problem"]
            continue
        assert len(frames) == 6
        for image in (*frames, Image.open(io.BytesIO(base64.b64decode(shown["thumb"])))):
            assert image.width / image.height == pytest.approx(size[0] / size[1], rel=0.05) and is_upright(image)


def test_08_says_that_the_demo_model_understands_drawn_clips_only(notebooks):
    page = (notebooks[1] / "report.html").read_text(encoding="utf-8")
    assert f"its labels for {len(CLIPS) - 1} of {len(CLIPS) - 1} videos" in page and "mean nothing" in page


def test_names_are_text_on_every_page(strange, notebooks):
    report = write_profile_report("demo", str(strange / "outputs"))
    pages = [notebooks[0] / "report.html", notebooks[1] / "report.html", notebooks[1] / "inspector.html", report]
    for path in pages:
        page = path.read_text(encoding="utf-8")
        assert "<b>turned" not in page and "<b>my" not in page and "</script><b>oh" not in page
        assert "&lt;b&gt;my" in page or "\\u003cb\\u003emy" in page
    assert "&lt;b&gt;turned" in pages[1].read_text(encoding="utf-8")
