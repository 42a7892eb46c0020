"""The inspector's Python side, message by message, and what people read of it."""

import threading

import numpy as np
import pandas as pd
import pytest

from emolab import inspect
from emolab.captions.training_set import validate
from emolab.corpora.clip import Clip
from emolab.errors import InputError
from emolab.inspect.inspection import Inspection
from emolab.inspect.inspector import Inspector
from emolab.inspect.live import LivePanel, Predictor
from emolab.media.write import write_video
from emolab.scoring.files import read_labels

NEW = {"transcript": "", "models": ["new"]}
ANSWERS = {"one": {"a": ["happy"], "b": ["sad"]}, "two": {"a": ["calm"]}}


@pytest.fixture
def video(tmp_path):
    frames = (np.full((32, 48, 3), 10 * n, np.uint8) for n in range(12))
    write_video(tmp_path / "a.mp4", frames, 12, np.zeros(16000, np.float32))
    return str(tmp_path / "a.mp4")


@pytest.fixture
def clips(video):
    return [Clip("a", video=video, labels=("joyful",), transcript="Hi."), Clip("b", labels=("angry",)), Clip("c")]


@pytest.fixture
def view(clips, tmp_path):
    def listens(clip, said, say):
        say("listening")
        return {"clip_id": clip.clip_id, "labels": ["happy"], "text": f"after {len(said)}", "error": None}

    def breaks(clip, said, say):
        raise RuntimeError("no memory")

    predictors = [Predictor("new", listens), Predictor("one", breaks)]
    return inspect.view(clips, ANSWERS, corpus="test", folder=tmp_path / "out", author="ann", predictors=predictors)


def ask(view, kind, buffers=(), **message):
    """The answer to a message, and all that was broadcast before it."""
    sent, done = [], threading.Event()

    def send(answer, pictures=()):
        sent.append((answer, pictures))
        if answer.get("request") == "r":
            done.set()

    view.handle({"kind": kind, "request": "r", **message}, buffers, send)
    assert kind == "state" or done.wait(20)
    return sent


def standing_id(view, position):
    row = ask(view, "clip", position=position)[-1][0]["annotation"]
    return row and row["id"]


def reply(view, kind, buffers=(), **message):
    if kind == "annotate" and "seen" not in message:
        message["seen"] = standing_id(view, message["position"])
    return ask(view, kind, buffers, **message)[-1][0]


def test_it_opens_with_all_that_the_list_needs(view):
    about, buffers = ask(view, "open")[0]
    assert (about["kind"], about["n"], about["corpus"], about["author"]) == ("index", 3, "test", "ann")
    assert [model["name"] for model in about["models"]] == ["one", "two", "new"]
    assert about["live"] == {"models": ["new", "one"]} and about["looks"] == [{"name": "six random frames, seed 0"}]
    assert bytes(buffers[0]) == b"a\nb\nc" and len(buffers) == 9
    assert bytes(ask(view, "texts")[0][1][0]) == b"Hi.\n\n"


def test_a_clip_and_its_media(view, video):
    detail = reply(view, "clip", position=0)
    assert detail["clip"]["video"] == video and detail["history"] == [] and detail["annotation"] is None
    media = reply(view, "media", position=0)
    assert media["state"] == "file" and media["has_audio"] and media["likely"]
    about, chunk = ask(view, "bytes", position=0, **{"from": 0})[0]
    assert len(chunk[0]) == about["bytes"] == media["bytes"] and about["from"] == 0
    frames, pictures = ask(view, "frames", position=0, look=0)[0]
    assert len(frames["times"]) == len(pictures) == 6 and pictures[0][:2] == b"\xff\xd8"
    faces, crops = ask(view, "faces", position=0, look=0)[0]
    assert faces["found"] == [0] * 6 and crops == []
    thumbs = ask(view, "thumbs", positions=[0, 1])[0][1]
    assert thumbs[0][:2] == b"\xff\xd8" and thumbs[1] == b""
    seconds, columns = ask(view, "durations")[-1]
    assert seconds["read"] == 3 and np.isnan(np.frombuffer(columns[0], np.float32)).tolist() == [False, True, True]


def test_annotations_are_on_the_disk_when_they_are_answered(view, clips, tmp_path):
    said = reply(view, "annotate", position=1, labels=["Sad", "sad"], note="dark", author="ann", seen=None)
    assert (said["position"], said["row"]["labels"]) == (1, ["sad"]) and len(said["history"]) == 1
    again = inspect.view(clips, ANSWERS, folder=tmp_path / "out")  # another kernel
    assert ask(again, "open")[0][0]["annotations"][1]["note"] == "dark"
    row = again.annotations.iloc[0]
    assert (row["clip_id"], row["added"], row["removed"], row["truth"]) == ("b", ["sad"], ["angry"], ["angry"])
    undone = reply(again, "undo", author="ann")
    assert undone["row"] is None and undone["undone"] and view.annotations.empty
    assert reply(view, "undo", author="ann")["text"] == "There is no change of yours to undo."


def test_a_change_to_what_has_changed_since_is_refused_and_what_stands_is_shown(view, clips, tmp_path):
    first = reply(view, "annotate", position=1, labels=["sad"], note="", author="ann", seen=None)["row"]
    other = inspect.view(clips, ANSWERS, folder=tmp_path / "out")
    (shown, _), (refused, _) = ask(other, "annotate", position=1, labels=["calm"], note="", author="ben", seen=None)
    assert refused["kind"] == "problem" and "ann has changed b meanwhile" in refused["text"]
    assert shown["kind"] == "annotated" and shown["request"] is None and shown["row"] == first
    said = reply(other, "annotate", position=1, labels=["sad", "calm"], note="", author="ben", seen=first["id"])
    assert said["row"]["labels"] == ["sad", "calm"] and len(said["history"]) == 2


def test_annotations_as_the_truth(view):
    reply(view, "annotate", position=1, labels=["sorrowful"], note="", author="ann")
    index = ask(view, "against", who="annotations")[0][0]
    assert index["request"] is None and index["against"] == "annotations"
    assert view.shown["truth"].tolist() == [["joyful"], ["sorrowful"], None] and view.shown["one F"][1] == 1
    reply(view, "against", who="corpus")
    assert view.shown["one F"][1] == 0 and view.annotations["truth"][0] == ["angry"]


def test_what_is_marked_and_shown(view):
    assert view.selected.empty and list(view.selected.columns) == list(view.shown.columns) and len(view.shown) == 3
    told = []
    for on, position in ((True, 2), (True, 0), (False, 0)):
        view.handle(
            {"kind": "mark", "position": position, "on": on}, [], lambda said, _: told.append(said["positions"])
        )
    assert told == [[2], [0, 2], [2]] and ask(view, "open")[0][0]["marked"] == [2]  # all views show the same
    view.handle({"kind": "state", "open": 0}, [memoryview(np.array([1, 0], np.uint32))], None)
    assert view.selected["clip_id"].tolist() == ["c"] and view.shown["clip_id"].tolist() == ["b", "a"]
    assert view.shown["one"].tolist() == [["sad"], ["happy"]] and isinstance(view.shown, pd.DataFrame)


def test_exports(view, tmp_path):
    assert reply(view, "export", format="jsonl")["text"] == "no clip is annotated"
    reply(view, "annotate", position=2, labels=None, note="only a note", author="ann")
    assert "no clip has labels of yours" in reply(view, "export", format="csv")["text"]
    reply(view, "annotate", position=0, labels=["calm", "sad"], note="x", author="ann")
    reply(view, "annotate", position=1, labels=["calm"], note="", author="ann")
    said, content = ask(view, "export", format="jsonl")[0]
    assert said["rows"] == 3 and content[0].count(b"\n") == 3
    said = reply(view, "export", format="csv")
    assert read_labels(said["path"]) == {"a": ["calm", "sad"], "b": ["calm"]}
    said = reply(view, "export", format="messages")
    assert said["rows"] == 1 and "left out: 1, the first: b: has no video" in said["text"]
    assert validate(said["path"])  # ms-swift's layout, its images are there
    assert '"[calm, sad]"' in (tmp_path / "out" / "annotations_messages.jsonl").read_text()
    reply(view, "annotate", position=1, labels=["calm, or not"], note="=1+1", author="@ann")
    reply(view, "annotate", position=2, labels=["don't care"], note="=1+1", author="@ann")
    said = reply(view, "export", format="csv")  # a comma would part a label, and a note is no formula
    assert said["rows"] == 2 and "b: has a label that a csv cannot hold" in said["text"]
    assert read_labels(said["path"])["c"] == ["don't care"]
    assert "'=1+1,'@ann," in (tmp_path / "out" / "annotations.csv").read_text()
    assert "no export 'exe'" in reply(view, "export", format="exe")["text"]


def test_a_video_that_is_brought(view, video, tmp_path):
    content = open(video, "rb").read()
    half = len(content) // 2
    name = {"id": "7", "name": "../../my clip.mp4", "bytes": len(content)}
    assert reply(view, "upload", [content[:half]], **name, **{"from": 0})["from"] == half
    assert "out of turn" in reply(view, "upload", [content[half:]], **name, **{"from": 7})["text"]
    assert reply(view, "upload", [content[half:]], **name, **{"from": half})["from"] == len(content)
    asked = {"id": "7", "name": name["name"], "path": None, "transcript": "Oh.", "models": ["one", "new"]}
    *before, (added, _) = ask(view, "live", **asked)
    assert added["position"] == 3 and "one: RuntimeError: no memory" in added["text"]
    texts = [said["text"] for said, _ in before if said["kind"] == "live_progress"]
    assert texts == ["new: asked", "new: listening", "one: asked", "done"]
    index = before[-1][0]
    assert index["keep"] == 3 and index["n"] == 4
    detail = reply(view, "clip", position=3)
    assert detail["clip"]["clip_id"] == "my clip" and detail["clip"]["corpus"] == "live"
    assert [entry["status"] for entry in detail["models"]] == [2, 0, 1]
    assert reply(view, "media", position=3)["state"] == "file"
    assert {path.parent for path in tmp_path.rglob("*.mp4")} == {tmp_path, tmp_path / "out" / "received"}
    reply(view, "annotate", position=3, labels=["calm"], note="", author="ann")
    by_path = {"id": None, "name": None, "path": video, "transcript": "", "models": ["new"]}
    assert reply(view, "live", **by_path)["position"] == 4
    assert reply(view, "live", **by_path)["position"] == 5 and view.shown["clip_id"].tolist()[3:] == [
        "my clip",
        "a (2)",
        "a (3)",
    ]


@pytest.mark.parametrize(
    ("kind", "message", "sentence"),
    [
        ("upload", {"id": "1", "name": "x.sh", "from": 0, "bytes": 3}, "x.sh is no video by its name"),
        ("upload", {"id": "1", "name": "x.mp4", "from": 0, "bytes": 2**40}, "give the path of so large a file"),
        ("upload", {"id": "1", "name": "x.mp4", "from": 5, "bytes": 9}, "has not been received"),
        ("live", {"id": None, "name": None, "path": "/nowhere.mp4", **NEW}, "no such file"),
        ("live", {"id": "9", "name": "y.mp4", "path": None, **NEW}, "has not been received"),
        ("bytes", {"position": 1, "from": 0}, "no video"),
        ("convert", {"position": 1}, "no video"),
        ("clip", {"position": 99}, "IndexError"),
        ("nonsense", {}, "AttributeError"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_a_sentence(view, kind, message, sentence):
    answer = reply(view, kind, [b"abc"], **message)
    assert answer["kind"] == "problem" and sentence in answer["text"]


def test_predictions_of_other_clips_and_own_copies(clips, video, tmp_path):
    with pytest.raises(InputError, match="the predictions are of 'a.mp4' and others, but there are clips such as"):
        inspect.view(clips, {"one": {"a.mp4": ["sad"]}})
    (tmp_path / "out" / "received").mkdir(parents=True)
    (tmp_path / "out" / "received" / "x.mp4").write_bytes(open(video, "rb").read())
    view = inspect.view(tmp_path, {"a": ["sad"]}, folder=tmp_path / "out")  # a folder of videos with its own in it
    assert view.shown["clip_id"].tolist() == ["a"]
    beside = inspect.view(video, {"a": ["sad"]}, folder=tmp_path)  # annotations beside the videos
    assert beside.shown["clip_id"].tolist() == ["a"]


def test_without_models_nothing_live(clips, tmp_path):
    view = inspect.view(clips, ANSWERS, folder=tmp_path)
    assert ask(view, "open")[0][0]["live"] is None
    assert (
        "no models are at hand" in reply(view, "live", id=None, name=None, path="x", transcript="", models=[])["text"]
    )


def test_headless_leaves_examples_and_no_widget(clips, tmp_path):
    shown = inspect.view(clips, ANSWERS, corpus="<test>", folder=tmp_path / "out", headless=True, page="inspector.html")
    bundle = shown._repr_mimebundle_()
    assert not isinstance(shown, Inspector) and set(bundle) == {"text/html", "text/plain"}
    assert 'href="inspector.html"' in bundle["text/html"] and "&lt;test&gt;" in bundle["text/html"]
    assert "<script" not in bundle["text/html"] and not (tmp_path / "out").exists()
    live, _ = inspect.view(clips, ANSWERS, corpus="<test>", folder=tmp_path / "out")._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in live and "&lt;test&gt;" in live["text/html"]  # on a web page
    assert "lowest mean F" in live["text/plain"] and not (tmp_path / "out").exists()
    page = inspect.page(clips, ANSWERS, tmp_path / "p.html", corpus="test", pictures=1)
    assert "Content-Security-Policy" in page.read_text()


def test_a_panel_knows_no_other_name():
    with pytest.raises(AttributeError, match="no attribute 'magic'"):
        _ = inspect.magic
    with pytest.raises(InputError, match="no model is chosen"):
        LivePanel([], ".").predict(
            {"path": __file__, "id": None, "name": None, "transcript": "", "models": []}, [], print
        )


def test_a_brought_video_does_not_get_the_labels_of_another_of_its_name(view, clips, video, tmp_path):
    asked = {"id": None, "name": None, "path": video, "transcript": "", "models": ["new"]}
    position = reply(view, "live", **asked)["position"]
    reply(view, "annotate", position=position, labels=["calm"], note="", author="ann")
    again = inspect.view(
        clips, ANSWERS, folder=tmp_path / "out", predictors=[Predictor("new", lambda *_: {"labels": []})]
    )
    position = reply(again, "live", **asked)["position"]
    detail = reply(again, "clip", position=position)
    assert detail["clip"]["clip_id"] == "a (3)" and detail["annotation"] is None


def test_annotating_while_clips_are_compared_anew_waits_for_nobody(view, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()
    against = Inspection.against

    def slow(self, truth):
        begun.set()
        assert go_on.wait(20)
        return against(self, truth)

    reply(view, "against", who="annotations")
    monkeypatch.setattr(Inspection, "against", slow)
    sent = []
    view.handle({"kind": "against", "who": "annotations", "request": "x"}, [], lambda said, _: sent.append(said))
    assert begun.wait(20)
    assert reply(view, "annotate", position=0, labels=["calm"], note="", author="ann")["row"]["labels"] == ["calm"]
    assert ask(view, "open")[0][0]["annotations"]
    go_on.set()
    for _ in range(200):
        if view.shown["truth"][0] == ["calm"]:
            break
        threading.Event().wait(0.05)
    assert view.shown["truth"][0] == ["calm"]  # the last change is in
