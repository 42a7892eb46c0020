"""Every frame that the planned decoder returns must equal that of a plain decode from the start."""

import gc
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import av
import numpy as np
import pytest

from emolab.media import decode
from emolab.media.decode import decode_frames
from emolab.media.errors import MediaError
from emolab.media.probe import probe


def picture(number, height=96, width=128):
    """A frame that says its number: eight squares, one a bit, over a moving texture."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([x * 2 + number * 5, y * 2 + number * 3, x + y + number * 7], -1).astype(np.uint8) // 2
    for bit in range(8):
        pixels[8:24, 16 * bit : 16 * bit + 16] = 235 if number >> bit & 1 else 20
    return pixels


def number_of(pixels):
    return sum((pixels[12:20, 16 * bit + 4 : 16 * bit + 12].mean() > 128) << bit for bit in range(8))


def make(path, count=60, codec="libx264", gop=250, bframes=3, x264="", base=600, stamps=None, rotation=None, **more):
    """A numbered clip; `stamps` are presentation times in 1/base s."""
    with av.open(str(path), "w", **more) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        context = stream.codec_context
        context.gop_size, context.time_base, context.thread_count = gop, Fraction(1, base), 1
        if codec == "libx264":
            extra = f":{x264}" if x264 else ""
            stream.options = {"x264-params": f"bframes={bframes}:b-adapt=0:scenecut=0{extra}"}
        if rotation:
            stream.set_display_rotation(*rotation)
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.time_base, frame.pts = Fraction(1, base), stamps[number] if stamps else number * base // 25
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def full_decode(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


STAMPS = np.cumsum([0] + [[12, 24, 24, 90, 36][n % 5] for n in range(59)]).tolist()
KINDS = {
    "gop250.mp4": {},
    "gop12.mp4": {"gop": 12},
    "open_gop.mp4": {"gop": 12, "x264": "open-gop=1:b-pyramid=normal"},
    "open_gop.mkv": {"gop": 12, "x264": "open-gop=1"},
    "no_b.mp4": {"gop": 10, "bframes": 0},
    "intra_refresh.mp4": {"gop": 12, "bframes": 0, "x264": "intra-refresh=1"},
    "vfr.mp4": {"gop": 20, "stamps": STAMPS},
    "open_gop.ts": {"gop": 12, "x264": "open-gop=1"},
    "gop250.ts": {},
    "raw.h264": {"gop": 12},
    "mpeg4.avi": {"codec": "mpeg4", "gop": 12, "base": 25},
    "h264.avi": {"gop": 12, "base": 25},
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_frame_equals_full_decode(tmp_path, kind):
    path = make(tmp_path / kind, **KINDS[kind])
    reference = full_decode(path)
    assert [number_of(pixels) for pixels in reference] == list(range(60))
    several = [[3, 11, 24, 30, 47, 59], [12], [35, 36, 37], [0, 0, 59]]
    for positions in several + [[number] for number in range(5, 60, 6)]:
        decoded = decode_frames(path, lambda count, positions=positions: positions)
        assert decoded.positions == positions and decoded.problem is None
        for position, pixels in zip(positions, decoded.images, strict=True):
            assert np.array_equal(pixels, reference[position])


@pytest.mark.parametrize("kind", ["gop250.mp4", "open_gop.mp4", "open_gop.mkv", "vfr.mp4", "gop250.ts"])
def test_only_what_is_needed_is_decoded(tmp_path, kind):
    path = make(tmp_path / kind, **KINDS[kind])
    fed = []
    run = decode._Track.run

    def spy(self, first, stop, targets=None):
        fed.append((first, stop, targets))
        return run(self, first, stop, targets)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode._Track, "run", spy)
        decode_frames(path, lambda count: [count // 2])
    assert len(fed) == 1 and fed[0][2] and fed[0][1] < 40


def test_no_frame_outlives_its_decoding(tmp_path):
    path = make(tmp_path / "a.mp4", count=5)
    gc.collect()
    gc.disable()  # else it might tidy up in time
    try:
        decode_frames(path, lambda count: [0, 3])
        assert all(each.width <= 16 for each in gc.get_objects() if isinstance(each, av.VideoFrame))
    finally:
        gc.enable()


def test_all_frames_of_an_open_gop(tmp_path):
    path = make(tmp_path / "a.mp4", **KINDS["open_gop.mp4"])
    decoded = decode_frames(path, lambda count: list(range(count)))
    for pixels, expected in zip(decoded.images, full_decode(path), strict=True):
        assert np.array_equal(pixels, expected)


def test_clips_decoded_in_parallel_threads_do_not_disturb_each_other(tmp_path):
    paths = [make(tmp_path / f"{gop}.mp4", gop=gop) for gop in (12, 20, 250)]
    expected = {path: full_decode(path)[29] for path in paths}
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda path: decode_frames(path, lambda count: [29]).images[0], paths * 8))
    for path, pixels in zip(paths * 8, drawn, strict=True):
        assert np.array_equal(pixels, expected[path])


def test_edit_list_hides_leading_frames(tmp_path):
    path = make(tmp_path / "a.mp4")
    content = bytearray(path.read_bytes())
    at = content.index(b"elst") + 16
    start = int.from_bytes(content[at : at + 4], "big")
    with av.open(str(path)) as container:
        skipped = int(Fraction(10, 25) / container.streams.video[0].time_base)
    content[at : at + 4] = (start + skipped).to_bytes(4, "big")
    path.write_bytes(content)
    reference = full_decode(path)
    assert [number_of(pixels) for pixels in reference] == list(range(10, 60))
    decoded = decode_frames(path, lambda count: [0, 7, count - 1])
    assert [number_of(pixels) for pixels in decoded.images] == [10, 17, 59]
    assert np.array_equal(decoded.images[1], reference[7])
    assert decoded.times == pytest.approx([0, 7 / 25, 49 / 25])
    assert probe(path).frames == 50


@pytest.mark.parametrize("degrees", [0, 90, 180, -90])
@pytest.mark.parametrize("hflip, vflip", [(False, False), (True, False), (False, True)])
def test_rotation_and_mirroring_are_applied(tmp_path, degrees, hflip, vflip):
    path = make(tmp_path / "a.mp4", count=3, rotation=(degrees, hflip, vflip))
    expected = np.rot90(full_decode(path)[1], degrees // 90)
    expected = expected[:: -1 if vflip else 1, :: -1 if hflip else 1]
    decoded = decode_frames(path, lambda count: [1]).images[0]
    assert np.array_equal(decoded, expected)
    info = probe(path)
    assert (info.height, info.width) == decoded.shape[:2]


def test_times_are_seconds_after_the_first_frame(tmp_path):
    vfr = decode_frames(make(tmp_path / "a.mp4", stamps=STAMPS), lambda count: [0, 7, 59])
    assert vfr.times == pytest.approx([0, STAMPS[7] / 600, STAMPS[59] / 600])
    path = make(tmp_path / "a.ts", container_options={"output_ts_offset": "7"})
    with av.open(str(path)) as container:
        assert container.start_time > 1_000_000  # MPEG-TS starts late
    assert decode_frames(path, lambda count: [0, 10]).times == pytest.approx([0, 0.4], abs=1e-3)
    raw = decode_frames(make(tmp_path / "a.h264"), lambda count: [0, 10])
    assert raw.times[0] == 0 < raw.times[1]


def test_one_frame(tmp_path):
    path = make(tmp_path / "a.mp4", count=1)
    decoded = decode_frames(path, lambda count: [0] * 6 if count == 1 else [])
    assert [number_of(pixels) for pixels in decoded.images] == [0] * 6 and decoded.times == [0] * 6


def test_truncated_file_gives_the_frames_that_exist(tmp_path):
    path = make(tmp_path / "a.mp4", gop=12, container_options={"movflags": "+faststart"})
    reference = full_decode(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    counts = []
    decoded = decode_frames(path, lambda count: counts.append(count) or [0, count - 1])
    assert 12 < counts[-1] < 60 and probe(path).frames >= counts[-1]
    assert "cut short" in decoded.problem or "damaged" in decoded.problem
    for position, pixels in zip(decoded.positions, decoded.images, strict=True):
        assert np.array_equal(pixels, reference[number_of(pixels)]) and number_of(pixels) == position


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("keyframe", [12, 24, 48])
def test_damaged_frames_are_reported_not_returned(tmp_path, keyframe, seed):
    path = make(tmp_path / "a.mp4", gop=12)
    reference = full_decode(path)
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    position, size = places[keyframe]
    content[position + size // 3 : position + size] = np.random.default_rng(seed).bytes(size - size // 3)
    path.write_bytes(content)
    decoded = decode_frames(path, lambda count: list(range(count)))
    assert "damaged" in decoded.problem and 30 < len(decoded.images) < 60
    for pixels in decoded.images:
        assert np.array_equal(pixels, reference[number_of(pixels)])


def test_nothing_decodable_is_one_sentence(tmp_path):
    path = make(tmp_path / "a.mp4", count=10)
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    for position, size in places:
        content[position : position + size] = bytes(size)
    path.write_bytes(content)
    with pytest.raises(MediaError, match="a.mp4: none of its 10 frames"):
        decode_frames(path, lambda count: [0])
