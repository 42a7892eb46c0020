"""A file is whole or absent, whoever writes it and however that ends."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from emolab.errors import RunError
from emolab.whole import whole


def test_the_file_appears_at_the_end_and_nothing_beside_it(tmp_path):
    path = tmp_path / "a.txt"
    with whole(path) as partial:
        partial.write_text("one")
        assert not path.exists() and partial.name.endswith(".partial")
    with pytest.raises(KeyError), whole(path) as partial:
        partial.write_text("half")
        raise KeyError
    assert path.read_text() == "one" and os.listdir(tmp_path) == ["a.txt"]


def test_a_full_disk_is_one_sentence_and_other_errors_stay_what_they_are(tmp_path):
    with (
        pytest.raises(RunError, match=r"a\.txt cannot be written \(No space left.*make room"),
        whole(tmp_path / "a.txt"),
    ):
        raise OSError(28, "No space left on device")
    with pytest.raises(FileNotFoundError), whole(tmp_path / "nowhere" / "a.txt") as partial:
        partial.write_text("x")


def test_threads_may_write_one_file(tmp_path):
    def write(number):
        with whole(tmp_path / "a.txt") as partial:
            partial.write_text(str(number) * 10_000)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert len(set((tmp_path / "a.txt").read_text())) == 1 and os.listdir(tmp_path) == ["a.txt"]
