"""Clips and predictions as people bring them."""

import json

import pandas as pd
import pytest

from emolab.corpora.clip import Clip
from emolab.errors import InputError
from emolab.fusion.panel import Member
from emolab.inspect.reading import as_answers, as_clips

ROWS = [
    {"clip_id": "0001", "model": "m", "labels": ["happy"], "text": "He smiles.", "seed": 0, "error": None},
    {"clip_id": "0002", "model": "m", "labels": [], "text": "", "seed": 0, "error": "0002: cannot be read."},
]


def labels(answers):
    return {model: {clip: row["labels"] for clip, row in rows.items()} for model, rows in answers.items()}


def jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_rows_and_a_dataframe_and_a_file_of_them_are_the_same(tmp_path):
    expected = {"m": {"0001": ["happy"], "0002": []}}
    assert labels(as_answers(ROWS)) == labels(as_answers(pd.DataFrame(ROWS))) == expected
    assert labels(as_answers({"x": ROWS})) == {"x": expected["m"]}
    assert labels(as_answers(jsonl(tmp_path / "zero.jsonl", ROWS))) == {"zero": expected["m"]}
    assert as_answers(pd.DataFrame(ROWS))["m"]["0002"]["error"] == "0002: cannot be read."
    assert as_answers(pd.DataFrame(ROWS))["m"]["0001"]["error"] is None


def test_label_sets_members_csv_and_reasons(tmp_path):
    (tmp_path / "p.csv").write_text('name,openset\n0001,"[happy, sad]"\n0002,[]\n')
    assert labels(as_answers(tmp_path / "p.csv")) == {"p": {"0001": ["happy", "sad"], "0002": []}}
    assert labels(as_answers({"0001": ["happy"]})) == {"predictions": {"0001": ["happy"]}}
    assert labels(as_answers({"a": {"0001": ["happy"]}, "b": tmp_path / "p.csv"})).keys() == {"a", "b"}
    assert labels(as_answers({"a": [], "b": ROWS})) == {"a": {}, "b": {"0001": ["happy"], "0002": []}}
    assert labels(as_answers({"a": {"0001": None, "0002": ["sad"]}})) == {"a": {"0002": ["sad"]}}  # not asked
    member = Member("Chat/x", {"0001": ["happy"]}, {"0001": "He smiles."})
    assert as_answers(member)["Chat/x"]["0001"]["text"] == "He smiles."
    assert as_answers([{"name": "1", "openset": "happy,sad", "reason": "so"}])["predictions"]["1"]["text"] == "so"


def test_models_of_one_file_and_variants_of_one_model_are_told_apart(tmp_path):
    two = [*ROWS, {"clip_id": "0001", "model": "n", "labels": ["sad"]}]
    assert labels(as_answers(jsonl(tmp_path / "two.jsonl", two))).keys() == {"m", "n"}
    seeds = [{**row, "sft_seed": seed, "given": ["audio", "text"]} for seed in (0, 1) for row in ROWS]
    assert labels(as_answers(seeds)).keys() == {"m, 0", "m, 1"}
    folder = tmp_path / "all"
    (folder / "M").mkdir(parents=True)
    jsonl(folder / "M" / "v.jsonl", two)
    (folder / "other.csv").write_text("clip_id,labels\n0001,calm\n")
    assert labels(as_answers(folder)).keys() == {"M/v: m", "M/v: n", "other"}


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ([*ROWS, ROWS[0]], "'0001' stands twice"),
        ([{"clip_id": 1, "labels": []}], "no text clip_id"),
        ([{"clip_id": "1", "labels": [2]}], "labels that are no texts"),
        ([{"clip_id": "1", "labels": 5}], "1 has labels that are no texts"),
        ([{"clip_id": "1", "text": "x"}], "neither labels nor an error"),
        ({"m": {"c": {"labels": {"a": 1}}}}, "labels that are no texts"),
        ([], "there are no predictions"),
        (5, "expected a DataFrame, rows, a mapping or a path, not int"),
        ([5], "expected a DataFrame"),
        ("nowhere.csv", "nowhere.csv: is not there"),
    ],
)
def test_what_cannot_be_read_is_a_sentence(source, sentence):
    with pytest.raises(InputError, match=sentence):
        as_answers(source)


def test_clips_of_a_dataframe_and_of_label_sets():
    frame = pd.DataFrame({"name": ["0001", "0002"], "openset": ["[happy, sad]", None], "transcript": ["Hi.", None]})
    assert as_clips(frame) == [Clip("0001", labels=("happy", "sad"), transcript="Hi."), Clip("0002")]
    assert as_clips({"0001": ["happy"]}) == [Clip("0001", labels=("happy",))]
    clips = [Clip("x", labels=("a",))]
    assert as_clips(clips) == clips
    assert as_clips({"0001": "[happy, sad]", "2": None}) == [Clip("0001", labels=("happy", "sad")), Clip("2")]
    for bad in ({"1": 5}, {"1": [5]}, [{"clip_id": "1", "labels": {"happy": 1}}]):
        with pytest.raises(InputError, match="labels that are no texts"):
            as_clips(bad)
    with pytest.raises(InputError, match="unknown column 'mood'"):
        as_clips(pd.DataFrame({"clip_id": ["1"], "mood": ["x"]}))


def test_clips_of_files_and_folders(tmp_path):
    (tmp_path / "truth.csv").write_text("name,openset\n0001,happy\n")
    assert as_clips(tmp_path / "truth.csv") == [Clip("0001", labels=("happy",))]
    (tmp_path / "v.mp4").write_bytes(b"x")
    assert as_clips(str(tmp_path / "v.mp4"))[0].video == str(tmp_path / "v.mp4")
    assert [clip.clip_id for clip in as_clips(tmp_path)] == ["v"]
    rows = [{"clip_id": "a", "video": "v.mp4", "labels": ["happy"]}, {"clip_id": "b"}]
    assert as_clips(jsonl(tmp_path / "some.jsonl", rows))[0].video == str(tmp_path / "v.mp4")
    jsonl(tmp_path / "clips.jsonl", rows)
    assert [clip.clip_id for clip in as_clips(tmp_path)] == ["a", "b"]
    jsonl(tmp_path / "out.jsonl", [{"clip_id": "a", "video": "../../etc/passwd"}])
    with pytest.raises(InputError, match="leads out of the corpus folder"):
        as_clips(tmp_path / "out.jsonl")
