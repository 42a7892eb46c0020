import pytest

from emolab.corpora import read_rows
from emolab.corpora.clip import SIX_WAY
from emolab.errors import InputError
from emolab.workbench.corpus import corpus_files, open_corpus, six_way_truth
from emolab.workbench.profiles import load_profile


def test_the_drawn_corpus_is_rendered_once(tmp_path):
    sizes = {"described": 2, "labelled": 0, "unlabelled": 0, "stills": 0, "root": str(tmp_path)}
    settings = load_profile("demo", {"corpus": {**sizes, "test": 1}})
    root, clips = open_corpus(settings)
    assert root.parent == tmp_path and len(clips) == 2
    stamps = [path.stat().st_mtime_ns for path in sorted((root / "video").iterdir())]
    assert open_corpus(settings) == (root, clips)
    assert [path.stat().st_mtime_ns for path in sorted((root / "video").iterdir())] == stamps


def test_the_six_way_truth_is_known_of_drawn_clips_alone(small_corpus, tmp_path):
    settings, clips = load_profile("demo"), read_rows(small_corpus)
    meant = six_way_truth(settings, small_corpus, clips)
    assert len(meant) == len(clips) == 13 and set(meant) <= {*SIX_WAY, None}
    labelled = [(clip.emotion, each) for clip, each in zip(clips, meant, strict=True) if clip.emotion]
    assert labelled and all(told == each for told, each in labelled)
    assert six_way_truth(settings, small_corpus, clips[::-1]) == meant[::-1]
    rows = load_profile("demo", {"corpus.reader": "rows", "corpus.root": str(small_corpus)})
    assert six_way_truth(rows, small_corpus, clips) is None
    (tmp_path / "a.mp4").touch()
    folder = load_profile("laptop", {"corpus.root": str(tmp_path)})
    assert six_way_truth(folder, *open_corpus(folder)) is None


def test_a_users_folder(tmp_path):
    (tmp_path / "a.mp4").touch()
    root, clips = open_corpus(load_profile("laptop", {"corpus.root": str(tmp_path)}))
    assert root == tmp_path and [clip.clip_id for clip in clips] == ["a"]
    with pytest.raises(InputError, match="clips.jsonl: not found"):
        open_corpus(load_profile("gpu", {"corpus.root": str(tmp_path)}))


def test_a_profile_without_data_says_what_to_give():
    with pytest.raises(InputError, match="--set corpus.root=FOLDER"):
        open_corpus(load_profile("laptop"))


def test_a_folder_of_images_has_no_clips(tmp_path):
    settings = load_profile("laptop", {"corpus.root": str(tmp_path), "corpus.reader": "images"})
    with pytest.raises(InputError, match="holds no image"):
        open_corpus(settings)
    (tmp_path / "a.png").touch()
    assert open_corpus(settings) == (tmp_path, [])


def test_ch_simsv2_as_distributed(tmp_path):
    (tmp_path / "ch-simsv2s/Raw/video_0001").mkdir(parents=True)
    (tmp_path / "ch-simsv2s/Raw/video_0001/0001.mp4").touch()
    (tmp_path / "ch-simsv2s/meta.csv").write_text("video_id,clip_id,text,label,mode\nvideo_0001,0001,x,0.0,train\n")
    settings = load_profile("gpu", {"corpus.root": str(tmp_path), "corpus.reader": "ch_simsv2"})
    root, (clip,) = open_corpus(settings)
    assert root == tmp_path and clip.clip_id == "video_0001_0001"


def test_mer2024_as_released_says_what_is_missing(tmp_path, capsys):
    folder = tmp_path / "mer2024-dataset"
    for name in ("video-labeled/a.mp4", "video-unlabeled-with-test2noise/b.mp4"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).touch()
    for name, text in (("label-disdim", "name,discrete\na,sad\n"), ("label-transcription", "name,chinese,english\n")):
        (folder / f"{name}.csv").write_text(text)
    settings = load_profile("gpu", {"corpus.root": str(tmp_path), "corpus.reader": "mer2024"})
    root, clips = open_corpus(settings)
    assert root == tmp_path and [(clip.clip_id, clip.emotion) for clip in clips] == [("a", "sad"), ("b", None)]
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("mer2024: 2 missing or left out; the first: ") and "no final-EMER-reason.csv" in line
    files = corpus_files(settings, root)
    assert files == {name: folder / f"{name}.csv" for name in ("label-disdim", "label-transcription")}
    for name in ("final-EMER-reason", "final-openset-english"):
        (folder / f"{name}.csv").write_text("name,chinese,english\n")
    assert open_corpus(settings) == (root, clips) and capsys.readouterr().out == ""
