"""What the installed stack cannot load is said before a run."""

import json

import pytest

from emolab.engine.settings import ModelSettings
from emolab.engine.support import require_support, unsupported
from emolab.errors import InputError


@pytest.mark.parametrize("name", ["internvl", "qwen3_vl", "glm4v"])
def test_shipped_families_can_be_loaded(name):
    assert unsupported(ModelSettings(path=f"shipped:{name}", model_type=name)) is None


def test_the_papers_captioners_say_what_they_need():
    cogvlm = ModelSettings(path="zai-org/cogvlm-chat-hf", model_type="cogvlm", trust_remote_code=True)
    assert "transformers<4.42" in unsupported(cogvlm)
    qwen = ModelSettings(path="Qwen/Qwen-VL-Chat", model_type="qwen_vl", trust_remote_code=True)
    assert "transformers_stream_generator" in unsupported(qwen)


def test_an_unknown_family_gets_near_names():
    assert "qwen3_vl" in unsupported(ModelSettings(path="some/model", model_type="qwen33_vl"))


def test_a_checkpoint_of_a_class_that_transformers_lacks(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["Qwen9VLForConditionalGeneration"]}))
    told = unsupported(ModelSettings(path=str(tmp_path), model_type="qwen3_vl"))
    assert "Qwen9VLForConditionalGeneration" in told


def test_a_run_is_refused_with_every_model_named():
    bad = ModelSettings(path="a/b", model_type="qwen33_vl")
    with pytest.raises(InputError, match=r"captioners\.first.*captioners\.second"):
        require_support(**{"captioners.first": bad, "captioners.second": bad})
    with pytest.raises(InputError, match=r"captioners\.third \(empty\): no model is named"):
        require_support(**{"captioners.third": ModelSettings(path="", model_type=None)})


def test_a_broken_config_is_named(tmp_path):
    (tmp_path / "config.json").write_text("{")
    assert "config.json cannot be read" in unsupported(ModelSettings(path=str(tmp_path), model_type="qwen3_vl"))
