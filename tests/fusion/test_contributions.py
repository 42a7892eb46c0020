"""Who contributes what."""

import pytest

from emolab.fusion.contributions import contributed, share_rows, word_rows
from emolab.fusion.panel import Member, by_model, make_panel

TRUTH = {"a": ["happy", "sad"], "b": ["angry"]}
PANEL = make_panel(
    [
        Member("m/one", {"a": ["joyful"], "b": ["happy"]}),
        Member("m/two", {"a": ["happy", "calm"]}),
        Member("n", {"a": ["sad", "happy"], "b": [], "c": ["happy"]}),
    ]
)


def test_shares_of_what_is_right_and_of_what_nobody_else_says():
    rows = {row["name"]: row for row in share_rows(contributed(PANEL, TRUTH))}
    assert rows["m/one"] == {"name": "m/one", "n": 2, "right": 0.5, "alone": 0.5, "right_alone": 0.0}
    assert rows["n"] == {"name": "n", "n": 2, "right": 1.0, "alone": 0.5, "right_alone": 1.0}
    assert rows["m/two"]["right"] == pytest.approx(0.5)
    assert share_rows([((("x"), "y"), True)])[0]["right_alone"] is None


def test_words_are_counted_by_clip():
    rows = [row for row in word_rows(PANEL, TRUTH) if row["member"] == "m/two"]
    assert rows == [
        {"member": "m/two", "word": "calm", "right": 0, "wrong": 1},
        {"member": "m/two", "word": "happy", "right": 1, "wrong": 0},
    ]


def test_variants_of_a_model_are_one_voice():
    merged = by_model(PANEL)
    assert merged.names == ("m", "n") and merged.clip_ids == PANEL.clip_ids
    assert merged.members[0].labels == {"a": ["joyful", "happy", "calm"], "b": ["happy"]}
