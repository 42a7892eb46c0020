"""Where notebook 07 gets its predictions from: the earlier notebooks' rows, or a folder of published ones."""

import json
from pathlib import Path

import numpy as np
import pytest

from emolab import workbench
from emolab.errors import InputError
from emolab.workbench.panel import AFFECTGPT, DISCRIMINATIVE, FINE_TUNE, ZERO_SHOT, last_row, open_panel

GOLDEN = Path(__file__).resolve().parents[2].parent / "shared" / "golden"
ALL = ["audio", "video", "text"]
TRUTH = {"c1": ["happy"], "c2": ["sad", "tired"], "c3": ["angry"]}


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "notebooks" / "profiles").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EMOLAB_HEADLESS", raising=False)
    return tmp_path


def write(path: Path, rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def answer(clip: str, labels: list[str], **more) -> dict:
    return {"clip_id": clip, "labels": labels, "text": f"text of {clip}", "error": None, **more}


def earlier_notebooks(project: Path, seeds=(3, 4), given=(["audio"], ALL)) -> None:
    """What 03, 04 and 06 leave, here of three labelled clips and one that has no labels."""
    outputs = project / "outputs" / "demo"
    zero = [answer("c1", ["happy"]), answer("c2", ["sad"]), answer("x", ["calm"]), answer("c3", [], error="lost")]
    write(outputs / "03_internvl_finetune" / "zero_shot.jsonl", zero)
    tuned = [answer("c1", [f"seed {seed}", "Proud"], sft_seed=seed) for seed in seeds]
    write(outputs / "03_internvl_finetune" / "fine_tuned.jsonl", tuned)
    told, named = [], []
    for system, seed in (("before", 0), ("after", 5), ("after", 6)):
        for modalities in given:
            of = {"system": system, "sft_seed": seed, "given": modalities}
            text = f"{system} {seed} {len(modalities)}"
            told += [{**of, "clip_id": clip, "text": text, "error": None} for clip in ("c2", "c3")]
            for extractor in ("InternVL", "lexicon"):
                rows = [{"clip_id": "c2", "labels": [text, extractor]}]
                rows.append({"clip_id": "c3", "labels": [], "error": "no list"})
                named += [{**of, "extractor": extractor, "text": "[…]", "error": None, **row} for row in rows]
    write(outputs / "04_affectgpt_sft" / "descriptions.jsonl", told)
    write(outputs / "04_affectgpt_sft" / "predictions.jsonl", named)
    six = [answer(clip, ["sad", "angry"], probabilities={"sad": 0.6, "angry": 0.4}) | {"text": ""} for clip in TRUTH]
    write(outputs / "06_discriminative" / "predictions.jsonl", six)
    for folder in outputs.iterdir():
        (folder / "run.json").write_text("{}")
    clips = [{"clip_id": clip, "labels": labels, "split": "test"} for clip, labels in TRUTH.items()]
    write(project / "mine" / "clips.jsonl", [*clips, {"clip_id": "x"}])


def start(project: Path, **settings):
    rows = {"corpus.reader": "rows", "corpus.root": str(project / "mine")}
    return workbench.start("07_fusion_analysis", "demo", {**rows, **settings})


def test_rows_of_the_earlier_notebooks(project):
    earlier_notebooks(project)
    run = start(project)
    panel, truth, whose = open_panel(run)
    assert whose == "mine" and truth == TRUTH and panel.clip_ids == ("c1", "c2", "c3")
    assert panel.names == (ZERO_SHOT, FINE_TUNE, AFFECTGPT, DISCRIMINATIVE)
    zero, tuned, affect, six = panel.members
    assert zero.labels == {"c1": ["happy"], "c2": ["sad"], "x": ["calm"]}  # c3: an error is no answer
    assert tuned.labels == {"c1": ["seed 3", "proud"]}  # of the first training alone
    assert affect.labels == {"c2": ["after 5 3", "internvl"]} and affect.texts == {"c2": "after 5 3"}
    assert six.probabilities["c1"] == {"sad": 0.6, "angry": 0.4} and not six.texts
    system, runs, paper = last_row(run, panel, panel)
    assert system == "zero-shot + fine-tune + discriminative model"
    assert paper.pop("preprocess") == "entire image"
    assert paper == {"paper_avg": 0.6167, "paper_accuracy": 0.3895, "paper_recall": 0.8439}
    assert [fused["c1"] for fused in runs] == [["happy", f"seed {seed}", "proud", "sad", "angry"] for seed in (3, 4)]
    run.finish()
    inputs = json.loads((run.folder / "run.json").read_text())["inputs"]
    assert {"clips", "03_internvl_finetune zero_shot.jsonl", "03_internvl_finetune fine_tuned.jsonl"} <= set(inputs)
    assert {"04_affectgpt_sft descriptions.jsonl", "04_affectgpt_sft predictions.jsonl"} <= set(inputs)
    assert "06_discriminative predictions.jsonl" in inputs


def test_without_fine_tuning_and_with_fewer_modalities(project):
    earlier_notebooks(project, seeds=(), given=(["audio"], ["audio", "text"]))
    run = start(project)
    panel, truth, _ = open_panel(run)
    assert panel.names == (ZERO_SHOT, AFFECTGPT, DISCRIMINATIVE)
    assert panel.members[1].labels == {"c2": ["after 5 2", "internvl"]}
    _, runs, _ = last_row(run, panel, panel)
    assert len(runs) == 1 and runs[0]["c1"] == ["happy", "sad", "angry"]


def test_a_notebook_that_has_not_run_is_named(project):
    earlier_notebooks(project)
    (project / "outputs" / "demo" / "04_affectgpt_sft" / "run.json").unlink()
    with pytest.raises(InputError, match="which has not run to its end; first: emolab run 04 --profile demo"):
        open_panel(start(project))


@pytest.fixture
def published(project) -> Path:
    """Two models as the authors publish theirs, and the truth of three clips, one of them without labels."""
    for model, cell in (("A", "[happy]"), ("B", "[joyful, proud]")):
        (project / "theirs" / model).mkdir(parents=True)
        cells = np.array([cell, "", "[calm]"])
        np.savez(project / "theirs" / model / "two-openset.npz", filenames=np.array(["c1", "c2", "x"]), fileitems=cells)
        write(project / "theirs" / model / "two-reason.jsonl", [{"name": "c1", "reason": f"{model} tells."}])
    (project / "truth.csv").write_text("name,openset\nc1,\"['happy', 'proud']\"\nc2,[sad]\nx,[]\n")
    return project


def start_published(**settings):
    given = {f"fusion.{key}": value for key, value in settings.items()}
    return workbench.start("07_fusion_analysis", "published", given)


def test_a_folder_of_published_predictions(published):
    run = start_published(predictions="theirs", truth="truth.csv")
    panel, truth, whose = open_panel(run)
    assert whose == "theirs" and truth == {"c1": ["happy", "proud"], "c2": ["sad"]}
    assert panel.names == ("A/two", "B/two") and panel.clip_ids == ("c1", "c2")
    assert panel.members[1].labels["c1"] == ["joyful", "proud"] and panel.members[1].texts == {"c1": "B tells."}
    system, runs, paper = last_row(run, panel, panel.pick(["B/two", "A/two"]))
    assert system == "all of B/two, A/two" and set(paper.values()) == {None}
    assert runs == [{"c1": ["joyful", "proud", "happy"], "c2": []}]
    run.finish()
    inputs = json.loads((run.folder / "run.json").read_text())["inputs"]
    assert set(inputs) == {"predictions", "truth"} and len(inputs["predictions"]["sha256"]) == 64


@pytest.mark.skipif(not GOLDEN.is_dir(), reason="the official files (shared/golden) are not here")
def test_tables_are_read_as_official_cells_and_named(published):
    """A cell with prose in it is cut as the official code cuts it, for scores that are those of the papers."""
    (published / "truth.csv").write_text("name,openset\nc1,\"['don't care', 'happy']\"\n")
    run = workbench.start(
        "07_fusion_analysis",
        "published",
        ["predictions=theirs", "truth=truth.csv", f"tables={GOLDEN / 'emotion-wheel-2025'}"],
    )
    assert open_panel(run)[1] == {"c1": ["don", "t care", "happy"]}
    run.finish()
    assert "tables" in json.loads((run.folder / "run.json").read_text())["inputs"]


def test_without_data_it_says_what_to_get_and_where_to_put_it(project):
    with pytest.raises(InputError) as caught:
        open_panel(start_published())
    said = str(caught.value)
    assert "\n" not in said and said.startswith("Notebook 07 of profile published")
    for part in (
        "--set predictions=DIR truth=FILE tables=DIR",
        "MODEL/VARIANT-openset.npz",
        "VARIANT-reason.jsonl",
        "github.com/zeroQiaoba/AffectGPT",
        "check-openset.csv",
        "emotion_wheel",
        "github.com/zeroQiaoba/MERTools",
        "without tables emolab's own wheel",
    ):
        assert part in said


def test_a_truth_that_is_missing_or_of_other_clips(published):
    with pytest.raises(InputError, match="no truth is named: truth=FILE"):
        open_panel(start_published(predictions="theirs"))
    with pytest.raises(InputError, match="reads truth from absent.csv, which does not exist"):
        open_panel(start_published(predictions="theirs", truth="absent.csv"))
    with pytest.raises(InputError, match="reads predictions from absent, which does not exist"):
        open_panel(start_published(predictions="absent", truth="truth.csv"))
    (published / "truth.csv").write_text("name,openset\nc9,[happy]\nc1,[]\n")
    with pytest.raises(InputError, match="has true labels for none of the 3 clips in theirs"):
        open_panel(start_published(predictions="theirs", truth="truth.csv"))
