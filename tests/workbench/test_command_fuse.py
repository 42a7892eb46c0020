"""`emolab fuse` as it is typed."""

import argparse
import json
import random
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from emolab.errors import RunError
from emolab.fusion.calibrated import fit
from emolab.fusion.panel import read_panel
from emolab.fusion.settings import FusionSettings
from emolab.labels.lexicon import family_of
from emolab.labels.wheel import own_wheels
from emolab.scoring.files import read_labels
from emolab.scoring.wheel import score
from emolab.workbench.cli import main
from emolab.workbench.commands import fuse

EMOTIONS = ("happy", "sad", "angry", "afraid", "surprised", "disgusted")
ODD = ("don't care", 'so-"called" joy', "开心", "<script>alert('x')</script>", "angry/displeased", "=1+1", "😀")


def run(*words: object) -> int:
    parser = argparse.ArgumentParser()
    fuse.add_parser(parser.add_subparsers())
    args = parser.parse_args(["fuse", *map(str, words)])
    return args.run(args)


def scores(capsys, *words: object) -> dict:
    """What `--json` prints, which is one object and nothing else."""
    assert run(*words, "--bootstrap", 0, "--json") == 0
    return json.loads(capsys.readouterr().out)


def write(path: Path, rows: Sequence[Mapping]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Three members' files and the truth of 40 clips: a (csv), b (jsonl with texts) and c (npz) are right with .8, .7
    and .3; every eighth clip also has an odd label; b gives probabilities."""
    folder, draw = tmp_path_factory.mktemp("fuse"), random.Random(3)
    clips = [f"clip {number:02}" for number in range(40)]
    truth = {clip: draw.sample(EMOTIONS, draw.randint(1, 2)) for clip in clips}
    said: dict[str, dict[str, list[str]]] = {}
    for name, hit in (("a", 0.8), ("b", 0.7), ("c", 0.3)):
        said[name] = {c: [w if draw.random() < hit else draw.choice(EMOTIONS) for w in truth[c]] for c in clips}

    for name in "ab":
        for number, word in enumerate(ODD[:5]):
            said[name][clips[8 * number]].append(word)
    (folder / "members").mkdir()
    (folder / "members" / "a.csv").write_text(fuse_csv(said["a"]), encoding="utf-8")
    rows = [
        {"clip_id": clip, "labels": said["b"][clip], "text": f"A {truth[clip][0]} face.",
         "probabilities": {said["b"][clip][0]: 0.9}, "error": None}
        for clip in clips
    ]  # fmt: skip
    write(folder / "members" / "b.jsonl", rows)
    cells = [f"[{', '.join(said['c'][clip])}]" for clip in clips]
    np.savez(folder / "members" / "c.npz", filenames=np.array(clips), fileitems=np.array(cells))
    (folder / "truth.csv").write_text(fuse_csv(truth), encoding="utf-8")
    return folder


def fuse_csv(labels: Mapping[str, Sequence[str]]) -> str:
    cells = {clip: str(list(words)).replace('"', '""') for clip, words in labels.items()}
    return "name,openset\n" + "".join(f'{clip},"{cell}"\n' for clip, cell in cells.items())


@pytest.fixture
def chat():
    """A chat model at an address, which keeps the first candidate; what it was sent stands in `seen`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            prompt = body["messages"][0]["content"]
            server.seen.append(body)
            first = prompt.partition("\n1. ")[2].partition(" (")[0]
            answer = server.answer or f"I keep [{first}]"
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"choices": [{"message": {"content": answer}}]}).encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.seen, server.answer = [], ""
    server.address = f"http://127.0.0.1:{server.server_port}/v1"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("strategy", [name for name in fuse.STRATEGIES if name != "judge"])
def test_every_strategy_writes_the_same_labels_as_csv_and_as_rows(folder, tmp_path, capsys, strategy):
    learns = ["--truth", folder / "truth.csv"] if strategy in ("best-vote", "weighted", "calibrated") else []
    for name in ("out.csv", "out.jsonl"):
        words = ["--predictions", folder / "members", "--strategy", strategy, *learns, "--bootstrap", 0]
        assert run(*words, "--out", tmp_path / "new" / name) == 0
    table, rows = (read_labels(tmp_path / "new" / name) for name in ("out.csv", "out.jsonl"))
    assert table == rows and list(rows) == [f"clip {number:02}" for number in range(40)]
    assert sum(map(len, rows.values())) > 40
    names = set()
    for line in (tmp_path / "new" / "out.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        assert list(row) == ["clip_id", "model", "text", "labels", "votes", "seed", "error"]
        assert row["model"] == f"fusion/{strategy}" and row["error"] is None and list(row["votes"]) == row["labels"]
        names |= {name for voters in row["votes"].values() for name in voters}
    assert names == {"a", "b", "c"}
    if strategy in ("union", "vote", "unsupervised"):  # a and b agree on the odd labels
        assert [rows[f"clip {8 * number:02}"].count(word) for number, word in enumerate(ODD[:5])] == [1] * 5
    capsys.readouterr()


def test_odd_labels_come_back_and_those_that_a_csv_cannot_hold_are_said(tmp_path, capsys):
    source = write(tmp_path / "a.jsonl", [{"clip_id": "c", "labels": list(ODD)}, {"clip_id": "d", "labels": []}])
    run("--predictions", source, "--strategy", "union", "--out", tmp_path / "out.csv")
    assert read_labels(tmp_path / "out.csv") == {"c": list(ODD), "d": []}
    assert "differently" not in capsys.readouterr().err
    hard = ["sad, tired", 'it\'s "odd"', "back\\slash", "a\u2028b"]
    source = write(tmp_path / "b.jsonl", [{"clip_id": "c", "labels": [*hard, "sad"]}])
    for name in ("out.csv", "out.jsonl"):
        run("--predictions", source, "--strategy", "union", "--out", tmp_path / name)
    assert "4 label(s) read differently from a csv" in capsys.readouterr().err
    assert read_labels(tmp_path / "out.jsonl") == {"c": [*hard, "sad"]}
    source = write(tmp_path / "c.jsonl", [])
    source.write_text('{"clip_id": "c", "labels": ["\\ud800"]}\n')
    assert main(["fuse", "--predictions", str(source), "--strategy", "union", "--out", str(tmp_path / "d.jsonl")]) == 2
    assert "no valid text" in capsys.readouterr().err


def test_truth_gives_scores_for_people_and_for_programs(folder, tmp_path, capsys):
    words = ["--predictions", folder / "members", "--strategy", "vote", "--truth", folder / "truth.csv"]
    assert run(*words, "--bootstrap", 100, "--out", tmp_path / "out.csv") == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[2].startswith("vote") and "Wheels: emolab own; MER2024 groups: lexicon" in out
    assert f"{tmp_path}/out.csv: 40 clips" in err
    assert run(*words, "--bootstrap", 100, "--out", tmp_path / "out.csv", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["strategy"], found["n"], found["empty"]) == ("vote", 40, 0)
    low, high = found["scores"]["interval"]["level1_f"]
    assert low < found["scores"]["level1_f"] < high
    fused, truth = read_labels(tmp_path / "out.csv"), read_labels(folder / "truth.csv")
    assert found["scores"]["level1_f"] == score(truth, fused, own_wheels()).values()["level1_f"]
    assert found["labels_per_clip"] == sum(map(len, fused.values())) / 40
    without = scores(capsys, "--predictions", folder / "members", "--strategy", "vote", "--out", tmp_path / "out.csv")
    assert "scores" not in without and read_labels(tmp_path / "out.csv") == fused


def test_calibrated_is_out_of_fold_and_what_is_saved_judges_new_clips(folder, tmp_path, capsys):
    out, kept = tmp_path / "out.csv", tmp_path / "kept.safetensors"
    words = ["--predictions", folder / "members", "--strategy", "calibrated"]
    truth_words = ["--truth", folder / "truth.csv", "--folds", 4, "--seed", 2, "--bootstrap", 0]
    run(*words, *truth_words, "--save", kept, "--out", out)
    assert "the other folds of 4 taught (seed 2)" in capsys.readouterr().out
    panel, truth = read_panel([folder / "members"]), read_labels(folder / "truth.csv")
    ordered = np.array(sorted(truth), object)[np.random.default_rng(2).permutation(40)]
    expected = {}
    for start in range(4):  # the folds, stated again
        held = list(ordered[start::4])
        taught = panel.on(clip for clip in truth if clip not in held)
        labels = {clip: truth[clip] for clip in taught.clip_ids}
        expected |= fit(taught, labels, own_wheels(), FusionSettings()).fuse(panel.on(held))
    assert read_labels(out) == {clip: expected[clip] for clip in panel.clip_ids}
    other = tmp_path / "other.csv"  # of one clip, the truth turned round: its own labels may not notice
    turned = {**truth, ordered[0]: [word for word in EMOTIONS if word not in truth[ordered[0]]]}
    other.write_text(fuse_csv(turned), encoding="utf-8")
    run(*words, "--truth", other, *truth_words[2:], "--out", tmp_path / "turned.csv")
    changed = read_labels(tmp_path / "turned.csv")
    assert all(changed[clip] == expected[clip] for clip in ordered[0::4])

    fitted = fit(panel, truth, own_wheels(), FusionSettings())
    new = write(tmp_path / "new.jsonl", [{"clip_id": "n1", "labels": ["sad"]}, {"clip_id": "n2", "labels": ["happy"]}])
    for tradeoff in (None, 0.95):
        run("--predictions", f"a={new}", "--strategy", "calibrated", "--load", kept, "--out", tmp_path / "new.csv",
            *(["--tradeoff", tradeoff] if tradeoff else []))  # fmt: skip
        labels = read_labels(tmp_path / "new.csv")
        assert labels == fitted.fuse(read_panel([f"a={new}"]), tradeoff) and labels["n1"] != labels["n2"]
    run(*words, "--load", kept, "--truth", folder / "truth.csv", "--bootstrap", 0, "--out", out)
    assert f"held out only if {kept} was not fitted to these clips" in capsys.readouterr().out


def test_clips_without_truth_are_fused_by_what_all_others_taught(folder, tmp_path, capsys):
    panel, truth = read_panel([folder / "members"]), read_labels(folder / "truth.csv")
    some = tmp_path / "some.csv"
    known = {clip: truth[clip] for clip in list(truth)[:35]}
    some.write_text(fuse_csv({**known, "elsewhere": ["sad"]}), encoding="utf-8")
    words = ["--predictions", folder / "members", "--strategy", "calibrated", "--truth", some, "--bootstrap", 0]
    run(*words, "--out", tmp_path / "out.csv", "--json")
    out, err = capsys.readouterr()
    assert (json.loads(out)["n"], json.loads(out)["scores"]["n"]) == (40, 35)
    assert "5 clip(s) have no true labels" in err and "1 clip(s) of the truth have no prediction" in err
    rest = panel.on(panel.clip_ids[35:])
    expected = fit(panel.on(known), known, own_wheels(), FusionSettings()).fuse(rest)
    fused = read_labels(tmp_path / "out.csv")
    assert {clip: fused[clip] for clip in rest.clip_ids} == expected


def test_one_member_named_and_alone(folder, tmp_path, capsys):
    alone = read_labels(folder / "members" / "a.csv")
    for strategy in ("union", "vote"):
        options = ["--min-votes", 1] if strategy == "vote" else []
        words = ["--predictions", f"mine={folder}/members/a.csv", "--strategy", strategy, *options]
        assert run(*words, "--out", tmp_path / "out.jsonl") == 0
        assert {clip: set(labels) for clip, labels in read_labels(tmp_path / "out.jsonl").items()} == {
            clip: set(labels) for clip, labels in alone.items()
        }
    row = json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert set(map(tuple, row["votes"].values())) == {("mine",)}
    one = ["--predictions", folder / "members" / "a.csv", "--truth", folder / "truth.csv", "--out", tmp_path / "o.csv"]
    for strategy in ("best-vote", "weighted", "calibrated"):
        assert scores(capsys, *one, "--strategy", strategy)["scores"]["level1_f"] > 0.6
    words = ["fuse", "--predictions", folder / "members" / "a.csv", "--strategy", "unsupervised"]
    assert main([*map(str, words), "--out", str(tmp_path / "o.csv")]) == 2
    assert "at least 3" in capsys.readouterr().err


def test_different_clips_repeated_clips_empty_answers_and_errors_are_said(tmp_path, capsys):
    (tmp_path / "a.csv").write_text('name,openset\nc1,[sad]\nc2,"[happy, proud]"\nc1,"[sad, tired]"\n')
    rows = [{"clip_id": "c1", "labels": [], "error": "lost"}, {"clip_id": "c3", "labels": ["calm"]}]
    write(tmp_path / "b.jsonl", rows)
    (tmp_path / "c.csv").write_text("name,openset\nc1,[]\nc2,[]\nc3,[]\n")
    truth = tmp_path / "truth.csv"
    truth.write_text("name,openset\n" + "".join(f"c{number},[sad]\n" for number in range(1, 4)))
    names = [tmp_path / name for name in ("a.csv", "b.jsonl", "c.csv")]
    for strategy in ("union", "vote", "unsupervised", "best-vote", "weighted"):
        learns = ["--truth", truth, "--folds", 3] if strategy in ("best-vote", "weighted") else []
        run("--predictions", *names, "--strategy", strategy, *learns, "--out", tmp_path / "o.csv", "--bootstrap", 0)
        err = capsys.readouterr().err.splitlines()
        assert "a: 1 of 3 clips are not in it; 1 repeated clip(s) were spliced" in err
        assert "b: 2 of 3 clips are not in it" in err and "c: all its answers are empty" in err
        fused = read_labels(tmp_path / "o.csv")
        assert list(fused) == ["c1", "c2", "c3"] and fused["c1"] == ["sad", "tired"] and fused["c3"] == ["calm"]


@pytest.mark.parametrize("strategy", ["vote", "weighted", "unsupervised", "calibrated"])
def test_a_silent_member_is_no_obstacle(folder, tmp_path, capsys, strategy):
    silent = tmp_path / "silent.csv"
    silent.write_text(fuse_csv(dict.fromkeys(read_labels(folder / "truth.csv"), [])), encoding="utf-8")
    words = ["--predictions", folder / "members", silent, "--strategy", strategy, "--out", tmp_path / "o.csv"]
    assert scores(capsys, *words, "--truth", folder / "truth.csv")["scores"]["level1_f"] > 0.6


def test_a_judge_behind_an_address(folder, tmp_path, capsys, chat):
    words = ["--predictions", folder / "members", "--strategy", "judge", "--endpoint", chat.address, "--judge", "m"]
    assert run(*words, "--out", tmp_path / "o.csv") == 0
    assert capsys.readouterr().err.splitlines() == [f"{tmp_path}/o.csv: 40 clips, 1.00 labels a clip, 0 without any"]
    members = [read_labels(path) for path in sorted((folder / "members").iterdir())]
    assert read_labels(tmp_path / "o.csv") == {clip: labels[:1] for clip, labels in members[0].items()}
    asked = [clip for clip in members[0] if len({family_of(w) or w for each in members for w in each[clip]}) > 1]
    assert len(chat.seen) == len(asked) > 10 and {body["model"] for body in chat.seen} == {"m"}
    assert all("face." in body["messages"][0]["content"] for body in chat.seen)
    assert not any("truth" in body["messages"][0]["content"] for body in chat.seen)
    chat.answer = "I would rather not say."
    assert run(*words, "--out", tmp_path / "o.csv") == 0
    err = capsys.readouterr().err
    assert err.count("the judge's answer names none of the candidates") == len(asked)
    assert f"{len(asked)} without any" in err


def test_a_judge_goes_on_where_its_budget_ended(folder, tmp_path, chat):
    words = ["--predictions", folder / "members", "--strategy", "judge", "--endpoint", chat.address, "--judge", "m"]
    words += ["--out", tmp_path / "o.csv", "--cache", tmp_path / "answers.jsonl"]
    with pytest.raises(RunError, match="budget of 6 requests"):
        run(*words, "--budget", "requests=6")
    assert len(chat.seen) == 6 and run(*words) == 0
    assert len(chat.seen) == len({str(body) for body in chat.seen}) > 10  # none twice


def test_help_and_first_steps_load_nothing_heavy(folder, tmp_path):
    code = """
import sys
from emolab.workbench.cli import main
heavy = {"torch", "sklearn", "pandas", "matplotlib", "crowdkit", "transformers"}
try:
    main(["fuse", "--help"])
except SystemExit as left:
    print(left.code, sorted({*heavy, "numpy", "scipy"} & {*sys.modules}), file=sys.stderr)
main(["fuse", "--predictions", sys.argv[1], "--strategy", "vote", "--out", sys.argv[2], "--json"])
print(sorted(heavy & {*sys.modules}), file=sys.stderr)
"""
    words = [sys.executable, "-c", code, str(folder / "members"), str(tmp_path / "o.csv")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "emolab fuse --predictions" in done.stdout and all(name in done.stdout for name in fuse.STRATEGIES)
    assert done.stderr.splitlines() == ["0 []", "[]"]
