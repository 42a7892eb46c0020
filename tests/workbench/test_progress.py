"""How far a run of several notebooks is."""

import pytest

from emolab.workbench.progress import Board, duration


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves: `clock[0]` is now, in seconds."""
    now = [0.0]
    monkeypatch.setattr("emolab.workbench.progress.time.monotonic", lambda: now[0])
    return now


def test_what_is_left_follows_the_pace_of_what_has_ended(clock):
    board = Board(["01", "02", "03", "08"])
    board.expect({"01": 100, "02": 50, "03": 60})  # 08 has nothing to do
    board.begin("01")
    clock[0] = 200  # twice as long as estimated
    board.end("01")
    board.begin("02")
    clock[0] = 230
    assert board.where() == "[1 of 4 done, about 3 min left]"  # 2 x 50 - 30 + 2 x 60


def test_side_by_side_the_longest_counts_or_the_share_of_all(clock):
    board = Board(["01", "02", "03"], jobs=2)
    board.expect({"01": 100, "02": 900, "03": 100})
    board.begin("01"), board.begin("02")
    assert board.where() == "[0 of 3 done, about 15 min left]"
    board.expect({"01": 600, "02": 600, "03": 600})
    assert board.where() == "[0 of 3 done, about 15 min left]"


def test_without_an_estimate_no_time_is_made_up(capsys, clock):
    board = Board(["01", "02"])
    lane = board.begin("02")
    assert board.where() == "[0 of 2 done]"
    lane.cell(3, 9)
    clock[0] = 5
    lane.text("answers:  10%\r answers:  20%\x1b[2J\n")
    assert capsys.readouterr().err == "[0 of 2 done] 02  cell 4/9  0:05  answers:  20% [2J\n"


def test_durations_are_short():
    assert [duration(s) for s in (0, 95, 100, 5000, 7000)] == ["0 s", "95 s", "2 min", "83 min", "2 h"]
