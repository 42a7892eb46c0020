"""What the inspector shows of files: playable or not, damaged, large, converted."""

import io
import json
import math
import os
from pathlib import Path

import av
import matplotlib
import numpy as np
import pytest
from PIL import Image

from emolab.corpora.clip import Clip
from emolab.corpora.read import read_rows
from emolab.errors import InputError
from emolab.inspect.media import Look, Media
from emolab.media.settings import FaceSettings, FrameSettings
from emolab.media.views import clip_faces, clip_frames
from emolab.media.write import write_video

PHOTOGRAPH = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
RAMP = [np.full((64, 96, 3), 5 * n, np.uint8) for n in range(48)]
TONE = np.sin(np.arange(32000) / 10).astype(np.float32) / 2
DRAWN = Look("drawn", FrameSettings(), FaceSettings(cache=False), seed=1)
FIRST = Look("first of each part", FrameSettings(parts=3, draw="uniform"), FaceSettings(cache=False))


@pytest.fixture
def media(tmp_path):
    return Media([DRAWN, FIRST], tmp_path / "copies")


@pytest.fixture(scope="module")
def drawn(small_corpus):
    return next(clip for clip in read_rows(small_corpus) if clip.video)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Clips of many kinds."""
    root = tmp_path_factory.mktemp("clips")
    write_video(root / "plain.mp4", RAMP, 12, TONE)
    write_video(root / "mute.mp4", RAMP, 12)
    whole = (root / "plain.mp4").read_bytes()
    (root / "empty.mp4").write_bytes(b"")
    (root / "words.mp4").write_bytes(b"just a few words\n" * 50)
    (root / "no_index.mp4").write_bytes(whole[:900])
    streams = {
        "old.avi": ("mpeg4", "yuv420p"), "ten_bit.mp4": ("libx264", "yuv420p10le"), "hevc.mp4": ("libx265", "yuv420p"),
        "film.mkv": ("libx264", "yuv420p"), "web.webm": ("libvpx-vp9", "yuv420p"), "vp9.mp4": ("libvpx-vp9", "yuv420p"),
        "prores.mov": ("prores_ks", "yuv422p10le"), "camera.mov": ("libx264", "yuv420p"),
    }  # fmt: skip
    for name, (codec, pixels) in streams.items():
        with av.open(str(root / name), "w") as container:
            stream = container.add_stream(codec, rate=12)
            stream.width, stream.height, stream.pix_fmt = 96, 64, pixels
            if name == "camera.mov":
                stream.set_display_rotation(90, False, False)
            for pixels_ in RAMP[:12]:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels_, format="rgb24")))
            container.mux(stream.encode(None))
    with av.open(str(root / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray((TONE[None] * 32767).astype(np.int16), format="s16", layout="mono")
        frame.sample_rate = 16000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    Image.open(PHOTOGRAPH).save(root / "still.png")
    return root


def clip(path):
    return Clip("clip", video=str(path))


def opened(jpeg):
    return np.asarray(Image.open(io.BytesIO(jpeg)))


def test_a_clip_that_plays(media, folder):
    said = media.describe(clip(folder / "plain.mp4"))
    assert said == {
        "state": "file", "url": None, "name": "plain.mp4", "bytes": (folder / "plain.mp4").stat().st_size,
        "type": "video/mp4", "codecs": "h264, aac", "likely": True, "duration": 4.0, "fps": 12.0, "width": 96,
        "height": 64, "has_video": True, "has_audio": True, "limit": 64 * 2**20, "converted": False, "text": None,
    }  # fmt: skip
    assert not media.describe(clip(folder / "mute.mp4"))["has_audio"]


@pytest.mark.parametrize(
    "name, likely, kind",
    [
        ("web.webm", True, "video/webm"), ("vp9.mp4", True, "video/mp4"), ("camera.mov", True, "video/mp4"),
        ("sound.wav", True, "audio/wav"), ("old.avi", False, "video/x-msvideo"), ("ten_bit.mp4", False, "video/mp4"),
        ("hevc.mp4", False, "video/mp4"), ("film.mkv", False, "video/x-matroska"), ("prores.mov", False, "video/mp4"),
    ],
)  # fmt: skip
def test_what_browsers_play(media, folder, name, likely, kind):
    said = media.describe(clip(folder / name))
    assert (said["state"], said["likely"], said["type"]) == ("file", likely, kind)
    assert (said["text"] is None) == likely
    if name == "ten_bit.mp4":
        assert "yuv420p10le" in said["text"]
    if name == "camera.mov":  # as it is displayed
        assert (said["width"], said["height"]) == (64, 96)
    if name == "sound.wav":
        assert (said["has_video"], said["has_audio"], said["duration"]) == (False, True, 2.0)


@pytest.mark.parametrize(
    "name, state, text",
    [
        ("gone.mp4", "missing", "cannot be read"), ("a\0b.mp4", "missing", "null byte"), ("", "missing", "not a file"),
        ("empty.mp4", "damaged", "empty"), ("words.mp4", "damaged", "not a video"),
        ("no_index.mp4", "damaged", "index"),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_is_one_sentence(media, folder, name, state, text):
    one = clip(f"{folder}/{name}")
    said = media.describe(one)
    assert said["state"] == state and text in said["text"] and said["url"] is None
    assert media.frames(one, 0) == ({"times": [], "frames": [], "problem": said["text"]}, [])
    assert media.faces(one, 0) == ({"found": [], "problem": said["text"]}, [])
    assert media.thumb(one) == b"" and math.isnan(media.duration(one))
    if state == "missing":
        with pytest.raises(InputError, match=r"[.]$"):
            media.chunk(one, 0)


def test_a_clip_without_video(media, folder):
    bare = Clip("bare", transcript="Hello.")
    said = media.describe(bare)
    assert (said["state"], said["text"]) == ("none", "This clip has no video.")
    assert media.frames(bare, 0)[1] == media.faces(bare, 0)[1] == [] and media.thumb(bare) == b""
    assert math.isnan(media.duration(bare))
    for refused in (lambda: media.chunk(bare, 0), lambda: media.convert(bare, print)):
        with pytest.raises(InputError, match="bare has no video"):
            refused()
    heard = Clip("heard", audio=str(folder / "sound.wav"))
    assert media.describe(heard)["likely"] and media.chunk(heard, 0)[1][:4] == b"RIFF"


def test_a_still(media, folder):
    still = clip(folder / "still.png")
    said = media.describe(still)
    assert (said["state"], said["type"], said["width"], said["height"]) == ("still", "image/png", 512, 600)
    shown, (picture,) = media.frames(still, 0)
    assert shown == {"times": [0.0], "frames": [0], "problem": None} and opened(picture).shape == (320, 273, 3)
    assert media.faces(still, 0) == ({"found": [], "problem": None}, [])
    assert opened(media.thumb(still)).shape[0] == 108
    with pytest.raises(InputError, match="nothing to convert"):
        media.convert(still, print)


def test_pieces_of_a_file(media, folder, tmp_path):
    content = (folder / "plain.mp4").read_bytes()
    one, got = clip(folder / "plain.mp4"), b""
    while len(got) < len(content):
        said, piece = media.chunk(one, len(got), size=1000)
        assert said == {"from": len(got), "bytes": len(content)} and 0 < len(piece) <= 1000
        got += piece
    assert got == content
    for start in (-1, len(content) + 1):
        with pytest.raises(InputError, match="none at"):
            media.chunk(one, start)


def test_a_huge_file_never_travels(folder, tmp_path):
    huge = tmp_path / "huge.mp4"
    huge.write_bytes((folder / "plain.mp4").read_bytes())
    with huge.open("ab") as file:  # a free box of a gigabyte, which takes no room on the disk
        file.write((2**30).to_bytes(4, "big") + b"free")
        file.truncate(file.tell() - 8 + 2**30)
    media = Media([DRAWN], tmp_path / "copies")
    said = media.describe(clip(huge))
    assert said["likely"] and "1,074 MB, too much to send" in said["text"]
    with pytest.raises(InputError, match="make a small copy"):
        media.chunk(clip(huge), 0)
    media.convert(clip(huge), lambda done: None)
    assert media.describe(clip(huge))["text"] is None and media.chunk(clip(huge), 0)[0]["bytes"] < 10**6


def test_a_converted_copy_is_used_until_the_file_changes(folder, tmp_path):
    path = tmp_path / "old.avi"
    path.write_bytes((folder / "old.avi").read_bytes())
    done = []
    Media([DRAWN], tmp_path / "copies").convert(clip(path), done.append)
    assert done[-1] == 1
    later = Media([DRAWN], tmp_path / "copies")
    said = later.describe(clip(path))
    assert (said["converted"], said["likely"], said["name"], said["codecs"]) == (True, True, "old.avi", "h264")
    assert later.chunk(clip(path), 0)[1][4:8] == b"ftyp"
    copies = list((tmp_path / "copies").iterdir())
    later.convert(clip(path), done.append)
    assert list((tmp_path / "copies").iterdir()) == copies
    os.utime(path, (1, 1))
    assert not later.describe(clip(path))["converted"]
    with pytest.raises(InputError, match="no folder for converted copies"):
        Media([DRAWN], None).convert(clip(path), print)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        Media([DRAWN], tmp_path / "file").convert(clip(path), print)


@pytest.mark.parametrize("number, look", enumerate([DRAWN, FIRST]))
def test_frames_and_faces_are_those_that_models_saw(media, drawn, number, look):
    seen = clip_frames(drawn, look.frames, look.seed)
    said, pictures = media.frames(drawn, number)
    assert said == {"times": seen.times, "frames": seen.positions, "problem": None}
    assert len(pictures) == look.frames.parts and json.dumps(said)
    for image, picture in zip(seen.images, pictures, strict=True):
        assert np.abs(image.astype(int) - opened(picture)).mean() < 4
    crops = clip_faces(drawn, look.frames, look.faces, look.seed)
    said, pictures = media.faces(drawn, number)
    assert said == {"found": crops.found, "problem": None} and len(pictures) == sum(map(bool, crops.found)) > 0
    assert np.abs(crops.images[0].astype(int) - opened(pictures[0])).mean() < 4


def test_no_face_is_no_error(media, folder):
    assert media.faces(clip(folder / "plain.mp4"), 0) == ({"found": [0] * 6, "problem": None}, [])


def test_a_look_that_is_not_there(media, folder):
    for number in (2, -1):
        with pytest.raises(InputError, match=f"no look {number}"):
            media.frames(clip(folder / "plain.mp4"), number)
        with pytest.raises(InputError, match=f"no look {number}"):
            media.faces(clip(folder / "plain.mp4"), number)


def test_names_that_are_no_text_can_be_sent(media, folder, tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"a\xff.mp4")
    Path(os.fsdecode(path)).write_bytes((folder / "plain.mp4").read_bytes())
    said = media.describe(clip(os.fsdecode(path)))
    assert (said["state"], said["name"]) == ("file", r"a\udcff.mp4") and media.thumb(clip(os.fsdecode(path)))
    lost = clip("/nowhere/\ud800.mp4")  # JSON may hold half of a letter
    for each in (said, media.describe(lost), media.frames(lost, 0)[0], media.faces(lost, 0)[0]):
        json.dumps(each, ensure_ascii=False).encode()
    assert media.describe(lost)["state"] == "missing" and media.thumb(lost) == b""


def test_of_a_truncated_file_what_exists(media, folder, tmp_path):
    path = tmp_path / "cut.avi"
    whole = (folder / "old.avi").read_bytes()
    path.write_bytes(whole[: (whole.index(b"movi") + whole.index(b"idx1")) // 2])
    assert media.describe(clip(path))["state"] == "file"
    said, pictures = media.frames(clip(path), 0)
    assert len(pictures) == 6 and max(said["frames"]) < 11
    assert media.thumb(clip(path))


def test_damage_is_told_once_with_the_frames(media, folder, tmp_path):
    path = tmp_path / "cut.mp4"
    with (
        av.open(str(folder / "mute.mp4")) as source,
        av.open(str(path), "w", options={"movflags": "faststart"}) as copy,
    ):
        stream = copy.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                copy.mux(packet)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 4 // 5])
    assert media.frames(clip(path), 0)[0]["problem"].startswith("cut.mp4 is ")
    assert media.faces(clip(path), 0) == ({"found": [0] * 6, "problem": None}, [])


@pytest.mark.parametrize("name", ["plain.mp4", "old.avi", "web.webm", "camera.mov"])
def test_a_small_picture_of_the_middle(media, folder, name):
    picture = opened(media.thumb(clip(folder / name), height=32))
    assert picture.shape[0] == 32
    middle = 5 * (24 if name == "plain.mp4" else 6)
    assert picture.mean() == pytest.approx(middle, abs=12)


def test_a_changed_file_has_another_small_picture(media, tmp_path):
    path = tmp_path / "a.mp4"
    write_video(path, RAMP[:2], 12)
    before = media.thumb(clip(path))
    write_video(path, RAMP[40:44], 12)
    assert opened(media.thumb(clip(path))).mean() > opened(before).mean() + 100


def test_durations(media, folder):
    assert media.duration(clip(folder / "plain.mp4")) == pytest.approx(4)
    assert math.isnan(media.duration(clip(folder / "still.png")))
