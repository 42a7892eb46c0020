"""The benchmarks still run, in their smallest sizes, and tell what they found in one table. No time is asserted."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BENCHES = sorted(HERE.glob("bench_*.py"))


@pytest.fixture
def shared(monkeypatch):
    """A module that the benchmarks share, by name; they find each other by lying in one folder."""
    monkeypatch.syspath_prepend(str(HERE))
    names = ("report", "run_all", "internvl_shapes")
    yield lambda name: __import__(name)
    for name in names:
        sys.modules.pop(name, None)


def run(*words: object) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, timeout=300)


def rows_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("path", BENCHES, ids=lambda path: path.stem)
def test_every_benchmark_has_the_same_command_line_with_an_example(path):
    source = path.read_text("utf-8")
    assert re.search(rf'report\.parser\(__doc__, "{path.name} --\w', source)
    assert "report.parse(" in source and "argparse.ArgumentParser" not in source


def test_ratios_are_of_the_same_round_and_their_median_counts(shared, tmp_path):
    report = shared("report")
    options = report.parse(report.parser("", ""), ["--rows", str(tmp_path / "rows.jsonl")])
    told = report.Report("stage", options)
    told.compare("what", {"emolab": [1, 2, 4], "other": [3, 2, 20]}, "clips/s", count=8, n="8 clips")
    told.compare("what", {"emolab": [0.5], "other": [0.25]}, "ms", count=10)
    told.skip("on a GPU", "There is none.")
    fast, slow, none = report.read(tmp_path / "rows.jsonl")
    assert (fast.value, fast.other, fast.ratio, fast.lowest, fast.highest) == (4, 8 / 3, 3, 1, 5)
    assert (slow.value, slow.other, slow.ratio) == (50, 25, 0.5)
    assert none.status == report.SKIPPED and none.note == "There is none."
    table = report.table([fast, slow, none], "a machine\nversions")
    assert "| stage | what | 4 clips/s | other: 2.67 clips/s | × 3 (1–5) | 8 clips |  |  |" in table
    assert "| stage | on a GPU | skipped |  |  |  |  | There is none. |" in table


def test_sides_take_turns(shared):
    order = []
    seconds = shared("report").turns({name: lambda name=name: order.append(name) for name in "AB"}, 3)
    assert order == list("ABABAB") and [len(each) for each in seconds.values()] == [3, 3]


def test_peak_memory_is_that_of_the_process_itself(shared, tmp_path):
    """Not that of a larger process which started it."""
    report = shared("report")
    script = tmp_path / "small.py"
    script.write_text(f"import sys; sys.path.insert(0, {str(HERE)!r})\nimport report; print(report.peak_mib())")
    ballast = bytearray(b"x") * (200 * 2**20)  # written, so that it is really there
    child = report.own_process(str(script))
    assert report.peak_mib() > len(ballast) / 2**20 > child > 1


def test_one_command_runs_some_and_writes_one_table(tmp_path):
    done = run(HERE / "run_all.py", "frames", "scoring", "--quick", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    rows, table = rows_of(tmp_path / "rows-frames-scoring.jsonl"), (tmp_path / "table-frames-scoring.md").read_text()
    assert {row["stage"] for row in rows} == {"frames", "scoring"} and all(row["status"] == "ok" for row in rows)
    assert {row["against"] for row in rows} >= {"OpenCV, seek", "full decode (PyAV)", "plain Python"}
    assert len([line for line in table.splitlines() if line.startswith("| ")]) == 1 + len(rows)
    for said in ("cores", "commit", "load", "numpy", "no figure here means anything"):
        assert said in table
    assert table in done.stdout


def test_a_benchmark_that_fails_is_a_row_and_the_others_run(shared, tmp_path, monkeypatch, capfd):
    run_all = shared("run_all")
    told = f"import sys; sys.path.insert(0, {str(HERE)!r})\nimport report\no = report.parse(report.parser('', ''))\n"
    told += "r = report.Report('stage', o)\n"
    ends = {"bad": "r.add('half', 1)\nraise ValueError('no luck')", "good": "r.add('all', 2)"}
    ends["none"] = "r.skip('it', 'not here')\nsys.exit(2)"
    paths = {name: tmp_path / f"bench_{name}.py" for name in ends}
    for name, path in paths.items():
        path.write_text(told + ends[name])
    monkeypatch.setattr(run_all, "BENCHES", paths)
    monkeypatch.setattr(sys, "argv", ["run_all.py", "--out", str(tmp_path / "out")])
    assert run_all.main() == 1
    rows = rows_of(tmp_path / "out" / "rows.jsonl")
    assert [(row["what"], row["status"]) for row in rows] == [
        ("half", "ok"), ("the benchmark", "failed"), ("all", "ok"), ("it", "skipped")
    ]  # fmt: skip
    assert "ValueError: no luck" in rows[1]["note"]
    assert "no luck" in (tmp_path / "out" / "bad.log").read_text()
    monkeypatch.setattr(sys, "argv", ["run_all.py", "good", "none", "--out", str(tmp_path / "out")])
    assert run_all.main() == 0
    assert len(rows_of(tmp_path / "out" / "rows.jsonl")) == 4  # the table of all is still there
    capfd.readouterr()


def test_the_whole_path_and_its_stages(tmp_path):
    done = run(HERE / "bench_end_to_end.py", "--quick", "--rows", tmp_path / "rows.jsonl")
    assert done.returncode == 0, done.stderr
    rows = rows_of(tmp_path / "rows.jsonl")
    shares = [float(row["note"].partition("%")[0]) for row in rows if row["what"].startswith("of it")]
    assert len(shares) == 6 and sum(shares) == pytest.approx(100, abs=1)
    assert rows[-1]["what"] == "growth: 3 clips" and rows[-1]["peak_mib"] > 100


def test_the_gpu_benchmark_in_tiny_shapes(tmp_path):
    rates = tmp_path / "rates.jsonl"
    done = run(HERE / "bench_gpu.py", "--tiny", "--quick", "--rows", tmp_path / "rows.jsonl", "--rates", rates)
    assert done.returncode == 0, done.stderr
    asked = [row for row in rows_of(tmp_path / "rows.jsonl") if row["against"]]
    assert [row["n"].split(",")[0] for row in asked] == ["batches of 1", "batches of 2"]
    assert all(", 4 out," in row["n"] and "of the roofline" in row["note"] for row in asked)  # no answer ended early
    assert {(row["device"], row["model"], row["what"], row["batch"]) for row in rows_of(rates)} == {
        ("CPU", "InternVL3_5-tiny", "zero-shot", batch) for batch in (1, 2)
    }
    assert all(row["clips_per_s"] > 0 and row["peak_gb"] > 0 and row["date"] for row in rows_of(rates))


def test_the_gpu_benchmark_takes_other_weights(tmp_path):
    words = ["--tiny", "--quick", "--parts", "ask", "--batches", 2, "--rows", tmp_path / "rows.jsonl"]
    done = run(HERE / "bench_gpu.py", *words, "--model", "shipped:internvl")
    assert done.returncode == 0, done.stderr
    row = rows_of(tmp_path / "rows.jsonl")[-1]
    assert row["what"] == "shipped:internvl, zero-shot" and "batches of 2" in row["n"]
    done = run(HERE / "bench_gpu.py", *words, "--model", "./nowhere")
    assert done.returncode == 1 and "no model there" in done.stderr and "Traceback" not in done.stderr


def test_without_a_gpu_it_says_so_and_the_table_has_a_row(tmp_path):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    done = run(HERE / "run_all.py", "gpu", "--quick", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    (row,) = rows_of(tmp_path / "rows-gpu.jsonl")
    assert row["status"] == "skipped" and "no GPU" in row["note"]
    assert run(HERE / "bench_gpu.py").returncode == 2


@pytest.mark.parametrize(("name", "billions"), [("8B", 8.5), ("2B", 2.3), ("1B", 1.1)])
def test_shapes_have_the_weights_that_the_model_cards_count(shared, name, billions):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    shapes = shared("internvl_shapes")
    config = shapes.configuration(name)
    with torch.device("meta"):
        model = transformers.InternVLForConditionalGeneration(config)
    assert round(sum(weight.numel() for weight in model.parameters()) / 1e9, 1) == billions
    layers = [weight for weight in model.model.language_model.layers.parameters() if weight.dim() > 1]
    assert sum(weight.numel() for weight in layers) == shapes.language_weights(config)


def test_operations_counted_are_those_that_torch_counts(shared):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    from torch.utils.flop_counter import FlopCounterMode

    shapes = shared("internvl_shapes")
    config, images, tokens = shapes.configuration("1B"), 2, 600
    config._attn_implementation = "eager"  # others are not counted on every device
    with torch.device("meta"):
        model = transformers.InternVLForConditionalGeneration(config)
        ids = torch.zeros(1, tokens, dtype=torch.long)
        pixels = torch.zeros(images, 3, 448, 448)
        with FlopCounterMode(display=False) as seen, torch.no_grad():
            model.get_image_features(pixel_values=pixels)
        with FlopCounterMode(display=False) as read, torch.no_grad():
            model(input_ids=ids, logits_to_keep=1)
    assert seen.get_total_flops() == pytest.approx(images * shapes.vision_flops(config), rel=0.01)
    c = config.text_config  # eager attention also multiplies what a causal one need not
    ahead = 2 * c.num_hidden_layers * c.num_attention_heads * c.head_dim * tokens**2
    assert read.get_total_flops() == pytest.approx(shapes.reading_flops(config, tokens, 0) + ahead, rel=0.01)
