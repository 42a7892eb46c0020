"""The inspector of a few clips, each lacking something, in a browser and answered by the real Python side: what the
tests of its panes share."""

import base64
import json
import queue
import shutil

import numpy as np
import pytest
from PIL import Image

from emolab.corpora.clip import Clip
from emolab.corpora.read import read_rows
from emolab.errors import InputError
from emolab.inspect.annotation_file import AnnotationFile
from emolab.inspect.inspection import Inspection
from emolab.inspect.inspector import Inspector
from emolab.inspect.live import LivePanel, Predictor
from emolab.inspect.media import Look, Media
from emolab.inspect.sources import script, style
from emolab.media.settings import FaceSettings, FrameSettings
from emolab.media.write import write_video

# Messages and buffers travel as text; answers that come from threads of the widget are fetched
HOST = """async (source) => {
  const module = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  window.listeners = new Set();
  window.sent = [];
  window.delay = 0;
  const pause = (ms) => new Promise((then) => setTimeout(then, ms));
  const encode = (buffer) => btoa(Array.from(new Uint8Array(buffer), (each) => String.fromCharCode(each)).join(""));
  const decode = (text) => new DataView(Uint8Array.from(`.${atob(text)}`, (each) => each.charCodeAt(0)).buffer, 1);
  const model = {
    on: (_, listener) => window.listeners.add(listener),
    off: (_, listener) => window.listeners.delete(listener),
    send: (message, _, buffers = []) => {
      window.sent.push(message);
      window.toKernel(JSON.stringify(message), buffers.map(encode));
    },
  };
  const fetchAnswers = async () => {
    for (const [message, buffers] of await window.fromKernel()) {
      await pause(window.delay);
      for (const listener of window.listeners) listener(message, buffers.map(decode));
    }
    setTimeout(fetchAnswers, 10);
  };
  fetchAnswers();
  window.end = module.default.render({ model, el: document.body });
}"""
HOSTILE = "<script>window.hurt = 1</script><img src=x onerror='window.hurt = 1'>\u202egnp\n\"'"
LABEL = HOSTILE.replace("\n", " ")
RAMP = [np.full((64, 96, 3), 5 * n, np.uint8) for n in range(36)]
TONE = np.sin(np.arange(48000) / 10).astype(np.float32) / 2
FOLDS = {"text": "Raw answer", "prompt": "Prompt", "probabilities": "Probabilities", "votes": "Votes", "facts": "Facts"}


@pytest.fixture(scope="module")
def clips(small_corpus, tmp_path_factory):
    """A drawn clip, and others that each lack something."""
    import av

    root = tmp_path_factory.mktemp("clips")
    write_video(root / "mute %23#.mp4", RAMP, 12)
    with av.open(str(root / "old.avi"), "w") as container:
        stream = container.add_stream("mpeg4", rate=12)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for pixels in RAMP:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    (root / "damaged.mp4").write_bytes(b"no video at all" * 50)
    drawn = next(clip for clip in read_rows(small_corpus) if clip.video and clip.labels)
    Image.fromarray(RAMP[20]).save(root / "still.png")
    odd = root / f"{HOSTILE.replace('/', '')}.mp4"
    shutil.copy(drawn.video, odd)
    with av.open(str(root / "heard.mp3"), "w") as container:
        stream = container.add_stream("mp3", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(TONE[None], format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return [
        Clip("drawn", video=drawn.video, transcript="I am so happy.", labels=("happy", "loving"), split="test"),
        Clip("mute", video=str(root / "mute %23#.mp4"), labels=("sad",)),
        Clip("missing", video=str(root / "nowhere.mp4"), labels=("sad",)),
        Clip("published", transcript="Only words.", labels=("angry",)),
        Clip("still", video=str(root / "still.png"), labels=("calm",)),
        Clip("damaged", video=str(root / "damaged.mp4")),
        Clip("old", video=str(root / "old.avi"), labels=("sad",)),
        Clip("heard", audio=str(root / "heard.mp3"), labels=("sad",)),
        Clip(LABEL, str(odd), None, HOSTILE, HOSTILE, HOSTILE, (LABEL, "x" * 5000), HOSTILE, None, HOSTILE, HOSTILE),
    ]


def answers_of(clips):
    """Three models, the last of which was asked about one clip only, and with hostile text in all that it said."""
    said = {"text": HOSTILE, "prompt": HOSTILE, "prompt_id": HOSTILE, "seed": HOSTILE, HOSTILE: HOSTILE}
    more = {"probabilities": {HOSTILE: 0.7, "sad": 0.2}, "votes": {HOSTILE: [HOSTILE, "other"]}}
    first = {c.clip_id: {"clip_id": c.clip_id, "labels": ["joyful", "angry"], "text": f"[{c.clip_id}]"} for c in clips}
    second = {c.clip_id: {"clip_id": c.clip_id, "labels": [], "text": "", "model": "two"} for c in clips}
    second["mute"] |= {"error": f"cannot be read {HOSTILE}"}
    third = {clips[-1].clip_id: {"clip_id": LABEL, "labels": [LABEL, "y" * 5000], **said, **more}}
    return {"first": first, "second": second, HOSTILE: third}


def predict(clip, said, say):
    say(f"looks {HOSTILE}")
    if "refuse" in clip.transcript:
        raise InputError(f"{HOSTILE} refuses.")
    return {"clip_id": clip.clip_id, "model": "live", "text": "It is [happy].", "labels": ["happy"], "error": None}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "inspector"


@pytest.fixture
def view(browser, clips, folder):
    """`view()`: a page with the inspector of the clips; options go to its Media."""
    errors, pages = [], []

    def open_page(**options):
        looks = (Look("three frames", FrameSettings(parts=3, draw="uniform"), FaceSettings(cache=False)),)
        looks += (Look(HOSTILE, FrameSettings(parts=5, draw="uniform"), FaceSettings(cache=False)),)
        live = LivePanel([Predictor("live", predict)], folder / "received")
        inspection = Inspection(clips, answers_of(clips) | {"live": {}}, f"drawn {HOSTILE}")
        notes = AnnotationFile(folder / "annotations.jsonl")
        widget = Inspector(inspection, Media(looks, folder / "copies", **options), notes, author="me", live=live)
        outgoing = queue.Queue()

        def send(message, buffers):
            outgoing.put([message, [base64.b64encode(bytes(each)).decode() for each in buffers]])

        def received(message, buffers):
            widget.handle(json.loads(message), [base64.b64decode(each) for each in buffers], send)

        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.route("http://lab.test/**", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
        page.goto("http://lab.test/")  # a real origin, for localStorage
        page.expose_function("toKernel", received)
        page.expose_function("fromKernel", lambda: [outgoing.get() for _ in range(outgoing.qsize())])
        page.add_style_tag(content=style())
        page.evaluate(HOST, script())
        pages.append(page)
        shown(page, "drawn")
        page.focus(".emolab-inspector")
        return page

    yield open_page
    for page in pages:
        page.close()
    assert errors == []


def shown(page, clip_id):
    """Wait until all of a clip is there, but for its media."""
    page.wait_for_function(
        "(id) => document.querySelector('.ei-clip-name')?.textContent === id"
        " && [...document.querySelectorAll('.ei-fold-body')].some((each) => each.childElementCount)",
        arg=clip_id,
    )


def open_clip(page, position, clip_id):
    page.focus(".emolab-inspector")
    page.keyboard.press("Home")
    for _ in range(position):
        page.keyboard.press("j")
    shown(page, clip_id)


def text_of(page, selector, text):
    page.wait_for_function(
        "([selector, text]) => document.querySelector(selector)?.textContent.includes(text)", arg=[selector, text]
    )


def status(page, text):
    text_of(page, ".ei-status", text)


def playable(page):
    page.wait_for_function("document.querySelector('video').readyState >= 2")


def of_kind(page, kind):
    return [message for message in page.evaluate("window.sent") if message["kind"] == kind]


def rows_of(folder):
    lines = (folder / "annotations.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if "labels" in line]


def now(page):
    return page.evaluate("document.querySelector('video').currentTime")
