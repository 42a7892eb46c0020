import json
from multiprocessing import get_context

import pytest

from emolab.captions.annotations import annotate, digest, read_annotations, verdicts_on
from emolab.errors import InputError


def test_the_last_line_of_an_image_counts_and_null_withdraws(tmp_path):
    path = tmp_path / "new folder" / "annotations.jsonl"
    assert read_annotations(path) == {}
    annotate(path, "a", "keep", "first look")
    annotate(path, "b", "flag", "两个人\nin the\u2028picture")
    annotate(path, "a", "drop")
    annotate(path, "c", "keep")
    annotate(path, "c", None)
    found = read_annotations(path)
    assert {image_id: row["verdict"] for image_id, row in found.items()} == {"a": "drop", "b": "flag"}
    assert found["b"]["note"] == "两个人 in the picture" and found["a"]["time"].endswith("+00:00")
    assert len(path.read_text(encoding="utf-8").splitlines()) == 5  # nothing is ever taken out


def test_a_torn_last_line_is_ignored_and_cut_off(tmp_path):
    path = tmp_path / "annotations.jsonl"
    annotate(path, "a", "keep")
    with path.open("ab") as file:
        file.write(b'{"image_id": "b", "verd' + b"x" * 9000)
    assert set(read_annotations(path)) == {"a"}
    annotate(path, "c", "drop")
    assert set(read_annotations(path)) == {"a", "c"}


def test_a_line_end_that_an_editor_left_out_is_added(tmp_path):
    path = tmp_path / "annotations.jsonl"
    path.write_text('{"image_id": "a", "verdict": "keep", "note": "", "time": ""}')
    assert set(read_annotations(path)) == {"a"}
    annotate(path, "b", "drop")
    assert set(read_annotations(path)) == {"a", "b"}


@pytest.mark.parametrize(
    "broken", ["{", "[]", '"a"', '{"image_id": "a"}', '{"image_id": "a", "verdict": "maybe"}', "é"]
)
def test_a_broken_line_is_named(tmp_path, broken):
    path = tmp_path / "annotations.jsonl"
    good = '{"image_id": "a", "verdict": "keep", "note": "", "time": ""}\n'
    path.write_text(f"{good}\n{broken}\n{good}", encoding="latin-1")
    with pytest.raises(InputError, match="annotations.jsonl line 3: no verdict"):
        read_annotations(path)


def test_what_cannot_be_written_is_said(tmp_path):
    with pytest.raises(InputError, match="'maybe' is no verdict"):
        annotate(tmp_path / "a.jsonl", "a", "maybe")
    with pytest.raises(InputError, match="cannot be written"):
        annotate(tmp_path, "a", "keep")
    with pytest.raises(InputError, match="cannot be read"):
        read_annotations(tmp_path)


def _write(path, name):
    for number in range(60):
        annotate(path, f"{name}{number}", "keep", name * 300)


def test_several_writers_tear_no_line(tmp_path):
    path = tmp_path / "annotations.jsonl"
    writers = [get_context("spawn").Process(target=_write, args=(path, name)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(rows) == len(read_annotations(path)) == 120 and all(len(row["note"]) == 300 for row in rows)


def test_a_verdict_on_other_texts_does_not_count(tmp_path):
    pair = {"image_id": "a", "first": "He smiles.", "second": "He grins."}
    annotate(tmp_path / "x.jsonl", "a", "keep", pair=digest(pair))
    annotate(tmp_path / "x.jsonl", "b", "drop")  # by hand: on whatever the texts are
    rows = read_annotations(tmp_path / "x.jsonl")
    assert verdicts_on([pair, {**pair, "image_id": "b"}], rows) == ({"a": "keep", "b": "drop"}, 0)
    assert verdicts_on([{**pair, "second": "He frowns."}], rows) == ({}, 1)
