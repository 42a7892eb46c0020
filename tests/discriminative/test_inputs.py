"""What the encoders are given, and noise. (How pictures and sounds are missing: tests/affectgpt/test_inputs.py.)"""

import math
from dataclasses import replace

import numpy as np
import pytest

from emolab.corpora.clip import Clip
from emolab.discriminative.inputs import FrameMaker, SoundMaker
from emolab.discriminative.noise import Noise
from emolab.errors import InputError
from emolab.media.audio import read_audio
from emolab.media.errors import MediaError
from emolab.media.sampling import six_frames
from emolab.media.settings import FaceSettings, FrameSettings
from emolab.media.write import write_video

PICTURES = [np.full((48, 64, 3), 20 * n, np.uint8) for n in range(10)]


def tone(seconds):
    return (0.3 * np.sin(np.arange(int(16000 * seconds)) / 5)).astype(np.float32)


def film(folder, name, seconds=None):
    write_video(folder / f"{name}.mp4", PICTURES, 10, None if seconds is None else tone(seconds))
    return Clip(name, video=str(folder / f"{name}.mp4"))


def test_the_whole_sound_is_heard(tmp_path):
    clip = film(tmp_path, "a", 1.5)
    given = SoundMaker()(clip)
    assert np.array_equal(given.value, read_audio(clip.video)) and given.value.dtype == np.float32
    assert given.problems == () and given.has("vector")
    elsewhere = replace(film(tmp_path, "mute"), audio=clip.video)
    assert np.array_equal(SoundMaker()(elsewhere).value, given.value)


def test_what_cannot_be_heard_or_seen_is_said(tmp_path):
    mute, short = film(tmp_path, "mute"), film(tmp_path, "short", 0.1)
    for clip, problem in (
        (mute, "mute.mp4 has no sound."),
        (short, "short.mp4 has 0."),
        (Clip("words", transcript="Go."), "words has no sound."),
    ):
        given = SoundMaker()(clip)
        assert given.value is None and not given.has("vector") and given.problems[0].startswith(problem)
    looks = FrameMaker(FrameSettings(parts=4, draw="uniform"), FaceSettings(), "face")
    given = looks(mute)
    assert given.value is None and given.problems[0].startswith("mute: no face was found")
    seen = replace(looks, view="frame")(mute).value
    wanted = six_frames(mute.video, clip_id="mute", parts=4, draw="uniform").images
    assert len(seen) == 4 and all(np.array_equal(a, b) for a, b in zip(seen, wanted, strict=True))
    gone = Clip("gone", video=str(tmp_path / "gone.mp4"))
    for make in (SoundMaker(), looks):
        for call in (make, make.key):
            with pytest.raises(MediaError, match="^gone.mp4 cannot be read"):
                call(gone)


def test_the_keys_say_what_decides(tmp_path):
    clip, other = film(tmp_path, "a", 1.0), film(tmp_path, "b", 1.2)
    makers = [SoundMaker(), SoundMaker(Noise(5.0)), SoundMaker(Noise(10.0)), SoundMaker(Noise(5.0, 1))]
    assert len({make.key(each) for make in makers for each in (clip, other)}) == 8
    looks = FrameMaker(FrameSettings(parts=4, draw="uniform"), FaceSettings(), "face")
    changed = [
        looks,
        replace(looks, view="frame"),
        replace(looks, faces=FaceSettings(size=64)),
        replace(looks, frames=FrameSettings(parts=4)),
    ]
    assert len({make.key(clip) for make in changed}) == 4
    assert replace(looks, seed=1).key(clip) == looks.key(clip) != looks.key(replace(clip, clip_id="b"))


@pytest.mark.parametrize("ratio", [30.0, 10.0, 0.0, -5.0])
def test_noise_has_the_ratio_asked_for(ratio):
    sound = tone(2.0)
    added = Noise(ratio).add(sound, "a").astype(float) - sound
    measured = 10 * math.log10(np.mean(sound.astype(float) ** 2) / np.mean(added**2))
    assert measured == pytest.approx(ratio, abs=0.1)
    assert abs(np.corrcoef(added[1:], added[:-1])[0, 1]) < 0.02  # white


def test_every_ratio_adds_the_same_noise():
    sound = tone(1.0)
    loud, soft = (Noise(ratio, 3).add(sound, "a") - sound for ratio in (0.0, 20.0))
    np.testing.assert_allclose(loud, 10 * soft, atol=1e-5)
    assert np.array_equal(Noise(0.0, 3).add(sound, "a") - sound, loud)
    for other in (Noise(0.0, 3).add(sound, "b"), Noise(0.0, 4).add(sound, "a")):
        assert abs(np.corrcoef(other - sound, loud)[0, 1]) < 0.05
    assert not Noise(0.0).add(np.zeros(100, np.float32), "a").any()
    with pytest.raises(InputError, match="noise holds nan"):
        Noise(float("nan"))


def test_noise_reaches_the_sound_of_a_clip(tmp_path):
    clip = film(tmp_path, "a", 1.0)
    assert np.array_equal(SoundMaker(Noise(5.0))(clip).value, Noise(5.0).add(read_audio(clip.video), "a"))
