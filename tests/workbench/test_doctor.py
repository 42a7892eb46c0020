"""The doctor looks at what is really there."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save_file

from emolab.workbench import cli, doctor
from emolab.workbench.profiles import load_profile


@pytest.fixture
def checkpoint(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    save_file({"w": np.zeros(3, np.float16)}, folder / "model.safetensors")
    return folder


def findings(*overrides, profile="demo"):
    return {finding.what: finding for finding in doctor.examine(load_profile(profile, overrides))}


def test_weights_in_a_folder(checkpoint):
    assert findings(f"internvl.path={checkpoint}")["weights internvl"].status == "ok"
    file = checkpoint / "model.safetensors"
    file.write_bytes(file.read_bytes()[:20])
    broken = findings(f"internvl.path={checkpoint}")["weights internvl"]
    assert broken.status == "missing" and "model.safetensors" in broken.found and broken.cure
    file.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n")
    assert "git lfs pull" in findings(f"internvl.path={checkpoint}")["weights internvl"].found
    file.unlink()
    assert "no *.safetensors" in findings(f"internvl.path={checkpoint}")["weights internvl"].found
    assert findings("internvl.path=./nothing")["weights internvl"].status == "missing"


def test_weights_of_the_hub(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    missing = findings("internvl.path=some/model")["weights internvl"]
    assert missing.status == "missing" and "hf download some/model" in missing.cure


def test_a_disk_that_does_not_say_what_is_free(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(total=0, used=0, free=0))
    assert findings(f"outputs={tmp_path}")["disk"].status == "warning"


def test_data(tmp_path):
    assert findings()["data"].status == "ok"
    assert "corpus.root is not set" in findings("corpus.reader=rows")["data"].found
    rows = ["corpus.reader=rows", f"corpus.root={tmp_path}"]
    assert "no clips.jsonl" in findings(*rows)["data"].found
    (tmp_path / "clips.jsonl").write_text("")
    assert findings(*rows)["data"].status == "ok"


def test_data_of_ch_simsv2_and_minigpt4(tmp_path):
    chosen = ["corpus.reader=ch_simsv2", f"corpus.root={tmp_path}", f"corpus.minigpt4={tmp_path}"]
    missing = findings(*chosen)
    assert missing["data"].status == "missing" and "meta.csv: not found" in missing["data"].found
    assert missing["data minigpt4"].status == "missing" and "filter_cap.json" in missing["data minigpt4"].found
    for name in ("Raw/v/0001.mp4", "image/1.jpg"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    (tmp_path / "meta.csv").write_text("video_id,clip_id,text,label,mode\nv,0001,x,0.0,train\n")
    annotations = [{"image_id": name, "caption": "x"} for name in ("1", "2")]
    (tmp_path / "filter_cap.json").write_text(json.dumps({"annotations": annotations}))
    found = findings(*chosen)
    assert found["data"].status == "ok" and found["data"].found.startswith("1 clips")
    assert found["data minigpt4"].status == "warning" and "1 listed but not there" in found["data minigpt4"].found


def test_data_of_mer2024(tmp_path):
    chosen = ["corpus.reader=mer2024", f"corpus.root={tmp_path}"]
    missing = findings(*chosen)["data"]
    assert missing.status == "missing" and "label-disdim.csv" in missing.found and "mer2024-dataset" in missing.cure
    (tmp_path / "video").mkdir()
    for name in ("a", "b"):
        (tmp_path / f"video/{name}.mp4").touch()
    np.savez(tmp_path / "label-6way.npz", train_corpus={"a": {"emo": "sad"}})
    part = findings(*chosen)["data"]
    assert part.status == "warning" and part.found.startswith(f"2 clips in {tmp_path}, 1 with an emotion; 3 missing")
    (tmp_path / "transcription.csv").write_text("name,sentence\na,x\n")
    for name in ("final-EMER-reason", "final-openset-english"):
        (tmp_path / f"{name}.csv").write_text("name,chinese,english\n")
    assert findings(*chosen)["data"].status == "ok"


def test_the_encoders_and_the_writer_of_notebook_06(checkpoint, monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    names = [f"weights discriminative.{name}" for name in ("audio", "video", "text", "writer")]
    whole = findings()
    assert [whole[name].status for name in names] == ["ok"] * 4
    one = findings(f"discriminative.audio.path={checkpoint}", "discriminative.video.path=./nothing")
    assert [one[name].status for name in names] == ["ok", "missing", "ok", "ok"]
    assert one[names[1]].cure.startswith("--set discriminative.video.path=")
    none = findings("discriminative.text.path=")
    assert none[names[2]].found == "discriminative.text names no model" and none[names[2]].status == "missing"
    other = findings("discriminative.writer.path=some/model")
    assert other[names[3]].status == "missing" and "hf download some/model" in other[names[3]].cure
    assert other["loading discriminative.writer"].status == "ok"  # ms-swift has its model_type


def test_an_endpoint_writes_without_a_writer():
    found = findings("discriminative.endpoint=https://host/v1", "discriminative.writer.path=./nothing")
    assert not any("discriminative.writer" in name for name in found)
    assert found["weights discriminative.text"].status == "ok"


def test_packages_against_the_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "CHECKOUT", tmp_path)
    (tmp_path / "requirements.lock").write_text("numpy==0.1\nnot-there==2.0 ; python_version > '3'\n")
    old, absent = doctor._packages(("numpy", "not_there"))
    assert old.status == "warning" and "pip install numpy==0.1" in old.cure
    assert absent.status == "missing" and "not_there==2.0" in absent.cure


def test_no_model_no_model_packages():
    found = findings(profile="published")
    assert "package numpy" in found and "package torch" not in found
    assert not any(name.startswith("weights") for name in found)


def test_published_predictions_are_the_data_where_no_model_is_asked(tmp_path):
    assert "predictions=DIR truth=FILE" in findings(profile="published")["data"].cure
    for name in ("A.csv", "B.csv", "truth.csv"):
        folder = tmp_path if name == "truth.csv" else tmp_path / "predictions"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text("name,openset\nclip_1,happy\n")
    given = {"fusion.predictions": str(tmp_path / "predictions"), "fusion.truth": str(tmp_path / "truth.csv")}
    found = doctor._data(load_profile("published", given))
    assert found.status == "warning" and "2 predictions of 1 clips, 1 with true labels; own wheels" in found.found
    given["fusion.truth"] = str(tmp_path / "absent.csv")
    assert "absent.csv" in doctor._data(load_profile("published", given)).found


def test_a_gpu_is_needed_only_where_the_profile_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert findings()["GPU"].status == "ok"
    assert findings(profile="gpu")["GPU"].status == "missing"
    (tmp_path / "torch.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert "torch cannot be asked" in findings(profile="gpu")["GPU"].found


def test_exit_code_and_json(checkpoint, capsys):
    good = ["doctor", "--json", "--set", f"internvl.path={checkpoint}"]
    shown = (cli.main(good), json.loads(capsys.readouterr().out))
    missing = [finding["what"] for finding in shown[1]["findings"] if finding["status"] == "missing"]
    assert shown[0] == (1 if missing else 0) and shown[1]["needs"] and not shown[1]["problems"]
    assert cli.main(["doctor", "--set", "internvl.path=./nothing"]) == 1
    text = capsys.readouterr().out
    assert "MISSING weights internvl" in text and "cannot run" in text
