"""Folders in both layouts of MER2024, as its users have them."""

import os
import shutil
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from emolab.corpora.mer2024 import LABELLED, UNLABELLED, lists_of, read_mer2024
from emolab.errors import InputError
from emolab.media.probe import probe
from emolab.media.write import write_video

DISDIM = "name,discrete\nsample_00000002,surprise\nsample_00000001,happy\n"
WORDS = (
    "name,chinese,english\n"
    'sample_00000001,"你好, 世界","Hello, ""world"""\n'
    "sample_00000002,我不知道,\n"
    "samplenew_00000003,再见,nan\n"
)
REASON = "name,chinese,english\nsample_00000001,他笑了。,He smiles.\nsample_00000002,她很惊讶。,\n"
OPENSET = "name,openset\nsample_00000001,\"['Happy', 'at ease']\"\nsample_00000002,[]\n"
TRAIN = {"sample_00000001": {"emo": "happy", "val": 1.0}}
TEST = {"samplenew_00000003": {"emo": "worried"}, "samplenew3_00000004": {"emo": "neutral"}}
GOLDEN = Path(__file__).resolve().parents[2].parent / "shared/golden/mer2024-ov"


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """film.mp4, and sound.mp4 without a video stream, as nearly all samplenew3_* are."""
    folder = tmp_path_factory.mktemp("media")
    frames = np.random.default_rng(0).integers(0, 255, (3, 32, 32, 3), np.uint8)
    write_video(folder / "film.mp4", frames, 5, audio=np.zeros(9600, np.float32))
    with av.open(str(folder / "film.mp4")) as source, av.open(str(folder / "sound.mp4"), "w") as target:
        stream = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return folder


@pytest.fixture
def released(tmp_path, media):
    root = tmp_path / "mer2024-dataset"
    for folder, names in (
        (LABELLED, ("sample_00000001.mp4", "sample_00000002.avi")),
        (UNLABELLED, ("samplenew_00000003.mp4", "samplenew3_00000004.mp4")),
    ):
        (root / folder).mkdir(parents=True)
        for name in names:
            shutil.copy(media / ("sound.mp4" if "new3" in name else "film.mp4"), root / folder / name)
    texts = {"label-disdim": DISDIM, "label-transcription": WORDS}
    for name, text in (texts | {"final-EMER-reason": REASON, "final-openset-english": OPENSET}).items():
        (root / f"{name}.csv").write_text(text, encoding="utf-8-sig")
    (root / LABELLED / "._sample_00000001.mp4").touch()  # of a Mac
    return root


@pytest.fixture
def processed(tmp_path, media):
    root = tmp_path / "mer2024-dataset-process"
    for folder in ("video", "audio"):
        (root / folder).mkdir(parents=True)
    for name in (*TRAIN, *TEST, "samplenew_00000005"):
        shutil.copy(media / ("sound.mp4" if "new3" in name else "film.mp4"), root / "video" / f"{name}.mp4")
    with wave.open(str(root / "audio/sample_00000001.wav"), "wb") as sound:
        sound.setparams((1, 2, 16000, 0, "NONE", ""))
        sound.writeframes(bytes(3200))
    np.savez_compressed(root / "label-6way.npz", train_corpus=TRAIN, test1_corpus=TEST)
    (root / "transcription.csv").write_text("name,sentence\nsample_00000001,你号\nsamplenew_00000005,\n", "utf-8")
    (root / "transcription-merge.csv").write_text(
        "name,chinese\nsample_00000001,你好\nsamplenew_00000005,nan\n", "utf-8"
    )
    (root / "final-EMER-reason.csv").write_text("name,chinese,english\nsample_00000001,,He smiles.\n", "utf-8")
    (root / "final-openset-english.csv").write_text('name,openset\nsample_00000001,"[happy]"\n', "utf-8")
    return root


def by_name(root):
    clips, lost = read_mer2024(root)
    assert all("\n" not in sentence for sentence in lost)
    return {clip.clip_id: clip for clip in clips}, lost


def test_as_released(released):
    clips, lost = by_name(released)
    assert lost == []
    assert list(clips) == ["sample_00000001", "sample_00000002", "samplenew3_00000004", "samplenew_00000003"]
    assert [clip.emotion for clip in clips.values()] == ["happy", "surprise", None, None]
    said = {name: (clip.transcript, clip.language) for name, clip in clips.items()}
    assert said["sample_00000001"] == ('Hello, "world"', "english")
    assert said["sample_00000002"] == ("我不知道", "chinese")  # an empty cell
    assert said["samplenew_00000003"] == ("再见", "chinese")  # pandas' nan
    assert said["samplenew3_00000004"] == ("", "chinese")
    first, second = clips["sample_00000001"], clips["sample_00000002"]
    assert first.labels == ("happy", "at ease") and second.labels == ()
    assert (first.description, second.description) == ("He smiles.", "她很惊讶。")
    assert clips["samplenew_00000003"].labels is clips["samplenew_00000003"].description is None
    assert {(clip.split, clip.corpus, clip.speaker) for clip in clips.values()} == {(None, "mer2024", None)}
    assert second.video == second.audio == str(released / LABELLED / "sample_00000002.avi")
    assert read_mer2024(released.parent) == read_mer2024(released) == read_mer2024(str(released))


def test_the_described_clips_are_split_where_that_is_asked(released, media):
    names = [f"sample_{number:08}" for number in range(11, 20)]
    for name in names:
        shutil.copy(media / "film.mp4", released / LABELLED / f"{name}.mp4")
    rows = "".join(f"{name},,He smiles.\n" for name in names)
    (released / "final-EMER-reason.csv").write_text(REASON + rows, encoding="utf-8-sig")
    rows = "".join(f"{name},[happy]\n" for name in names[:8])  # the last one has no labels to be tested by
    (released / "final-openset-english.csv").write_text(OPENSET + rows, encoding="utf-8-sig")

    def splits(test, seed=0):
        return {clip.clip_id: clip.split for clip in read_mer2024(released, test, seed)[0]}

    assert set(splits(0).values()) == {None}
    drawn = splits(2)
    assert sorted(filter(None, drawn.values())) == ["test"] * 2 + ["train"] * 7
    assert {name for name, split in drawn.items() if split} == {"sample_00000001", *names[:8]}
    assert splits(2) == drawn and any(splits(2, seed) != drawn for seed in (1, 2, 3))
    assert splits(66) == drawn  # at most a quarter


def test_the_media_can_be_opened_and_one_has_no_picture(released):
    clips, _ = by_name(released)
    assert probe(clips["sample_00000002"].video).has_video
    sound = probe(clips["samplenew3_00000004"].audio)
    assert sound.has_audio and not sound.has_video


def test_as_processed(processed):
    clips, lost = by_name(processed)
    assert lost == [] and len(clips) == 4
    about = {name: (clip.emotion, clip.split) for name, clip in clips.items()}
    assert about == {
        "sample_00000001": ("happy", None),
        "samplenew_00000003": ("worried", "test"),
        "samplenew3_00000004": ("neutral", "test"),
        "samplenew_00000005": (None, None),
    }
    assert (clips["sample_00000001"].transcript, clips["sample_00000001"].language) == ("你好", "chinese")
    assert clips["samplenew_00000005"].transcript == ""
    assert clips["sample_00000001"].audio == str(processed / "audio/sample_00000001.wav")
    assert probe(clips["sample_00000001"].audio).duration == pytest.approx(0.1)
    assert clips["samplenew_00000003"].audio == clips["samplenew_00000003"].video
    assert read_mer2024(processed.parent) == read_mer2024(processed)


def test_the_best_transcripts_that_are_there(processed):
    (processed / "transcription-merge.csv").unlink()
    clip = by_name(processed)[0]["sample_00000001"]
    assert (clip.transcript, clip.language) == ("你号", "chinese")
    merged = "name,chinese,english\nsample_00000001,你好,Hello\nsamplenew_00000005,OK,OK\n"
    (processed / "transcription_merge.csv").write_text(merged, "utf-8")
    clips, _ = by_name(processed)
    assert (clips["sample_00000001"].transcript, clips["sample_00000001"].language) == ("Hello", "english")
    assert (clips["samplenew_00000005"].transcript, clips["samplenew_00000005"].language) == ("OK", "chinese")


def test_the_toolkits_filler_is_no_label(processed):
    """MERTools writes "neutral" for every clip of test1_corpus that has no label."""
    test1 = {name: {"emo": "neutral"} for name in TEST}
    np.savez(processed / "label-6way.npz", train_corpus=TRAIN, test1_corpus=test1)
    clips, (told,) = by_name(processed)
    assert "the 2 clips of test1_corpus are all neutral" in told and "count as unlabelled" in told
    assert {clips[name].emotion for name in TEST} == {clips[name].split for name in TEST} == {None}
    assert clips["sample_00000001"].emotion == "happy"


def test_without_a_test_corpus(processed):
    np.savez(processed / "label-6way.npz", train_corpus=TRAIN)
    clips, lost = by_name(processed)
    assert lost == [] and {clip.split for clip in clips.values()} == {None}
    np.savez(processed / "label-6way.npz", train_corpus=TRAIN, test1_corpus={})
    assert by_name(processed) == (clips, [])


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({"train_corpus": {"a": {"emo": "joyful"}}}, "train_corpus says 'joyful' of 'a'; one of neutral, angry"),
        ({"train_corpus": {"a": {"emo": 2}}}, "train_corpus says 2 of 'a'"),
        ({"train_corpus": {"a": {"val": 1.0}}}, "train_corpus says None of 'a'"),
        (
            {"train_corpus": TRAIN, "test1_corpus": TEST | TRAIN},
            "'sample_00000001' stands in train_corpus and in test1",
        ),
        ({"train_corpus": {}}, "holds no train_corpus; it comes from MERTools"),
        ({"train_corpus": {"a": os.system}}, "asks to call .*system, which was refused"),
    ],
)
def test_wrong_labels_of_the_processed_form(processed, tables, says):
    np.savez(processed / "label-6way.npz", **tables)
    with pytest.raises(InputError, match=f"label-6way.npz: .*{says}") as error:
        read_mer2024(processed)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        (
            "label-disdim.csv",
            DISDIM + "sample_00000003,joyful\n",
            "line 4: discrete is 'joyful'; one of neutral, angry",
        ),
        ("label-disdim.csv", DISDIM + "sample_00000001,sad\n", "line 4: 'sample_00000001' stands twice"),
        ("label-disdim.csv", DISDIM + ",sad\n", "line 4: has no name"),
        ("label-disdim.csv", "name,valence\na,1\n", "has the columns name, valence; needs name and discrete"),
        ("label-transcription.csv", WORDS + "a,b,c,d\n", "line 5: more cells than columns"),
        ("label-transcription.csv", "name,english\na,b\n", "needs name and one of chinese, sentence"),
        ("final-EMER-reason.csv", REASON + "sample_00000001,a,b\n", "line 4: 'sample_00000001' stands twice"),
        ("final-openset-english.csv", "name\nsample_00000001\n", "has the columns name; needs name and openset"),
        ("final-openset-english.csv", b"\xff\xfe,x\n", "UTF-8"),
    ],
)
def test_a_wrong_list_is_one_sentence(released, file, text, says):
    (released / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=f"{file}.*{says}") as error:
        read_mer2024(released)
    assert "\n" not in str(error.value)


def test_label_sets_stand_in_the_second_column(released):
    (released / "final-openset-english.csv").write_text('file,labels of all,n\nsample_00000001,"happy, sad",2\n')
    clips, _ = by_name(released)
    assert clips["sample_00000001"].labels == ("happy", "sad")


def test_what_is_missing_is_told(released):
    (released / LABELLED / "sample_00000002.avi").unlink()
    clips, lost = by_name(released)
    assert len(clips) == 3
    assert lost == [
        f"{released / name}: 'sample_00000002' has no video in {LABELLED} or {UNLABELLED}."
        for name in ("label-disdim.csv", "final-EMER-reason.csv", "final-openset-english.csv")
    ]
    for path in released.glob("*.csv"):
        path.unlink()
    shutil.rmtree(released / UNLABELLED)
    ((clip,), lost) = read_mer2024(released)
    assert (clip.clip_id, clip.emotion, clip.transcript) == ("sample_00000001", None, "")
    files = ("label-disdim", "label-transcription", "final-EMER-reason", "final-openset-english", UNLABELLED)
    assert [name in sentence for name, sentence in zip(files, lost, strict=True)] == [True] * 5
    assert all("gated: sign the EULA at huggingface.co/datasets/MERChallenge/MER2024" in each for each in lost)
    shutil.rmtree(released / LABELLED)
    (released / LABELLED).mkdir()
    with pytest.raises(InputError, match=f"holds no .mp4 or .avi in {LABELLED} or {UNLABELLED}; .*EULA"):
        read_mer2024(released)


def test_described_clips_of_the_processed_form_are_known(processed):
    clips, _ = by_name(processed)
    assert clips["sample_00000001"].labels == ("happy",) and clips["sample_00000001"].description == "He smiles."
    assert sum(clip.labels is not None for clip in clips.values()) == 1


def test_what_is_missing_of_the_processed_form(processed):
    for name in ("label-6way.npz", "transcription.csv", "transcription-merge.csv", "final-openset-english.csv"):
        (processed / name).unlink()
    shutil.rmtree(processed / "audio")
    clips, (labels, words, sets) = by_name(processed)
    assert "holds no final-openset-english.csv" in sets and "it comes from MER2024's release (gated" in sets
    assert len(clips) == 4 and all(clip.audio == clip.video and not clip.emotion for clip in clips.values())
    assert "no label-6way.npz, where the clips' emotions stand; it comes from MERTools" in labels
    assert "no transcription-merge.csv or transcription_merge.csv or transcription.csv" in words


def test_another_folder_is_refused(tmp_path, released, processed):
    with pytest.raises(InputError, match="both as released and as processed; point corpus.root at one"):
        read_mer2024(tmp_path)
    (tmp_path / "other").mkdir()
    for root in (tmp_path / "other", tmp_path / "nowhere"):
        with pytest.raises(InputError, match="holds neither mer2024-dataset .*label-disdim.csv.*EULA"):
            read_mer2024(root)
    released.rename(tmp_path / "MER2024")  # by what it holds, under any name
    processed.rename(tmp_path / "processed")
    assert len(read_mer2024(tmp_path / "MER2024")[0]) == len(read_mer2024(tmp_path / "processed")[0]) == 4


def test_odd_files_are_told_and_left_out(released):
    folder = released / LABELLED
    for name in ("sample_00000001.avi", "notes.txt", "more.zip", "line\nbreak.mp4", "样本 7.MP4"):
        (folder / name).touch()
    (released / UNLABELLED / "sample_00000002.mp4").touch()
    open(os.fsencode(folder) + b"/caf\xe9.mp4", "wb").close()
    clips, lost = by_name(released)
    assert set(clips) == {"sample_00000001", "sample_00000002", "samplenew_00000003", "samplenew3_00000004", "样本 7"}
    assert clips["sample_00000002"].video == str(folder / "sample_00000002.avi")  # the labelled one
    other, *single = lost
    assert other == f"{folder}: holds 2 that are no .mp4 or .avi and are left out, the first 'more.zip'."
    assert any(r"'caf\udce9.mp4' is left out, its name holds signs" in each for each in single)
    assert any(r"'line\nbreak.mp4' is left out" in each for each in single)
    twice = [each for each in single if "has another video as well" in each]
    assert len(twice) == 2 and len(single) == 4
    assert str(folder / "sample_00000001.avi") in twice[0] and str(folder / "sample_00000001.mp4") in twice[0]
    assert twice[1].startswith(str(released / UNLABELLED / "sample_00000002.mp4"))


def test_a_folder_that_cannot_be_read_is_named(released):
    shutil.rmtree(released / UNLABELLED)
    (released / UNLABELLED).touch()
    with pytest.raises(InputError, match=f"{UNLABELLED}: cannot be read .Not a directory"):
        read_mer2024(released)


def test_lists_that_are_there(released, processed):
    names = ["label-disdim.csv", "label-transcription.csv", "final-EMER-reason.csv", "final-openset-english.csv"]
    assert list(lists_of(released).values()) == [released / name for name in names]
    merged = ["label-6way.npz", "transcription-merge.csv", *names[2:]]
    assert [path.name for path in lists_of(processed).values()] == merged
    (released / "label-transcription.csv").unlink()
    assert list(lists_of(released)) == ["emotion", "description", "open-vocabulary label"]


@pytest.mark.skipif(not GOLDEN.is_dir(), reason="the official files (shared/golden) are not here")
def test_the_real_descriptions_and_label_sets(released):
    shutil.copy(GOLDEN / "final-EMER-reason.csv", released)
    shutil.copy(GOLDEN / "check-openset.csv", released / "final-openset-english.csv")
    names = [line.partition(",")[0] for line in (GOLDEN / "check-openset.csv").read_text().splitlines()[1:]]
    for name in names:
        (released / LABELLED / f"{name}.mp4").touch()
    clips, _ = by_name(released)
    described = [clip for clip in clips.values() if clip.description]
    assert len(names) == 332 == sum(bool(clip.labels) for clip in clips.values()) == len(described)
    assert clips["sample_00000007"].labels == ("excited", "joyful", "happy")
