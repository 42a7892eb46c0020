"""Profiles and `--set` are data: nothing in them runs, reads the environment, fills the memory, or holds a key."""

import pytest

from emolab.errors import InputError
from emolab.scoring.address import KEY_VARIABLE, check_address
from emolab.workbench.profiles import load_profile

SECRET = "the-environment-holds-this"
KEYS = ["hf_" + 17 * "aB", "sk-" + 24 * "a1", "sk-proj-" + 20 * "b_C4", "ghp_" + 18 * "c5", "sk-or-v1-" + 32 * "d6"]


def profile(folder, text):
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:pathlib.Path.touch [{mark}]",
        "!!python/name:os.system",
        "!!python/object/new:int [x]",
    ],
)
def test_yaml_builds_no_objects(tmp_path, tag):
    mark = tmp_path / "ran"
    with pytest.raises(InputError, match="cannot read profile"):
        load_profile(profile(tmp_path, f"about: {tag.format(mark=mark)}\n"))
    assert not mark.exists()


@pytest.mark.parametrize(
    "value",
    ["${oc.env:MARKER}", "a ${oc.env:MARKER} b", "${oc.decode:${oc.env:MARKER}}", r"\${oc.env:MARKER}", "${about}"],
)
def test_nothing_is_put_in(tmp_path, monkeypatch, value):
    monkeypatch.setenv("MARKER", SECRET)
    inputs = [
        (profile(tmp_path, f"about: x\ncorpus:\n  root: '{value}'\n"), None),
        ("demo", [f"corpus.root={value}"]),
        ("demo", {"corpus": {"root": value}}),
        ("demo", [f"sft.extra={{a: '{value}'}}"]),
    ]
    for name, overrides in inputs:
        with pytest.raises(InputError, match="not followed") as told:
            load_profile(name, overrides)
        assert SECRET not in str(told.value)


def test_a_bomb_of_aliases_is_refused_at_once(tmp_path):
    lines = ["about: x", "a: &a [x, x, x, x, x, x, x, x, x]"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]")
    with pytest.raises(InputError, match="YAML alias"):
        load_profile(profile(tmp_path, "\n".join(lines)))


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("setting", ["internvl.path={}", "sft.extra={{hub_token: {}}}", "seed={}"])
def test_a_key_is_no_setting_and_is_not_repeated(key, setting):
    with pytest.raises(InputError, match="looks like a key") as told:
        load_profile("demo", [setting.format(key)])
    assert key not in str(told.value)


@pytest.mark.parametrize(
    "path",
    [
        f"/cache/models--a--b/snapshots/{40 * 'a'}",
        "/models/hf_internvl3_5_8b_finetuned_on_mer2024",
        "hf_internvl3_5_8b_finetuned_on_mer2024",
        "/data/sk-SK-emotion-recordings-2024",
        "sk-SK-emotion-recordings-of-the-year-2024-second",
        f"/data/{KEYS[0]}/model",
    ],
)
def test_names_and_paths_are_no_keys(path):
    assert load_profile("demo", [f"internvl.path={path}"]).internvl.path == path


@pytest.mark.parametrize(
    "address",
    ["https://me:{}@host/v1", "https://{}@host/v1", "https://:{}@host/v1", "https://host/v1?api_key={}", "ftp://x#{}"],
)
def test_an_address_holds_no_key(address):
    for refuse in (check_address, lambda address: load_profile("demo", [f"discriminative.endpoint={address}"])):
        with pytest.raises(InputError, match=KEY_VARIABLE) as told:
            refuse(address.format(SECRET))
        assert SECRET not in str(told.value)


@pytest.mark.parametrize(
    "address", ["host/v1", "file:///etc/passwd", "https://", "http://[x/v1", "http://host:99999/v1"]
)
def test_an_address_is_one_of_the_web(address):
    with pytest.raises(InputError, match="is no address"):
        check_address(address)


def test_addresses_of_servers_are_taken():
    for address in ("https://api.host.com/v1", "http://localhost:11434/v1", "http://127.0.0.1:8000/v1/"):
        check_address(address)
