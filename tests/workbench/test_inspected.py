"""What notebook 08 shows of a project."""

import json

import pytest

from emolab import workbench
from emolab.errors import InputError
from emolab.workbench.hashing import Hashes
from emolab.workbench.inspected import looks, open_inspected
from emolab.workbench.places import run_folder
from emolab.workbench.profiles import load_profile
from emolab.workbench.session import hash_store
from emolab.workbench.unchanged import _files_changed


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Three clips with labels, one without, and a place for what notebooks write."""
    (tmp_path / "notebooks" / "profiles").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EMOLAB_HEADLESS", raising=False)
    clips = [{"clip_id": clip, "labels": ["sad"]} for clip in "abc"] + [{"clip_id": "d"}]
    write(tmp_path / "mine" / "clips.jsonl", clips)
    return tmp_path


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def row(clip, *labels, **more):
    return {"clip_id": clip, "labels": labels, "text": "", "error": None, **more}


def ran(notebook, **files):
    folder = run_folder("outputs", "demo", notebook)
    for name, rows in files.items():
        write(folder / f"{name}.jsonl", rows)
    (folder / "run.json").write_text("{}")


def start(project, **settings):
    rows = {"corpus.reader": "rows", "corpus.root": str(project / "mine")}
    return workbench.start("08_inspect_predictions", "demo", {**rows, **settings})


def test_it_shows_what_has_run_so_far(project):
    with pytest.raises(InputError, match="no notebook of profile demo has made predictions yet; first: emolab run 03"):
        open_inspected(start(project))
    ran("03_internvl_finetune", zero_shot=[row("a", "sad"), row("d", "calm")], fine_tuned=[])
    run = start(project)
    clips, answers, corpus = open_inspected(run)
    assert [clip.clip_id for clip in clips] == ["a", "d"] and corpus == "mine"
    assert {name: list(rows) for name, rows in answers.items()} == {"InternVL/zero-shot": ["a", "d"]}
    run.finish()
    inputs = json.loads((run.folder / "run.json").read_text())["inputs"]
    assert inputs["03_internvl_finetune zero_shot.jsonl"]["sha256"]
    assert inputs["06_discriminative predictions.jsonl"]["sha256"] is None  # not there, and named

    hashes = Hashes(hash_store(run.settings))
    assert _files_changed("input", inputs, hashes) is None
    ran("06_discriminative", predictions=[row("b", "sad", probabilities={"sad": 1.0})])
    assert "06_discriminative predictions.jsonl has come" in _files_changed("input", inputs, hashes)
    clips, answers, _ = open_inspected(start(project))
    assert [clip.clip_id for clip in clips] == ["a", "b", "d"]
    assert answers["discriminative"]["b"]["probabilities"] == {"sad": 1.0}


def test_labels_of_a_shipped_model_for_other_clips_are_said_to_mean_nothing(project, small_corpus, capsys):
    ran("03_internvl_finetune", zero_shot=[row("a", "sad"), row("b", error="cannot be read")], fine_tuned=[])
    open_inspected(start(project))
    assert "its labels for this video mean nothing" in capsys.readouterr().out
    drawn = json.loads((small_corpus / "clips.jsonl").read_text().splitlines()[0])["clip_id"]
    ran("03_internvl_finetune", zero_shot=[row(drawn, "sad")], fine_tuned=[])
    open_inspected(start(project, **{"corpus.root": str(small_corpus)}))
    assert capsys.readouterr().out == ""


def test_strategies_of_07_stand_beside_the_models(project):
    ran("03_internvl_finetune", zero_shot=[row("a", "sad")], fine_tuned=[])
    fused = [row("a", name, model=f"fusion: {name}", votes={name: ["x"]}) for name in ("union", "vote 2", "calibrated")]
    ran("07_fusion_analysis", predictions=fused)
    assert list(open_inspected(start(project))[1]) == ["InternVL/zero-shot", "fusion: union", "fusion: calibrated"]
    chosen = open_inspected(start(project, **{"inspector.fused": ["vote 2"]}))[1]
    assert list(chosen) == ["InternVL/zero-shot", "fusion: vote 2"]
    assert list(open_inspected(start(project, **{"inspector.fused": []}))[1]) == ["InternVL/zero-shot"]
    with pytest.raises(InputError, match="07 has no 'fusion: magic'; it has fusion: union"):
        open_inspected(start(project, **{"inspector.fused": ["magic"]}))


def test_published_predictions_without_video(project):
    (project / "p").mkdir()
    (project / "p" / "one.csv").write_text("name,openset\na,happy\nb,sad\n")
    (project / "truth.csv").write_text("name,openset\na,glad\nb,angry\n")
    files = {"fusion.predictions": str(project / "p"), "fusion.truth": str(project / "truth.csv")}
    clips, answers, corpus = open_inspected(workbench.start("08_inspect_predictions", "published", files))
    assert [(clip.clip_id, clip.labels, clip.video) for clip in clips] == [
        ("a", ("glad",), None),
        ("b", ("angry",), None),
    ]
    assert answers["one"]["a"]["labels"] == ["happy"] and corpus == "p"
    with pytest.raises(InputError, match="predictions=DIR truth=FILE"):
        open_inspected(workbench.start("08_inspect_predictions", "published"))


def test_predictions_of_other_clips_are_refused(project):
    ran("03_internvl_finetune", zero_shot=[row("elsewhere", "sad")], fine_tuned=[])
    with pytest.raises(InputError, match="of other clips than those of mine"):
        open_inspected(start(project))


def test_looks_are_those_of_the_models():
    internvl, affectgpt, discriminative = looks(load_profile("demo", ["seed=7", "affectgpt.frames.draw=random"]))
    assert internvl.name == "InternVL: 6 random frames, seed 7" and internvl.seed == 7
    assert affectgpt.name == "AffectGPT: 8 random frames, seed 0" and affectgpt.seed == 0  # its features are of draw 0
    assert discriminative.name == "discriminative: 2 uniform frames" and discriminative.frames.parts == 2
    assert len(looks(load_profile("published"))) == 1
