"""A run that cannot fit is refused before it starts, in a sentence that says what would fit; others are let be."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from emolab.errors import InputError
from emolab.media.write import write_video
from emolab.workbench import cli
from emolab.workbench.hashing import Hashes
from emolab.workbench.places import find_notebooks
from emolab.workbench.preflight.fit import may_be_tight, problems, require_fit
from emolab.workbench.preflight.machine import GIB, Gpu, Machine, planned_machine, this_machine
from emolab.workbench.preflight.needs import make_estimate
from emolab.workbench.profiles import load_profile

pytestmark = pytest.mark.usefixtures("bare")


@pytest.fixture
def data(tmp_path):
    """40 clips with labels and emotions (the same video), and where outputs go."""
    frames = np.zeros((6, 32, 32, 3), np.uint8)
    write_video(tmp_path / "film.mp4", frames, 6)
    emotions = ("neutral", "angry", "happy", "sad", "worried", "surprise")
    rows = [{"clip_id": f"six{n}", "video": "film.mp4", "emotion": emotions[n % 6]} for n in range(36)]
    rows += [{"clip_id": f"own{n}", "video": "film.mp4", "labels": ["sad"]} for n in range(4)]
    (tmp_path / "clips.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return ["corpus.reader=rows", f"corpus.root={tmp_path}", f"outputs={tmp_path / 'out'}"]


def free(monkeypatch, size):
    """Say that the disk has so many bytes free."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(total=size, used=0, free=size))


def fits(settings, *numbers, anyway=False, force=False):
    chosen = {name: path for name, path in find_notebooks().items() if name[:2] in numbers}
    return require_fit(settings, chosen, Hashes(), force, anyway)


def test_the_demo_is_never_refused(tmp_path, monkeypatch):
    settings = load_profile("demo", [f"outputs={tmp_path}"])
    assert list(fits(settings, "01", "02", "03", "04", "05", "06", "07", "08")) == list(find_notebooks())
    free(monkeypatch, 1e9)
    assert fits(settings, "01", "03", "06")


def test_a_full_disk(data, monkeypatch):
    settings = load_profile("demo", [*data, "discriminative.frames.parts=64"])
    free(monkeypatch, 5e7)  # the pixels alone take 40 x 64 x 3 x 112 x 112 bytes
    with pytest.raises(InputError) as refused:
        fits(settings, "06")
    text = str(refused.value)
    assert text.startswith("06_discriminative (frames as pixels") and "of disk" in text and "too little" in text
    assert "--set outputs=FOLDER on a disk with" in text and "--anyway" in text
    assert fits(settings, "06", anyway=True)
    assert "what would fit: --set discriminative.frames.parts=32, or --set outputs" in text
    assert fits(load_profile("demo", [*data, "discriminative.frames.parts=32"]), "06")  # as it said


def test_what_a_killed_run_has_written_counts(data, monkeypatch, tmp_path):
    settings = load_profile("demo", [*data, "discriminative.frames.parts=64"])
    folder = tmp_path / "out" / "demo" / "06_discriminative" / "pixels"
    folder.mkdir(parents=True)
    (folder / "some.safetensors").write_bytes(bytes(50_000_000))
    free(monkeypatch, 5e7)
    assert fits(settings, "06")


def test_a_gpu_that_is_too_small(data):
    settings = load_profile("gpu", data)
    found = make_estimate(settings, ["03_internvl_finetune"], machine=planned_machine("RTX 3060 12GB"))
    (told,) = problems(found)
    assert told.startswith("03_internvl_finetune (zero-shot) cannot run: it needs at least 17")
    assert "GB of GPU memory" in told and "--set internvl.path=OpenGVLab/InternVL3_5-4B-HF" in told
    smaller = load_profile("gpu", [*data, "internvl.path=OpenGVLab/InternVL3_5-4B-HF"])
    assert not list(problems(found.changed(smaller)))
    tight = found.changed(smaller)
    assert all("may not fit" in each for each in may_be_tight(tight))
    large = make_estimate(settings, ["03_internvl_finetune"], machine=planned_machine("H100"))
    assert not list(problems(large)) and not list(may_be_tight(large))


def test_no_gpu_for_a_profile_that_demands_one(data, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))  # no nvidia-smi there
    with pytest.raises(InputError, match="internvl.device is cuda and no NVIDIA GPU is here"):
        fits(load_profile("gpu", data), "03")
    assert fits(load_profile("gpu", [*data, "internvl.device=cpu", "internvl.path=shipped:internvl"]), "05")
    for device in ("cuda", "auto"):  # 32 replicas would not fit here; the cluster is not seen from here
        cluster = ["engine.kind=ray", "engine.workers=32", f"internvl.device={device}"]
        assert fits(load_profile("gpu", [*data, *cluster]), "05")
    given = [word for pair in data for word in ("--set", pair)]
    assert cli.main(["run", "05", "--profile", "gpu", *given, "--set", "sft.seeds=[]"]) == 2
    assert "take a machine with one, --profile laptop" in capsys.readouterr().err


@pytest.mark.parametrize("kept", ["run.json", "answers.jsonl", "pixels/a.safetensors"])
def test_what_has_kept_answers_or_features_may_need_no_model(kept, data, tmp_path):
    file = tmp_path / "out" / "gpu" / "05_face_crop_ablation" / kept
    file.parent.mkdir(parents=True)
    file.touch()
    with pytest.raises(InputError, match="no NVIDIA GPU is here"):
        fits(load_profile("gpu", data), "05")
    file.write_text("{}")
    assert fits(load_profile("gpu", data), "05")


def program(folder, name, text):
    """A program of this name, which prints a text."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
    (folder / name).chmod(0o755)


def refused(settings, machine, notebook="03_internvl_finetune"):
    return list(problems(make_estimate(settings, [notebook], machine=machine, open_clips=False)))


def test_what_nvidia_smi_says(data, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    small, large = "NVIDIA GeForce GT 1030, 2048 MiB, 1900 MiB", "NVIDIA H100 80GB HBM3, 81559 MiB, 81000 MiB"
    settings = load_profile("gpu", data)

    def told(lines, visible=None):
        program(tmp_path / "bin", "nvidia-smi", lines)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        machine = this_machine(settings.outputs)
        return len(machine.gpus), refused(settings, machine)

    assert told(f"{small}\n{large}") == (2, [])  # one that is large enough is enough
    assert told(f"{small}\n{large}", "0") == (1, [])  # CUDA counts from the fastest, nvidia-smi by the bus
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    count, (problem,) = told(f"{small}\n{large}", "0")
    assert count == 1 and "GB of GPU memory, 2.15 GB are there" in problem
    assert told("NVIDIA GB10, [N/A], [N/A]") == told("NVIDIA Thor, 0 MiB, 0 MiB") == (1, [])
    for hidden in ("-1", ""):
        count, (problem,) = told(large, hidden)
        assert count == 0 and "no NVIDIA GPU is here" in problem


def test_torch_is_asked_before_a_gpu_is_missed(data, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))  # no nvidia-smi there, as in some containers
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))
    (tmp_path / "lib").mkdir()
    settings = load_profile("gpu", data)
    for seen, told in (("", "no NVIDIA GPU is here"), ("('MI300', 192e9)", None), ("('Orin', 8e9)", "of GPU memory")):
        (tmp_path / "lib" / "torch.py").write_text(
            "from types import SimpleNamespace as S\n"
            f"cards = [S(name=name, total_memory=size) for name, size in [{seen}]]\n"
            "cuda = S(device_count=lambda: len(cards), get_device_properties=cards.__getitem__)\n"
        )
        if told:
            with pytest.raises(InputError, match=told):
                fits(settings, "05")
        else:
            assert fits(settings, "05")
    (tmp_path / "lib" / "torch.py").write_text("raise ImportError")
    assert fits(settings, "05")  # nobody knows


def test_a_file_system_that_does_not_say_what_is_free(data, monkeypatch):
    settings = load_profile("demo", [*data, "discriminative.frames.parts=64"])
    free(monkeypatch, 0)
    assert this_machine(settings.outputs).disk is None and fits(settings, "06")

    def fails(path):
        raise OSError("stale")

    monkeypatch.setattr(shutil, "disk_usage", fails)
    assert fits(settings, "06")


def test_clips_that_nobody_opened_may_be_small(data, tmp_path):
    rows = [{"clip_id": f"c{n}", "video": f"c{n}.mp4", "labels": ["sad"]} for n in range(20_000)]
    (tmp_path / "clips.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = load_profile("demo", [*data, "frames.cache=true", "sft.seeds=[]"])
    assert refused(settings, Machine((), 2, 16e9, 10e9)) == []


def test_quantised_models_may_be_small(data):
    gpu = Gpu("NVIDIA L40S", 48 * GIB, 48 * GIB, 3e14, 8e11)
    for name, fits_in in (("", False), ("-AWQ", True), ("-GPTQ-Int4", True), ("-FP8", True)):
        path = f"internvl.path=somebody/Chat-38B{name}"
        settings = load_profile("gpu", [*data, path, "internvl.backend=lmdeploy", "sft.seeds=[]"])
        assert (refused(settings, Machine((gpu,), 8, 64e9, 4e12)) == []) == fits_in


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n"])
@pytest.mark.parametrize("anyway", [True, False])
def test_damaged_weights_end_no_estimate(content, anyway, data, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "model" / "model.safetensors").write_bytes(content)
    assert fits(load_profile("demo", [*data, f"internvl.path={tmp_path / 'model'}"]), "03", anyway=anyway)


def test_an_estimate_that_fails_ends_no_run(data, tmp_path, capsys):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("[" * 100_000)  # deeper than Python reads
    assert fits(load_profile("demo", [*data, f"internvl.path={tmp_path / 'model'}"]), "03") == {}
    assert capsys.readouterr().out.startswith("not estimated beforehand: RecursionError")


def test_no_data_is_left_to_the_notebooks(tmp_path):
    assert fits(load_profile("gpu", [f"outputs={tmp_path}"]), "03") == {}
