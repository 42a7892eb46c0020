"""What the tests of the preflight share."""

import pytest


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A machine without a GPU and without models in a cache, whatever this one has."""
    from huggingface_hub import constants

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "no_models"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "no_models"))
