"""Whether the kept captions are more right than all: on rows whose answer is known."""

import pytest

from emolab.captions.correctness import correctness, correctness_sweep

TRUTH = {f"c{i}": ["happy"] for i in range(40)}


def rows():
    right = [{"clip_id": f"c{i}", "text": "He seems joyful.", "kept": True, "score": 1.0} for i in range(20)]
    wrong = [{"clip_id": f"c{i}", "text": "He seems sad.", "kept": False, "score": 0.2} for i in range(20, 40)]
    return right + wrong


def test_kept_beats_all_where_it_does():
    found = {row["name"]: row for row in correctness(rows(), TRUTH, resamples=500)}
    assert found["all pairs"]["avg"] == pytest.approx(0.5) and found["kept"]["avg"] == pytest.approx(1.0)
    assert found["dropped"]["avg"] == 0 and found["kept − all"]["avg"] == pytest.approx(0.5)
    low, high = found["kept − all"]["interval"]["avg"]
    assert 0.3 < low < 0.5 < high < 0.7
    assert (found["all pairs"]["n"], found["kept"]["n"], found["kept"]["clips"]) == (40, 20, 20)


def test_frames_of_one_clip_are_no_independent_witnesses():
    texts = ("He seems joyful.", "He seems joyful.", "He seems sad.", "He seems sad.")
    many = [{**row, "clip_id": f"c{i % 4}", "text": texts[i % 4]} for i, row in enumerate(rows())]
    alone = correctness(rows(), TRUTH, resamples=500)[0]["interval"]["avg"]
    together = correctness(many, TRUTH, resamples=500)[0]["interval"]["avg"]
    assert together[1] - together[0] > 2 * (alone[1] - alone[0])


def test_without_truth_there_is_nothing_to_say():
    assert correctness(rows(), {}) == [] and correctness([], TRUTH) == []


def test_the_sweep_shows_what_each_threshold_would_keep():
    found = correctness_sweep(rows(), TRUTH, [0.0, 0.5, 1.01], "score", resamples=100)
    assert [(row["kept"], row["correctness"]) for row in found] == [(40, 0.5), (20, 1.0), (0, None)]
