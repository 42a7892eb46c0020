"""Sizes of models against the models themselves: the shipped checkpoints, and the real shapes without memory."""

import pytest

from emolab.engine.settings import ModelSettings
from emolab.engine.weights import local_folder
from emolab.workbench.preflight.models import is_here, shape_of, smaller, stored_weights

pytestmark = pytest.mark.usefixtures("bare")

SHIPPED = ("internvl", "qwen3_vl", "glm4v", "llama", "hubert", "clip", "writer")


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_are_counted(name):
    from safetensors.numpy import load_file

    folder = local_folder(ModelSettings(path=f"shipped:{name}"))
    held = sum(tensor.size for file in folder.glob("*.safetensors") for tensor in load_file(file).values())
    shape = shape_of(f"shipped:{name}")
    assert stored_weights(folder) == shape.weights == held > 0
    assert shape.source == "its files" and is_here(f"shipped:{name}")


def of_config(kind, **sizes):
    """Weights of a model of transformers without memory: all, and those of its embedding."""
    import torch
    import transformers

    with torch.device("meta"):
        model = getattr(transformers, f"{kind}ForCausalLM")(getattr(transformers, f"{kind}Config")(**sizes))
    embedding = model.get_input_embeddings().weight
    return sum(p.numel() for p in model.parameters()), embedding.numel()


@pytest.mark.parametrize(
    ("path", "kind", "sizes"),
    [
        ("OpenGVLab/InternVL3_5-8B-HF", "Qwen3", (36, 4096, 12_288, 32, 8, 128, 151_936)),
        ("OpenGVLab/InternVL3_5-2B-HF", "Qwen3", (28, 2048, 6144, 16, 8, 128, 151_936)),
        ("Qwen/Qwen2.5-7B", "Qwen2", (28, 3584, 18_944, 28, 4, 128, 152_064)),
    ],
)
def test_the_table_against_the_real_shapes(path, kind, sizes):
    names = (
        "num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads",
        "head_dim", "vocab_size",
    )  # fmt: skip
    every, embedding = of_config(kind, **dict(zip(names, sizes, strict=True)), tie_word_embeddings=False)
    shape = shape_of(path)
    assert shape.text.weights == pytest.approx(every - embedding, rel=0.005)
    vision = shape.vision.weights if shape.vision else 0
    assert shape.weights == pytest.approx(every + vision, rel=0.03)


def test_keys_and_values_and_lora_against_a_model_that_runs():
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    folder, shape = local_folder(ModelSettings(path="shipped:llama")), shape_of("shipped:llama")
    model = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        cache = model(torch.ones(1, 7, dtype=torch.long)).past_key_values
    assert sum(layer.keys.numel() + layer.values.numel() for layer in cache.layers) == 7 * shape.text.cached
    lora = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear"))
    assert sum(p.numel() for p in lora.parameters() if p.requires_grad) == shape.text.lora(4)


def test_models_that_are_not_here():
    assert shape_of("OpenGVLab/InternVL3_5-8B-HF").source == "emolab's table"
    named = shape_of("somebody/Emotion-13B-Chat")
    assert named.weights == 13e9 and named.source == "the size in its name"
    assert shape_of("somebody/model") is None and shape_of("./nothing") is None
    assert smaller("OpenGVLab/InternVL3_5-4B-HF") == ["OpenGVLab/InternVL3_5-2B-HF", "OpenGVLab/InternVL3_5-1B-HF"]
    assert smaller("somebody/model") == []


def test_weights_of_torch_are_here(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    path = "TencentGameMate/chinese-hubert-large"
    assert not is_here(path)
    snapshot = tmp_path / f"models--{path.replace('/', '--')}" / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text("a" * 40)
    (snapshot / "config.json").write_text('{"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}')
    assert not is_here(path)  # nothing but its configuration
    (snapshot / "pytorch_model.bin").write_bytes(bytes(4000))
    assert is_here(path) and is_here(str(snapshot))
    assert shape_of(path).weights == shape_of(str(snapshot)).weights == 1000 and shape_of(path).source == "its files"


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1\n", bytes(9), 8 * b"\xff"])
def test_weights_that_cannot_be_read_have_no_size(content, tmp_path):
    (tmp_path / "config.json").write_text('{"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}')
    (tmp_path / "model.safetensors").write_bytes(content)
    assert stored_weights(tmp_path) == 0 and shape_of(str(tmp_path)) is None and is_here(str(tmp_path))


def test_tokens_of_pictures():
    internvl, qwen = shape_of("OpenGVLab/InternVL3_5-8B-HF"), shape_of("Qwen/Qwen3-VL-8B-Instruct")
    assert internvl.picture_tokens(1280, 720) == 256 and internvl.picture_tokens(1280, 720, 4) == 5 * 256
    assert qwen.picture_tokens(1280, 720) == 40 * 23  # a token for 32 x 32 pixels
