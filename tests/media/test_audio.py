import av
import numpy as np
import pytest

from emolab.media import audio
from emolab.media.audio import read_audio, read_clips
from emolab.media.errors import MediaError
from emolab.media.write import write_video

FRAMES = [np.full((32, 48, 3), 10 * n, np.uint8) for n in range(20)]


def tone(rate, seconds=2.0, hertz=440):
    return (np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate) / 2).astype(np.float32)


def loudest_hertz(samples, rate):
    return np.argmax(np.abs(np.fft.rfft(samples))) * rate / len(samples)


@pytest.mark.parametrize("stored", [16000, 44100])
def test_tone_keeps_pitch_length_and_level(tmp_path, stored):
    write_video(tmp_path / "a.mp4", FRAMES, 10, tone(stored), rate=stored)
    samples = read_audio(tmp_path / "a.mp4")
    assert samples.dtype == np.float32 and samples.ndim == 1
    assert len(samples) == pytest.approx(32000, abs=1200)  # AAC pads to whole blocks of 1024
    assert loudest_hertz(samples, 16000) == pytest.approx(440, abs=2)
    assert np.sqrt((samples[4000:28000] ** 2).mean()) == pytest.approx(0.5 / np.sqrt(2), rel=0.03)


def test_stereo_is_mixed_to_mono(tmp_path):
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16000, layout="stereo")
        sides = np.stack([tone(16000), np.zeros(32000, np.float32)], 1)
        packed = (sides * 32767).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="s16", layout="stereo")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    samples = read_audio(path)
    assert len(samples) == 32000
    assert np.abs(samples).max() == pytest.approx(0.5 / np.sqrt(2), abs=0.01)  # as ffmpeg mixes: -3 dB a side


def test_no_sound_track_gives_no_samples(tmp_path):
    write_video(tmp_path / "a.mp4", FRAMES, 10)
    assert read_audio(tmp_path / "a.mp4").shape == (0,)


def test_truncated_sound_gives_what_exists(tmp_path):
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        pcm = (tone(16000)[None] * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    whole = read_audio(path)
    path.write_bytes(path.read_bytes()[:40000])
    part = read_audio(path)
    assert 18000 < len(part) < 20000
    assert np.array_equal(part, whole[: len(part)])


def make_undecodable(path):
    """Overwrite every packet of the sound track."""
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(audio=0) if packet.size]
    content = bytearray(path.read_bytes())
    for position, size in places:
        content[position : position + size] = b"\xff" * size
    path.write_bytes(content)


def test_undecodable_sound_is_one_sentence(tmp_path):
    path = tmp_path / "a.mp4"
    write_video(path, FRAMES, 10, tone(16000))
    make_undecodable(path)
    with pytest.raises(MediaError, match="a.mp4: nothing of its sound track"):
        read_audio(path)


def spread(samples, count, size):
    starts = [number * (len(samples) - size) // (count - 1) for number in range(count)]
    return np.stack([samples[start : start + size] for start in starts])


def changing(rate, seconds):
    """Tones that wander and swell: no two seconds are alike, and there is no noise for a codec to make up."""
    time = np.arange(int(rate * seconds)) / rate
    return (0.3 * np.sin(2 * np.pi * (200 + time) * time) * (0.6 + 0.4 * np.sin(time / 3))).astype(np.float32)


def write_sound(path, codec, rate, samples):
    """A file of sound alone, [channels, samples]."""
    layout = "mono" if len(samples) == 1 else "stereo"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
        frame.sample_rate, frame.pts = rate, 0
        for part in av.AudioResampler(format=stream.format.name, layout=layout, rate=rate).resample(frame):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))


def test_pieces_of_a_short_track_overlap(tmp_path):
    write_video(tmp_path / "a.mp4", FRAMES, 10, changing(16000, 3.0))
    whole, heard = read_audio(tmp_path / "a.mp4"), read_clips(tmp_path / "a.mp4")
    assert heard.samples.shape == (8, 32000) and heard.samples.dtype == np.float32
    assert np.array_equal(heard.samples, spread(whole, 8, 32000))
    assert heard.duration == len(whole) / 16000
    assert np.array_equal(read_clips(tmp_path / "a.mp4", count=1).samples, whole[None, :32000])


def test_a_track_shorter_than_a_piece_is_filled_up(tmp_path):
    write_video(tmp_path / "a.mp4", FRAMES, 10, changing(16000, 0.7))
    whole, heard = read_audio(tmp_path / "a.mp4"), read_clips(tmp_path / "a.mp4", seconds=1.5, rate=16000)
    assert heard.samples.shape == (8, 24000) and heard.duration == pytest.approx(0.7, abs=0.13)
    assert np.array_equal(heard.samples, np.tile(np.pad(whole, (0, 24000 - len(whole))), (8, 1)))


def test_no_sound_track_gives_no_pieces(tmp_path):
    write_video(tmp_path / "a.mp4", FRAMES, 10)
    heard = read_clips(tmp_path / "a.mp4")
    assert heard.samples.shape == (0, 32000) and heard.duration == 0.0


@pytest.mark.parametrize("stored", [16000, 22050, 44100, 48000])
def test_pieces_of_minutes_are_those_of_a_full_decode(tmp_path, stored, monkeypatch):
    """AAC in mp4. Decoding is exact from the second packet on, so only rounding in the resampler may differ: 1e-4
    where the codec itself makes up some noise, which happens at the start of the lowest tones."""
    path = tmp_path / "long.mp4"
    write_video(path, [np.zeros((16, 16, 3), np.uint8)] * 100, 1, changing(stored, 100), rate=stored)
    whole = read_audio(path)
    monkeypatch.setattr(audio, "read_audio", lambda *_: pytest.fail("decoded whole"))
    heard = read_clips(path)
    assert heard.duration == len(whole) / 16000
    difference = np.abs(heard.samples - spread(whole, 8, 32000)).max(1)
    assert difference[0] < 1e-3 and difference[1:].max() < 1e-4


def test_pieces_of_a_long_stereo_wav(tmp_path):
    left = changing(44100, 100)
    write_sound(tmp_path / "a.wav", "pcm_s16le", 44100, np.stack([left, 0.5 * left[::-1]]))
    heard, whole = read_clips(tmp_path / "a.wav", count=5, seconds=1.0), read_audio(tmp_path / "a.wav")
    assert heard.duration == len(whole) / 16000
    assert np.abs(heard.samples - spread(whole, 5, 16000)).max() < 1e-6


@pytest.mark.parametrize("name, codec", [("a.mp3", "libmp3lame"), ("a.mkv", "flac")])
def test_where_time_stamps_are_not_exact_the_whole_track_is_decoded(tmp_path, name, codec):
    write_sound(tmp_path / name, codec, 44100, changing(44100, 70)[None])
    heard, whole = read_clips(tmp_path / name), read_audio(tmp_path / name)
    assert np.array_equal(heard.samples, spread(whole, 8, 32000)) and heard.duration == len(whole) / 16000


def test_pieces_of_a_truncated_long_track_are_of_what_exists(tmp_path):
    path = tmp_path / "a.wav"
    write_sound(path, "pcm_s16le", 16000, changing(16000, 150)[None])
    path.write_bytes(path.read_bytes()[: 80 * 32000])
    heard, whole = read_clips(path), read_audio(path)
    assert 79 < heard.duration == len(whole) / 16000 < 81
    assert np.array_equal(heard.samples, spread(whole, 8, 32000))


def test_undecodable_sound_of_pieces_is_one_sentence(tmp_path):
    path = tmp_path / "a.mp4"
    write_video(path, [np.zeros((16, 16, 3), np.uint8)] * 70, 1, changing(16000, 70))
    make_undecodable(path)
    with pytest.raises(MediaError, match="a.mp4: nothing of its sound track"):
        read_clips(path)
