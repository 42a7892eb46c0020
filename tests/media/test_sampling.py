import hashlib

import numpy as np
import pytest

from emolab.errors import InputError
from emolab.media import sampling
from emolab.media.errors import MediaError
from emolab.media.sampling import cached_frames, draw_positions, six_frames
from emolab.media.settings import FrameSettings, SoundSettings
from emolab.media.write import write_video

FRAMES = [np.full((32, 48, 3), 8 * n, np.uint8) for n in range(30)]


@pytest.fixture
def clip(tmp_path):
    write_video(tmp_path / "clip.mp4", FRAMES, 10)
    return tmp_path / "clip.mp4"


def test_one_frame_from_each_equal_part():
    for number in range(200):
        positions = draw_positions(60, clip_id=f"clip{number}")
        assert [position // 10 for position in positions] == list(range(6))


def test_every_frame_of_a_part_is_drawn_equally_often():
    draws = np.array([draw_positions(30, clip_id=str(number), seed=3) for number in range(4000)])
    counts = np.bincount(draws.ravel(), minlength=30)
    assert counts.min() > 650 and counts.max() < 950  # 800 expected, standard deviation 25
    assert abs(np.corrcoef(draws.T)[np.triu_indices(6, 1)]).max() < 0.08  # the parts are drawn independently


def test_the_draw_is_fixed_by_seed_and_clip():
    assert draw_positions(300, clip_id="a", seed=1) == draw_positions(300, clip_id="a", seed=1)
    assert draw_positions(300, clip_id="a", seed=1) != draw_positions(300, clip_id="b", seed=1)
    assert draw_positions(300, clip_id="a", seed=1) != draw_positions(300, clip_id="a", seed=2)
    # Pinned: changing the draw would silently change every published number.
    assert draw_positions(300, clip_id="sample_00000342", seed=0) == [3, 97, 117, 155, 203, 281]


@pytest.mark.parametrize("n_frames", [1, 5, 8, 9, 100, 101, 250, 7919])
def test_the_uniform_draw_is_that_of_video_llama(n_frames):
    theirs = np.arange(0, n_frames, n_frames / 8).astype(int).tolist()
    assert draw_positions(n_frames, 8, clip_id="a", seed=5, draw="uniform") == theirs


def test_unknown_settings_are_one_sentence():
    with pytest.raises(InputError, match="^frames.draw is 'even'; one of random, uniform.$"):
        FrameSettings(draw="even")
    for bad in ({"clips": 0}, {"seconds": 0.0}, {"rate": 0}, {"shortest": -1.0}):
        with pytest.raises(InputError, match=f"^sound.{next(iter(bad))} is .*;"):
            SoundSettings(**bad)


@pytest.mark.parametrize("n_frames", range(1, 20))
def test_few_frames_repeat(n_frames):
    positions = draw_positions(n_frames, clip_id="a")
    assert len(positions) == 6 and positions == sorted(positions)
    assert min(positions) >= 0 and max(positions) < n_frames
    assert len(set(positions)) == min(n_frames, 6)


def test_no_frames_is_a_programming_error():
    with pytest.raises(ValueError):
        draw_positions(0, clip_id="a")


def test_six_frames_of_a_clip(clip):
    sampled = six_frames(clip, clip_id="clip", seed=5)
    assert sampled.positions == draw_positions(30, clip_id="clip", seed=5)
    for position, seconds, image in zip(sampled.positions, sampled.times, sampled.images, strict=True):
        assert image.shape == (32, 48, 3) and image.dtype == np.uint8
        assert abs(image.mean() - 8 * position) < 4
        assert seconds == pytest.approx(position / 10)


def test_a_one_frame_clip_gives_six(tmp_path):
    write_video(tmp_path / "one.mp4", FRAMES[9:10], 10)
    sampled = six_frames(tmp_path / "one.mp4", clip_id="one")
    assert len(sampled.images) == 6 and sampled.positions == [0] * 6


def test_the_cache_saves_decoding_and_heals_itself(clip, tmp_path, monkeypatch):
    def again(seed=0):
        return cached_frames(clip, clip_id="clip", seed=seed, cache_dir=tmp_path / "cache")

    def same(one, other):
        assert (one.positions, one.times, one.problem) == (other.positions, other.times, other.problem)
        assert all(np.array_equal(a, b) for a, b in zip(one.images, other.images, strict=True))

    fresh = six_frames(clip, clip_id="clip")
    same(again(), fresh)
    (entry,) = (tmp_path / "cache").iterdir()
    with monkeypatch.context() as patch:
        patch.setattr(sampling, "six_frames", lambda *args, **kwargs: pytest.fail("decoded again"))
        same(again(), fresh)
    good = entry.read_bytes()
    for bad in (b"", good[: len(good) // 2], good[:300] + bytes(40) + good[340:], b"not a zip", good[:-1]):
        entry.write_bytes(bad)
        same(again(), fresh)
        assert entry.read_bytes() == good
    assert again(seed=1).positions != fresh.positions
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_the_cache_follows_the_content_of_the_file(clip, tmp_path):
    before = cached_frames(clip, clip_id="clip", cache_dir=tmp_path / "cache")
    write_video(clip, [255 - frame for frame in FRAMES], 10)
    after = cached_frames(clip, clip_id="clip", cache_dir=tmp_path / "cache")
    assert not np.array_equal(before.images[0], after.images[0])
    with pytest.raises(MediaError, match="none.mp4 cannot be read"):
        cached_frames(tmp_path / "none.mp4", clip_id="clip", cache_dir=tmp_path / "cache")


def test_the_uniform_draw_is_kept_apart_and_shared_by_all_seeds(clip, tmp_path):
    def kept(**more):
        positions = cached_frames(clip, cache_dir=tmp_path / "cache", **more).positions
        return positions, len(list((tmp_path / "cache").iterdir()))

    drawn, _ = kept(clip_id="clip")
    assert kept(clip_id="clip", draw="uniform") == ([0, 5, 10, 15, 20, 25], 2) and drawn != [0, 5, 10, 15, 20, 25]
    assert kept(clip_id="other", seed=1, draw="uniform")[1] == 2
    assert kept(clip_id="clip", draw="uniform", parts=3) == ([0, 10, 20], 3)


def test_keys_of_the_random_draw_stay(tmp_path):
    """Pinned: another key would make every cache that users have useless."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"content")
    content = hashlib.blake2b(b"content").hexdigest()
    key = sampling.draw_key(path, clip_id="a", seed=3, parts=6, draw="random")
    assert key == f"{content}\0003\0006\0a"
    path.write_bytes(b"changed")
    assert content not in sampling.draw_key(path, clip_id="a", seed=3, parts=6, draw="random")
