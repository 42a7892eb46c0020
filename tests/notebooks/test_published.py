"""Notebook 07 on the published predictions of real models: no model, no torch, a minute."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from emolab.fusion.panel import read_panel
from emolab.fusion.saved import load
from emolab.labels.wheel import read_wheels
from emolab.scoring.files import official_cell, read_labels
from emolab.scoring.wheel import score

CHECKOUT = Path(__file__).resolve().parents[2]
GOLDEN = CHECKOUT.parent / "shared" / "golden"
NAME = "07_fusion_analysis"
needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the official files (shared/golden) are not here")


def emolab(folder: Path, *words: str) -> subprocess.CompletedProcess:
    (folder / "notebooks" / "profiles").mkdir(parents=True, exist_ok=True)  # outputs go to this project
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-m", "emolab", "run", "07", "--profile", "published", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> tuple[Path, str]:
    """The folder of a run with one seed of the folds, and what it printed."""
    folder = tmp_path_factory.mktemp("published")
    files = {
        "predictions": "ov-merd-predictions",
        "truth": "mer2024-ov/check-openset.csv",
        "tables": "emotion-wheel-2025",
    }
    given = [f"{key}={GOLDEN / name}" for key, name in files.items()]
    ended = emolab(folder, "--set", *given, "fusion.seeds=[0]", "scoring.bootstrap=100")
    assert ended.returncode == 0, ended.stderr[-2000:]
    return folder / "outputs" / "published" / NAME, ended.stdout


def rows_of(folder: Path, table: str) -> dict[str, dict]:
    rows = json.loads((folder / "metrics.json").read_text())["table"]
    return {row["name"]: row for row in rows if row["table"] == table}


@needs_golden
class TestOnTheGoldenFolder:
    def test_everything_that_it_promises_is_there(self, done):
        folder, printed = done
        run = json.loads((folder / "run.json").read_text())
        assert set(run["inputs"]) == {"predictions", "truth", "tables"} and run["settings"]["fusion.seeds"] == [0]
        figures = {f"{name}.{kind}" for name in ("plane", "plane_mer2024", "contributions", "words", "cost")
                   for kind in ("png", "svg")}  # fmt: skip
        written = {"metrics", "predictions", "calibrated", "notebook", "report"}
        assert set(run["outputs"]) == figures | written
        assert all((folder / each).stat().st_size > 5000 for each in figures)
        assert "report.html" in printed and "calibrated" in printed
        page = (folder / "report.html").read_text()
        assert "data:image/png;base64," in page and "<script" not in page
        outputs = [
            each for cell in nbformat.read(folder / f"{NAME}.ipynb", 4).cells for each in cell.get("outputs", ())
        ]
        assert not [each for each in outputs if each.output_type == "error"]
        assert not [each for each in outputs if "Warning" in each.get("text", "")]

    def test_tables(self, done):
        folder, _ = done
        names = {row["table"] for row in json.loads((folder / "metrics.json").read_text())["table"]}
        assert names >= {"members", "counting", "strategies", "differences", "objectives", "unseen", "shares"}
        assert names >= {"reliability", "table_2", "worst"}
        members, counting = rows_of(folder, "members"), rows_of(folder, "counting")
        assert len(members) == 15 and {row["n"] for row in members.values()} == {332}
        expected = json.loads((GOLDEN / "expected-2025.json").read_text())
        for name, row in members.items():  # the official code's numbers
            assert row["level1_f"] == pytest.approx(expected[name]["level1"][0], abs=1e-9)
            assert row["level2_f"] == pytest.approx(expected[name]["level2"][0], abs=1e-9)
        assert round(100 * members["Chat-UniVi/nosubtitle-addsub"]["level1_f"], 1) == 57.2
        shown = {name: round(100 * row["level1_f"], 1) for name, row in counting.items()}
        assert (shown["union of 5"], shown["vote 2"], shown["vote 2, 2 words"]) == (57.4, 64.0, 65.9)
        assert shown["union of 1"] == pytest.approx(100 * sum(
            row["level1_f"] for name, row in members.items() if name.endswith("addsub")) / 5, abs=0.05)  # fmt: skip
        (row,) = rows_of(folder, "table_2").values()
        assert row["level1_f"] == counting["union of 5"]["level1_f"]

    def test_calibrated_leads_held_out(self, done):
        folder, _ = done
        strategies, differences = rows_of(folder, "strategies"), rows_of(folder, "differences")
        best = strategies["calibrated"]
        assert best["n"] == 332 and best["level1_f"] > 0.70 and best["level2_f"] > 0.58
        low, high = best["interval"]["level1_f"]
        assert low < best["level1_f"] < high
        rivals = [row["level1_f"] for name, row in strategies.items() if name != "calibrated"]
        assert len(rivals) >= 8 and best["level1_f"] > max(rivals) + 0.03
        assert [row["baseline"] for row in strategies.values() if "baseline" in row] == ["constant", "shuffled"]
        against = differences["calibrated − best vote"]
        assert against["interval"]["level1_f"][0] > 0 and against["p_level1_f"] < 0.05
        unseen = rows_of(folder, "unseen")
        assert len(unseen) == 3 and {word for name in unseen for word in name.split(" + ")} == {
            path.name for path in (GOLDEN / "ov-merd-predictions").iterdir()
        }

    def test_rows_score_as_the_table_says_and_the_saved_judgment_works(self, done, tmp_path):
        folder, _ = done
        wheels = read_wheels(GOLDEN / "emotion-wheel-2025", "2025")
        truth = read_labels(GOLDEN / "mer2024-ov" / "check-openset.csv", official_cell)
        fused: dict[str, dict[str, list[str]]] = {}
        for line in (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            fused.setdefault(row["model"].removeprefix("fusion: "), {})[row["clip_id"]] = row["labels"]
        strategies = rows_of(folder, "strategies")
        for name in ("calibrated", "best vote", "union", "unsupervised"):
            found = score(truth, fused[name], wheels).values()
            assert found["level1_f"] == pytest.approx(strategies[name]["level1_f"], abs=1e-9)
        panel = read_panel([GOLDEN / "ov-merd-predictions" / "SALMONN"], official_cell)
        labels = load(folder / "calibrated.safetensors", wheels).fuse(panel)
        assert len(labels) == 332 and sum(map(bool, labels.values())) > 320


def test_without_data_it_says_what_to_get(tmp_path):
    ended = emolab(tmp_path)
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert "--set predictions=DIR truth=FILE tables=DIR" in ended.stderr and "MERTools" in ended.stderr
    assert not (tmp_path / "outputs" / "published" / NAME / "run.json").exists()


def test_needs_no_torch():
    modules = "emolab.fusion.calibrated, emolab.workbench.panel, emolab.inspect.playground_strategies"
    more = "emolab.fusion.comparison, emolab.fusion.unseen, emolab.inspect.fusion_figures, emolab.inspect.playground"
    code = f"import sys\nimport {modules}, {more}\nprint(sorted({{'torch', 'transformers'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CHECKOUT)
    assert done.stdout.strip() == "[]"
