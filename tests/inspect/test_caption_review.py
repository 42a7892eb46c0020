import io
import subprocess
import sys

import pytest
from PIL import Image

from emolab.captions.annotations import annotate, read_annotations
from emolab.inspect.caption_page import near_threshold
from emolab.inspect.caption_review import review


def widget(pairs, folder, annotations):
    return review(pairs, folder, annotations, corpus="drawn corpus")


def test_a_view_gets_the_index_then_one_pair_with_its_image(pairs, pairs_folder, tmp_path):
    view = widget(pairs, pairs_folder, tmp_path / "a.jsonl")
    annotate(tmp_path / "a.jsonl", "clip_1", "flag")  # by another session, after the widget was made
    index, buffers = view.reply({"kind": "open"})
    assert index["scores"][3:6] == [0.85, 0.2, None] and index["kept"][2:4] == [True, False] and not buffers
    assert [row and row["verdict"] for row in index["verdicts"]] == [None, "flag", *[None] * 6]
    answer, (image,) = view.reply({"kind": "pair", "position": 2})
    assert answer["pair"]["first"] == pairs[2]["first"] and answer["pair"]["chosen"] == "second"
    assert Image.open(io.BytesIO(image)).size == (224, 224)


def test_a_large_image_is_made_small(pairs, pairs_folder, tmp_path):
    Image.new("RGBA", (4000, 2000)).save(tmp_path / "large.png")
    pairs[0]["image"] = str(tmp_path / "large.png")  # an absolute path that the row names
    _, (image,) = widget(pairs, pairs_folder, tmp_path / "a.jsonl").reply({"kind": "pair", "position": 0})
    image = Image.open(io.BytesIO(image))
    assert image.format == "JPEG" and image.size == (960, 480)


def test_a_verdict_is_appended_and_the_rows_stay(pairs, pairs_folder, tmp_path):
    before = [dict(pair) for pair in pairs]
    view = widget(pairs, pairs_folder, tmp_path / "a.jsonl")
    saved, _ = view.reply({"kind": "verdict", "position": 3, "verdict": "keep", "note": "same mood"})
    assert (saved["kind"], saved["position"], saved["row"]["verdict"]) == ("saved", 3, "keep")
    assert read_annotations(tmp_path / "a.jsonl")["clip_3"]["note"] == "same mood"
    view.reply({"kind": "verdict", "position": 3, "verdict": None, "note": ""})
    assert read_annotations(tmp_path / "a.jsonl") == {} and pairs == before


def test_a_verdict_that_cannot_be_saved_is_no_verdict(pairs, pairs_folder, tmp_path):
    view = widget(pairs, pairs_folder, tmp_path / "a.jsonl")
    (tmp_path / "a.jsonl").mkdir()
    problem, _ = view.reply({"kind": "verdict", "position": 0, "verdict": "keep", "note": ""})
    assert problem["kind"] == "problem" and "cannot be written" in problem["text"]


@pytest.mark.parametrize(
    "image, sentence",
    [
        ("../secret.jpg", "outside"),
        ("images/../../secret.jpg", "outside"),
        ("link.jpg", "outside"),
        ("images/none.jpg", "missing"),
        ("notes.txt", "cannot be read"),
        ("images", "cannot be read"),
        ("a\0b", "cannot be read"),
        (None, "names no image"),
    ],
)
def test_an_image_that_cannot_be_shown_is_a_sentence(pairs, pairs_folder, tmp_path, image, sentence):
    folder = tmp_path / "run"
    (folder / "images").mkdir(parents=True)
    (tmp_path / "secret.jpg").write_bytes((pairs_folder / "images" / "0.jpg").read_bytes())
    (folder / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (folder / "notes.txt").write_text("no image")
    pairs[0]["image"] = image
    answer, buffers = widget(pairs, folder, tmp_path / "a.jsonl").reply({"kind": "pair", "position": 0})
    assert sentence in answer["no_image"] and not buffers and answer["pair"]["first"]


def test_headless_gives_escaped_html_and_text_only(pairs, pairs_folder, tmp_path):
    annotate(tmp_path / "a.jsonl", "clip_3", "keep", "<b>same</b>")
    page = review(pairs, pairs_folder, tmp_path / "a.jsonl", corpus="drawn corpus", headless=True)._repr_mimebundle_()
    assert set(page) == {"text/html", "text/plain"}
    html, text = page["text/html"], page["text/plain"]
    assert "<script" not in html and "&lt;script&gt;" in html and "&lt;b&gt;same&lt;/b&gt;" in html
    assert html.count("data:image/jpeg;base64,") == 8 and len(html) < 200_000
    for shown in (html, text):
        assert "4 of 8 pairs kept at threshold 0.90, 1 reviewed; 8 shown" in shown and "drawn corpus" in shown
        assert "✓ kept, chosen: second" in shown and "− dropped: No pair of captions" in shown
    assert "score 0.85 (expected 0.83)" in text and "✓ reviewer: keep (<b>same</b>)" in text


def test_the_widget_carries_the_page_for_those_without_one(pairs, pairs_folder, tmp_path):
    shown, _ = widget(pairs, pairs_folder, tmp_path / "a.jsonl")._repr_mimebundle_()
    assert set(shown) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}


def test_no_pairs_are_no_error(pairs_folder, tmp_path):
    assert widget([], pairs_folder, tmp_path / "a.jsonl").reply({"kind": "open"})[0]["kept"] == []
    page = review([], pairs_folder, tmp_path / "a.jsonl", corpus="drawn corpus", headless=True)
    assert "0 of 0 pairs" in page._repr_mimebundle_()["text/plain"]


def test_examples_stand_on_both_sides_of_the_threshold():
    pairs = [{"image_id": f"{n:03}", "score": n / 100, "kept": n >= 90} for n in range(100)]
    shown = near_threshold(pairs, 0.9)
    assert sum(pair["kept"] for pair in shown) == 6 and len(shown) == 12
    assert min(pair["score"] for pair in shown) >= 0.72 and shown == near_threshold(pairs, 0.9)
    assert near_threshold(pairs, 0.9, seed=1) != shown
    few = near_threshold(pairs[:92], 0.9)  # two kept ones: the dropped ones fill up
    assert (sum(pair["kept"] for pair in few), len(few)) == (2, 12)
    assert len(near_threshold(pairs[90:], 0.9)) == 10 and near_threshold([], 0.9) == []


def test_annotations_load_no_widget():
    heavy = {"anywidget", "ipywidgets", "torch", "PIL"}
    code = f"import sys, emolab.captions.annotations; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
