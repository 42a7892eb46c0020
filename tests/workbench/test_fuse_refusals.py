"""What `emolab fuse` refuses, in one sentence, before it has written anything."""

from pathlib import Path

import pytest

from emolab.workbench.cli import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Predictions a, b and c of three clips, and their truth."""
    (tmp_path / "given" / "members").mkdir(parents=True)
    for name in ("members/a", "members/b", "members/c", "truth"):
        (tmp_path / "given" / f"{name}.csv").write_text("name,openset\n1,[sad]\n2,[happy]\n3,[calm]\n")
    return tmp_path / "given"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--strategy", "guess"], "no strategy 'guess'; there are union, vote, best-vote, "),
        (["--strategy", "best-vote"], "--truth"),
        (["--strategy", "weighted"], "--truth"),
        (["--strategy", "calibrated"], "(--truth) or a saved one (--load)"),
        (["--strategy", "vote", "--save", "x"], "belong to --strategy calibrated"),
        (["--strategy", "vote", "--load", "x"], "belong to --strategy calibrated"),
        (["--strategy", "vote", "--tradeoff", "0.5"], "belong to --strategy calibrated"),
        (["--strategy", "calibrated", "--save", "x", "--load", "y"], "give one of them"),
        (["--strategy", "calibrated", "--load", "y", "--tradeoff", "1.5"], "between 0 and 1"),
        (["--strategy", "vote", "--most-words", "3"], "belong to --strategy calibrated"),
        (["--strategy", "calibrated", "--load", "y", "--most-words", "3"], "not with --load"),
        (["--strategy", "calibrated", "--truth", "{}/truth.csv", "--most-words", "0"], "most_words at 1"),
        (["--strategy", "union", "--min-votes", "2"], "belongs to --strategy vote"),
        (["--strategy", "vote", "--min-votes", "0"], "counted from 1"),
        (["--strategy", "vote", "--min-votes", "4"], "4 votes of 3 predictions"),
        (["--strategy", "judge", "--judge", "m"], "belong together"),
        (["--strategy", "judge", "--endpoint", "http://127.0.0.1:9/v1"], "belong together"),
        (["--strategy", "union", "--endpoint", "http://127.0.0.1:9/v1"], "belong together"),
        (["--strategy", "union", "--judge", "m"], "belong together"),
        (["--strategy", "union", "--cache", "c.jsonl"], "belong to --strategy judge"),
        (["--strategy", "union", "--budget", "requests=5"], "belong to --strategy judge"),
        (["--strategy", "union", "--tables", "x"], "--edition"),
        (["--strategy", "union", "--edition", "2025"], "--tables"),
        (["--strategy", "union", "--tables", "{}", "--edition", "2025"], "format.csv"),
        (["--strategy", "best-vote", "--truth", "{}/truth.csv", "--folds", "1"], "folds start at 2"),
        (["--strategy", "best-vote", "--truth", "{}/truth.csv", "--folds", "4"], "take fewer folds"),
        (["--strategy", "best-vote", "--truth", "{}/truth.csv", "--seed", "-1"], "--seed starts at 0"),
        (["--strategy", "union", "--bootstrap", "-1"], "bootstrap starts at 0"),
        (["--strategy", "union", "--truth", "{}/absent.csv"], "absent.csv: cannot be read"),
        (["--strategy", "calibrated", "--load", "{}/absent"], "emolab fuse --save wrote"),
        (["--strategy", "calibrated", "--load", "{}/truth.csv"], "no saved co-judgment"),
        (["--strategy", "union", "--out", "out.txt"], "neither .csv nor .jsonl"),
        (["--strategy", "union", "--out", "{}/members/a.csv"], "one of the predictions"),
        (["--strategy", "union", "--out", "{}/members/new/f.csv"], "one of the predictions"),
        (["--strategy", "union", "--out", "{}/truth.csv", "--truth", "{}/truth.csv"], "named twice"),
        (["--strategy", "union", "--out", "{}/truth.csv/f.csv"], "cannot be written"),
    ],
    ids=lambda value: " ".join(value[1:]) if isinstance(value, list) else "",
)
def test_what_does_not_go_together_is_one_sentence_and_2(folder, tmp_path, capsys, words, said):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    given = [word.replace("{}", str(folder)) for word in words]
    out = [] if "--out" in given else ["--out", str(tmp_path / "out.csv")]
    code = main(["fuse", "--predictions", str(folder / "members"), *given, *out])
    printed, err = capsys.readouterr()
    assert code == 2 and printed == "" and said in err.splitlines()[-1]
    assert err.splitlines()[-1].startswith("emolab fuse: ") and "Traceback" not in err
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["given"]


@pytest.mark.parametrize("words", [["--edition", "2027"], ["--folds", "five"]])
def test_words_that_argparse_knows_to_be_wrong(words, capsys):
    with pytest.raises(SystemExit) as left:
        main(["fuse", "--predictions", "a.csv", "--strategy", "union", "--out", "b.csv", *words])
    assert left.value.code == 2 and "emolab fuse: error: argument" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["absent.csv"], "absent.csv: is not there"),
        (["{}/empty"], "holds no prediction file"),
        (["x={}/members"], "give it without a name"),
        (["{}/members/a.csv", "{}/members"], "is named twice"),
        (["x={}/members/a.csv", "x={}/members/c.csv"], "two predictions are called 'x'"),
    ],
)
def test_files_that_are_no_panel(folder, tmp_path, capsys, given, said):
    (folder / "empty").mkdir(exist_ok=True)
    names = [each.replace("{}", str(folder)) for each in given]
    assert main(["fuse", "--predictions", *names, "--strategy", "union", "--out", str(tmp_path / "o.csv")]) == 2
    assert said in capsys.readouterr().err and not (tmp_path / "o.csv").exists()
