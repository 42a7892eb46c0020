"""Training rows, and that ms-swift reads every one of them."""

import pytest
from PIL import Image

from emolab.captions.prompts import CAPTION
from emolab.captions.training_set import DESCRIBE, minigpt4_rows, training_rows, validate
from emolab.corpora.minigpt4 import CaptionedImage
from emolab.engine.rows import write_rows
from emolab.errors import InputError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    for name in ("a_1", "b_2", "c_3"):
        Image.effect_noise((96, 64), 80).convert("RGB").save(tmp_path / f"images/{name}.jpg")
    Image.new("RGB", (20, 10)).save(tmp_path / "still.png")
    return tmp_path


def pair(image_id, chosen, image=None, first="She smiles.", second="He frowns."):
    image = image or f"images/{image_id}.jpg"
    return {"image_id": image_id, "clip_id": "clip", "image": image, "first": first, "second": second, "chosen": chosen}


@pytest.fixture
def rows(folder):
    pairs = [
        pair("a_1", "first"), pair("b_2", "second"), pair("dropped", None), pair("c_3", "both"),
        pair("still", "first", str(folder / "still.png"), first="Says <image> and <video> <|im_end|>.\n"),
    ]  # fmt: skip
    general = [CaptionedImage("7", str(folder / "still.png"), "A black wall. <image>")]
    return training_rows(pairs, folder) + minigpt4_rows(general)


def test_an_image_that_does_not_open_costs_its_own_row_only(folder):
    (folder / "torn.jpg").write_bytes((folder / "images/a_1.jpg").read_bytes()[:300])
    named = [CaptionedImage(name, str(folder / name), "A wall.") for name in ("still.png", "torn.jpg", "none.jpg")]
    assert [row["image_id"] for row in minigpt4_rows(named)] == ["still.png"]


def test_rows_of_kept_pairs(folder, rows):
    assert [row["image_id"] for row in rows] == ["a_1", "b_2", "c_3", "c_3", "still", "7"]
    assert [row["messages"][1]["content"] for row in rows[:4]] == [
        "She smiles.", "He frowns.", "She smiles.", "He frowns.",
    ]  # fmt: skip
    assert rows[0] == {
        "messages": [
            {"role": "user", "content": f"<image>{CAPTION}"},
            {"role": "assistant", "content": "She smiles."},
        ],
        "images": [str(folder / "images/a_1.jpg")],
        "image_id": "a_1",
        "clip_id": "clip",
        "corpus": "",
        "source": "generated",
    }
    assert rows[4]["messages"][1]["content"] == "Says < image> and < video> < |im_end| >."
    assert rows[5]["messages"][0]["content"] == f"<image>{DESCRIBE}" and rows[5]["source"] == "minigpt4"


def test_good_rows_are_counted(folder, rows):
    write_rows(folder / "train.jsonl", rows)
    counts = validate(folder / "train.jsonl")
    assert counts == {"rows": 6, "images": 4, "rows of generated": 5, "rows of minigpt4": 1}


def test_image_paths_become_absolute(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    (row,) = training_rows([pair("a_1", "first")], folder.name)
    assert row["images"] == [str(folder / "images/a_1.jpg")]


def change(row, **keys):
    return {**row, **keys}


def say(row, *messages):
    return {**row, "messages": [{"role": role, "content": text} for role, text in messages]}


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda row, f: change(row, images=[]), r"1 <image> tags but 0 images"),
        (lambda row, f: change(row, images=row["images"] * 2), r"1 <image> tags but 2 images"),
        (lambda row, f: say(row, ("user", "<image>x"), ("assistant", "y <image>")), "2 <image> tags but 1 images"),
        (lambda row, f: say(row, ("user", "<image><video>x"), ("assistant", "y")), "1 <video> tags but 0 videos"),
        (lambda row, f: change(row, images="a.jpg"), "images must be a list"),
        (lambda row, f: change(row, images=["images/a_1.jpg"]), "relative path"),
        (lambda row, f: change(row, images=[str(f / "images/none.jpg")]), "none.jpg does not exist"),
        (lambda row, f: change(row, images=[str(f / "torn.jpg")]), "torn.jpg cannot be opened"),
        (lambda row, f: change(row, images=[str(f / "text.jpg")]), "text.jpg cannot be opened"),
        (lambda row, f: say(row, ("user", "<image>x")), "roles are user; they must alternate"),
        (lambda row, f: say(row, ("assistant", "y"), ("user", "<image>x")), "roles are assistant, user"),
        (lambda row, f: say(row, ("system", "x")), "must alternate"),
        (lambda row, f: say(row, ("user", "<image>x"), ("assistant", " \n")), "empty message"),
        (lambda row, f: say(row, ("user", "<image>x"), ("assistant", None)), "empty message"),
        (lambda row, f: change(row, messages=None), "no list of messages"),
        (lambda row, f: change(row, messages=["hello"]), "no list of messages"),
    ],
)
def test_each_violation_names_file_and_line(folder, rows, spoil, says):
    content = (folder / "images/b_2.jpg").read_bytes()
    (folder / "torn.jpg").write_bytes(content[: len(content) // 2])
    (folder / "text.jpg").write_text("no image")
    write_rows(folder / "train.jsonl", [rows[0], spoil(rows[1], folder), rows[2]])
    with pytest.raises(InputError, match=rf"train\.jsonl line 2: .*{says}") as error:
        validate(folder / "train.jsonl")
    assert "\n" not in str(error.value)


def test_a_file_that_is_none(folder):
    (folder / "train.jsonl").write_text("")
    with pytest.raises(InputError, match="holds no rows"):
        validate(folder / "train.jsonl")
    (folder / "train.jsonl").write_text("{}\n[1]\n")
    with pytest.raises(InputError, match="train.jsonl line 1: has no list of messages"):
        validate(folder / "train.jsonl")
    with pytest.raises(InputError, match="not found"):
        validate(folder / "none.jsonl")


def test_a_tiny_image_is_no_error(folder, rows):
    Image.new("RGB", (3, 2)).save(folder / "tiny.jpg")
    write_rows(folder / "train.jsonl", [change(rows[0], images=[str(folder / "tiny.jpg")])])
    assert validate(folder / "train.jsonl")["images"] == 1


def test_ms_swift_reads_every_row_as_written(folder, rows, monkeypatch):
    import datasets
    from swift.dataset import load_dataset

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "cache")
    monkeypatch.setenv("MODELSCOPE_CACHE", str(folder / "cache"))
    write_rows(folder / "train.jsonl", rows)
    found, _ = load_dataset(str(folder / "train.jsonl"), strict=True, load_from_cache_file=False)
    read = [{"messages": row["messages"], "images": [image["path"] for image in row["images"]]} for row in found]
    assert read == [{"messages": row["messages"], "images": row["images"]} for row in rows]
