import json

import pytest
from PIL import Image

from emolab.corpora.minigpt4 import read_minigpt4
from emolab.errors import InputError


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "cc_sbu_align"
    (root / "image").mkdir(parents=True)
    for name in ("2", "0999"):
        Image.new("RGB", (8, 8)).save(root / "image" / f"{name}.jpg")
    return root


def annotate(folder, *rows):
    (folder / "filter_cap.json").write_text(json.dumps({"annotations": rows}))


def test_captions_with_their_images(folder):
    rows = [{"image_id": name, "caption": f"about {name}"} for name in ("2", "0999", "absent")]
    annotate(folder, *rows)
    images, missing = read_minigpt4(folder)
    assert [(each.image_id, each.caption) for each in images] == [("2", "about 2"), ("0999", "about 0999")]
    assert images[0].image == str(folder / "image/2.jpg") and missing == ["absent"]
    assert read_minigpt4(folder.parent) == (images, missing)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"image_id": "../../secret", "caption": "x"}], "annotation 1: .*leads out of"),
        ([{"image_id": "/etc/secret", "caption": "x"}], "annotation 1: .*leads out of"),
        ([{"image_id": "2", "caption": "x"}, {"image_id": "2", "caption": " "}], "annotation 2: needs"),
        ([{"caption": "x"}], "annotation 1: needs an image_id"),
        (["2"], "annotation 1: needs"),
        ([{"image_id": "none", "caption": "x"}], "holds none of the 1 images"),
        ([], 'no list "annotations"'),
    ],
)
def test_what_is_wrong_is_one_sentence(folder, rows, says):
    annotate(folder, *rows)
    with pytest.raises(InputError, match=says):
        read_minigpt4(folder)


def test_another_layout_is_refused(folder):
    with pytest.raises(InputError, match="filter_cap.json: not found.*corpus.minigpt4"):
        read_minigpt4(folder)
    for content in ('["annotations"]', "{", "[" * 100_000):
        (folder / "filter_cap.json").write_text(content)
        with pytest.raises(InputError, match="filter_cap.json"):
            read_minigpt4(folder)
