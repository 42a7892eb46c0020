"""A copy that browsers play, made of what people have: each frame and its sound at its time, damage left out."""

from fractions import Fraction

import av
import numpy as np
import pytest

from emolab.media.audio import read_audio
from emolab.media.convert import convert
from emolab.media.errors import MediaError
from emolab.media.probe import probe, read_duration, read_header
from emolab.media.write import write_video

RATE = 16000
TONE = np.sin(np.arange(2 * RATE) * 2 * np.pi * 440 / RATE).astype(np.float32) / 2


def lines(number, height=96, width=128):
    """The picture of a number: its bits as 8 bars, light on dark."""
    pixels = np.full((height, width, 3), 20, np.uint8)
    for bit in range(8):
        pixels[:, width * bit // 8 : width * (bit + 1) // 8] = 220 if number >> bit & 1 else 20
    return pixels


def number_of(pixels):
    width = pixels.shape[1]
    return sum(int(pixels[:, width * (2 * bit + 1) // 16].mean() > 120) << bit for bit in range(8))


def make(path, codec="mpeg4", pixels="yuv420p", stamps=None, sound=None, rotation=0, size=(128, 96), count=50):
    """A numbered clip; `stamps` are milliseconds, `sound` a codec of 2 s of tone."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        track = container.add_stream(sound, rate=RATE, layout="mono") if sound else None
        stream.codec_context.time_base = Fraction(1, 1000 if stamps else 25)
        if rotation:
            stream.set_display_rotation(rotation, False, False)
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(lines(number, size[1], size[0]), format="rgb24")
            frame.time_base, frame.pts = stream.codec_context.time_base, stamps[number] if stamps else number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if track:
            as_codec = track.codec_context.format.name
            dtype, full = {"fltp": ("f4", 1), "s16": ("i2", 2**15), "s32p": ("i4", 2**31)}[as_codec]
            tone = (TONE * full).astype(dtype)
            frame = av.AudioFrame.from_ndarray(tone[None], format=as_codec, layout="mono")
            frame.sample_rate = RATE
            container.mux(track.encode(frame))
            container.mux(track.encode(None))
    return path


def frames_of(path):
    """(seconds, number shown) of each frame."""
    with av.open(str(path)) as container:
        return [(frame.time, number_of(frame.to_ndarray(format="rgb24"))) for frame in container.decode(video=0)]


@pytest.mark.parametrize(
    "name, kind",
    [
        ("old.avi", {"sound": "libmp3lame"}),
        ("ten_bit.mp4", {"codec": "libx264", "pixels": "yuv420p10le", "sound": "aac"}),
        ("pcm.mkv", {"codec": "libx265", "sound": "pcm_s16le"}),
    ],
)
def test_what_browsers_do_not_play(tmp_path, name, kind):
    source = make(tmp_path / name, **kind)
    done = []
    convert(source, tmp_path / "copy.mp4", progress=done.append)
    header = read_header(tmp_path / "copy.mp4")
    assert (header.video, header.pixels, header.audio) == ("h264", "yuv420p", "aac")
    assert (header.width, header.height, header.rate) == (128, 96, 25)
    shown = frames_of(tmp_path / "copy.mp4")
    assert [number for _, number in shown] == list(range(50))
    assert np.allclose([time for time, _ in shown], np.arange(50) / 25, atol=0.002)
    sound = read_audio(tmp_path / "copy.mp4", RATE)
    assert len(sound) / RATE == pytest.approx(2, abs=0.15)
    assert np.abs(np.fft.rfft(sound[:RATE])).argmax() == 440
    assert done == sorted(done) and done[-1] == 1 and len(done) > 3
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["copy.mp4", name])  # nothing left over


def test_the_index_stands_before_the_pictures(tmp_path):
    convert(make(tmp_path / "a.avi"), tmp_path / "copy.mp4")
    content = (tmp_path / "copy.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # a browser begins before it has the whole file


def test_a_variable_frame_rate_keeps_its_times(tmp_path):
    stamps = np.cumsum([0] + [[20, 40, 40, 150, 60][n % 5] for n in range(49)]).tolist()
    convert(make(tmp_path / "a.mkv", stamps=stamps), tmp_path / "copy.mp4")
    shown = frames_of(tmp_path / "copy.mp4")
    assert [number for _, number in shown] == list(range(50))
    assert np.allclose([time for time, _ in shown], np.array(stamps) / 1000, atol=0.002)


@pytest.mark.parametrize(
    "size, rotation, copy",
    [
        ((1280, 720), 0, (854, 480)),
        ((720, 1280), 0, (270, 480)),
        ((1280, 720), 90, (270, 480)),
        ((64, 48), 0, (64, 48)),
    ],
)
def test_at_most_480_high_upright_and_even(tmp_path, size, rotation, copy):
    source = make(tmp_path / "a.mp4", size=size, rotation=rotation, count=3)
    convert(source, tmp_path / "copy.mp4")
    info = probe(tmp_path / "copy.mp4")
    assert (info.width, info.height, info.rotation, info.frames) == (*copy, 0, 3)


def test_the_turn_is_that_of_the_models_frames(tmp_path):
    from emolab.media.decode import decode_frames

    source = make(tmp_path / "a.mp4", rotation=90, count=30)
    convert(source, tmp_path / "copy.mp4")
    one, other = (decode_frames(path, lambda n: [21]).images[0] for path in (source, tmp_path / "copy.mp4"))
    assert one.shape == other.shape == (128, 96, 3)
    assert np.abs(one.astype(int) - other).mean() < 8


def test_without_sound_and_without_picture(tmp_path):
    write_video(tmp_path / "mute.mp4", [lines(n) for n in range(10)], 10)
    convert(tmp_path / "mute.mp4", tmp_path / "copy.mp4")
    assert (probe(tmp_path / "copy.mp4").has_video, probe(tmp_path / "copy.mp4").has_audio) == (True, False)
    with av.open(str(tmp_path / "heard.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE, layout="stereo")
        both = np.repeat((TONE * 32767).astype(np.int16), 2)[None]
        frame = av.AudioFrame.from_ndarray(both, format="s16", layout="stereo")
        frame.sample_rate = RATE
        container.mux([*stream.encode(frame), *stream.encode(None)])
    convert(tmp_path / "heard.wav", tmp_path / "copy.mp4")
    header = read_header(tmp_path / "copy.mp4")
    assert (header.video, header.audio) == (None, "aac") and header.duration == pytest.approx(2, abs=0.1)
    with av.open(str(tmp_path / "copy.mp4")) as container:
        assert container.streams.audio[0].codec_context.layout.name == "stereo"


def test_damage_is_left_out_and_the_sound_stays_with_the_picture(tmp_path):
    source = tmp_path / "a.mkv"
    with av.open(str(source), "w") as container:  # sound for half a second, a gap of one, sound again
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.codec_context.gop_size = 128, 96, "yuv420p", 5
        track = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for number in range(50):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(lines(number), format="rgb24")))
            if not 12 <= number < 37:
                start = number * RATE // 25
                tone = (TONE[start : start + RATE // 25] * 32767).astype(np.int16)[None]
                frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
                container.mux(track.encode(frame))
        container.mux(stream.encode(None))
    content = bytearray(source.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 300] = bytes(300)
    source.write_bytes(content)
    convert(source, tmp_path / "copy.mp4")
    shown = frames_of(tmp_path / "copy.mp4")
    assert 25 < len(shown) <= 50
    assert all(number == round(time * 25) for time, number in shown[:10] + shown[-10:])
    sound = read_audio(tmp_path / "copy.mp4", RATE)
    loud = [np.abs(sound[RATE * tenth // 10 :][: RATE // 10]).max() > 0.1 for tenth in range(20)]
    assert all(loud[:4]) and not any(loud[6:14]) and all(loud[16:19])


def test_a_truncated_file_gives_what_exists(tmp_path):
    source = make(tmp_path / "a.avi", sound="libmp3lame")
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    convert(source, tmp_path / "copy.mp4")
    assert 0 < len(frames_of(tmp_path / "copy.mp4")) < 50
    assert 0 < read_duration(tmp_path / "copy.mp4") < 2


def test_where_nothing_decodes_nothing_is_left(tmp_path):
    source = tmp_path / "a.mp4"
    write_video(source, [lines(n) for n in range(10)], 10)
    content = source.read_bytes()
    start = content.index(b"mdat") + 4
    stop = content.index(b"moov") - 4
    source.write_bytes(content[:start] + bytes(stop - start) + content[stop:])
    with pytest.raises(MediaError, match="a.mp4: neither its picture nor its sound can be decoded"):
        convert(source, tmp_path / "copy.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_what_progress_raises_ends_the_work(tmp_path):
    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(make(tmp_path / "a.avi"), tmp_path / "copy.mp4", progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["a.avi"]
