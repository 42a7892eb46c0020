"""Pools and folds: who trains, who tests, and what would leak."""

from dataclasses import replace

import numpy as np
import pytest

from emolab.corpora.clip import SIX_WAY, Clip
from emolab.corpora.read import read_rows
from emolab.discriminative.pools import Pools, check_pools, folds_of, open_pools
from emolab.errors import InputError


def labelled(count=60, speakers=12, seed=0):
    rng = np.random.default_rng(seed)
    return [
        Clip(f"l{k:03d}", emotion=SIX_WAY[k % 6], speaker=f"s{rng.integers(speakers)}" if speakers else None)
        for k in range(count)
    ]


def test_what_has_labels_or_is_of_the_test_split_only_tests():
    known = labelled(18, 0)
    free = Clip("u", speaker="x")
    tests = [
        Clip("t1", split="test", emotion="sad"),
        Clip("t2", split="train", labels=("calm",), emotion="happy"),
        Clip("t3", labels=()),
    ]
    pools = open_pools([tests[0], *known, free, *tests[1:]], folds=3)
    assert pools == Pools(tuple(known), (free,), tuple(tests))
    check_pools(pools)


def test_emotions_must_be_the_six_and_fill_the_folds():
    with pytest.raises(InputError, match="odd: its emotion is 'bored'"):
        open_pools([*labelled(), Clip("odd", emotion="bored")], folds=5)
    with pytest.raises(
        InputError, match="of the 17 labelled clips 2 are 'surprise', but there are 3 folds".capitalize()
    ):
        open_pools(labelled(17), folds=3)


@pytest.mark.parametrize("speakers", [0, 12, 40])
def test_folds_share_no_speaker_and_are_alike(speakers):
    clips = labelled(180, speakers)
    folds = folds_of(clips, 5, seed=3)
    for a in range(5):
        mine = {clip.speaker for clip, fold in zip(clips, folds, strict=True) if fold == a and clip.speaker}
        others = {clip.speaker for clip, fold in zip(clips, folds, strict=True) if fold != a}
        assert not mine & others
    emotions = np.array([SIX_WAY.index(clip.emotion) for clip in clips])
    counts = np.array([np.bincount(emotions[folds == fold], minlength=6) for fold in range(5)])
    if speakers == 0:
        assert (counts == 6).all()  # nothing but the emotions is to be kept together
    assert counts.min() > 0
    assert (folds == folds_of(clips, 5, seed=3)).all() and (folds != folds_of(clips, 5, seed=4)).any()


def test_too_few_speakers():
    with pytest.raises(InputError, match="4 speakers cannot be told apart in 5 folds"):
        folds_of([replace(clip, speaker=f"s{k % 4}") for k, clip in enumerate(labelled())], 5, 0)
    narrow = [replace(c, speaker="only") if c.emotion == "sad" else c for c in labelled(120, 40)]
    with pytest.raises(InputError, match="All clips of 'sad' fall into 1 of 5 folds"):
        folds_of(narrow, 5, 0)


def test_the_drawn_corpus_passes(small_corpus):
    clips = read_rows(small_corpus)
    named = [tuple(clip for clip in clips if clip.clip_id.startswith(pool)) for pool in ("labelled", "unl", "desc")]
    pools = Pools(*named)
    assert [len(pool) for pool in (pools.labelled, pools.unlabelled, pools.test)] == [3, 2, 8]
    assert open_pools(clips, folds=0) == pools
    check_pools(pools)


def test_leaks_name_both_clips(tmp_path):
    for name, content in {
        "a.mp4": b"one",
        "copy.mp4": b"one",
        "b.mp4": b"two",
        "empty.mp4": b"",
        "e2.mp4": b"",
    }.items():
        (tmp_path / name).write_bytes(content)

    def clip(clip_id, name=None, **more):
        return Clip(clip_id, video=str(tmp_path / name) if name else None, **more)

    check_pools(Pools((clip("a", "a.mp4", speaker="s"),), (clip("b", "b.mp4", speaker="t"),), (clip("c"),)))
    check_pools(
        Pools((clip("a", "gone.mp4"), clip("b", "empty.mp4")), (), (clip("c", "gone.mp4"), clip("d", "e2.mp4")))
    )
    check_pools(Pools((clip("a", speaker="s"), clip("b", speaker="s")), (), (clip("c"), clip("d"))))
    check_pools(Pools((), (clip("a", "a.mp4"), clip("b", "copy.mp4")), ()))  # twice the same guess leaks nothing
    cases = {
        "same clip id": Pools((clip("a"),), (), (clip("a"),)),
        "same speaker": Pools((), (clip("b", speaker="s"),), (clip("a", speaker="s"),)),
        "same content": Pools((clip("a", "a.mp4"),), (clip("b", "copy.mp4"),), ()),
    }
    for what, pools in cases.items():
        with pytest.raises(InputError, match=what) as told:
            check_pools(pools)
        assert all(f"{each} (" in str(told.value) for each in ("a", "b" if what != "same clip id" else "a"))
    with pytest.raises(InputError, match="same content"):  # the sound of one is the picture's file of the other
        check_pools(Pools((clip("a", "a.mp4"),), (), (Clip("b", audio=str(tmp_path / "copy.mp4")),)))
    with pytest.raises(InputError, match="same content"):  # two folds could share them
        check_pools(Pools((clip("a", "a.mp4"), clip("b", "copy.mp4")), (), ()))


def test_only_files_of_equal_size_are_read(tmp_path, monkeypatch):
    read = []
    from emolab.discriminative import pools as module

    monkeypatch.setattr(module, "content_hash", lambda path: read.append(path.name) or path.read_text())
    for name, content in {"a": "1", "b": "22", "c": "33", "d": "4444"}.items():
        (tmp_path / name).write_text(content)
    a, b, c, d = (Clip(name, video=str(tmp_path / name), audio=str(tmp_path / name)) for name in "abcd")
    check_pools(Pools((a, b), (c,), (d,)))
    assert sorted(read) == ["b", "c"]
