import json
import os

import pytest

from emolab.corpora import read_rows
from emolab.corpora.read import read_folder, read_transcripts, split_ids
from emolab.errors import InputError


def write(folder, *rows):
    (folder / "clips.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_rows_are_clips_with_absolute_paths(tmp_path):
    write(tmp_path, {"clip_id": "00123", "video": "v/a.mp4", "labels": ["happy"], "transcript": "hi"})
    (clip,) = read_rows(tmp_path)
    assert clip.clip_id == "00123" and clip.labels == ("happy",)
    assert clip.video == str(tmp_path / "v/a.mp4")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"clip_id": 123}, "quote ids"),
        ({"clip_id": "a", "colour": "red"}, "unknown column 'colour'"),
        ({"clip_id": "a", "labels": "[happy]"}, "list of strings"),
        ({"clip_id": "a", "transcript": 5}, "transcript is 5"),
        (5, "not a JSON object"),
        ({"clip_id": "a", "video": "../../etc/passwd"}, "leads out of the corpus folder"),
        ({"clip_id": "a", "video": "/etc/passwd"}, "leads out of the corpus folder"),
    ],
)
def test_a_bad_row_is_named(tmp_path, row, says):
    with pytest.raises(InputError, match=says) as error:
        read_rows(write(tmp_path, {"clip_id": "fine"}, row))
    assert "clips.jsonl line 2" in str(error.value)


def test_an_id_may_stand_once(tmp_path):
    with pytest.raises(InputError, match="stands twice"):
        read_rows(write(tmp_path, {"clip_id": "a"}, {"clip_id": "a"}))


def test_a_folder_of_videos(tmp_path):
    for name in ("b.MP4", "a.avi", "sub/a.mp4", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "words.csv").write_text("\ufeffname,chinese,english\nb.mp4,你好,hello\na,,\n", encoding="utf-8")
    clips = read_folder([tmp_path], tmp_path / "words.csv")
    assert [clip.clip_id for clip in clips] == ["a.avi", "b", "sub/a.mp4"]
    assert [clip.transcript for clip in clips] == ["", "hello", ""]


def test_a_name_as_macos_stores_it_is_the_one_that_people_type(tmp_path):
    (tmp_path / "U\u0308ber.mp4").touch()
    for typed in ("\u00dcber.mp4", "U\u0308ber"):
        (tmp_path / "words.csv").write_text(f"name,text\n{typed},hello\n", encoding="utf-8")
        (clip,) = read_folder([tmp_path], tmp_path / "words.csv")
        assert (clip.clip_id, clip.transcript) == ("\u00dcber", "hello") and os.path.exists(clip.video)


def test_null_is_unknown_and_odd_characters_stay(tmp_path):
    row = {"clip_id": "a", "transcript": None, "language": None, "description": "x\u2028y"}
    (tmp_path / "clips.jsonl").write_text("\ufeff" + json.dumps(row, ensure_ascii=False), encoding="utf-8")
    (clip,) = read_rows(tmp_path)
    assert (clip.transcript, clip.language, clip.description) == ("", "english", "x\u2028y")
    (tmp_path / "clips.jsonl").write_bytes(b'{"clip_id": "\xe9"}')
    with pytest.raises(InputError, match="not UTF-8"):
        read_rows(tmp_path)


def test_videos_may_be_links(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/a.mp4").touch()
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus/a.mp4").symlink_to(tmp_path / "elsewhere/a.mp4")
    (clip,) = read_rows(write(tmp_path / "corpus", {"clip_id": "a", "video": "a.mp4"}))
    assert clip.video == str(tmp_path / "corpus/a.mp4")


def ch_sims(tmp_path, words):
    for name in ("video_0001/0001.mp4", "video_0002/0001.mp4", "video_0002/0002.mp4", "video_0002/._0002.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "words.csv").write_text(words, encoding="utf-8")
    return {clip.clip_id: clip.transcript for clip in read_folder([tmp_path], tmp_path / "words.csv")}


def test_same_names_in_several_folders_keep_their_own_words(tmp_path):
    found = ch_sims(tmp_path, "name,text\nvideo_0001/0001,one\nvideo_0002/0001.mp4,two\n0002,three\n")
    assert found == {"video_0001/0001.mp4": "one", "video_0002/0001.mp4": "two", "0002": "three"}
    with pytest.raises(InputError, match="could be any of 2 videos"):
        ch_sims(tmp_path, "name,text\n0001,one\n")


def test_a_file_given_twice_counts_once_and_clashing_names_are_refused(tmp_path):
    for folder in ("a/x", "b/x"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "1.mp4").touch()
    assert len(read_folder([tmp_path / "a", tmp_path / "a/x/1.mp4"])) == 1
    with pytest.raises(InputError, match="another video is called x/1.mp4"):
        read_folder([tmp_path / "a", tmp_path / "b"])
    assert len(read_folder([tmp_path])) == 2


def test_a_name_that_is_no_utf8_becomes_text(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.mp4"
    open(path, "wb").close()
    (clip,) = read_folder([tmp_path])
    assert clip.clip_id == r"caf\xe9" and os.path.exists(clip.video)


def test_transcripts_lose_nothing_silently(tmp_path):
    (tmp_path / "a.csv").write_text("name,text\ns.001,hello\n")
    assert read_transcripts(tmp_path / "a.csv") == {"s.001": "hello"}
    (tmp_path / "a.csv").write_text("name,text\na,hello, how are you\n")
    with pytest.raises(InputError, match="line 2: more cells"):
        read_transcripts(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("name,text\na,x\na.mp4,y\n")
    with pytest.raises(InputError, match="a stands twice"):
        read_transcripts(tmp_path / "a.csv")


def test_a_missing_or_empty_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        read_folder([tmp_path / "nothing"])
    with pytest.raises(InputError, match="holds no video"):
        read_folder([tmp_path])


def test_transcripts_with_other_columns_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("id;words\n1;x\n")
    with pytest.raises(InputError, match="has the columns id;words"):
        read_transcripts(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_bytes(b"name,text\n\xff\xfe,x\n")
    with pytest.raises(InputError, match="UTF-8"):
        read_transcripts(tmp_path / "b.csv")


def test_the_split_is_drawn_with_the_seed():
    ids = [f"{i:03d}" for i in range(332)]
    test = split_ids(ids, 66, 0)
    assert len(test) == 66 and test == split_ids(reversed(ids), 66, 0) and test != split_ids(ids, 66, 1)
    with pytest.raises(InputError):
        split_ids(ids, 333, 0)
