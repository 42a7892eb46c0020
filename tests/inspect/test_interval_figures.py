"""Scores with their intervals, one line a system."""

from __future__ import annotations

from matplotlib import pyplot as plt

from emolab.inspect.interval_figures import interval_dots

ROWS = [
    {"name": "AffectGPT-sft", "n": 66, "avg": 0.74, "accuracy": 0.68, "recall": 0.81, "interval": {"avg": [0.7, 0.78]}},
    {"name": "sound $alone$", "n": 66, "avg": 0.5, "accuracy": 0.4, "recall": 0.6, "interval": {}},
]


def test_each_row_has_its_scores_and_the_interval_of_avg(tmp_path):
    figure = interval_dots(ROWS, "drawn corpus", "What is hidden")
    (axis,) = figure.axes
    drawn = [(list(line.get_xdata()), list(line.get_ydata())) for line in axis.lines]
    for y, row in enumerate(ROWS):
        low, high = row["interval"].get("avg", [row["avg"]] * 2)
        scores = [[100 * low, 100 * high], *([100 * row[name]] for name in ("accuracy", "recall", "avg"))]
        assert drawn[4 * y : 4 * y + 4] == [(scores[0], [y, y]), *((score, [y]) for score in scores[1:])]
    assert [text.get_text() for text in axis.get_yticklabels()] == [
        "AffectGPT-sft (n = 66)", r"sound \$alone\$ (n = 66)",
    ]  # fmt: skip
    assert axis.yaxis_inverted() and axis.get_title() == "What is hidden, drawn corpus"
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["accuracy", "recall", "avg"]
    figure.savefig(tmp_path / "dots.png")
    assert (tmp_path / "dots.png").stat().st_size > 5000
    plt.close("all")


def test_the_legend_hides_no_score(tmp_path):
    """Many rows, with scores wherever a legend inside the axes could stand."""
    rows = [{**ROWS[1], "name": f"row {n}", "avg": n / 20, "accuracy": 1 - n / 20, "recall": 0.5} for n in range(21)]
    figure = interval_dots(rows)
    figure.canvas.draw()
    (axis,) = figure.axes
    (legend,) = [*figure.legends, *filter(None, [axis.get_legend()])]
    box = legend.get_window_extent()
    dots = [axis.transData.transform((line.get_xdata()[-1], line.get_ydata()[-1])) for line in axis.lines]
    assert not any(box.contains(*dot) for dot in dots)
    plt.close("all")


def test_names_that_end_differently_look_different():
    names = ["AffectGPT-sft, audio, video", "AffectGPT-sft, audio, video, text"]
    figure = interval_dots([{**ROWS[0], "name": name} for name in names])
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == [f"{name} (n = 66)" for name in names]
    plt.close("all")


def test_no_rows_are_an_empty_figure():
    assert interval_dots([]).axes[0].get_legend() is None
    plt.close("all")
