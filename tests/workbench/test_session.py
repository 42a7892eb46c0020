"""What a notebook calls, here without a kernel."""

import json

import matplotlib
import pytest

from emolab import workbench
from emolab.errors import InputError
from emolab.workbench.files import FolderLock

matplotlib.use("agg")
ROW = {"name": "zero-shot", "n": 66, "avg": 0.5, "interval": {"avg": [0.4, 0.6]}}


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "notebooks" / "profiles").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "notebooks")  # as in JupyterLab
    monkeypatch.delenv("EMOLAB_HEADLESS", raising=False)
    return tmp_path


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_run_from_start_to_finish(project):
    run = workbench.start("03_small", profile="demo", settings={"seed": 4})
    assert run.folder == project / "outputs" / "demo" / "03_small" and run.folder.is_dir()
    assert run.settings.seed == 4 and not run.headless and "seed = 4" in repr(run)
    rows, weights = run.folder / "predictions.jsonl", project / "weights"
    weights.mkdir()
    (weights / "model.bin").write_text("w")
    rows.write_text('{"clip_id": "1"}\n\n{"clip_id": "2"}\n')
    run.use("weights", weights)
    run.use("base", "OpenGVLab/InternVL3_5-1B-HF")
    run.rows("predictions", rows)
    run.table("scores", [ROW], note="drawn corpus")
    run.table("other", [{**ROW, "name": "b"}])
    run.table("scores", [ROW, {**ROW, "name": "c"}])  # the cell was run again
    assert not (run.folder / "run.json").exists()
    run.finish()

    metrics, record = read(run.folder / "metrics.json"), read(run.folder / "run.json")
    assert [(row["table"], row["name"]) for row in metrics["table"]] == [
        ("scores", "zero-shot"), ("scores", "c"), ("other", "b"),
    ]  # fmt: skip
    assert metrics["table"][0] == {"table": "scores", **ROW}
    assert record["settings"]["seed"] == 4 and record["seeds"] == {"seed": 4}
    assert record["inputs"]["base"] == {"identity": "OpenGVLab/InternVL3_5-1B-HF"}
    assert record["inputs"]["weights"]["path"] == "weights" and len(record["inputs"]["weights"]["sha256"]) == 64
    assert record["outputs"]["predictions"]["rows"] == 2
    assert {"versions", "git", "device", "seconds", "started", "source"} <= set(record)


def test_figures_are_saved_and_the_same_each_time(project):
    from matplotlib import pyplot

    run, seen = workbench.start("03_small"), []
    for _ in range(2):
        figure, axes = pyplot.subplots()
        axes.plot([1, 2])
        run.figure(figure, "curve")
        seen.append([(run.folder / name).read_bytes() for name in ("curve.png", "curve.svg")])
    assert seen[0] == seen[1] and seen[0][0].startswith(b"\x89PNG")
    assert not pyplot.get_fignums()
    run.finish()
    assert {"curve.png", "curve.svg"} <= set(read(run.folder / "run.json")["outputs"])


def test_starting_again_makes_the_folder_incomplete(project):
    run = workbench.start("03_small")
    run.finish()
    again = workbench.start("03_small")
    assert not (again.folder / "run.json").exists()
    workbench.start("03_small").finish()  # the first cell run twice in one kernel does not lock itself out


def test_a_folder_in_use_is_refused(project):
    lock = FolderLock(project / "held")
    with pytest.raises(InputError, match="in use by process"):
        FolderLock(project / "held", patience=0.2)
    lock.release()
    FolderLock(project / "held", patience=0).release()


def test_an_earlier_notebook_must_have_run_to_its_end(project):
    earlier = workbench.start("03_small")
    (earlier.folder / "rows.jsonl").write_text("{}\n")
    later = workbench.start("04_later")
    with pytest.raises(InputError, match="emolab run 03 --profile demo"):
        later.step("03_small", "rows.jsonl")
    earlier.finish()
    assert later.step("03_small", "rows.jsonl") == earlier.folder / "rows.jsonl"
    later.finish()
    assert "03_small rows.jsonl" in read(later.folder / "run.json")["inputs"]
    with pytest.raises(InputError, match="other.jsonl"):
        later.step("03_small", "other.jsonl")


def test_what_does_not_exist_is_named(project):
    run = workbench.start("03_small")
    for source in (project / "nothing", str(project / "nothing"), "./nothing"):
        with pytest.raises(InputError, match="does not exist"):
            run.use("data", source)
    with pytest.raises(InputError, match="no notebook name"):
        workbench.start("../03_small")
    with pytest.raises(ValueError, match="letters"):
        run.table("../x", [ROW])
    run.finish()


def test_under_the_runner_a_record_is_left(project, monkeypatch):
    monkeypatch.setenv("EMOLAB_HEADLESS", "1")
    run = workbench.start("03_small")
    run.finish()
    assert run.headless and (run.folder / "record.json").exists() and not (run.folder / "run.json").exists()
