"""annotations.jsonl: what stands, undo, and what is refused."""

import pytest

from emolab.errors import InputError
from emolab.inspect.annotation_file import AnnotationFile, changes, standing


@pytest.fixture
def file(tmp_path):
    return AnnotationFile(tmp_path / "annotations.jsonl")


def now(file, clip):
    row = standing(file.history().get(clip, []))
    return row and (row["labels"], row["note"])


def test_the_last_row_of_a_clip_stands_and_all_rows_stay(file):
    file.annotate("a", ["Happy ", "happy", "sad"], "", "ann")
    file.annotate("a", ["calm"], " sure ", "ben")
    file.annotate("b", None, "no sound", "ann")
    assert now(file, "a") == (["calm"], "sure") and now(file, "b") == (None, "no sound")
    assert [row["labels"] for row in file.history()["a"]] == [["happy", "sad"], ["calm"]]
    assert [row["author"] for row in file.history()["a"]] == ["ann", "ben"]


def test_an_empty_set_is_an_annotation_and_taking_all_back_is_none(file):
    file.annotate("a", [], "", "ann")
    assert now(file, "a") == ([], "")
    file.annotate("a", None, "", "ann")
    assert now(file, "a") is None and len(file.history()["a"]) == 2


def test_undo_goes_back_step_by_step_over_clips(file):
    file.annotate("a", ["happy"], "", "ann")
    file.annotate("b", ["sad"], "", "ann")
    file.annotate("a", ["happy", "calm"], "x", "ann")
    assert file.undo("ann")["clip_id"] == "a" and now(file, "a") == (["happy"], "")
    assert file.undo("ann")["clip_id"] == "b" and now(file, "b") is None
    assert file.undo("ann")["clip_id"] == "a" and now(file, "a") is None
    with pytest.raises(InputError, match="no change of yours"):
        file.undo("ann")
    assert sum(map(len, file.history().values())) == 6  # nothing is erased


def test_undo_after_undo_and_a_new_change(file):
    file.annotate("a", ["happy"], "", "ann")
    file.annotate("a", ["sad"], "", "ann")
    file.undo("ann")
    file.annotate("a", ["calm"], "", "ann")
    file.undo("ann")
    assert now(file, "a") == (["happy"], "")
    file.undo("ann")
    assert now(file, "a") is None


def test_undo_takes_back_ones_own_change_only_and_not_below_anothers(file):
    file.annotate("a", ["happy"], "", "ann")
    file.annotate("b", ["sad"], "", "ben")
    assert file.undo("ann")["clip_id"] == "a"
    file.annotate("a", ["happy"], "", "ann")
    file.annotate("a", ["calm"], "", "ben")
    with pytest.raises(InputError, match="ben has changed a since"):
        file.undo("ann")
    assert now(file, "a") == (["calm"], "")
    with pytest.raises(InputError, match="no change of yours"):  # it was said once; the next one is asked for
        file.undo("ann")
    file.annotate("a", ["sad"], "", "ann")
    assert file.undo("ann")["labels"] == ["calm"]


def test_a_change_of_what_was_not_seen_is_refused(file):
    first = file.annotate("a", ["happy"], "", "ann", seen=None)
    with pytest.raises(InputError, match="ann has changed a meanwhile"):
        file.annotate("a", ["sad"], "", "ben", seen=None)
    file.annotate("a", ["sad"], "", "ben", seen=first["id"])
    file.undo("ben")
    with pytest.raises(InputError, match="ben has changed a meanwhile"):
        file.annotate("a", ["calm"], "", "ann", seen=first["id"])
    file.annotate("b", ["x"], "", "ann", seen=None)
    file.annotate("b", None, "", "ann")
    file.annotate("b", ["y"], "", "ben", seen=None)  # withdrawn: nothing stands
    assert now(file, "a") == (["happy"], "") and now(file, "b") == (["y"], "")


def test_limits(file):
    with pytest.raises(InputError, match="up to 500 labels"):
        file.annotate("a", [str(n) for n in range(501)], "", "ann")
    with pytest.raises(InputError, match="of 10000 characters"):
        file.annotate("a", ["x" * 10_001], "", "ann")
    with pytest.raises(InputError, match="note has up to"):
        file.annotate("a", None, "x" * 4001, "ann")
    assert not file.path.exists()


def test_hostile_text_comes_back_as_it_was(file):
    file.annotate("half", ["half \ud800"], "\ud800", "\ud800")
    assert standing(file.history()["half"])["labels"] == ["half ?"]
    text = "</script>\u2028\x00 \"'\\ \U0001f600 \u202e"
    file.annotate(text, [text], text, text[:20])
    row = standing(file.history()[text])
    assert row["note"] == text.strip() and row["labels"] == [text.strip().lower()]


def test_rows_of_another_file_are_refused(file):
    file.path.write_text('{"image_id": "a", "verdict": "keep"}\n{}\n')
    with pytest.raises(InputError, match="line 1: no annotation of a clip"):
        file.history()


def test_changes_against_the_truth():
    assert changes(["Happy", "sad"], {"labels": ["sad", "calm"]}) == (["calm"], ["happy"])
    assert changes(None, {"labels": ["sad"]}) == (["sad"], []) and changes(["sad"], {"labels": None}) == ([], [])
