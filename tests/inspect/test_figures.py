import numpy as np

from emolab.corpora import Clip
from emolab.inspect.figures import prediction_sheet


def row(labels, error=None):
    return {"labels": labels, "error": error}


def texts(figure):
    return [t.get_text() for axis in figure.axes for t in axis.texts] + [axis.get_title("left") for axis in figure.axes]


def test_a_sheet_says_what_is_matched_missed_and_spurious(tmp_path):
    images = [np.zeros((20, 30, 3), np.uint8)] * 6
    clips = [Clip("a", transcript="hi", labels=("happy", "sad")), Clip("b")]
    sheet = prediction_sheet(clips, [row(["joyful", "angry"]), row([], "No list.")], [images, images[:2]])
    shown = texts(sheet)
    assert {"✓ joyful", "− sad", "+ angry", "No list."} <= set(shown) and any("hi" in t for t in shown)
    sheet.savefig(tmp_path / "a.png")
    prediction_sheet([], [], []).savefig(tmp_path / "b.png")


def test_without_a_truth_nothing_is_called_wrong_and_narrow_frames_keep_words_apart(tmp_path):
    portrait = [np.zeros((90, 30, 3), np.uint8)] * 6
    sheet = prediction_sheet([Clip("a"), Clip("b", labels=())], [row(["terrified", "sad"])] * 2, [portrait] * 2)
    assert {"· terrified", "· sad", "+ terrified", "+ sad"} <= set(texts(sheet)) and "a" in texts(sheet)
    sheet.savefig(tmp_path / "a.png")  # only now places are known
    first, second = (each.get_window_extent() for each in sheet.axes[0].texts)
    assert first.x1 < second.x0


def test_hostile_text_is_drawn_as_text(tmp_path):
    hostile = r"$\frac{1}{0}$ \undefined <script>" + "x" * 500 + "\nline"
    images = [np.zeros((8, 8, 3), np.uint8)]
    clip = Clip(hostile, transcript=hostile, labels=(hostile,))
    prediction_sheet([clip], [row([hostile], hostile)], [images]).savefig(tmp_path / "a.png")
