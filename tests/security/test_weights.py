"""Weights of strangers run nothing: neither pickles nor code that comes with them, through whatever reads them."""

import pickle
import runpy
from pathlib import Path

import pytest
import yaml

from emolab.engine.chat import ChatModel
from emolab.engine.settings import ModelSettings
from emolab.engine.weights import SHIPPED
from emolab.errors import InputError
from emolab.internvl.finetune import finetune
from emolab.internvl.settings import SftSettings
from emolab.workbench.cli import main

FORGED = runpy.run_path(str(Path(__file__).with_name("conftest.py")))
LOADERS, PREPARERS, Payload = FORGED["LOADERS"], FORGED["PREPARERS"], FORGED["Payload"]
PROFILES = sorted((Path(__file__).resolve().parents[2] / "notebooks" / "profiles").glob("*.yaml"))


@pytest.mark.parametrize("modern", [True, False], ids=["zip", "before 1.6"])
@pytest.mark.parametrize("loader", LOADERS)
def test_pickled_weights_run_nothing(loader, modern, pickled_weights, mark):
    name, load = LOADERS[loader]
    folder = pickled_weights(name, modern)
    with pytest.raises(InputError, match="never unpickles|model.safetensors: cannot be read") as told:
        load(str(folder))
    assert not mark.exists() and "\n" not in str(told.value)


def test_they_would_run_something(pickled_weights, mark):
    import torch

    torch.load(pickled_weights("llama", True) / "pytorch_model.bin", weights_only=False)
    assert mark.exists()


def test_pickled_weights_that_are_tensors_are_read(tmp_path):
    """Checkpoints such as chinese-hubert-large have no others."""
    import shutil

    import torch
    from safetensors.torch import load_file

    folder = shutil.copytree(SHIPPED / "hubert", tmp_path / "hubert")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    LOADERS["sound encoder"][1](str(folder))


@pytest.mark.parametrize("loader", LOADERS | PREPARERS)
def test_code_of_a_checkpoint_is_refused(loader, own_code, mark):
    name, load = (LOADERS | PREPARERS)[loader]
    folder = own_code(name)
    with pytest.raises(InputError, match="is code that comes with the weights") as told:
        load(str(folder))
    assert not mark.exists() and "trust_remote_code" in str(told.value)


def test_the_code_would_run(own_code, mark):
    """Where the profile trusts it, and only then; it is no real model, so it fails afterwards."""
    from transformers import AutoConfig

    folder = own_code("llama")
    with pytest.raises(Exception):  # noqa: B017
        AutoConfig.from_pretrained(folder, trust_remote_code=True)
    assert mark.exists()


def test_predict_refuses_it(own_code, mark, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.mp4").write_bytes(b"x")
    assert main(["predict", "a.mp4", "--set", f"internvl.path={own_code('internvl')}"]) == 2
    assert "is code that comes with the weights" in capsys.readouterr().err and not mark.exists()


def test_a_training_is_not_begun_with_it(own_code, mark, tmp_path):
    data = tmp_path / "train.jsonl"
    data.write_text("")
    with pytest.raises(InputError, match="is code that comes with the weights"):
        finetune(data, ModelSettings(str(own_code("internvl"))), SftSettings(), 0, tmp_path / "sft", progress=False)
    assert not mark.exists() and not (tmp_path / "sft").exists()


def test_an_adapter_of_pickles_is_none(tmp_path, mark):
    lora = tmp_path / "lora"
    lora.mkdir()
    (lora / "adapter_config.json").write_text("{}")
    (lora / "adapter_model.bin").write_bytes(pickle.dumps(Payload(mark)))
    with pytest.raises(InputError, match="no adapter there .*adapter_model.safetensors"):
        ChatModel(ModelSettings(adapter=str(lora)))
    assert not mark.exists()


@pytest.mark.parametrize("file", ["rng_state.pth", "optimizer.pt", "scheduler.pt", "training_args.bin"])
def test_a_training_goes_on_without_unpickling(file, tmp_path, mark):
    """transformers' Trainer, in which both trainings run, on a checkpoint that somebody has changed."""
    import torch
    from transformers import Trainer, TrainingArguments

    class Tiny(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)

        def forward(self, x):
            return {"loss": self.layer(x).square().mean()}

    quiet = {"report_to": "none", "disable_tqdm": True, "use_cpu": True, "save_steps": 1, "logging_strategy": "no"}
    data = [{"x": torch.ones(1)}] * 16

    def trainer(steps):
        return Trainer(Tiny(), TrainingArguments(str(tmp_path / "work"), max_steps=steps, **quiet), train_dataset=data)

    trainer(1).train()
    torch.save({"x": Payload(mark)}, tmp_path / "work" / "checkpoint-1" / file)
    try:
        trainer(2).train(resume_from_checkpoint=str(tmp_path / "work" / "checkpoint-1"))
    except pickle.UnpicklingError:
        pass
    else:
        assert file == "training_args.bin"  # which it never reads
    assert not mark.exists()


def trusting(value, above=""):
    """Dotted names of the models that a profile lets run code, with their path."""
    if isinstance(value, dict):
        if value.get("trust_remote_code"):
            yield above, value.get("path")
        for key, below in value.items():
            yield from trusting(below, f"{above}.{key}")


def test_a_profile_trusts_only_models_that_it_names():
    found = {(path.stem, *each) for path in PROFILES for each in trusting(yaml.safe_load(path.read_text()))}
    assert found and all(profile == "paper" and path and path.count("/") == 1 for profile, _, path in found)
