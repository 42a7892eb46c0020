import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import av
import numpy as np
import pytest
from PIL import Image

from emolab.captions import images
from emolab.captions.images import collect_images, file_name
from emolab.captions.settings import ImageSettings
from emolab.corpora import Clip, read_rows
from emolab.engine.rows import write_rows
from emolab.errors import InputError, RunError
from emolab.media.decode import decode_frames
from emolab.media.sampling import draw_positions
from emolab.media.write import write_video

ALL = ImageSettings(duplicate_distance=-1)


@pytest.fixture(scope="module")
def clips(small_corpus):
    return read_rows(small_corpus)


def collect(clips, root, folder, settings=ALL, **more):
    return collect_images(clips, root, settings, folder, progress=False, **more)


def noise(seed, height=96, width=128):
    """A picture like no other, smooth enough to survive compression."""
    small = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height)))


def video(path, frames, **more):
    write_video(path, frames, 10, **more)
    return Clip(path.stem, video=str(path))


def test_frames_of_clips_then_stills(clips, small_corpus, tmp_path):
    rows = collect(clips, small_corpus, tmp_path, ImageSettings(frames_per_clip=3, duplicate_distance=-1))
    free = [clip for clip in clips if not clip.labels]
    assert len(free) == 5 and len(rows) == 8 + 3 * 5 + 4
    frames = [row for row in rows if row["position"] is not None]
    assert [row["clip_id"] for row in frames] == [clip.clip_id for clip in free for _ in range(3)]
    for clip in free:
        mine = [row for row in frames if row["clip_id"] == clip.clip_id]
        count = len(decode_frames(clip.video, lambda n: range(n)).positions)
        assert [row["position"] for row in mine] == draw_positions(count, 3, clip_id=clip.clip_id, seed=0)
        shown = decode_frames(clip.video, lambda n, mine=mine: [row["position"] for row in mine])
        for row, pixels, seconds in zip(mine, shown.images, shown.times, strict=True):
            assert row["image_id"] == f"{clip.clip_id}_{row['position']}" and row["kept"] and not row["error"]
            assert row["time"] == pytest.approx(seconds, abs=1e-3)
            saved = np.asarray(Image.open(tmp_path / row["image"]), float)
            assert saved.shape == pixels.shape and np.abs(saved - pixels).mean() < 3
    assert [row["image_id"] for row in rows[-4:]] == [f"stills_{n:05d}" for n in range(4)]
    assert all(Image.open(row["image"]) and row["time"] is None and row["kept"] for row in rows[-4:])


def test_labelled_clips_are_left_out_and_that_is_said(clips, small_corpus, tmp_path):
    labelled = {clip.clip_id for clip in clips if clip.labels}
    rows = collect(clips, small_corpus, tmp_path)
    left_out = [row for row in rows if row["clip_id"] in labelled]
    assert len(left_out) == 8
    for row in left_out:
        assert not row["kept"] and row["image"] is None and row["error"] is None and "label set" in row["reason"]
    rows = collect(clips, small_corpus, tmp_path, replace(ALL, labelled=True, stills=False))
    assert len(rows) == 13 and all(row["kept"] for row in rows)
    described = [clip for clip in clips if clip.labels]
    with pytest.raises(InputError, match="all 8 clips carry label sets.*images.labelled"):
        collect(described, small_corpus, tmp_path, replace(ALL, stills=False))


def test_even_frames_lie_in_the_middle_of_their_parts(tmp_path):
    clip = video(tmp_path / "a.mp4", [noise(n) for n in range(12)])
    for parts, expected in ((1, [6]), (3, [2, 6, 10]), (12, list(range(12))), (50, list(range(12)))):
        rows = collect([clip], tmp_path, tmp_path / "out", replace(ALL, where="even", frames_per_clip=parts))
        assert [row["position"] for row in rows] == expected


def test_near_duplicates_of_a_clip_and_identical_images_anywhere_are_dropped(tmp_path):
    brighter = np.minimum(noise(1).astype(int) + 6, 255).astype(np.uint8)
    frames = [noise(1), brighter, noise(2), noise(1)]
    clips = [video(tmp_path / f"{name}.mp4", frames) for name in ("a", "b")]
    every = ImageSettings(where="even", frames_per_clip=4)
    rows = {row["image_id"]: row for row in collect(clips, tmp_path, tmp_path / "out", every)}
    assert {name: row["reason"] for name, row in rows.items()} == {
        "a_0": None, "a_1": "near-duplicate of a_0", "a_2": None, "a_3": "near-duplicate of a_0",
        "b_0": "identical to a_0", "b_1": None, "b_2": "identical to a_2", "b_3": "near-duplicate of b_1",
    }  # fmt: skip
    assert all(row["kept"] == (row["reason"] is None) for row in rows.values())
    off = collect(clips[:1], tmp_path, tmp_path / "out", replace(every, duplicate_distance=-1))
    assert all(row["kept"] for row in off)
    still = video(tmp_path / "still.mp4", [noise(3)] * 30)  # nobody moves: one image
    rows = collect([still], tmp_path, tmp_path / "out", replace(every, frames_per_clip=6))
    assert sum(row["kept"] for row in rows) == 1 and len(rows) == 6


def test_identical_stills_are_dropped_whatever_their_format(tmp_path):
    for name in ("a.png", "b.webp", "c.png"):
        Image.fromarray(noise(name == "c.png")).save(tmp_path / name, lossless=True)
    rows = collect([], tmp_path, tmp_path / "out")
    assert [row["reason"] for row in rows] == [None, "identical to a", None]


def test_a_broken_file_is_one_row_and_the_rest_goes_on(clips, small_corpus, tmp_path):
    good = next(clip for clip in clips if not clip.labels)
    content = open(good.video, "rb").read()
    (tmp_path / "cut.mp4").write_bytes(content[: len(content) // 3])
    (tmp_path / "empty.mp4").touch()
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    names = ("cut", "empty", "sound", "absent")
    broken = [Clip(name, video=str(tmp_path / f"{name}.mp4")) for name in names] + [Clip("nothing")]
    broken.append(Clip("nul", video="a\0b"))
    (tmp_path / "stills").mkdir()
    (tmp_path / "stills/torn.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    write_rows(tmp_path / "stills.jsonl", [{"clip_id": name, "image": f"stills/{name}.png"} for name in ("torn", "no")])
    rows = collect([*broken, good], tmp_path, tmp_path / "out")
    assert [row["clip_id"] for row in rows] == [*names, "nothing", "nul", good.clip_id, "torn", "no"]
    for row in [*rows[:6], *rows[7:]]:
        assert row["image"] is None and not row["kept"] and row["error"].endswith(".") and "\n" not in row["error"]
    assert rows[6]["kept"]
    says = {row["clip_id"]: row["error"] for row in rows}
    assert "sound but no picture" in says["sound"] and "0 bytes" in says["empty"] and "no video" in says["nothing"]
    shutil.copy(good.video, tmp_path / "empty.mp4")  # mended: the next run takes it
    assert collect([broken[1], good], tmp_path, tmp_path / "out")[0]["reason"] is None


def test_damage_that_leaves_frames_is_told(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.codec_context.gop_size = 128, 96, 5
        for number in range(40):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise(number), format="rgb24")))
        container.mux(stream.encode(None))
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 9000] = bytes(9000)
    path.write_bytes(content)
    settings = replace(ALL, frames_per_clip=40, where="even")
    rows = collect([Clip("a", video=str(path))], tmp_path, tmp_path / "out", settings)
    assert 1 < len(rows) <= 40 and all(row["kept"] for row in rows)
    assert "damaged" in rows[0]["problem"]


def test_a_rerun_decodes_nothing_and_heals_what_is_missing(clips, small_corpus, tmp_path, monkeypatch):
    first = collect(clips, small_corpus, tmp_path)
    frames = [tmp_path / row["image"] for row in first if row["image"] and row["position"] is not None]
    before = {path: path.read_bytes() for path in frames}
    with monkeypatch.context() as patch:
        patch.setattr(images, "decode_frames", lambda *args: pytest.fail("decoded again"))
        assert collect(clips, small_corpus, tmp_path) == first
    frames[0].write_bytes(before[frames[0]][:100])
    frames[1].unlink()
    (tmp_path / "images/.x.jpg.partial").touch()
    decoded = []
    monkeypatch.setattr(
        images, "decode_frames", lambda path, choose: decoded.append(path) or decode_frames(path, choose)
    )
    for _ in range(2):
        assert collect(clips, small_corpus, tmp_path) == first
    assert len(decoded) == 2 and {path: path.read_bytes() for path in frames} == before
    assert len(list((tmp_path / "images").iterdir())) == len(frames)


def test_another_video_under_the_same_name_is_taken_anew(tmp_path):
    for corpus in ("one", "two"):
        (tmp_path / corpus).mkdir()
        video(tmp_path / corpus / "a.mp4", [noise(corpus == "one")])
    for corpus in ("one", "two", "one"):
        path = tmp_path / corpus / "a.mp4"
        (row,) = collect([Clip("a", video=str(path))], tmp_path, tmp_path / "out")
        saved = np.asarray(Image.open(tmp_path / "out" / row["image"]), float)
        assert np.abs(saved - decode_frames(path, lambda n: [0]).images[0]).mean() < 8  # another picture: above 50


def test_threads_do_not_change_the_rows(clips, small_corpus, tmp_path):
    settings = ImageSettings(frames_per_clip=2)
    one = collect(clips, small_corpus, tmp_path / "1", settings, workers=1)
    many = collect(clips, small_corpus, tmp_path / "8", settings, workers=8)
    assert one == many
    for row in one:
        if row["position"] is not None:
            assert (tmp_path / "1" / row["image"]).read_bytes() == (tmp_path / "8" / row["image"]).read_bytes()
    assert collect(clips, small_corpus, tmp_path / "1", settings, seed=1) != one


def test_a_limit_draws_with_the_seed_before_decoding(clips, small_corpus, tmp_path):
    def drawn(limit, seed=0):
        rows = collect(clips, small_corpus, tmp_path / f"{limit}-{seed}", replace(ALL, limit=limit), seed=seed)
        return [row["clip_id"] for row in rows if row["image"]]

    assert len(drawn(4)) == 4 and set(drawn(4)) < set(drawn(6)) and len(drawn(99)) == 9
    assert drawn(4) == [name for name in drawn(99) if name in drawn(4)]
    assert any(drawn(4) != drawn(4, seed) for seed in (1, 2, 3))
    assert len(list((tmp_path / "4-0/images").iterdir())) == sum(not name.startswith("stills") for name in drawn(4))


def test_strange_ids_give_safe_names_that_never_meet(tmp_path):
    ids = [
        "plain_0",
        "张三-1_0",
        "../../etc/passwd_0",
        "a/b_0",
        "a_b_0",
        "a b_0",
        ".hidden",
        "",
        "..",
        "x" * 300,
        "x" * 299,
    ]
    ids += ["a\ud800_0", "line\nbreak", "a\0b", file_name("a/b_0")[:-4]]
    names = [file_name(each) for each in ids]
    assert names[:2] == ["plain_0.jpg", "张三-1_0.jpg"] and len(set(names)) == len(ids)
    for name in names:
        assert "/" not in name and not name.startswith(".") and len(name.encode()) < 230
        (tmp_path / name).touch()
    path = tmp_path / "a.mp4"
    video(path, [noise(0)])
    (row,) = collect([Clip("../../x/é" + "y" * 300, video=str(path))], tmp_path, tmp_path / "out")
    assert row["kept"] and (tmp_path / "out" / row["image"]).resolve().parent == tmp_path / "out/images"


def test_two_images_of_one_name_are_told_apart(tmp_path):
    clip = video(tmp_path / "a.mp4", [noise(0)])
    Image.fromarray(noise(1)).save(tmp_path / "x.png")
    write_rows(tmp_path / "stills.jsonl", [{"clip_id": "a_0", "image": "x.png"}])
    rows = collect([clip], tmp_path, tmp_path / "out")
    assert [row["kept"] for row in rows] == [True, False] and "rename the still" in rows[1]["error"]


def test_names_that_are_no_utf8_can_still_be_written(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")
    Image.fromarray(noise(1)).save(path)
    rows = collect([Clip("gone", video=path + ".mp4")], tmp_path, tmp_path / "out", replace(ALL, stills=False))
    rows += collect([], tmp_path, tmp_path / "out")
    assert len(rows) == 2 and all(row["error"] for row in rows)
    assert write_rows(tmp_path / "rows.jsonl", rows) == 2


def test_a_full_disk_ends_the_run(clips, small_corpus, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(images.os, "replace", full)
    with pytest.raises(RunError, match="No space left.*outputs"):
        collect(clips, small_corpus, tmp_path)


def test_settings_that_make_no_sense_are_refused():
    for bad in ({"where": "start"}, {"frames_per_clip": 0}, {"duplicate_distance": 65}, {"limit": 0}):
        with pytest.raises(InputError, match="images"):
            ImageSettings(**bad)


SCRIPT = """
import sys
from emolab.captions.images import collect_images
from emolab.captions.settings import ImageSettings
from emolab.corpora import read_rows
root, folder = sys.argv[1:]
collect_images(read_rows(root), root, ImageSettings(), folder, progress=False, workers=2)
"""


def test_a_killed_run_goes_on_where_it_stopped(clips, tmp_path, monkeypatch):
    source = next(clip for clip in clips if not clip.labels)
    names = [f"c{number:03d}" for number in range(120)]
    write_rows(tmp_path / "clips.jsonl", [{"clip_id": name, "video": f"{name}.mp4"} for name in names])
    for name in names:
        (tmp_path / f"{name}.mp4").symlink_to(source.video)
    out = tmp_path / "out"
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path), str(out)])
    rows = out / "decoded.jsonl"
    while process.poll() is None and not (rows.exists() and rows.read_bytes().count(b"\n") > 10):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = [json.loads(line)["clip_id"] for line in rows.read_text().splitlines() if line.endswith("}")]
    assert 10 < len(kept) < 120
    decoded = []
    monkeypatch.setattr(
        images, "decode_frames", lambda path, choose: decoded.append(path) or decode_frames(path, choose)
    )
    found = collect(read_rows(tmp_path), tmp_path, out)
    assert [row["clip_id"] for row in found] == names and all(row["image"] for row in found)
    assert len(decoded) == 120 - len(kept)
    assert found == collect(read_rows(tmp_path), tmp_path, tmp_path / "fresh")
    assert not list((out / "images").glob(".*"))
