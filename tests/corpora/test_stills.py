import json
import os

import pytest
from PIL import Image

from emolab.corpora.stills import Still, listed_stills, stills_below
from emolab.errors import InputError


def listed(folder, *rows):
    (folder / "stills.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return listed_stills(folder)


def test_a_corpus_lists_its_stills(tmp_path, small_corpus):
    stills = listed_stills(small_corpus)
    assert len(stills) == 4 and all(os.path.isabs(s.image) and Image.open(s.image).width for s in stills)
    assert listed_stills(tmp_path) == []


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"clip_id": "a", "image": "../x.png"}, "line 2: .*leads out of the corpus folder"),
        ({"clip_id": 5, "image": "x.png"}, "line 2: a still has a clip_id and an image"),
        ({"clip_id": "a"}, "line 2: a still has"),
        ({"clip_id": "fine", "image": "y.png"}, "line 2: clip_id 'fine' stands twice"),
    ],
)
def test_a_bad_row_is_named(tmp_path, row, says):
    with pytest.raises(InputError, match=says):
        listed(tmp_path, {"clip_id": "fine", "image": "x.png"}, row)


def test_a_folder_of_images(tmp_path):
    for name in ("b.JPG", "a/1.png", "a/1.webp", "a/2.jpeg", ".hidden.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [still.clip_id for still in stills_below(tmp_path)] == ["a/1.png", "a/1.webp", "a/2", "b"]
    assert stills_below(tmp_path)[3] == Still("b", str(tmp_path / "b.JPG"))


def test_a_folder_without_images_is_named(tmp_path):
    with pytest.raises(InputError, match="holds no image"):
        stills_below(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        stills_below(tmp_path / "nowhere")
