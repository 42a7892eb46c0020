"""A folder in CH-SIMS v2's layout, as its users have it."""

import shutil

import pytest

from emolab.corpora import read_rows
from emolab.corpora.ch_simsv2 import read_ch_simsv2
from emolab.errors import InputError
from emolab.media.probe import probe

HEADER = "video_id,clip_id,text,label,label_T,label_A,label_V,annotation,mode\n"
LINES = (
    "video_0001,0001,我不想嫁给李茶,-0.6,-0.4,-0.6,-0.6,Negative,train\n"
    'video_0001,0002,"好的, ""谢谢""",0.4,0.2,0.4,0.6,Positive,valid\n'
    "video_0002,0001,,0.0,0.0,0.0,0.0,Neutral,test\n"
)


@pytest.fixture
def folder(tmp_path, small_corpus):
    """ch-simsv2s with three clips listed (one without its video) and one video more, which has no row."""
    root = tmp_path / "ch-simsv2s"
    videos = [clip.video for clip in read_rows(small_corpus)]
    for name, video in zip(("video_0001/0001", "video_0001/0002", "video_0009/0007"), videos, strict=False):
        (root / "Raw" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(video, root / "Raw" / f"{name}.mp4")
    (root / "meta.csv").write_text(HEADER + LINES, encoding="utf-8-sig")
    return root


def test_the_real_layout(folder):
    clips = read_ch_simsv2(folder)
    assert [clip.clip_id for clip in clips] == ["video_0001_0001", "video_0001_0002", "video_0002_0001"]
    assert [clip.split for clip in clips] == ["train", "valid", "test"]
    assert [clip.transcript for clip in clips] == ["我不想嫁给李茶", '好的, "谢谢"', ""]
    assert {(clip.language, clip.corpus, clip.labels) for clip in clips} == {("chinese", "ch-simsv2", None)}
    assert probe(clips[0].video).has_video and clips[0].audio == clips[0].video
    assert clips[2].video == str(folder / "Raw/video_0002/0001.mp4")  # not there: an error of that row, later
    assert read_ch_simsv2(folder.parent) == clips


def test_columns_may_stand_in_any_order(folder):
    (folder / "meta.csv").write_text("mode,clip_id,video_id,text\ntrain,0001,video_0001,x\n")
    (clip,) = read_ch_simsv2(folder)
    assert (clip.clip_id, clip.split, clip.transcript) == ("video_0001_0001", "train", "x")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("name,text\na,b\n", "meta.csv: has the columns name, text; needs video_id and clip_id and text and mode"),
        ("", "meta.csv: has the columns none"),
        (HEADER, "holds no clips"),
        (HEADER + LINES + LINES, "meta.csv line 5: video_0001_0001 stands twice"),
        (HEADER + LINES + "video_0003,0001,nan,0,0,0,0,Neutral,test\n", "line 5: text is 'nan'"),
        (HEADER + "video_0001,0001,a, b,0,0,0,0,Neutral,test\n", "line 2: more cells than columns"),
        (HEADER + "video_0001,0001,a\n", "line 2: fewer cells than columns"),
        (HEADER + 'video_0001,0001,"a,0,0,0,0,Neutral,test\n', "cannot be read as a UTF-8 CSV"),
        (HEADER + "video_0001,0001,a,0,0,0,0,Neutral,val\n", "line 2: mode is 'val'; one of train, valid, test"),
        (HEADER + ",0001,a,0,0,0,0,Neutral,test\n", "line 2: has no video_id"),
        (HEADER + "../../etc,passwd,a,0,0,0,0,Neutral,test\n", "line 2: .* leads out of the corpus folder"),
        (HEADER + "video_0001,1,a,0,0,0,0,Neutral,test\n", "none of its 1 clips lies in .*taken the zeros"),
    ],
)
def test_what_is_wrong_is_one_sentence(folder, content, says):
    (folder / "meta.csv").write_text(content)
    with pytest.raises(InputError, match=says) as error:
        read_ch_simsv2(folder)
    assert "\n" not in str(error.value)


def test_missing_parts_are_named(folder):
    (folder / "meta.csv").write_bytes("video_id,text\n你,好\n".encode("gbk"))
    with pytest.raises(InputError, match="UTF-8"):
        read_ch_simsv2(folder)
    (folder / "meta.csv").unlink()
    with pytest.raises(InputError, match="meta.csv: not found.*corpus.root"):
        read_ch_simsv2(folder)
    (folder / "meta.csv").write_text(HEADER + LINES, encoding="utf-8")
    shutil.rmtree(folder / "Raw")
    with pytest.raises(InputError, match="Raw: not found.*Raw.zip"):
        read_ch_simsv2(folder)
    with pytest.raises(InputError, match="not found"):
        read_ch_simsv2(folder / "nowhere")
