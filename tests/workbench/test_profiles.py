"""Profiles: shipped ones are valid, overrides win, mistakes are named."""

from dataclasses import replace
from pathlib import Path

import pytest

from emolab.affectgpt.settings import AffectSettings
from emolab.captions.settings import ImageSettings
from emolab.discriminative.settings import DiscriminativeSettings
from emolab.engine.settings import ModelSettings
from emolab.errors import InputError
from emolab.internvl.settings import AblationSettings
from emolab.workbench.profiles import find_profile, flatten, known_profiles, load_profile
from emolab.workbench.settings import Settings

SHIPPED = Path(__file__).resolve().parents[2] / "notebooks" / "profiles"
NAMES = ["demo", "gpu", "laptop", "paper", "published"]


def write(folder, text):
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", NAMES)
def test_shipped_profile_is_valid_and_opens_with_its_command(name):
    settings = load_profile(SHIPPED / f"{name}.yaml")
    assert settings.profile == name and settings.about
    first = (SHIPPED / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# emolab run ") and f"--profile {name}" in first


def test_these_are_all_shipped_profiles():
    assert sorted(path.stem for path in SHIPPED.glob("*.yaml")) == NAMES


def test_demo_is_the_defaults():
    demo = load_profile("demo")
    plain = Settings(profile="demo", about=demo.about, internvl=ModelSettings(batch_size=64, max_new_tokens=96))
    trainings = {"sft": demo.sft, "affectgpt_sft": demo.affectgpt_sft}  # set for models of a few million parameters
    own = {"affectgpt": demo.affectgpt, "discriminative": demo.discriminative}
    quick = replace(plain, ablation=demo.ablation, **own, **trainings)
    assert demo == replace(quick, images=ImageSettings(frames_per_clip=2, limit=300))
    parts = ("vision", "audio", "language", "qformers", "frames", "sound", "view")
    assert all(getattr(demo.affectgpt, part) == getattr(AffectSettings(), part) for part in parts)
    assert (
        demo.affectgpt_sft.epochs == 50
        and demo.sft.seeds == demo.ablation.seeds == [0, 1]  # two make the whole demo one of ten minutes
        and demo.ablation.views == AblationSettings().views
    )
    usual, found = flatten(DiscriminativeSettings()), flatten(demo.discriminative)
    assert {key for key in usual if found[key] != usual[key]} == {
        "view", "frames.parts", "emovclip.epochs", "emovclip.batch_size", "emovclip.learning_rate",
        "fusion.hidden", "fusion.epochs", "text.layers", "writer.batch_size",
    }  # fmt: skip


def test_profiles_name_the_models_of_the_house_plan():
    assert load_profile("laptop").internvl.path == "OpenGVLab/InternVL3_5-1B-HF"
    assert load_profile("gpu", ["internvl.backend=vllm"]).internvl.backend == "vllm"
    paper = load_profile("paper").internvl
    assert (paper.path, paper.model_type) == ("OpenGVLab/InternVL-Chat-V1-5", "internvl_chat")
    assert load_profile("published").internvl.path == ""
    trusting = [name for name in NAMES if load_profile(name).internvl.trust_remote_code]
    assert trusting == ["paper"]


def test_profiles_name_the_captioners_of_the_house_plan():
    gpu, paper = load_profile("gpu").captioners, load_profile("paper").captioners
    assert (gpu.first.path, gpu.second.path) == ("Qwen/Qwen3-VL-8B-Instruct", "zai-org/GLM-4.1V-9B-Thinking")
    assert (paper.first.model_type, paper.second.model_type) == ("qwen_vl", "cogvlm")
    assert load_profile("paper").filter.threshold == 0.9


def test_profiles_name_the_encoders_of_the_house_plan():
    gpu, paper = load_profile("gpu").discriminative, load_profile("paper").discriminative
    assert (gpu.audio.path, gpu.video.path) == ("TencentGameMate/chinese-hubert-large", "openai/clip-vit-large-patch14")
    assert (gpu.text.path, paper.text.path) == ("Qwen/Qwen2.5-7B", "baichuan-inc/Baichuan-13B-Base")
    trusting = [name for name in NAMES if load_profile(name).discriminative.text.trust_remote_code]
    assert trusting == ["paper"]
    published = load_profile("published").discriminative
    assert {each.path for each in (published.audio, published.video, published.text, published.writer)} == {""}


def test_found_by_name_from_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_profile("gpu") == SHIPPED / "gpu.yaml"


def test_a_projects_own_profile_goes_first(tmp_path, monkeypatch):
    own = tmp_path / "notebooks" / "profiles"
    own.mkdir(parents=True)
    (own / "demo.yaml").write_text("about: my own\nseed: 5\n")
    monkeypatch.chdir(tmp_path / "notebooks")  # as in JupyterLab
    assert load_profile("demo").seed == 5
    assert set(known_profiles()) == set(NAMES)


def test_precedence(tmp_path):
    path = write(tmp_path, "about: x\nseed: 3\nframes: {parts: 4}\n")
    assert (load_profile(path).seed, load_profile(path).frames.parts) == (3, 4)
    assert load_profile(path).corpus.described == 332
    assert load_profile(path, ["seed=7", "seed=8"]).seed == 8


@pytest.mark.parametrize(
    "overrides",
    [
        ["internvl.path=00123", "internvl.temperature=3e-4", "internvl.use_hf=off", "seed=7"],
        "internvl.path=00123 internvl.temperature=3e-4 internvl.use_hf=false seed=7",
        {"internvl.path": "00123", "internvl.temperature": 3e-4, "internvl": {"use_hf": False}, "seed": 7},
    ],
)
def test_overrides_keep_ids_and_read_numbers(overrides):
    settings = load_profile("demo", overrides)
    assert settings.internvl.path == "00123"
    assert settings.internvl.temperature == 0.0003
    assert settings.internvl.use_hf is False and settings.seed == 7


def test_short_names_of_published_data():
    settings = load_profile("published", ["predictions=DIR", "truth=FILE", "tables=TABLES"])
    assert (settings.fusion.predictions, settings.fusion.truth) == ("DIR", "FILE")
    assert (settings.scoring.tables, settings.scoring.edition) == ("TABLES", "2025")


def test_text_is_taken_as_typed_and_null_empties():
    assert load_profile("demo", ["corpus.root=a=b c"]).corpus.root == "a=b c"
    assert load_profile("demo", ["corpus.root=2024-01-01"]).corpus.root == "2024-01-01"
    assert load_profile("demo", ["internvl.model_type=null"]).internvl.model_type is None
    assert load_profile("demo", ["internvl.path=null"]).internvl.path == "null"  # a path is never absent


def test_exponents_in_a_file_are_numbers(tmp_path):
    path = write(tmp_path, 'about: x\ninternvl: {temperature: 3e-4, path: "00123"}\n')
    assert load_profile(path).internvl.temperature == 0.0003
    assert load_profile(path).internvl.path == "00123"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("about: x\ninternvl: {path: 00123}\n", "put it in quotes"),
        ("about: x\ncorpus: {root: yes}\n", "put it in quotes"),
        ("about: x\nsed: 3\n", "did you mean seed?"),
        ("about: x\nbatch_size: 3\n", "did you mean internvl.batch_size or sft.batch_size"),
        ("about: x\nseed: many\n", "seed"),
        ("about: x\nseed: 3\nseed: 4\n", "duplicate"),
        ("about: x\nframes: 6\n", "unknown setting 'frames'"),
        ("seed: 3\n", "'about' is missing"),
        ("[1, 2]\n", "key: value"),
        ("a: [\n", "cannot read profile"),
    ],
)
def test_mistakes_in_a_file_are_named(tmp_path, text, said):
    with pytest.raises(InputError) as error:
        load_profile(write(tmp_path, text))
    assert said in str(error.value) and "mine.yaml" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("sed=3", "did you mean seed?"),
        ("internvl.pth=x", "did you mean internvl.path?"),
        ("seed=3.5", "Integer"),
        ("seed", "key=value"),
        ("corpus.test.x=3", "unknown setting"),
        ("profile=x", "--profile"),
        ("discriminative.folds=2", "discriminative.folds starts at 3"),
        ("discriminative.self_training.thresholds=[0.9]", "six numbers"),
        ("internvl.path=${nothing}", "nothing"),
    ],
)
def test_mistakes_on_the_command_line_are_named(override, said):
    with pytest.raises(InputError, match=None) as error:
        load_profile("demo", [override])
    assert said in str(error.value)


@pytest.mark.parametrize("name", ["dmeo", "", "../demo", "none.yaml"])
def test_unknown_profile_names_the_known_ones(name):
    with pytest.raises(InputError) as error:
        load_profile(name)
    assert "demo, gpu, laptop, paper, published" in str(error.value)
    assert error.value.exit_code == 2


def test_flatten_gives_dotted_keys():
    flat = flatten(load_profile("demo"))
    assert flat["corpus.test"] == 66 and flat["internvl.path"] == "shipped:internvl"
    assert not any(isinstance(value, dict) for value in flat.values())
