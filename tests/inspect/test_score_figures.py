"""Figures of scores: what is drawn, on small sets; hostile and empty input is drawn too."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from emolab.inspect.score_figures import (
    precision_recall,
    recall_precision,
    recall_precision_bars,
    spurious_words,
)
from emolab.labels.wheel import own_wheels
from emolab.scoring import mer2024, wheel
from emolab.scoring.intervals import bootstrap_intervals
from emolab.scoring.table import baseline_rows, table_row

TRUTH = {"a": ["happy", "sad"], "b": ["joyful"], "c": ["angry"], "d": ["furious", "chair"]}
PREDICTED = {"a": ["glad", "excited"], "b": ["excited"], "c": ["Excited", "annoyed", "chair"], "x": ["sad"]}
HOSTILE = r"$\frac{1}{0}$ <b>" + "x" * 300 + "\nline"


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def rows_of(score):
    result = score(TRUTH, PREDICTED)
    row = table_row(HOSTILE, result, bootstrap_intervals(result, 50))
    return [row, *baseline_rows(TRUTH, score, resamples=50)]


def test_precision_and_recall_with_baselines_and_iso_lines(tmp_path):
    for score, names in (
        (mer2024.score, ()),
        (lambda t, p: wheel.score(t, p, own_wheels()), ("level1_precision", "level1_recall")),
    ):
        rows = rows_of(score)
        figure = precision_recall(rows, *names)
        axis = figure.axes[0]
        drawn = [line.get_xydata()[0] for line in axis.lines if line.get_marker() not in ("None", None, "", "_", "|")]
        expected = [[100 * row[name] for name in names or ("accuracy", "recall")] for row in rows]
        assert np.allclose([each for each in drawn][: len(rows)], expected)
        labels = [text.get_text() for text in figure.legends[0].get_texts()]
        assert sum(label.startswith("baseline: ") for label in labels) == 2 and "equal F" in labels[-1]
        assert "%" in axis.get_xlabel() and "n = 3 to 4 clips" in axis.get_title("left")
        figure.savefig(tmp_path / "a.png")


def test_family_rows_by_hand():
    rows = {row["family"]: row for row in recall_precision(TRUTH, PREDICTED)}
    assert rows["joy"] == {"family": "joy", "true": 2, "predicted": 1, "recall": 0.5, "precision": 1}
    assert rows["excitement"]["recall"] is None and rows["excitement"]["precision"] == 0
    assert rows["sadness"]["precision"] is None and rows["sadness"]["recall"] == 0
    labels = {row["label"]: row for row in recall_precision(TRUTH, PREDICTED, by="label")}
    assert labels["happy"]["recall"] == 1 and labels["joyful"]["recall"] == 0 and labels["chair"]["predicted"] == 1


def test_bars_say_how_many_labels_they_rest_on(tmp_path):
    figure = recall_precision_bars(TRUTH, PREDICTED)
    assert {"50 % of 2", "0 % of 3", "– of 0"} <= {text.get_text() for text in figure.axes[0].texts}
    assert "n = 3 clips" in figure.axes[0].get_title()
    figure.savefig(tmp_path / "a.png")


def test_the_most_frequent_spurious_word_comes_first(tmp_path):
    figure = spurious_words({**TRUTH, "e": ["sad"]}, {**PREDICTED, "e": [HOSTILE]})
    axis = figure.axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()][:2][0] == "excited"
    assert axis.patches[0].get_width() == pytest.approx(75)  # 3 of 4 clips
    figure.savefig(tmp_path / "a.png")


def test_nothing_to_show_is_drawn_as_nothing(tmp_path):
    for number, figure in enumerate((precision_recall([]), recall_precision_bars({}, {}), spurious_words({}, {}))):
        figure.savefig(tmp_path / f"{number}.png")
