"""Readers by name: emolab's own, and what is checked of registered ones."""

from pathlib import Path

import pytest

from emolab.corpora import Clip, reader
from emolab.corpora.readers import OWN, REGISTERED, find_reader
from emolab.corpora.settings import CorpusSettings
from emolab.errors import InputError


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr(REGISTERED, "_entries", {})
    return lambda name, clips, **how: reader(name, **how)(lambda root, corpus, seed: clips)


def read(name, root, seed=0):
    return find_reader(name).read(root, CorpusSettings(reader=name), seed)


def test_a_registered_reader_is_given_what_it_needs_and_checked(registered, tmp_path, monkeypatch):
    given = []

    @reader("mine", lists=["list.csv", "absent.csv"])
    def generated(root, corpus, seed):
        given.append((root, corpus.reader, seed))
        yield Clip("a", "below/a.mp4", str(root / "a.wav"), labels=["sad"])
        yield Clip("b", labels=("happy",))

    monkeypatch.chdir(tmp_path)
    clips, lost = read("mine", Path("."), seed=3)
    assert given == [(tmp_path, "mine", 3)] and lost == []
    assert clips[0] == Clip("a", str(tmp_path / "below/a.mp4"), str(tmp_path / "a.wav"), labels=("sad",))
    (tmp_path / "list.csv").touch()
    assert list(find_reader("mine").lists(tmp_path)) == [tmp_path / "list.csv"]


@pytest.mark.parametrize(
    ("clips", "cause"),
    [
        ([{"clip_id": "a"}], "'mine': gave {'clip_id': 'a'}, which is no emolab.corpora.Clip"),
        ([Clip("a"), Clip("a")], "'mine', clip 2: clip_id 'a' stands twice"),
        ([Clip("a", "/etc/passwd")], "'mine', clip 1: '/etc/passwd' leads out of the corpus folder"),
        ([Clip("a", "../b.mp4")], "leads out of the corpus folder"),
        ([Clip("a", labels="happy")], "labels must be a list"),
        ([Clip(7)], "clip_id must be a non-empty string"),
        ([Clip("a\x1b[2J")], "holds signs that cannot be written"),
        ([Clip("a", transcript=b"x")], "transcript is b'x'; it must be text"),
        (None, "corpus reader 'mine': TypeError: 'NoneType' object is not iterable"),
    ],
)
def test_rows_that_are_no_clips_are_one_sentence(registered, tmp_path, clips, cause):
    registered("mine", clips)
    with pytest.raises(InputError) as raised:
        read("mine", tmp_path)
    assert cause in str(raised.value) and "\n" not in str(raised.value)


def test_names(registered):
    for name in OWN:
        with pytest.raises(InputError, match=f"emolab itself has a corpus reader '{name}'"):
            registered(name, [])
    with pytest.raises(
        InputError, match="corpus.reader is 'other'; one of drawn, rows, folder, images, ch_simsv2, mer2024"
    ):
        CorpusSettings(reader="other")
