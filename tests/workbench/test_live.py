"""The models of a profile for one new clip, with the shipped checkpoints on a drawn clip."""

import json
import subprocess
import sys

import numpy as np
import pytest

from emolab import workbench
from emolab.corpora.clip import Clip
from emolab.corpora.read import read_rows
from emolab.engine.rows import RowFile
from emolab.errors import InputError
from emolab.fusion.calibrated import fit
from emolab.fusion.panel import Member, make_panel
from emolab.fusion.saved import save
from emolab.fusion.settings import FusionSettings
from emolab.labels.wheel import own_wheels
from emolab.media.write import write_video
from emolab.workbench.live import FUSED, _Models, note, predictors
from emolab.workbench.panel import AFFECTGPT, FINE_TUNE, ZERO_SHOT

HERE = "08_inspect_predictions"
WORDS = ("happy", "sad", "angry", "worried", "surprised")


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "notebooks" / "profiles").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EMOLAB_HEADLESS", raising=False)
    return tmp_path


def co_judgment(path, names):
    """What notebook 07 saves, fitted to members of these names that say what is true."""
    truth = {f"c{n}": [WORDS[n % 5], WORDS[(n // 5) % 5]] for n in range(50)}
    panel = make_panel([Member(name, truth) for name in names])
    path.parent.mkdir(parents=True, exist_ok=True)
    save(path, fit(panel, truth, own_wheels(), FusionSettings()))


def train_adapter(folder):
    """What notebook 03 leaves, untrained."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForImageTextToText

    from emolab.engine.weights import SHIPPED

    torch.manual_seed(0)
    base = AutoModelForImageTextToText.from_pretrained(SHIPPED / "internvl", dtype=torch.float32)
    config = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    get_peft_model(base, config).save_pretrained(folder)


def pattern(path):
    write_video(path, [np.roll(np.full((64, 96, 3), 30, np.uint8), n, 1) for n in range(10)], 10)
    return Clip("pattern", video=str(path))


def test_every_model_answers_for_a_drawn_clip(project, small_corpus, capsys):
    pytest.importorskip("swift", reason="models need emolab's extra [models]")
    outputs = project / "outputs" / "demo"
    train_adapter(outputs / "03_internvl_finetune" / "sft" / "seed0" / "adapter")
    co_judgment(outputs / "07_fusion_analysis" / "calibrated.safetensors", [ZERO_SHOT, FINE_TUNE, AFFECTGPT])
    run = workbench.start(HERE, profile="demo")
    found = predictors(run)
    assert [each.name for each in found] == [ZERO_SHOT, FINE_TUNE, AFFECTGPT, FUSED]
    assert capsys.readouterr().out == ""

    clip, told = read_rows(small_corpus)[0], []
    rows = {}
    for each in found:
        rows[each.name] = each.predict(clip, rows, told.append)
    assert all(row["clip_id"] == clip.clip_id and not row.get("note") for row in rows.values())
    assert rows[ZERO_SHOT]["labels"] and rows[ZERO_SHOT]["error"] is None and rows[ZERO_SHOT]["text"]
    assert rows[FINE_TUNE]["model"].startswith(rows[ZERO_SHOT]["model"] + "+adapter@")
    assert rows[AFFECTGPT]["modalities"] == ["audio", "video", "text"]
    assert rows[AFFECTGPT]["labels"] and rows[AFFECTGPT]["text"] and "[" in rows[AFFECTGPT]["taken from it"]
    assert rows[FUSED]["labels"] and rows[FUSED]["votes"].keys() == set(rows[FUSED]["labels"])
    assert json.dumps(rows) and told.count("reads its weights") == 3  # InternVL twice, AffectGPT

    kept = run.folder / "live" / "answers.jsonl"
    with RowFile(kept) as answers:  # nobody holds it
        assert len(answers) == 4  # of InternVL twice, AffectGPT's, and the labels taken from it
    again = {}
    for each in found:
        again[each.name] = each.predict(clip, again, told.append)
    assert again == rows and len(kept.read_text().splitlines()) == 4

    other = pattern(project / "other.mp4")
    assert "its labels for this video mean nothing" in found[0].predict(other, {}, told.append)["note"]

    (project / "broken.mp4").write_bytes(b"no video" * 100)
    broken, rows = Clip("broken", video=str(project / "broken.mp4")), {}
    for each in found:
        rows[each.name] = each.predict(broken, rows, told.append)
        assert rows[each.name]["labels"] == [] and "broken" in rows[each.name]["error"]
    run.finish()


def test_what_is_not_there_is_left_out_and_said(project, capsys):
    found = predictors(workbench.start(HERE, profile="demo"))
    assert [each.name for each in found] == [ZERO_SHOT, AFFECTGPT]
    said = capsys.readouterr().out.splitlines()
    assert said == [
        f"left out of live prediction: {FINE_TUNE}: there is no adapter yet; notebook 03 trains one.",
        f"left out of live prediction: {FUSED}: nothing is fitted yet; notebook 07 does it.",
    ]


@pytest.mark.parametrize(
    "settings, names, said",
    [
        ({"internvl.path": "shipped:nothing"}, [], "no model there"),
        ({"internvl.path": "someone/no-such-model"}, [], "someone/no-such-model is not on this machine; notebook 03"),
        ({"internvl.path": ""}, [], ""),
        ({"affectgpt.qformers": "null"}, [ZERO_SHOT], "AffectGPT: its Q-Formers are untrained; notebook 04"),
        ({"affectgpt.language": "no/name/at-all"}, [ZERO_SHOT], "no/name/at-all"),
    ],
)
def test_weights_that_are_not_there(project, capsys, settings, names, said):
    run = workbench.start(HERE, "demo", [f"{key}={value}" for key, value in {"sft.seeds": "[]", **settings}.items()])
    assert [each.name for each in predictors(run)] == names
    assert said in capsys.readouterr().out


def test_a_co_judgment_of_other_models_and_a_damaged_one(project, capsys):
    saved = project / "outputs" / "demo" / "07_fusion_analysis" / "calibrated.safetensors"
    co_judgment(saved, ["GPT-4V", "Video-LLaVA"])
    run = workbench.start(HERE, profile="demo")
    assert FUSED not in [each.name for each in predictors(run)]
    assert "notebook 07 fused other models (GPT-4V, Video-LLaVA)." in capsys.readouterr().out
    saved.write_bytes(saved.read_bytes()[:200])
    assert FUSED not in [each.name for each in predictors(run)]
    assert "is no saved co-judgment" in capsys.readouterr().out


def test_the_co_judgment_needs_an_answer(project):
    co_judgment(project / "outputs" / "demo" / "07_fusion_analysis" / "calibrated.safetensors", [ZERO_SHOT, AFFECTGPT])
    fused = predictors(workbench.start(HERE, profile="demo"))[-1]
    failed = {"clip_id": "x", "labels": [], "error": "It broke."}
    for said in ({}, {ZERO_SHOT: failed}):
        row = fused.predict(Clip("x"), said, print)
        assert row["labels"] == [] and row["error"] == "x: none of the fused models answered for this clip."
    one = {"clip_id": "x", "labels": ["happy", "sad"], "text": "", "error": None}
    row = fused.predict(Clip("x"), {ZERO_SHOT: one, AFFECTGPT: failed}, print)
    assert {"happy", "sad"} & set(row["labels"]) and row["error"] is None


def test_nothing_is_loaded_before_it_is_asked(project):
    code = (
        "import sys\nfrom emolab import workbench\nfrom emolab.workbench.live import predictors\n"
        f"assert predictors(workbench.start({HERE!r}))\n"
        "print([name for name in ('torch', 'swift', 'mediapipe', 'cv2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


class Large:
    """A model that does not fit beside another one."""

    loaded = []

    def __init__(self, name):
        self.name = name

    def unload(self):
        Large.loaded.remove(self.name)

    def ask(self):
        if self.name not in Large.loaded:
            if Large.loaded:
                raise RuntimeError("out of memory")
            Large.loaded.append(self.name)
        return self.name


def test_a_model_that_does_not_fit_beside_the_others_gets_their_room(project):
    models = _Models(workbench.load_profile("demo"), project)
    one, other = Large("one"), Large("other")
    for each in (one, one, other, other, one):
        assert models._with_room(each, each.ask) == each.name
        assert Large.loaded == [each.name]

    def wrong():
        raise InputError("No such file.")

    with pytest.raises(InputError):
        models._with_room(other, wrong)
    assert Large.loaded == ["one"]  # nobody was sent away for that


def test_the_note_on_other_clips(project, small_corpus):
    demo, drawn, other = workbench.load_profile("demo"), read_rows(small_corpus)[0], pattern(project / "other.mp4")
    assert note(demo, [drawn]) is None
    assert "its labels for 1 of 2 videos (pattern) mean nothing" in note(demo, [drawn, other])
    assert note(workbench.load_profile("laptop"), [other]) is None
