"""The inspector without a kernel: what the page holds and forbids, and what a notebook keeps."""

import base64
import hashlib
import json
from html.parser import HTMLParser

import numpy as np
import pytest

from emolab.corpora.clip import Clip
from emolab.errors import InputError
from emolab.inspect.inspection import Inspection
from emolab.inspect.inspector_page import InspectorExamples, write_page
from emolab.inspect.media import Look, Media
from emolab.media.settings import FaceSettings, FrameSettings
from emolab.media.write import write_video

HOSTILE = "</script><script>hurt()</script><img src=x onerror=hurt()>&amp;\"'"
MEDIA = Media([Look(HOSTILE, FrameSettings(), FaceSettings(cache=False))], None)


class Elements(HTMLParser):
    """The elements of a document with their attributes and text."""

    def __init__(self, text):
        super().__init__()
        self.found = [["", {}, ""]]
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append([tag, dict(attrs), ""])

    def handle_data(self, data):
        self.found[-1][2] += data

    def handle_endtag(self, tag):
        self.found.append(["", {}, ""])  # what follows is not within

    def of(self, tag):
        return [(attributes, text) for name, attributes, text in self.found if name == tag]

    def data(self):
        return {a["id"]: json.loads(text) for a, text in self.of("script") if a.get("type") == "application/json"}


@pytest.fixture
def inspection(tmp_path):
    """Eight clips, the later the worse, two of them with a video; one is hostile in every field."""
    write_video(tmp_path / "0.mp4", [np.full((32, 48, 3), 8 * n, np.uint8) for n in range(24)], 12)
    write_video(tmp_path / "7.mp4", [np.full((32, 48, 3), 9 * n, np.uint8) for n in range(24)], 12)
    clips = [
        Clip(
            f"clip_{n}", video=str(tmp_path / f"{n}.mp4") if n in (0, 7) else None, labels=("happy", "calm"), corpus="c"
        )
        for n in range(7)
    ]
    clips.append(
        Clip(
            HOSTILE, video=str(tmp_path / "7.mp4"), transcript=f"a\u2028b\n{HOSTILE}", labels=(HOSTILE, "angry"),
            corpus=HOSTILE, split=HOSTILE, speaker=HOSTILE, description=HOSTILE,
        )
    )  # fmt: skip
    said = {
        f"clip_{n}": {"clip_id": f"clip_{n}", "labels": ["happy", "sad", "angry", "calm"][: 4 - n // 2]}
        for n in range(7)
    }
    said[HOSTILE] = {"clip_id": HOSTILE, "labels": ["x" * 5000, f"{HOSTILE}2"], "text": HOSTILE, "prompt": HOSTILE}
    said[HOSTILE] |= {"probabilities": {HOSTILE: float("nan")}, "votes": {HOSTILE: [HOSTILE]}, "seed": HOSTILE}
    failed = {HOSTILE: {"clip_id": HOSTILE, "labels": None, "error": HOSTILE}}
    return Inspection(clips, {HOSTILE: said, "other": failed}, HOSTILE)


def test_a_page_holds_the_worst_clips_and_pictures_of_the_worst_of_them(inspection, tmp_path):
    path = write_page(inspection, tmp_path / "page.html", MEDIA, most=5, pictures=2)
    data = Elements(path.read_text(encoding="utf-8")).data()
    index = data["ei-index"]["index"]
    assert index["n"] == 5 and index["fixed"] and not index["writable"]
    worst = sorted(int(each) for each in inspection.worst()[:5])
    ids = base64.b64decode(data["ei-index"]["buffers"][0]).decode().split("\n")
    assert ids == [inspection.clip_ids[position] for position in worst] and ids[-1] == HOSTILE
    assert index["sort"] == "worst"  # the page puts them in order
    assert [data[f"ei-clip-{n}"]["clip"]["clip_id"] for n in range(5)] == ids and "ei-clip-5" not in data
    pictures = data["ei-pictures-4"]
    assert (
        base64.b64decode(pictures["thumb"])[:2]
        == base64.b64decode(pictures["frames"][0]["pictures"][0])[:2]
        == b"\xff\xd8"
    )
    assert len(pictures["frames"][0]["about"]["times"]) == len(pictures["frames"][0]["pictures"]) == 6
    assert not [name for name in data if name.startswith("ei-pictures-") and name != "ei-pictures-4"]  # no video
    assert "worst of 8 clips" in index["note"] and "1 of them with pictures" in index["note"]
    assert data["ei-clip-4"]["models"][0]["probabilities"] == {HOSTILE: None}


def test_a_page_runs_nothing_but_its_own_script(inspection, tmp_path):
    text = write_page(inspection, tmp_path / "page.html", MEDIA, title=HOSTILE).read_text(encoding="utf-8")
    page = Elements(text)
    (policy,) = [attributes["content"] for attributes, _ in page.of("meta") if "http-equiv" in attributes]
    runs = [body for attributes, body in page.of("script") if attributes["type"] == "module"]
    assert len(runs) == 1 and len(page.of("script")) == len(page.data()) + 1
    code = base64.b64encode(hashlib.sha256(runs[0].encode()).digest()).decode()
    assert f"default-src 'none'; script-src 'sha256-{code}';" in policy and "unsafe-inline'; img-src" in policy
    assert not any({"src", "href", "onerror"} & attributes.keys() for _, attributes, _ in page.found)
    assert page.of("title")[0][1] == HOSTILE
    assert "\u2028" not in text
    assert page.data()["ei-clip-7"]["clip"]["transcript"] == f"a\u2028b\n{HOSTILE}"


def test_a_file_that_gives_no_picture_is_not_counted_and_says_why(tmp_path):
    (tmp_path / "a.mp4").write_text("my diary")
    inspection = Inspection([Clip("a", video=str(tmp_path / "a.mp4"))], {"m": {}}, "c")
    data = Elements(write_page(inspection, tmp_path / "page.html", MEDIA).read_text(encoding="utf-8")).data()
    assert data["ei-index"]["index"]["note"] == "this page: all clips, without pictures"
    assert len(data["ei-index"]["index"]["looks"]) == len(MEDIA.looks)
    assert "a.mp4 is not a video" in data["ei-pictures-0"]["frames"][0]["about"]["problem"]


def test_a_page_without_media_has_no_pictures(inspection, tmp_path):
    data = Elements(write_page(inspection, tmp_path / "page.html").read_text(encoding="utf-8")).data()
    assert data["ei-index"]["index"]["looks"] == [] and not any(name.startswith("ei-pictures") for name in data)
    assert data["ei-index"]["index"]["note"].startswith("this page: all clips")


def test_what_cannot_be_written_is_said(inspection, tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        write_page(inspection, tmp_path / "nowhere" / "page.html")
    with pytest.raises(InputError, match="at least one clip"):
        write_page(inspection, tmp_path / "page.html", most=0)
    path = write_page(inspection, tmp_path / "page.html")
    assert [each.name for each in tmp_path.iterdir() if "page" in each.name] == [path.name]


def test_the_examples_of_a_notebook(inspection):
    bundle = InspectorExamples(inspection, MEDIA, 'page"><script>.html')._repr_mimebundle_()
    page = Elements(bundle["text/html"])
    assert not page.of("script") and len(page.of("img")) == 2
    assert all(attributes["src"].startswith("data:image/jpeg;base64,") for attributes, _ in page.of("img"))
    assert page.of("a")[0][0] == {"href": 'page"><script>.html'}
    assert HOSTILE in [text for _, text in page.of("b")]
    chips = [text for _, text in page.of("span")]
    assert f"− {HOSTILE.lower()}" in chips and max(map(len, chips)) < 130
    lines = bundle["text/plain"].split("\n")
    assert lines[0].startswith("Inspector, ") and "n = 8 clips, 2 models" in lines[0]
    assert lines[2].startswith(HOSTILE) and "  other: ⚠ error" in lines
    assert "link" not in InspectorExamples(inspection, MEDIA)._repr_mimebundle_()["text/html"]
