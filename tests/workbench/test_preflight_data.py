"""What a run is given: layouts told apart, clips counted by lists alone, a few opened."""

import json

import numpy as np
import pytest
from PIL import Image

from emolab.corpora.mer2024 import LABELLED, UNLABELLED
from emolab.corpora.settings import CorpusSettings
from emolab.errors import InputError
from emolab.media.write import write_video
from emolab.workbench.preflight.data import Sample, count, data_settings, look
from emolab.workbench.profiles import load_profile


@pytest.fixture
def released(tmp_path):
    """MER2024 as released, with empty files: 3 labelled, 4 not, one of which is described and one sound alone."""
    root = tmp_path / "mer2024-dataset"
    names = {LABELLED: ["sample_0", "sample_1", "sample_2"], UNLABELLED: ["samplenew_3", "samplenew_4", "samplenew_5"]}
    names[UNLABELLED].append("samplenew3_6")
    for folder, clips in names.items():
        (root / folder).mkdir(parents=True)
        for clip in clips:
            (root / folder / f"{clip}.mp4").touch()
    (root / "label-disdim.csv").write_text("name,discrete\nsample_0,happy\nsample_1,sad\nsample_2,sad\n")
    (root / "label-transcription.csv").write_text("name,chinese,english\nsample_0,你好,\nsamplenew_3,你好,\n")
    (root / "final-EMER-reason.csv").write_text("name,chinese,english\nsamplenew_3,x,She smiles.\n")
    (root / "final-openset-english.csv").write_text("name,openset\nsamplenew_3,['happy']\n")
    return root


def counted(folder):
    return count(load_profile("gpu", data_settings(str(folder))).corpus)


def test_mer2024_as_released(released):
    assert data_settings(str(released))[0] == data_settings(str(released.parent))[0] == "corpus.reader=mer2024"
    found = counted(released)
    assert (found.clips, found.six, found.unlabelled, found.judged, found.labelled) == (7, 3, 3, 1, 1)
    assert (found.spoken, found.letters) == (1, 2)  # both clips say the same
    assert (found.test, found.described) == (0, 1)  # a quarter of one clip tests
    assert found.pictured.best < 1  # samplenew3_6
    seen = look(found, clips=3)
    assert len(seen.failed) == 3 and "is empty" in seen.said and seen.seconds == Sample.seconds


def test_a_folder_named_video_is_not_mer2024(tmp_path, released):
    plain = tmp_path / "films"
    for name in ("video/a.mp4", "more/b.mp4"):
        (plain / name).parent.mkdir(parents=True)
        (plain / name).touch()
    assert data_settings(str(plain))[0] == "corpus.reader=folder" and counted(plain).clips == 2
    (plain / "transcription.csv").write_text("name,sentence\na,x\n")
    assert data_settings(str(plain))[0] == "corpus.reader=mer2024"
    (tmp_path / "mer2024-dataset-process" / "video").mkdir(parents=True)
    assert data_settings(str(tmp_path / "mer2024-dataset-process"))[0] == "corpus.reader=mer2024"
    with pytest.raises(InputError, match="both as released and as processed"):
        data_settings(str(tmp_path))


def test_layouts(tmp_path):
    def made(name, text=""):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path.parent)

    assert data_settings(None) == []
    row = {"clip_id": "a", "labels": ["sad"], "description": "x", "split": "train", "transcript": "hello"}
    rows = made("rows/clips.jsonl", json.dumps(row) + "\n")
    assert data_settings(rows) == ["corpus.reader=rows", f"corpus.root={rows}"]
    found = counted(rows)
    assert (found.clips, found.labelled, found.described, found.taught, found.videos) == (1, 1, 1, 1, ())
    sims = made("sims/meta.csv", "video_id,clip_id,text,mode\nv,1,x,train\nv,2,y,test\n")
    made("sims/Raw/v/1.mp4")
    assert counted(sims).clips == 2 and data_settings(sims)[0] == "corpus.reader=ch_simsv2"
    assert counted(made("videos/below/a.mp4")).clips == 1
    Image.new("RGB", (4, 4)).save(made("pictures/a.txt") + "/a.png")
    assert counted(tmp_path / "pictures").stills == 1
    minigpt4 = made("cc/filter_cap.json", json.dumps({"annotations": [{"image_id": "1", "caption": "x"}]}))
    assert data_settings(minigpt4) == [f"corpus.minigpt4={minigpt4}"]
    (tmp_path / "empty").mkdir()
    for folder, said in (("empty", "neither MER2024"), ("nowhere", "no such folder")):
        with pytest.raises(InputError, match=said):
            data_settings(str(tmp_path / folder))


def test_the_drawn_corpus_is_counted_before_it_is_drawn():
    found = count(CorpusSettings(described=7, labelled=5, unlabelled=3, stills=2, test=3))
    assert (found.clips, found.labelled, found.test, found.described, found.six, found.stills) == (15, 7, 3, 4, 5, 2)


def test_clips_are_opened_and_bad_ones_named(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (20, 48, 64, 3), np.uint8)
    for name in ("a", "b"):
        write_video(tmp_path / f"{name}.mp4", frames, 10)
    (tmp_path / "c.mp4").write_bytes(b"no video")
    seen = look(counted(tmp_path))
    assert (seen.probed, seen.width, seen.height, len(seen.failed)) == (2, 64, 48, 1)
    assert seen.seconds.low <= 2 <= seen.seconds.high and seen.decode.best > 0 and 500 < seen.jpeg.best < 20_000
    assert "2 of 3 probed clips opened" in seen.said and "c.mp4" in seen.said
    assert look(counted(tmp_path)).failed == seen.failed  # the draw is seeded
