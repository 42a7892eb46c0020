"""A fitted co-judgment, written and read again."""

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from emolab.errors import InputError
from emolab.fusion.calibrated import fit
from emolab.fusion.panel import Member, Panel
from emolab.fusion.saved import load, save
from emolab.fusion.settings import FusionSettings
from emolab.labels.wheel import own_wheels


def test_what_is_read_judges_as_what_was_written(made, tmp_path):
    panel, truth = made
    mute = Panel(tuple(Member(each.name, each.labels) for each in panel.members), panel.clip_ids)
    for number, some in enumerate((panel, mute)):  # with descriptions and without
        model = fit(some, truth, own_wheels(), FusionSettings())
        path = tmp_path / f"{number}.safetensors"
        save(path, model)
        again = load(path, own_wheels())
        assert again.fuse(panel) == model.fuse(panel)
        assert all(
            np.array_equal(a, b) for a, b in zip(again.probabilities(panel), model.probabilities(panel), strict=True)
        )
    assert b"clip_000" not in path.read_bytes() and sorted(each.name for each in tmp_path.iterdir()) == [
        "0.safetensors",
        "1.safetensors",
    ]


def test_the_same_clips_give_the_same_file(made, tmp_path):
    panel, truth = made
    for name in "ab":
        save(tmp_path / name, fit(panel, truth, own_wheels(), FusionSettings()))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with pytest.raises(InputError, match="cannot be written"):
        save(tmp_path / "no" / "folder", fit(panel, truth, own_wheels(), FusionSettings()))


def test_what_it_is_not_is_said(made, published, tmp_path):
    panel, truth = made
    path = tmp_path / "model.safetensors"
    save(path, fit(panel, truth, own_wheels(), FusionSettings()))
    with pytest.raises(InputError, match="fitted with the own emotion wheels, not 2025"):
        load(path, published[2])


def test_other_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path / "absent", own_wheels())
    (tmp_path / "text").write_text("no safetensors at all")
    with pytest.raises(InputError, match="is no saved co-judgment"):
        load(tmp_path / "text", own_wheels())
    save_file({"x": np.zeros(1)}, tmp_path / "other")
    with pytest.raises(InputError, match="another kind of safetensors file"):
        load(tmp_path / "other", own_wheels())
    save_file({"x": np.zeros(1)}, tmp_path / "list", {"emolab": "[1]"})
    with pytest.raises(InputError, match="another kind of safetensors file"):
        load(tmp_path / "list", own_wheels())
    save_file({"x": np.zeros(1)}, tmp_path / "cut", {"emolab": '{"format": "emolab-calibrated-1", "edition": "own"}'})
    with pytest.raises(InputError, match="is no saved co-judgment"):
        load(tmp_path / "cut", own_wheels())


@pytest.mark.parametrize(
    "name, spoil, sentence",
    [
        ("words_indices", lambda each: each + 10**6, "is no saved co-judgment"),  # would read outside of memory
        ("dual", lambda each: each * np.nan, "dual holds what is no finite number"),
        ("dual", lambda each: each[:, :-1].copy(), "dual is of size"),
        ("named", lambda each: each + 10**6, "named does not lie between"),
        ("scale", lambda each: each[:-1].copy(), "scale is of size"),
    ],
)
def test_a_damaged_file_is_refused(made, tmp_path, name, spoil, sentence):
    panel, truth = made
    path = tmp_path / "model.safetensors"
    save(path, fit(panel, truth, own_wheels(), FusionSettings()))
    with safe_open(path, "np") as file:
        header, arrays = file.metadata(), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    save_file(arrays | {name: spoil(arrays[name])}, path, header)
    with pytest.raises(InputError, match=sentence):
        load(path, own_wheels())
