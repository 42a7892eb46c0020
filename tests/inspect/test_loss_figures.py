"""Loss curves, and differences by family."""

from matplotlib import pyplot as plt

from emolab.inspect.family_figures import family_difference_bars
from emolab.inspect.loss_figures import LiveLoss, loss_curves

ROWS = [{"step": i, "steps": 20, "loss": 2 / i, "remaining": "1s"} for i in range(1, 21)]


def test_each_log_has_a_curve_and_its_mean():
    figure = loss_curves({"seed 0": ROWS, "seed $1$": ROWS[:5]}, "drawn corpus")
    (axis,) = figure.axes
    assert len(axis.lines) == 4 and "drawn corpus" in axis.get_title()
    assert list(axis.lines[0].get_ydata()) == [row["loss"] for row in ROWS]
    assert axis.lines[1].get_ydata()[-1] == sum(row["loss"] for row in ROWS[-9:]) / 9
    assert len(loss_curves({}).axes) == 1
    plt.close("all")


def test_a_running_training_is_drawn_now_and_then(monkeypatch):
    drawn = []

    class Handle:
        def update(self, figure):
            drawn.append(figure.axes[0].get_legend().get_texts()[0].get_text())

    monkeypatch.setattr("IPython.display.display", lambda figure, display_id: Handle())
    live = LiveLoss("seed 0", every=3600)
    live(ROWS[:1])
    live(ROWS[:2])  # too soon
    live(ROWS)  # the last step is always drawn
    assert drawn == ["seed 0: step 20 of 20, 1s left"] and not plt.get_fignums()


def test_families_are_drawn_with_their_intervals():
    rows = [
        {"name": "happy", "n": 9, "first": 0.2, "second": 0.8, "difference": -0.6, "interval": {}},
        {"name": "sad", "n": 4, "first": 0.5, "second": 0.5, "difference": 0.0, "interval": {}},
    ]
    rows[0]["interval"] = {"difference": [-0.9, -0.3]}
    left, right = family_difference_bars(rows, "face", "frame", "drawn corpus").axes
    assert [text.get_text() for text in left.get_yticklabels()] == ["happy (9)", "sad (4)"]
    assert [list(line.get_xdata()) for line in right.lines[:2]] == [[-90, -30], [0, 0]]
    assert family_difference_bars([], "a", "b").axes
    plt.close("all")
