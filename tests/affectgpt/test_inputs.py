import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from emolab.affectgpt.inputs import InputMaker
from emolab.corpora.clip import Clip
from emolab.corpora.read import read_rows
from emolab.errors import InputError
from emolab.media.audio import read_audio, read_clips
from emolab.media.errors import MediaError
from emolab.media.sampling import six_frames
from emolab.media.settings import FaceSettings, FrameSettings, SoundSettings
from emolab.media.write import write_video

FRAMES, FACES, SOUND = FrameSettings(parts=8, draw="uniform"), FaceSettings(), SoundSettings()
PICTURES = [np.full((48, 64, 3), 10 * n, np.uint8) for n in range(20)]


def tone(seconds):
    return (0.3 * np.sin(np.arange(int(16000 * seconds)) / 5)).astype(np.float32)


def inputs(clip, view="frame", frames=FRAMES, faces=FACES, sound=SOUND, **more):
    return InputMaker(frames, faces, view, sound, **more)(clip)


def write_sound(path, samples):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_f32le" if path.suffix == ".wav" else "aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
        frame.sample_rate, frame.pts = 16000, 0
        for part in av.AudioResampler(format=stream.format.name, layout="mono", rate=16000).resample(frame):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))


@pytest.fixture
def movie(tmp_path):
    write_video(tmp_path / "a.mp4", PICTURES, 10, tone(2.0))
    return tmp_path / "a.mp4"


@pytest.fixture
def silent(tmp_path):
    """A video without a sound track."""
    write_video(tmp_path / "silent.mp4", PICTURES, 10)
    return tmp_path / "silent.mp4"


def test_frames_and_sound_of_one_file(movie):
    given = inputs(Clip("a", video=str(movie)))
    drawn = six_frames(movie, clip_id="a", parts=8, draw="uniform")
    assert len(given.frames) == 8 and given.problems == ()
    assert all(np.array_equal(a, b) for a, b in zip(given.frames, drawn.images, strict=True))
    assert given.sound.shape == (8, 32000) and given.sound.dtype == np.float32
    assert np.array_equal(given.sound, read_clips(movie).samples)


def test_sound_of_a_file_of_its_own(movie, silent, tmp_path):
    write_sound(tmp_path / "other.wav", 0.5 * tone(3.0))
    for video in (movie, silent):
        given = inputs(Clip("a", video=str(video), audio=str(tmp_path / "other.wav")))
        assert given.problems == () and len(given.frames) == 8
        assert np.array_equal(given.sound, read_clips(tmp_path / "other.wav").samples)
    named_twice = inputs(Clip("a", video=str(movie), audio=str(movie)))
    assert np.array_equal(named_twice.sound, read_clips(movie).samples)


def test_a_video_without_sound(silent):
    given = inputs(Clip("a", video=str(silent)))
    assert len(given.frames) == 8 and given.sound is None
    assert given.problems == ("silent.mp4 has no sound.",)


def test_a_sound_without_picture(tmp_path):
    write_sound(tmp_path / "a.m4a", tone(2.0))
    given = inputs(Clip("a", video=str(tmp_path / "a.m4a")))
    assert given.frames is None and given.sound.shape == (8, 32000)
    assert given.problems == ("a.m4a has sound but no picture; give a video file.",)
    given = inputs(Clip("a", audio=str(tmp_path / "a.m4a")))
    assert given.frames is None and given.sound.shape == (8, 32000)
    assert given.problems == ("a has no picture.",)


def test_a_short_sound_is_not_heard_and_silence_is(silent, tmp_path):
    write_sound(tmp_path / "short.wav", tone(0.1))
    clip = Clip("a", video=str(silent), audio=str(tmp_path / "short.wav"))
    given = inputs(clip)
    assert given.sound is None and len(given.frames) == 8
    assert given.problems == ("short.wav has 0.10 s of sound, less than 0.25 s; it is not heard.",)
    heard = inputs(clip, sound=SoundSettings(shortest=0.05, clips=3, seconds=1.0))
    assert heard.problems == () and heard.sound.shape == (3, 16000)
    assert np.count_nonzero(heard.sound[2]) == pytest.approx(1600, abs=10)
    write_sound(tmp_path / "silence.wav", np.zeros(32000, np.float32))
    given = inputs(replace(clip, audio=str(tmp_path / "silence.wav")))
    assert given.problems == () and given.sound.shape == (8, 32000) and not given.sound.any()


def test_sound_that_is_no_number_is_not_heard(silent, tmp_path):
    samples = tone(2.0)
    samples[500] = np.nan
    write_sound(tmp_path / "a.wav", samples)
    assert np.isnan(read_audio(tmp_path / "a.wav")).any()
    given = inputs(Clip("a", video=str(silent), audio=str(tmp_path / "a.wav")))
    assert given.sound is None and "a.wav is damaged" in given.problems[0]


def damage(path, kind):
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        places = [(packet.pos, packet.size) for packet in container.demux(stream) if packet.size]
    content = bytearray(path.read_bytes())
    for position, size in places:
        content[position : position + size] = b"\xff" * size
    path.write_bytes(content)


def test_damage_to_one_modality_leaves_the_other(movie):
    whole = movie.read_bytes()
    damage(movie, "video")
    given = inputs(Clip("a", video=str(movie)))
    assert given.frames is None and given.sound.shape == (8, 32000)
    assert given.problems == ("a.mp4: none of its 20 frames can be decoded; copy it again.",)
    movie.write_bytes(whole)
    damage(movie, "audio")
    given = inputs(Clip("a", video=str(movie)))
    assert given.sound is None and len(given.frames) == 8
    assert given.problems == ("a.mp4: nothing of its sound track can be decoded; copy it again.",)


def test_a_file_that_cannot_be_opened_is_the_clips_error(movie, tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    for clip, message in (
        (Clip("a", video=str(tmp_path / "none.mp4"), transcript="yes"), "^none.mp4 cannot be read"),
        (Clip("a", video=str(movie), audio=str(tmp_path / "none.wav")), "^none.wav cannot be read"),
        (Clip("a", video=str(tmp_path / "text.mp4"), audio=str(movie)), "^text.mp4 is not a video"),
        (Clip("a", video=str(tmp_path / "none.png")), "^none.png cannot be read"),
    ):
        with pytest.raises(MediaError, match=message):
            inputs(clip)
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(MediaError, match="^text.png cannot be opened as an image"):
        inputs(Clip("a", video=str(tmp_path / "text.png")))
    with pytest.raises(InputError, match="^view is 'faces'"):
        inputs(Clip("a", video=str(movie)), view="faces")


def test_nothing_at_all_is_an_error_without_words(tmp_path):
    with pytest.raises(MediaError, match="^a: nothing of it can be seen, heard or read: a has no picture. a has no s"):
        inputs(Clip("a", transcript=" "))
    given = inputs(Clip("a", transcript="Leave me alone!"))
    assert (given.frames, given.sound) == (None, None) and len(given.problems) == 2


@pytest.mark.parametrize("mode, suffix", [("RGB", ".png"), ("L", ".jpg"), ("RGBA", ".png"), ("P", ".png")])
def test_a_still_is_one_frame_without_sound(tmp_path, mode, suffix):
    path = tmp_path / f"still{suffix}"
    Image.new("RGB", (30, 20), (102, 102, 102)).convert(mode).save(path)
    given = inputs(Clip("still", video=str(path)), view="face")
    assert [frame.shape for frame in given.frames] == [(20, 30, 3)] and given.frames[0].dtype == np.uint8
    assert np.abs(given.frames[0].astype(int) - 102).max() < 3
    assert given.sound is None and given.problems == ()


def test_a_still_that_the_camera_turned_stands_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    Image.new("RGB", (30, 20)).save(tmp_path / "still.jpg", exif=exif)
    assert inputs(Clip("still", video=str(tmp_path / "still.jpg"))).frames[0].shape == (30, 20, 3)


def test_faces(small_corpus, movie, tmp_path):
    pytest.importorskip("mediapipe")
    clip = next(clip for clip in read_rows(small_corpus) if clip.video)
    given = inputs(clip, view="face", cache_dir=tmp_path)
    assert [frame.shape for frame in given.frames] == [(112, 112, 3)] * 8 and given.problems == ()
    given = inputs(Clip("a", video=str(movie)), view="face")
    assert given.frames is None and given.sound is not None
    assert given.problems[0].startswith("a: no face was found in any of its 8 frames")


def test_missing_openface_crops_are_the_clips_error(movie, tmp_path):
    faces = FaceSettings(source="openface", openface=str(tmp_path))
    with pytest.raises(MediaError, match="^a.npy is not in"):
        inputs(Clip("a", video=str(movie)), view="face", faces=faces)
    np.save(tmp_path / "a.npy", np.zeros((20, 112, 112, 3), np.uint8))
    given = inputs(Clip("a", video=str(movie)), view="face", faces=faces)
    assert given.frames is None and "no face" in given.problems[0]


def test_the_key_says_what_decides_the_inputs(movie, silent, tmp_path):
    write_sound(tmp_path / "a.wav", tone(2.0))
    clip, make = Clip("a", video=str(movie)), InputMaker(FRAMES, FACES, "frame", SOUND)
    key = make.key(clip)

    def same(maker=make, other=clip):
        return maker.key(other) == key

    assert same(other=replace(clip, audio=str(movie), transcript="words", labels=("sad",)))
    assert same(other=replace(clip, clip_id="b")) and same(replace(make, seed=4))  # the uniform draw looks at neither
    assert same(replace(make, faces=FaceSettings(size=64))) and same(replace(make, frames=replace(FRAMES, cache=True)))
    assert same(replace(make, cache_dir=tmp_path))
    assert not same(other=replace(clip, audio=str(tmp_path / "a.wav")))
    assert not same(other=replace(clip, video=str(silent))) and not same(other=replace(clip, video=None))
    for changed in (
        replace(make, frames=FrameSettings(parts=6, draw="uniform")),
        replace(make, frames=FrameSettings(parts=8)),
        replace(make, view="face"),
        replace(make, sound=SoundSettings(shortest=0.5)),
    ):
        assert not same(changed)
    by_chance, faces = replace(make, frames=FrameSettings(parts=8)), replace(make, view="face")
    assert by_chance.key(clip) != by_chance.key(replace(clip, clip_id="b"))
    assert by_chance.key(clip) != replace(by_chance, seed=1).key(clip)
    assert faces.key(clip) != replace(faces, faces=FaceSettings(size=64)).key(clip)
    with pytest.raises(MediaError, match="none.mp4 cannot be read"):
        make.key(Clip("a", video=str(tmp_path / "none.mp4")))


def test_no_torch_is_loaded():
    code = "import sys, emolab.affectgpt.inputs; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
