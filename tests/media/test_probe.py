import av
import numpy as np
import pytest

from emolab.errors import InputError
from emolab.media.errors import MediaError
from emolab.media.probe import probe, read_duration, read_header
from emolab.media.sampling import six_frames
from emolab.media.write import write_video

FRAMES = [np.full((32, 48, 3), 10 * n, np.uint8) for n in range(12)]
TONE = np.sin(np.arange(16000) / 10).astype(np.float32) / 2


def write_sound(path, cover=False):
    """An audio-only file, or one whose only picture is its cover."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac" if not cover else "flac", rate=16000, layout="mono")
        if cover:
            picture = container.add_stream("png")
            picture.width, picture.height, picture.pix_fmt = 48, 32, "rgb24"
            picture.disposition = av.stream.Disposition.attached_pic
        if cover:
            container.mux(picture.encode(av.VideoFrame.from_ndarray(FRAMES[5], format="rgb24")))
            container.mux(picture.encode(None))
        samples = TONE[None] if not cover else (TONE[None] * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp" if not cover else "s16", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_counts_sizes_and_times(tmp_path):
    path = tmp_path / "clip.mp4"
    write_video(path, FRAMES, 10, TONE)
    info = probe(path)
    assert (info.has_video, info.has_audio, info.width, info.height, info.rotation) == (True, True, 48, 32, 0)
    assert info.frames == 12 and info.path == path
    assert info.duration == pytest.approx(1.2) and info.rate == pytest.approx(10)


def test_a_clip_without_sound(tmp_path):
    write_video(tmp_path / "clip.mp4", FRAMES, 10)
    assert not probe(tmp_path / "clip.mp4").has_audio


@pytest.mark.parametrize("cover, name", [(False, "sound.mp4"), (True, "cover.flac")])
def test_sound_without_picture(tmp_path, cover, name):
    path = write_sound(tmp_path / name, cover)
    info = probe(path)
    assert (info.has_video, info.has_audio, info.frames) == (False, True, 0)
    assert info.duration == pytest.approx(1, abs=0.15)
    with pytest.raises(MediaError, match=f"{name} has sound but no picture"):
        six_frames(path, clip_id="a")


@pytest.mark.parametrize(
    "content, cause",
    [
        (None, "cannot be read"),
        (b"", "empty"),
        (b"just a few words\n" * 50, "not a video"),
        (b"#EXTM3U\n#EXTINF:1,\nother.mp4\n", "not a video"),
        (b"ffconcat version 1.0\nfile other.mp4\n", "not a video"),
        (bytes(5000), "not a video"),
    ],
)
def test_what_is_no_clip_is_said_in_one_sentence(tmp_path, content, cause):
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=rf"^clip\.mp4 .*{cause}.*[.]$"):
        probe(path)


def test_a_folder_is_not_a_file(tmp_path):
    with pytest.raises(MediaError, match="not a file"):
        probe(tmp_path)


def test_a_codec_that_nobody_knows(tmp_path):
    path = tmp_path / "clip.mp4"
    write_video(path, FRAMES, 10, TONE)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    assert (probe(path).has_video, probe(path).has_audio) == (False, True) and read_header(path).video is None
    with pytest.raises(MediaError, match="clip.mp4 has sound but no picture"):
        six_frames(path, clip_id="a")
    write_video(path, FRAMES, 10)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    with pytest.raises(MediaError, match="clip.mp4 holds neither picture nor sound that can be read"):
        probe(path)


@pytest.mark.parametrize("name", ["plain.mp4", "turned.mov", "sound.mp4"])
def test_the_header_says_what_probing_finds(tmp_path, name):
    path = tmp_path / name
    if name == "sound.mp4":
        write_sound(path)
    elif name == "plain.mp4":
        write_video(path, FRAMES, 10, TONE)
    else:
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=10)
            stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
            stream.set_display_rotation(90, False, False)
            for pixels in FRAMES:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            container.mux(stream.encode(None))
    info, header = probe(path), read_header(path)
    assert (header.width, header.height) == (info.width, info.height)
    assert (header.video is not None, header.audio is not None) == (info.has_video, info.has_audio)
    assert header.rate == pytest.approx(info.rate)
    assert header.duration == read_duration(path) == pytest.approx(info.duration, abs=0.1)


def test_an_mp4_whose_index_is_cut_off(tmp_path):
    path = tmp_path / "clip.mp4"
    write_video(path, FRAMES, 10)
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(MediaError, match="clip.mp4 is not a video .* or its start or index is lost"):
        probe(path)
