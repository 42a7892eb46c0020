import numpy as np
import pytest

from emolab.media.errors import MediaError
from emolab.media.openface import openface_key, read_openface


def crops(count):
    """Frame n is blue n + 1, green 100, red 200, as OpenCV orders them."""
    array = np.zeros((count, 112, 112, 3), np.uint8)
    array[..., 0], array[..., 1], array[..., 2] = np.arange(1, count + 1)[:, None, None], 100, 200
    return array


def numbers(read):
    return [int(crop[0, 0, 2]) - 1 for crop in read]


@pytest.mark.parametrize("place", ["a/a.npy", "a.npy"])
def test_both_layouts_and_bgr_becomes_rgb(tmp_path, place):
    (tmp_path / place).parent.mkdir(exist_ok=True)
    np.save(tmp_path / place, crops(10))
    read = read_openface(tmp_path, "a", [0, 3, 9], 10)
    assert numbers(read) == [0, 3, 9]
    assert (read[0] == (200, 100, 1)).all() and read[0].dtype == np.uint8 and read[0].flags.c_contiguous


@pytest.mark.parametrize("count, expected", [(5, [0, 2, 4]), (20, [0, 10, 18]), (1, [0, 0, 0])])
def test_another_number_of_frames_gives_the_same_share_of_the_clip(tmp_path, count, expected):
    np.save(tmp_path / "a.npy", crops(count))
    assert numbers(read_openface(tmp_path, "a", [0, 5, 9], 10)) == expected


def test_no_face_is_none(tmp_path):
    array = crops(3)
    array[1] = 0
    np.save(tmp_path / "a.npy", array)
    assert [crop is None for crop in read_openface(tmp_path, "a", [0, 1, 2], 3)] == [False, True, False]
    np.save(tmp_path / "b.npy", [])
    assert read_openface(tmp_path, "b", [0, 1], 3) == [None, None]


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("the pickle was run",)


@pytest.mark.parametrize(
    "content, cause",
    [
        (np.array([Bomb()], object), "cannot be read as an array"),
        (np.zeros((4, 112, 112), np.uint8), r"holds uint8 \[4, 112, 112\]"),
        (np.zeros((4, 96, 96, 3), np.uint8), r"holds uint8 \[4, 96, 96, 3\]"),
        (np.ones((2, 112, 112, 3), np.float32), "holds float32"),
        (np.uint8(3), "holds uint8"),
    ],
)
def test_arrays_that_are_no_crops(tmp_path, content, cause):
    np.save(tmp_path / "a.npy", content)
    with pytest.raises(MediaError, match=rf"^a\.npy .*{cause}.*\.$"):
        read_openface(tmp_path, "a", [0], 4)


def test_damaged_and_other_files(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, crops(4))
    whole = path.read_bytes()
    for content in (b"", b"text", whole[:60], whole[:5000], b"\x80\x04N."):
        path.write_bytes(content)
        with pytest.raises(MediaError, match=r"^a\.npy cannot be read as an array"):
            read_openface(tmp_path, "a", [0], 4)
    np.savez(tmp_path / "z.npz", a=crops(1))
    (tmp_path / "z.npz").rename(path)
    with pytest.raises(MediaError, match=r"^a\.npy is an archive"):
        read_openface(tmp_path, "a", [0], 4)


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "x/y", "..", ".", "a\0b", "..\\a"])
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    (tmp_path / "faces").mkdir()
    np.save(tmp_path / "a.npy", crops(2))
    with pytest.raises(MediaError, match="cannot be a file's name"):
        read_openface(tmp_path / "faces", name, [0], 2)


def test_a_missing_file_names_the_setting(tmp_path):
    with pytest.raises(MediaError, match=r"^a\.npy is not in .*faces\.openface\.$"):
        read_openface(tmp_path, "a", [0], 2)


def test_other_crops_are_another_key(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((2, 112, 112, 3), np.uint8))
    first = openface_key(tmp_path, "a")
    np.save(tmp_path / "a.npy", np.ones((2, 112, 112, 3), np.uint8))
    assert openface_key(tmp_path, "a") != first and openface_key(tmp_path, "b") == openface_key(tmp_path, "b")
