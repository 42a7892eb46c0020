"""Prediction files as members of a panel."""

import json
from pathlib import Path

import numpy as np
import pytest

from emolab.errors import InputError
from emolab.fusion.panel import Member, make_panel, member_of_rows, prediction_files, read_member, read_panel

GOLDEN = Path(__file__).resolve().parents[2].parent / "shared" / "golden"


def write_jsonl(path: Path, *rows: dict) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def write_npz(path: Path, cells: dict[str, str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, filenames=np.array(list(cells)), fileitems=np.array(list(cells.values())))
    return path


def test_members_may_judge_different_clips(tmp_path):
    first = tmp_path / "first.csv"
    first.write_text('clip_id,labels\nc1,"[Happy, sad]"\nc2,[]\n', encoding="utf-8")
    second = write_jsonl(
        tmp_path / "second.jsonl", {"clip_id": "c3", "labels": ["开心"]}, {"clip_id": "c1", "labels": []}
    )
    panel = read_panel([first, second])
    assert panel.names == ("first", "second")
    assert panel.clip_ids == ("c1", "c2", "c3")
    assert panel.members[0].labels == {"c1": ["happy", "sad"], "c2": []}
    assert panel.members[1].labels == {"c3": ["开心"], "c1": []}


def test_repeated_clips_are_spliced_and_counted(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text('name,openset\nc1,"[happy, sad]"\nc2,[calm]\nc1,"[Sad, proud]"\n', encoding="utf-8")
    member = read_member(path, "p")
    assert member.labels == {"c1": ["happy", "sad", "proud"], "c2": ["calm"]} and member.repeated == 1


def test_a_row_with_an_error_is_no_answer(tmp_path):
    rows = [
        {"clip_id": "c1", "labels": [], "text": "", "error": "lost"},
        {"clip_id": "c2", "labels": ["happy"], "text": "He smiles.", "error": None, "probabilities": {"happy": 0.8}},
        {"clip_id": "c2", "labels": ["Proud"], "text": "He stands.", "error": None},
    ]
    read = read_member(write_jsonl(tmp_path / "m.jsonl", *rows), "m")
    made = member_of_rows("m", rows)
    for member in (read, made):
        assert member.labels == {"c2": ["happy", "proud"]} and member.repeated == 1
        assert member.texts == {"c2": "He smiles. He stands."}
        assert member.probabilities == {"c2": {"happy": 0.8}}


def test_a_folder_as_published(tmp_path):
    for model in ("A", "B"):
        write_npz(tmp_path / model / "plain-openset.npz", {"c1": "[happy]", "c2": ""})
        write_jsonl(
            tmp_path / model / "plain-reason.jsonl", {"name": "c1", "reason": model}, {"name": "x", "reason": "-"}
        )
    panel = read_panel([tmp_path])
    assert panel.names == ("A/plain", "B/plain")
    assert [member.texts for member in panel.members] == [{"c1": "A"}, {"c1": "B"}]
    assert panel.members[0].labels == {"c1": ["happy"], "c2": []}
    assert read_panel([f"mine={tmp_path}/A/plain-openset.npz", tmp_path / "B"]).names == ("mine", "B/plain")


def test_names_are_picked_in_order_and_clips_kept():
    panel = make_panel([Member("a", {"c": []}), Member("b", {"d": []})])
    picked = panel.pick(["b"])
    assert picked.names == ("b",) and picked.clip_ids == ("c", "d")
    assert panel.on(["d"]).clip_ids == ("d",)
    with pytest.raises(InputError, match="known are a, b"):
        panel.pick(["z"])


def test_what_cannot_be_fused_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="no predictions to fuse"):
        read_panel([])
    with pytest.raises(InputError, match="two predictions are called 'a'"):
        make_panel([Member("a", {}), Member("a", {})])
    with pytest.raises(InputError, match="holds no prediction file"):
        prediction_files(tmp_path)
    with pytest.raises(InputError):
        read_panel([tmp_path / "missing.csv"])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"clip_id": "c", "labels": ["sad"], "probabilities": {"sad": 2}}, "number from 0 to 1"),
        ({"clip_id": "c", "labels": ["sad"], "probabilities": {"sad": float("nan")}}, "number from 0 to 1"),
        ({"clip_id": "c", "labels": ["sad"], "probabilities": ["sad"]}, "number from 0 to 1"),
        ({"clip_id": 7, "labels": ["sad"]}, "clip_id"),
        ({"clip_id": "c", "labels": [3]}, "labels"),
    ],
)
def test_rows_of_another_shape_are_refused(tmp_path, row, message):
    with pytest.raises(InputError, match=message):
        read_panel([write_jsonl(tmp_path / "p.jsonl", row)])


def test_broken_reasons_beside_a_file_are_named(tmp_path):
    path = write_npz(tmp_path / "v-openset.npz", {"c": "[sad]"})
    (tmp_path / "v-reason.jsonl").write_text("{not json\n", encoding="utf-8")
    with pytest.raises(InputError, match="v-reason.jsonl: line 1"):
        read_panel([path])


def test_hostile_labels_stay_text(tmp_path):
    label = "<script>alert('x')</script>"
    panel = read_panel([write_jsonl(tmp_path / "p.jsonl", {"clip_id": "c", "labels": [label, "__import__('os')"]})])
    assert panel.members[0].labels == {"c": [label, "__import__('os')"]}


@pytest.mark.skipif(not GOLDEN.exists(), reason="the published predictions are not beside the checkout")
def test_published_predictions():
    panel = read_panel([GOLDEN / "ov-merd-predictions"])
    assert len(panel.members) == 15 and len(panel.clip_ids) == 332
    assert panel.names[:2] == ("Chat-UniVi/nosubtitle-addsub", "Chat-UniVi/nosubtitle")
    for member in panel.members:
        assert len(member.labels) == 332 and member.texts.keys() <= member.labels.keys() and member.repeated == 0
        assert len(member.texts) > 300
