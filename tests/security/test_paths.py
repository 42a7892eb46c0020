"""Names in other people's files lead nowhere: reads stay in the corpus folder, writes in the folder that was given."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest

from emolab.captions.images import collect_images
from emolab.captions.settings import ImageSettings
from emolab.corpora.ch_simsv2 import read_ch_simsv2
from emolab.corpora.clip import Clip
from emolab.corpora.minigpt4 import read_minigpt4
from emolab.corpora.read import read_rows
from emolab.corpora.stills import listed_stills
from emolab.engine.rows import RowFile
from emolab.errors import InputError
from emolab.fusion.panel import read_panel
from emolab.inspect.annotation_export import export
from emolab.inspect.live import LivePanel, Predictor
from emolab.inspect.media import Media
from emolab.internvl.sft_data import answer_rows
from emolab.media.errors import MediaError
from emolab.media.openface import read_openface
from emolab.media.probe import probe
from emolab.media.sampling import cached_frames
from emolab.media.settings import FrameSettings
from emolab.media.write import write_video
from emolab.workbench.places import run_folder
from emolab.workbench.profiles import find_profile
from emolab.workbench.tables import printable

NAMES = [
    "../../secret", "/etc/passwd", "..", ".", "~/secret", "..\\..\\secret", "%2e%2e%2fsecret", "a/../../../secret",
    "x\0y", "a\nb", "\x1b[2J", "C:\\secret", "a" * 5000, "-rf", "$(touch x)", "`touch x`", "\u202egpj.exe", "con", "",
]  # fmt: skip


def rows(root, name):
    (root / "clips.jsonl").write_text(json.dumps({"clip_id": "a", "video": name, "audio": name}))
    return [path for clip in read_rows(root) for path in (clip.video, clip.audio)]


def stills(root, name):
    (root / "stills.jsonl").write_text(json.dumps({"clip_id": "a", "image": name}))
    return [still.image for still in listed_stills(root)]


def minigpt4(root, name):
    (root / "image").mkdir(exist_ok=True)
    (root / "image" / "there.jpg").touch()
    named = [{"image_id": each, "caption": "x"} for each in ("there", name)]
    (root / "filter_cap.json").write_text(json.dumps({"annotations": named}))
    return [image.image for image in read_minigpt4(root)[0]]


def ch_sims(root, name):
    (root / "Raw" / "v").mkdir(parents=True, exist_ok=True)
    (root / "Raw" / "v" / "there.mp4").touch()
    with (root / "meta.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["video_id", "clip_id", "text", "mode"], ["v", "there", "", "train"]])
        csv.writer(file).writerows([[name, name, "", "train"]])
    return [clip.video for clip in read_ch_simsv2(root)]


@pytest.mark.parametrize("reader", [rows, stills, minigpt4, ch_sims])
@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:20]))
def test_no_name_in_a_list_leads_out_of_its_folder(reader, name, tmp_path):
    root = tmp_path / "deep" / "corpus"
    root.mkdir(parents=True)
    try:
        found = reader(root, name)
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert found and all(Path(os.path.normpath(path)).is_relative_to(root) for path in found)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:20]))
def test_a_strange_name_is_one_sentence(name, tmp_path):
    clip = Clip(name, video=str(tmp_path / name))
    assert Media([], None).describe(clip)["state"] in ("missing", "damaged")
    for read in (lambda: probe(clip.video), lambda: read_openface(tmp_path, name, [0], 1)):
        with pytest.raises(MediaError) as told:
            read()
        assert "\n" not in printable(str(told.value))


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "film.mp4"
    write_video(path, np.random.default_rng(0).integers(0, 255, (8, 32, 32, 3), np.uint8), 4)
    return path


def everything(root):
    return {str(path.relative_to(root)) for path in root.rglob("*")}


@pytest.mark.parametrize("name", [name for name in NAMES if name], ids=lambda name: ascii(name[:20]))
def test_no_id_becomes_a_place(name, film, tmp_path, monkeypatch):
    """What is written about a clip lies in the folder that was given, whatever the clip is called."""
    out = tmp_path / "a" / "b" / "out"
    out.mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a")
    before = everything(tmp_path)
    clip = Clip(name, video=str(film), labels=("happy",), split="train", corpus=name)
    collect_images([clip], out, ImageSettings(labelled=True), out / "images", progress=False)
    cached_frames(film, clip_id=name, cache_dir=out / "frames")
    answer_rows([clip], FrameSettings(parts=2), 0, out / "sft", progress=False)
    about = {"clip_id": name, "labels": ["happy"], "note": name, "author": name, "time": "t"}
    about |= {"truth": None, "added": [], "removed": []}
    for kind in ("jsonl", "csv", "messages"):
        export(kind, [about], [clip], out / "exported", FrameSettings(parts=2), 0)
    with RowFile(out / "answers.jsonl") as answers:
        answers.append([{"key": name, "row_id": name, "text": name}])
    panel = LivePanel([Predictor("m", lambda clip, said, say: {"clip_id": clip.clip_id})], out / "live")
    sent = {"id": name, "name": f"{name}.mp4", "from": 0, "bytes": 3}
    panel.receive(sent, b"abc")
    panel.predict({**sent, "transcript": "", "models": ["m"]}, [], lambda said: None)
    new = everything(tmp_path) - before
    assert new and all(each.startswith("a/b/out/") for each in new)


def test_members_of_an_archive_are_no_files(tmp_path):
    (tmp_path / "in").mkdir()
    np.savez(tmp_path / "in" / "x.npz", **{"filenames": ["a"], "fileitems": ["['happy']"], "../../out": [1]})
    before = everything(tmp_path)
    assert read_panel([tmp_path / "in" / "x.npz"]).clip_ids == ("a",)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("name", ["../x", "/x", "03_x/../../y", "..", "03_a\0b"])
def test_no_name_of_a_profile_or_notebook_becomes_a_place(name):
    with pytest.raises(InputError):
        run_folder("outputs", "demo", name)
    with pytest.raises(InputError):
        find_profile(name)
