"""`emolab score` as it is typed."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from emolab.errors import InputError
from emolab.workbench.cli import main
from emolab.workbench.commands import score

GOLDEN = Path(__file__).resolve().parents[2].parent / "shared" / "golden"
needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the official files (shared/golden) are not here")


def run(*words: object) -> int:
    parser = argparse.ArgumentParser()
    score.add_parser(parser.add_subparsers())
    args = parser.parse_args(["score", *map(str, words)])
    return args.run(args)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    texts = {
        "truth.csv": 'name,openset\na,[happy]\nb,"[sad, tired]"\nc,[angry]\n',
        "good.csv": "name,openset\na,[joyful]\nb,[sad]\nc,[furious]\n",
        "bad.csv": "name,openset\na,[calm]\nb,[sad]\nd,[angry]\n",
        "train.csv": "name,openset\nx,[glad]\ny,[glad]\n",
        "groups.json": json.dumps({"a": [["happy", "joyful"]], "b": "[['sad'], ['tired']]", "c": [["angry"]]}),
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    return {name: tmp_path / name for name in texts}


@needs_golden
def test_official_numbers(capsys):
    folder = GOLDEN / "mer2024-ov"
    truth, predictions = folder / "check-openset.csv", folder / "predict-openset.csv"
    groups = folder / "openset-groups.json"
    assert run("--truth", truth, "--predictions", predictions, "--groups", groups, "--bootstrap", 200, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["metric"], result["n"]) == ("mer2024", 332)
    assert result["accuracy"] == pytest.approx(0.5817771084337349, abs=1e-9)
    assert result["recall"] == pytest.approx(0.4977911646586345, abs=1e-9)
    assert result["avg"] == pytest.approx(0.5397841365461847, abs=1e-9)
    assert result["intervals"]["avg"][0] < result["avg"] < result["intervals"]["avg"][1]
    assert result["baselines"]["shuffled"]["avg"] < result["baselines"]["constant"]["avg"] < result["avg"]


def test_one_file_as_json_with_lexicon_groups(files, capsys):
    run(
        "--truth",
        files["truth.csv"],
        "--predictions",
        files["good.csv"],
        "--constant-from",
        files["train.csv"],
        "--json",
    )
    result = json.loads(capsys.readouterr().out)
    assert result["accuracy"] == 1
    assert result["recall"] == pytest.approx(2.5 / 3)
    assert result["labels_per_clip"] == 1
    assert result["grouping"] == "lexicon"
    assert result["baselines"]["constant"]["accuracy"] == pytest.approx(1 / 3)  # glad is happy


def test_groups_none_and_file_differ(files, capsys):
    results = []
    for groups in ("none", files["groups.json"]):
        run("--truth", files["truth.csv"], "--predictions", files["good.csv"], "--groups", groups, "--json")
        out, err = capsys.readouterr()
        results.append(json.loads(out)["accuracy"])
    assert results == pytest.approx([1 / 3, 2 / 3])
    assert "1 label(s) stand in no group" in err


def test_several_files_are_ranked_on_the_same_clips(files, capsys):
    run("--truth", files["truth.csv"], "--predictions", files["bad.csv"], files["good.csv"], "--json")
    out, err = capsys.readouterr()
    table = json.loads(out)["table"]
    assert [Path(row["name"]).name for row in table] == ["good.csv", "bad.csv"]
    assert [row["n"] for row in table] == [2, 2]
    assert set(table[0]["interval"]) == {"avg", "accuracy", "recall"}
    assert "1 clip(s) of the truth without a prediction" in err
    assert "1 predicted clip(s) without a truth" in err
    assert "good.csv: ranked on the 2 clips" in err


def test_table_for_people(files, capsys):
    assert run("--truth", files["truth.csv"], "--predictions", files["good.csv"], "--bootstrap", 100) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "grouping: lexicon" in lines[0]
    assert any("good.csv" in line and "91.67 [" in line and "100.00 [" in line for line in lines)
    assert any(line.startswith("constant list") for line in lines)
    assert any(line.startswith("shuffled truth") for line in lines)
    assert len({len(line) for line in lines[2:]}) == 1  # aligned


def test_strict_refuses(files):
    with pytest.raises(InputError, match="strict"):
        run("--truth", files["truth.csv"], "--predictions", files["bad.csv"], "--strict")


@needs_golden
@pytest.mark.parametrize("edition", ["2025", "2026"])
def test_official_wheel_numbers(edition, capsys):
    truth, tables = GOLDEN / "mer2024-ov/check-openset.csv", GOLDEN / f"emotion-wheel-{edition}"
    expected = json.loads((GOLDEN / f"expected-{edition}.json").read_text())
    wheel = ("--metric", "wheel", "--tables", tables, "--edition", edition, "--bootstrap", 200, "--json")
    for name in ("mer2024-ov/predict-openset.csv", "SALMONN/subtitle"):
        path = GOLDEN / (name if name.endswith(".csv") else f"ov-merd-predictions/{name}-openset.npz")
        assert run("--truth", truth, "--predictions", path, *wheel) == 0
        result = json.loads(capsys.readouterr().out)
        assert (result["metric"], result["edition"], result["n"]) == ("wheel", edition, 332)
        for level in ("level1", "level2"):
            ours = [result[level][part] for part in ("f", "precision", "recall")]
            assert ours == pytest.approx(expected[name][level], abs=1e-9)
            assert result["intervals"][level]["f"][0] < ours[0] < result["intervals"][level]["f"][1]
        for kind, case in (("m1", "case1"), ("m2", "case2")):
            ours = [result[kind]["accuracy"], result[kind]["recall"]]
            assert ours == pytest.approx(expected[name][case], abs=1e-9)
        assert {"f", "precision", "recall", "avg"} == set(result["baselines"]["constant"]["level1"])
        assert result["baselines"]["shuffled"]["level1"]["f"] == pytest.approx(0.3, abs=0.03)
        assert "accusation" in result["unmapped"] and max(map(len, result["unmapped"])) <= 60
        assert result["labels_per_clip"] > 2


@needs_golden
def test_presets_rank_and_files_are_compared(capsys):
    folder, tables = GOLDEN / "ov-merd-predictions/SALMONN", GOLDEN / "emotion-wheel-2026"
    expected = json.loads((GOLDEN / "expected-2026.json").read_text())
    two_stage, one_pass = (folder / f"{name}-openset.npz" for name in ("nosubtitle-addsub", "subtitle"))
    words = ["--truth", GOLDEN / "mer2024-ov/check-openset.csv", "--predictions", one_pass, two_stage]
    words += ["--preset", "mer2026", "--tables", tables, "--edition", "2026", "--bootstrap", 500, "--compare", one_pass]
    run(*words, "--json")
    result = json.loads(capsys.readouterr().out)
    assert [Path(row["name"]).name for row in result["table"]] == [two_stage.name, one_pass.name]
    best = expected["SALMONN/nosubtitle-addsub"]["level1"][0]
    assert result["table"][0]["score"] == pytest.approx(best, abs=1e-9)
    assert result["over_files"]["score"]["max"] == pytest.approx(best, abs=1e-9)
    better, same = result["comparisons"]
    assert better["n"] == 332 and better["with"] == str(one_pass)
    assert better["scores"]["score"]["p"] < 0.05 and better["scores"]["score"]["interval"][0] > 0
    assert same["scores"]["score"] == {"difference": 0, "interval": [0, 0], "p": 1}
    run(*words)
    shown = capsys.readouterr().out
    assert "official tables 2026" in shown and "mer2026 over the files" in shown and "p = " in shown


def test_without_tables_the_own_wheel_is_used_and_said(files, capsys):
    run("--truth", files["truth.csv"], "--predictions", files["good.csv"], "--metric", "wheel", "--json")
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert "own wheel is used" in err
    assert (result["edition"], result["n"], result["m1"], result["unmapped"]) == ("own", 3, None, [])
    assert result["level1"]["precision"] == 1 and result["level1"]["recall"] == pytest.approx(2.5 / 3)
    run("--truth", files["truth.csv"], "--predictions", files["good.csv"], "--preset", "unibench")
    assert "emolab's own wheel" in capsys.readouterr().out


def test_options_of_the_other_metric_are_refused(files):
    common = ["--truth", files["truth.csv"], "--predictions", files["good.csv"]]
    for words, cause in (
        (["--metric", "guess"], "no metric 'guess'; there are mer2024, wheel, or what a file in extensions/ registers"),
        (["--metric", "wheel", "--groups", "lexicon"], "--groups does not belong"),
        (["--metric", "mer2024", "--tables", "x"], "--tables does not belong"),
        (["--tables", "x"], "--edition 2025 or 2026"),
        (["--metric", "wheel", "--edition", "2025"], "--edition names"),
        (["--metric", "wheel", "--tables", files["truth.csv"].parent, "--edition", "2025"], "format.csv"),
        (["--preset", "ov-merd"], "--tables"),
        (["--compare", files["bad.csv"], "--bootstrap", "0"], "--compare"),
        (["--judge", "gpt"], "--groups http"),
        (["--budget", "requests=5"], "--groups http"),
        (["--groups", "http://127.0.0.1:9/v1"], "--judge"),
        (["--judge-runs", "0"], "--judge-runs"),
    ):
        with pytest.raises(InputError, match=cause):
            run(*common, *words)


def npz(path: Path, filenames, fileitems) -> None:
    np.savez(path, filenames=np.array(filenames), fileitems=np.array(fileitems))


@pytest.mark.parametrize("metric", ["mer2024", "wheel"])
@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("twice.csv", b"name,openset\na,[happy]\na,[sad]\n", "two rows"),
        ("semicolons.csv", b"name;openset\na;[happy]\n", "semicolons"),
        ("latin.csv", "name,openset\na,[fröhlich]\n".encode("latin-1"), "not UTF-8"),
        ("pickled.npz", lambda path: npz(path, np.array(["a"], object), ["[]"]), "never loads"),
        ("others.csv", b"name,openset\nx,[happy]\n", "no clip"),
        ("empty.csv", b"", "is empty"),
    ],
)
def test_bad_files_give_one_sentence_and_exit_2(files, tmp_path, capsys, metric, name, content, cause):
    path = tmp_path / name
    content(path) if callable(content) else path.write_bytes(content)
    code = main(["score", "--truth", str(files["truth.csv"]), "--predictions", str(path), "--metric", metric])
    err = capsys.readouterr().err.splitlines()
    assert code == 2 and cause in err[-1] and "Traceback" not in "".join(err)


@pytest.mark.parametrize("metric", ["mer2024", "wheel"])
def test_odd_cells_are_only_text(files, tmp_path, capsys, metric):
    """5 MB in one cell, code in a list, an empty prediction: scored as what they are, nothing is evaluated."""
    cells = {"a": "x" * 5_000_000, "b": f"[__import__('pathlib').Path('{tmp_path}/pwned').touch(); sad]", "c": "[]"}
    path = tmp_path / "odd.jsonl"
    path.write_text("".join(json.dumps({"clip_id": clip, "labels": cell}) + "\n" for clip, cell in cells.items()))
    assert (
        run("--truth", files["truth.csv"], "--predictions", path, "--metric", metric, "--bootstrap", 50, "--json") == 0
    )
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert result["n"] == 3 and result["counts"]["empty_predictions"] == 2
    assert len(out) < 20_000 and "2 empty prediction(s)" in err
    assert not (tmp_path / "pwned").exists()


def test_help_has_an_example_and_bad_counts_exit_with_2(capsys):
    with pytest.raises(SystemExit) as ended:
        run("--help")
    assert ended.value.code == 0
    assert "emolab score --truth" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        run("--truth", "a", "--predictions", "b", "--bootstrap", "-1")
    assert ended.value.code == 2


def test_loads_no_torch_and_no_numpy_before_it_runs():
    code = """
import sys
import emolab.workbench.commands.score
print("numpy" in sys.modules)
import emolab.scoring.evaluate, emolab.scoring.files
print("torch" in sys.modules or "pandas" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
