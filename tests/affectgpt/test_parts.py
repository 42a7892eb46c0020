"""Folders of trained parts: written, read, refused; and a whole model out of the parts that a profile names."""

from __future__ import annotations

import json
import runpy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from emolab.affectgpt.configuration import AffectGPTConfig, qformer_config
from emolab.affectgpt.convert import convert, write
from emolab.affectgpt.encoders import FrozenEncoders
from emolab.affectgpt.modeling import AffectGPT, is_trained
from emolab.affectgpt.parts import (
    WEIGHTS,
    load_config,
    load_encoders,
    load_model,
    load_processor,
    load_trained,
    read_trained,
    save_trained,
    trained_tensors,
)
from emolab.affectgpt.settings import AffectSettings
from emolab.errors import InputError

PLAIN = runpy.run_path(str(Path(__file__).with_name("original_model.py")))


def test_a_folder_holds_what_is_trained_and_no_more(parts, model, tmp_path):
    tensors = trained_tensors(model)
    assert {name.split(".")[0] for name in tensors} == {"video_qformer", "audio_qformer"}
    save_trained(tmp_path / "made", tensors, model.config)
    assert {path.name for path in (tmp_path / "made").iterdir()} == {"config.json", WEIGHTS}
    assert str(Path(parts.vision)) not in (tmp_path / "made" / "config.json").read_text()  # no path of this machine
    read = read_trained(tmp_path / "made")
    assert read.keys() == tensors.keys() and all(torch.equal(read[name], tensors[name]) for name in read)
    again = load_model(replace(parts, qformers=str(tmp_path / "made")))
    assert again.encoders is None and not again.training
    ours, theirs = model.state_dict(), again.state_dict()
    assert all(torch.equal(theirs[name], ours[name]) for name in theirs) and len(theirs) < len(ours)


def test_the_parts_are_those_of_the_profile(parts, model, processor):
    language = load_file(Path(parts.language) / WEIGHTS)
    state = model.state_dict()
    assert all(torch.equal(state[f"language_model.{name}"], tensor) for name, tensor in language.items())
    trained = load_file(Path(parts.qformers) / WEIGHTS)
    assert trained.keys() == {name for name in state if is_trained(name)}
    assert all(torch.equal(state[name], tensor) for name, tensor in trained.items())
    ids = {model.config.video_token_id, model.config.audio_token_id, model.config.multi_token_id}
    known = model.get_input_embeddings().num_embeddings
    assert len(ids) == 3 and min(ids) >= known  # no rows of the language model are taken
    assert processor.tokenizer.padding_side == "left"


def test_untrained_parts_have_video_llamas_shapes(parts):
    """And are drawn by the seed."""
    settings = replace(parts, qformers=None, sound=replace(parts.sound, clips=5), prefusion=True)
    config = load_config(settings)
    for former, reads, layers in ((config.video_qformer_config, 16, 2), (config.audio_qformer_config, 8, 2)):
        assert (former.hidden_size, former.num_hidden_layers, former.num_attention_heads) == (768, layers, 12)
        assert (former.encoder_hidden_size, former.cross_attention_frequency, former.intermediate_size) == (
            reads, 1, 3072,
        )  # fmt: skip
    told = (config.video_queries, config.audio_queries, config.max_frames, config.audio_clips, config.prefusion)
    assert told == (32, 8, 32, 5, True)
    assert load_config(replace(settings, frames=replace(parts.frames, parts=40))).max_frames == 40
    one, same, other = (trained_tensors(load_model(settings, seed=seed, lora=True)) for seed in (1, 1, 2))
    adapter = "language_model.model.layers.0.self_attn.q_proj.lora_A.default.weight"
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not any(torch.equal(one[name], other[name]) for name in ("video_qformer.query_tokens", adapter))


@pytest.mark.parametrize("broken", ["lost", "stray", "shape"])
def test_parts_that_do_not_fit_are_refused(parts, tmp_path, broken):
    model = load_model(parts)
    tensors = {name: tensor.clone() for name, tensor in trained_tensors(model).items()}
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    name = "audio_qformer.projection.weight"
    tensors["audio_qformer.projection.bias"] += 1
    if broken == "stray":
        tensors["audio_qformer.more.weight"] = torch.zeros(2)
    elif broken == "lost":
        del tensors[name]
    else:
        tensors[name] = torch.zeros(40, 16)
    save_trained(tmp_path, tensors, model.config)
    with pytest.raises(InputError, match=r"does not fit the other parts \(1 tensors .*: audio_qformer"):
        load_trained(model, tmp_path)
    assert all(torch.equal(tensor, before[name]) for name, tensor in trained_tensors(model).items())


def test_a_broken_file_is_one_sentence(parts, tmp_path):
    model = load_model(parts)
    save_trained(tmp_path, trained_tensors(model), model.config)
    whole = (tmp_path / WEIGHTS).read_bytes()
    for content in (b"", whole[:100], whole[:-1], b"no tensors at all"):
        (tmp_path / WEIGHTS).write_bytes(content)
        with pytest.raises(InputError, match=f"{WEIGHTS}: cannot be read .*; train or copy it again.$"):
            load_model(replace(parts, qformers=str(tmp_path)))
    (tmp_path / WEIGHTS).unlink()
    with pytest.raises(InputError, match="cannot be read"):
        read_trained(tmp_path)


def test_of_another_language_model(parts, tiny, tmp_path):
    tensors = {f"x.{n}": t for n, t in load_file(Path(parts.qformers) / WEIGHTS).items()}
    folder = tmp_path / "other"
    tiny.save_qformers(folder, tiny.config(audio_clips=5))
    save_file(tensors, folder / WEIGHTS)
    with pytest.raises(InputError, match="give the language model and encoders that it was trained with"):
        load_model(replace(parts, qformers=str(folder)))


def test_settings_that_cannot_be():
    for wrong, told in (
        ({"view": "side"}, "affectgpt.view is 'side'"),
        ({"dtype": "int8"}, "affectgpt.dtype is 'int8'"),
        ({"top_p": 0.0}, "top_p lies in"),
    ):
        with pytest.raises(InputError, match=told):
            AffectSettings(**wrong)


def test_a_living_models_configuration_is_left_alone(tiny):
    """Else its attention loses its implementation, and with it the causal mask: it would see the words to come."""
    language = tiny.llama().eval()
    AffectGPT(AffectGPTConfig(tiny.clip().config, tiny.hubert().config, language.config,
                              video_qformer_config=qformer_config(24, 16, heads=2),
                              audio_qformer_config=qformer_config(24, 16, heads=2)), language_model=language,
              with_encoders=False)  # fmt: skip
    words = torch.arange(12)[None]
    other = words.clone()
    other[:, 8:] = 3
    assert language.config._attn_implementation == "sdpa"
    assert torch.equal(language(words).logits[:, :8], language(other).logits[:, :8])


def test_more_than_the_trained_parts_have_is_refused_before_any_clip_is_encoded(parts, model, tmp_path):
    save_trained(tmp_path, trained_tensors(model), model.config)
    parts = replace(parts, qformers=str(tmp_path))
    frames, sound = replace(parts.frames, parts=99), replace(parts.sound, clips=99)
    for wrong, told in (
        ({"prefusion": True}, "was trained without it; set affectgpt.qformers null"),
        ({"frames": frames}, "affectgpt.frames.parts is 99, but .* has positions for"),
        ({"sound": sound}, "affectgpt.sound.clips is 99, but .* has positions for"),
    ):
        with pytest.raises(InputError, match=told):
            load_config(replace(parts, **wrong))
    with pytest.raises(InputError, match="rate is 8000; the audio encoders take 16000"):
        load_processor(replace(parts, sound=replace(parts.sound, rate=8000)))


def test_a_converted_eva_has_both_epsilons(parts, tmp_path):
    """LAVIS' last norm has 1e-5, EVA-G's others 1e-6: exact from the written folder on, and in a whole model saved."""
    state = PLAIN["original"]()
    write(tmp_path / "made", convert(state), ["tiny"])
    assert json.loads((tmp_path / "made/vision/config.json").read_text())["post_layernorm_eps"] == 1e-5
    folders = {name: str(tmp_path / "made" / name) for name in ("vision", "audio")}
    settings = replace(parts, **folders, qformers=str(tmp_path / "made"))
    encoders = load_encoders(settings)
    norms = {name: norm.eps for name, norm in encoders.vision.named_modules() if isinstance(norm, torch.nn.LayerNorm)}
    assert norms.pop("post_layernorm") == 1e-5 and set(norms.values()) == {1e-6}
    pixels = torch.randn(2, 3, 28, 28, generator=torch.Generator().manual_seed(2)).double()
    state = {name: tensor.double() for name, tensor in state.items()}
    with torch.no_grad():
        seen = encoders.vision.double()(pixels).last_hidden_state
        torch.testing.assert_close(seen, PLAIN["run_eva"](state, pixels), rtol=0, atol=1e-9)
    assert FrozenEncoders(load_config(settings)).vision.post_layernorm.eps == 1e-5
