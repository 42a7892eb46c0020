"""Figures of six-way emotion draw the numbers that they are given."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import pyplot as plt

from emolab.inspect.six_way_figures import confusion_matrix, missing_curves, noise_curves, round_curves


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def _row(name, value, **more):
    return {
        "name": name,
        "n": 180,
        "weighted_f1": value,
        "interval": {"weighted_f1": [value - 0.05, value + 0.05]},
        **more,
    }


def test_confusion_shows_shares_and_counts():
    table = np.zeros((6, 7))
    table[np.arange(6), np.arange(6)] = 6
    table[1, 5] = 2
    figure = confusion_matrix(table, "drawn $corpus$")
    (axis,) = figure.axes
    said = {text.get_position(): text.get_text() for text in axis.texts}
    assert len(said) == 36 and said[1, 1] == "75 %\n6" and said[5, 1] == "25 %\n2" and said[0, 1] == "0 %\n0"
    assert axis.get_yticklabels()[1].get_text() == "angry (n = 8)" and r"\$" in axis.get_title()
    table[0, 6] = 1  # a clip without an answer shows
    assert len(confusion_matrix(table).axes[0].texts) == 42


def test_each_modality_has_a_panel_and_each_system_a_curve(tmp_path):
    rows = [
        _row(name, value - rate / 5, modality=modality, rate=rate)
        for name, value in (("plain", 0.7), ("dropout", 0.75))
        for modality in ("audio", "video", "text")
        for rate in (0, 0.5, 1)
    ]
    figure = missing_curves(rows, "drawn corpus")
    assert [axis.get_xlabel() for axis in figure.axes] == [f"clips without {m} (%)" for m in ("audio", "video", "text")]
    for axis in figure.axes:
        first, second = axis.lines
        assert list(first.get_xdata()) == [0, 50, 100] and np.allclose(first.get_ydata(), [70, 60, 50])
        assert np.allclose(second.get_ydata(), [75, 65, 55])
    figure.savefig(tmp_path / "missing.png")


def test_noise_stands_left_to_right_from_none_to_most():
    rows = [_row("fused", value, snr=snr) for snr, value in ((0.0, 0.4), (None, 0.7), (20.0, 0.6))]
    (axis,) = noise_curves(sorted(rows, key=lambda row: -(row["snr"] if row["snr"] is not None else 99))).axes
    assert [text.get_text() for text in axis.get_xticklabels()] == ["none", "20 dB", "0 dB"]
    assert np.allclose(axis.lines[0].get_xdata(), [0, 1, 2]) and np.allclose(axis.lines[0].get_ydata(), [70, 60, 40])


def test_rounds_show_what_was_refused():
    told = {"purity": 0.9, "pseudo": 40, "valid_before": 0.7}
    rows = [
        {"job": 0, "round": 1, **told, "valid_after": 0.75, "accepted": True},
        {"job": 1, "round": 1, **told, "valid_after": 0.6, "accepted": False},
        {"job": 0, "round": 2, **told, "purity": None, "valid_after": None, "accepted": False},
    ]
    axes = round_curves({"thresholds .9": rows}, "drawn corpus").axes
    crosses = [line for line in axes[2].lines if line.get_marker() == "x"]
    assert len(crosses) == 1 and np.allclose(crosses[0].get_xdata(), [1, 2])
    assert np.allclose(crosses[0].get_ydata(), [-0.1, np.nan], equal_nan=True)
    means = [line for line in axes[1].lines if line.get_marker() == "o"]
    assert np.allclose(means[0].get_ydata(), [90, np.nan], equal_nan=True)


def test_nothing_to_draw_is_an_empty_figure():
    for figure in (missing_curves([]), noise_curves([]), round_curves({})):
        assert figure.axes
