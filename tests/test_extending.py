"""The examples of the README's section Extending, taken from that page and run for real."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pytest

from emolab import extensions, workbench
from emolab.corpora import read_rows
from emolab.engine.chat import ChatModel
from emolab.engine.rows import RowFile
from emolab.engine.settings import EngineSettings
from emolab.errors import InputError
from emolab.fusion.held_out import out_of_fold
from emolab.fusion.panel import read_panel
from emolab.fusion.settings import FusionSettings
from emolab.fusion.strategies import plain_strategies
from emolab.internvl.zero_shot import predict
from emolab.media.sampling import six_frames
from emolab.media.write import write_video
from emolab.scoring.files import read_labels
from emolab.workbench.cli import main
from emolab.workbench.corpus import corpus_files, open_corpus
from emolab.workbench.preflight.data import count
from emolab.workbench.profiles import load_profile

CHECKOUT = Path(__file__).resolve().parents[1]
SECTION = re.search(r"^## Extending$(.*?)^## ", (CHECKOUT / "README.md").read_text(encoding="utf-8"), re.M | re.S)[1]
BLOCKS = {name: code for name, code in re.findall(r"```\w+\n(?=# (\S+)\n)(.*?)```", SECTION, re.S)}
MELD = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with the README's extensions, as the current folder; they are forgotten after the test."""
    (tmp_path / "notebooks").mkdir()
    for name, code in BLOCKS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(code, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    extensions.load(tmp_path / "elsewhere")


def said(path, labels):
    path.write_text("name,openset\n" + "".join(f'{clip},"{list(words)}"\n' for clip, words in labels.items()))
    return str(path)


def test_there_is_one_short_example_of_each():
    names = ["extensions/meld.py", "extensions/families.py", "extensions/trusted.py", "qwen.yaml"]
    assert list(BLOCKS) == names and all(len(code.splitlines()) < 30 for code in BLOCKS.values())
    clean = ["ruff", "check", "--quiet", "--stdin-filename", "emolab/x.py", "-"]
    for name in names[:3]:
        subprocess.run([sys.executable, "-m", *clean], cwd=CHECKOUT, input=BLOCKS[name], text=True, check=True)


@pytest.fixture
def meld(tmp_path):
    """Three utterances as MELD's release has them; one that it lists is missing."""
    root = tmp_path / "MELD.Raw"
    frames = np.random.default_rng(0).integers(0, 255, (12, 48, 64, 3), np.uint8)
    for folder, name in (
        ("train_splits", "dia0_utt0"),
        ("train_splits", "dia0_utt1"),
        ("dev_splits_complete", "dia0_utt0"),
    ):
        (root / folder).mkdir(parents=True, exist_ok=True)
        write_video(root / folder / f"{name}.mp4", frames, 10)
    rows = {"train": '1,"Oh, no!",Chandler,sadness,negative,0,0\n2,Why?,Joey,surprise,negative,0,1\n'}
    rows |= {"dev": "1,Fine.,Monica,neutral,neutral,0,0\n", "test": "1,Hey!,Ross,joy,positive,7,2\n"}
    for part, text in rows.items():
        (root / f"{part}_sent_emo.csv").write_text(MELD + text)
    return root


def test_the_corpus_is_read_counted_and_recorded(project, meld, capsys):
    settings = load_profile("laptop", ["corpus.reader=meld", f"corpus.root={meld}"])
    root, clips = open_corpus(settings)
    assert root == meld and [clip.clip_id for clip in clips] == [
        "train_dia0_utt0", "train_dia0_utt1", "valid_dia0_utt0", "test_dia7_utt2"
    ]  # fmt: skip
    first = clips[0]
    assert (first.transcript, first.labels, first.split) == ("Oh, no!", ("sadness",), "train")
    assert first.video == str(meld / "train_splits/dia0_utt0.mp4")
    assert len(six_frames(first.video, clip_id="x", parts=6).images) == 6
    assert corpus_files(settings, root) == {
        f"{p}_sent_emo": meld / f"{p}_sent_emo.csv" for p in ("train", "dev", "test")
    }
    found = count(settings.corpus)
    assert (found.clips, found.labelled, found.test, len(found.videos)) == (
        4,
        4,
        1,
        4,
    ) and "read as meld" in found.whose
    main(["doctor", "03", "--profile", "laptop", "--set", "corpus.reader=meld", f"corpus.root={meld}", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert next(each for each in told["findings"] if each["what"] == "data")["status"] == "ok"
    assert next(each for each in told["needs"] if each["notebook"].startswith("03"))["clips"] == 4


def test_a_damaged_list_and_an_unknown_reader_are_one_sentence(project, meld):
    with pytest.raises(InputError, match="one of drawn, .*, mer2024, meld, or what a file in extensions/ registers"):
        load_profile("laptop", ["corpus.reader=MELD"])
    settings = load_profile("laptop", ["corpus.reader=meld", f"corpus.root={meld}"])
    for row, cause in (
        ("1,x,Joey,joy,positive,/../../../x,0\n", "leads out of the corpus"),
        ("1,x,Joey\n", "fewer cells"),
    ):
        (meld / "test_sent_emo.csv").write_text(MELD + row)
        with pytest.raises(InputError, match=cause):
            open_corpus(settings)


TRUTH = {"a": ["happy"], "b": ["sad", "worried"], "c": ["angry"], "d": ["calm"]}
SAID = {"a": ["joyful"], "b": ["sad"], "c": ["happy"], "d": ["calm", "happy"]}


def test_the_metric_scores_ranks_and_compares(project, capsys):
    good, bad = said(project / "good.csv", SAID), said(project / "bad.csv", {clip: ["tired"] for clip in TRUTH})
    words = ["score", "--truth", said(project / "truth.csv", TRUTH), "--predictions", bad, good, "--bootstrap", "200"]
    assert main([*words, "--metric", "families", "--compare", bad, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["metric"] == "families" and [row["name"] for row in found["table"]] == [good, bad]
    best = found["table"][0]
    assert (best["jaccard"], best["exact"]) == ((1 + 0.5 + 0 + 0.5) / 4, 1 / 4)
    assert best["interval"]["jaccard"][0] < best["jaccard"] < best["interval"]["jaccard"][1]
    assert {"constant", "shuffled"} == set(found["baselines"])
    assert found["comparisons"][0]["scores"]["jaccard"]["difference"] == 0.5
    assert main([*words, "--metric", "family-f"]) == 0
    shown = capsys.readouterr().out
    assert "family-f, a registered metric" in shown and "60.00 [" in shown and "micro_f" in shown  # 2 * 3 / (5 + 5)
    assert main([*words, "--metric", "family"]) == 2
    assert "there are mer2024, wheel, families, family-f, or" in capsys.readouterr().err
    assert main([*words, "--metric", "families", "--groups", "none"]) == 2


def test_notebook_03_shows_every_registered_metric(project):
    from IPython.display import display

    (notebook,) = (CHECKOUT / "notebooks").glob("03_*.ipynb")
    (cell,) = [cell for cell in nbformat.read(notebook, 4).cells if "in METRICS" in cell.source]
    run = workbench.start(notebook.stem, "demo", {"scoring.bootstrap": 50})
    from emolab.scoring.evaluate import score_table

    given = {
        "run": run,
        "truth": TRUTH,
        "named": {"x": SAID},
        "about": "?",
        "display": display,
        "score_table": score_table,
    }
    exec(cell.source, given)
    run.finish()
    rows = json.loads((run.folder / "metrics.json").read_text())["table"]
    assert [row["jaccard"] for row in rows if row["table"] == "zero_shot_families"][0] == 0.5
    assert [row["micro_f"] for row in rows if row["table"] == "zero_shot_family-f"][0] == 0.6
    record = json.loads((run.folder / "run.json").read_text())
    assert {name for name in BLOCKS if name.endswith(".py")} <= record["source"]["emolab"].keys()


def test_the_strategy_fuses_what_it_has_not_learned_from(project, capsys):
    clips = [f"clip{number:02}" for number in range(20)]
    truth = {clip: ["happy" if number % 2 else "sad"] for number, clip in enumerate(clips)}
    files = [
        said(project / "good.csv", truth),
        said(project / "calm.csv", {clip: ["calm", "angry"] for clip in clips}),
        said(project / "tired.csv", {clip: ["tired", "furious"] for clip in clips}),
    ]
    words = ["fuse", "--predictions", *files, "--strategy", "trusted", "--out", str(project / "fused.csv"), "--json"]
    assert main(words) == 2
    assert "trusted learns from labelled clips: name them with --truth" in capsys.readouterr().err
    assert main([*words, "--truth", said(project / "truth.csv", truth), "--bootstrap", "0"]) == 0
    assert json.loads(capsys.readouterr().out)["scores"]["n"] == 20
    expected = {clip: [*words, "angry"] for clip, words in truth.items()}  # two say angry or furious
    assert read_labels(project / "fused.csv") == expected
    panel = read_panel(files)
    (trusted,) = [each for each in plain_strategies(FusionSettings(), panel) if each.name == "trusted"]
    assert trusted.learns and trusted.about.startswith("What two models say")
    assert out_of_fold(trusted, panel, truth, 5, 0) == expected
    assert main([*words[:5], "--strategy", "trust", "--out", "x.csv"]) == 2
    assert "calibrated, judge, trusted, or what" in capsys.readouterr().err


SHIPPED = [
    "internvl.path=shipped:qwen3_vl",
    "internvl.device=cpu",
    "internvl.max_new_tokens=24",
]  # the same architecture
REGISTERED = """# extensions/my_model.py
from swift.model import MODEL_MAPPING, ModelArch, ModelMeta, register_model

loader = MODEL_MAPPING["qwen3_vl"].loader
mine = ModelMeta("my_model", [], loader, template="qwen3_vl", model_arch=ModelArch.qwen3_vl, is_multimodal=True)
register_model(mine, exist_ok=True)
"""


def test_the_profile_asks_another_model_also_by_a_registered_name(project, small_corpus, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))
    clips = read_rows(small_corpus)[:2]
    settings = load_profile("qwen.yaml", SHIPPED)

    def asked(model, engine):
        with RowFile(project / f"{model.model_type}{engine.workers}.jsonl") as answers:
            rows = predict(
                clips, ChatModel(model), settings.frames, answers, seed=0, cache_dir=project / "frames", engine=engine,
                progress=False,
            )  # fmt: skip
        assert all(row["text"] and row["model"].startswith("qwen3_vl@") for row in rows)
        return [row["text"] for row in rows]

    texts = asked(settings.internvl, EngineSettings())
    (project / "extensions" / "my_model.py").write_text(REGISTERED)
    mine = load_profile("qwen.yaml", [*SHIPPED, "internvl.model_type=my_model", "internvl.batch_size=1"]).internvl
    assert os.environ[extensions.PROJECT] == str(project)
    assert asked(mine, EngineSettings()) == asked(replace(mine), EngineSettings("local", workers=2)) == texts
