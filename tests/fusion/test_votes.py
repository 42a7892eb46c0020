"""Votes over synonym groups, and the rows that fused labels become."""

from emolab.fusion.panel import Member, Panel, make_panel
from emolab.fusion.votes import Candidate, answered, candidates, keep, prediction_rows
from emolab.labels.lexicon import families, key_of


def test_synonyms_are_one_group_and_the_most_said_word_stands_first():
    panel = make_panel(
        [
            Member("a", {"c": ["angry", "sad", "annoyed"]}),
            Member("b", {"c": ["annoyed", "zyx"]}),
            Member("d", {"c": ["unhappy", "zyx"]}),
        ]
    )
    assert candidates(panel, "c") == [
        Candidate("anger", ("annoyed", "angry"), ("a", "b")),  # a said two words of it and votes once
        Candidate("sadness", ("sad", "unhappy"), ("a", "d")),  # both said once: the first one said
        Candidate("zyx", ("zyx",), ("b", "d")),
    ]


def test_chinese_and_english_of_one_family_are_one_group():
    panel = make_panel(
        [Member("en", {"c": ["happy"]}), Member("zh", {"c": ["开心", "愤怒"]}), Member("x", {"c": ["开心"]})]
    )
    groups = candidates(panel, "c")
    assert [(each.word, each.voters) for each in groups] == [("开心", ("en", "zh", "x")), ("愤怒", ("zh",))]


def test_a_label_without_family_never_has_the_key_of_a_family():
    assert [name for name in families() if key_of(name) != name] == []


def test_members_with_probabilities_vote_by_their_labels():
    panel = make_panel([Member("six", {"c": ["happy"]}, probabilities={"c": {"happy": 0.6, "angry": 0.4}})])
    assert [each.key for each in candidates(panel, "c")] == ["joy"]


def test_a_clip_that_nobody_was_asked_about_differs_from_an_empty_answer():
    panel = make_panel([Member("a", {"c": [], "d": ["sad"]}), Member("b", {"d": ["sad"]})])
    assert candidates(panel, "c") == candidates(panel, "unknown") == []
    assert answered(panel, "c") == ["a"]
    assert answered(panel, "unknown") == []


def test_keep_takes_the_heaviest_where_none_is_heavy_enough():
    groups = [Candidate("a", ("a1", "a2"), ("x",)), Candidate("b", ("b1",), ("x",)), Candidate("c", ("c1",), ())]
    assert keep(groups, [2, 3, 1], 2) == ["a1", "b1"]
    assert keep(groups, [2, 3, 1], 2, words=2) == ["a1", "a2", "b1"]
    assert keep(groups, [2, 2, 1], 9) == ["a1", "b1"]
    assert keep(groups, [2, 2, 1], 9, fallback=False) == []
    assert keep([], [], 1) == []


def test_rows_say_who_said_a_label_or_a_synonym():
    hostile = "<img src=x onerror=\"alert('1')\">"
    panel = make_panel(
        [Member("a", {"c": ["happy", hostile], "d": []}), Member("b", {"c": ["joyful"]}), Member("e", {"f": ["sad"]})]
    )
    fused = {"c": ["glad", hostile, "proud"], "d": [], "f": ["sad"], "gone": ["sad"]}
    rows = prediction_rows(panel.on(["c", "d", "f", "gone"]), fused, "vote 2", seed=3)
    assert rows[0] == {
        "clip_id": "c", "model": "vote 2", "text": "", "labels": ["glad", hostile, "proud"],
        "votes": {"glad": ["a", "b"], hostile: ["a"], "proud": []}, "seed": 3, "error": None,
    }  # fmt: skip
    assert [(row["labels"], row["error"]) for row in rows[1:3]] == [([], None), (["sad"], None)]
    assert rows[3]["labels"] == [] and rows[3]["error"] == "gone: none of the fused models answered for this clip."


def test_an_empty_panel_has_no_rows():
    assert prediction_rows(Panel((), ()), {}, "union") == []
