"""Checkpoints under the original's names: what comes out computes what the original computes."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import (
    AutoFeatureExtractor,
    AutoImageProcessor,
    Blip2QFormerConfig,
    Blip2VisionConfig,
    Blip2VisionModel,
    LlamaConfig,
    LlamaForCausalLM,
)

from emolab.affectgpt.convert import convert, main, read_checkpoint
from emolab.affectgpt.imagebind import ImageBindAudioConfig
from emolab.affectgpt.modeling import AffectGPT
from emolab.affectgpt.original import AUDIO, AUDIO_BRANCH, IMAGE_QFORMER, VIDEO_BRANCH, VISION
from emolab.affectgpt.parts import load_config, load_encoders, load_trained, read_trained
from emolab.affectgpt.settings import AffectSettings
from emolab.errors import InputError
from emolab.media.settings import FrameSettings, SoundSettings

PLAIN = runpy.run_path(str(Path(__file__).with_name("original_model.py")))
WIDTH, EVA, LLM, CLIPS = (PLAIN[name] for name in ("WIDTH", "EVA", "LLM", "CLIPS"))
original, trained, buffers = (PLAIN[name] for name in ("original", "trained", "buffers"))
PROCESSORS = {AutoImageProcessor: "vision", AutoFeatureExtractor: "audio"}


def assembled(folder: Path) -> AffectGPT:
    """A model of what the converter wrote and a small language model, as a profile puts it together."""
    text = LlamaConfig(vocab_size=32, hidden_size=LLM, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2)
    text.save_pretrained(folder.parent / "llama")
    parts = {"vision": folder / "vision", "audio": folder / "audio", "language": folder.parent / "llama"}
    given = {"frames": FrameSettings(parts=7, draw="uniform"), "sound": SoundSettings(clips=CLIPS)}
    settings = AffectSettings(
        qformers=str(folder), **{name: str(path) for name, path in parts.items()}, device="cpu", **given
    )
    encoders = load_encoders(settings)
    model = AffectGPT(load_config(settings), encoders, LlamaForCausalLM(text))
    load_trained(model, folder)
    return model.eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A whole checkpoint, converted by the command line."""
    place = tmp_path_factory.mktemp("convert")
    torch.save({"model": original(), "epoch": 3, "optimizer": {"state": {}}}, place / "whole.pth")
    assert main([str(place / "whole.pth"), "--out", str(place / "made")]) == 0
    return place / "made"


@pytest.mark.parametrize("dtype, near", [(torch.float64, 1e-9), (torch.float32, 1e-5)], ids=["float64", "float32"])
def test_computes_what_the_original_computes(folder, dtype, near):
    state = {name: tensor.to(dtype) for name, tensor in original().items()}
    model = assembled(folder).to(dtype)
    model.encoders.vision.post_layernorm.eps = 1e-5  # see the next test
    draw = torch.Generator().manual_seed(1)
    pixels = torch.randn(2, 3, 3, 28, 28, generator=draw).to(dtype)
    mels = torch.randn(2, CLIPS, 1, 128, 204, generator=draw).to(dtype)
    with torch.no_grad():
        seen, heard = model.encoders.encode_video(pixels), model.encoders.encode_audio(mels)
        video, audio = model.video_qformer(seen), model.audio_qformer(heard[:, :, None])
        wanted_video, wanted_audio = PLAIN["run_video"](state, pixels), PLAIN["run_audio"](state, mels)
    assert video.shape == (2, 6, LLM) and audio.shape == (2, 3, LLM)
    assert video.std() > 0.1 and audio.std() > 0.1 and (video[0] - video[1]).abs().max() > 0.01
    torch.testing.assert_close(heard.norm(dim=-1), torch.full((2, CLIPS), 17.0, dtype=dtype))
    torch.testing.assert_close(video, wanted_video, rtol=near, atol=near)
    torch.testing.assert_close(audio, wanted_audio, rtol=near, atol=near)


def test_eva_as_transformers_has_it(folder):
    """LAVIS' ln_vision has another epsilon (1e-5) than the rest of EVA-G (1e-6); transformers has one for all."""
    state = {name: tensor.double() for name, tensor in original().items()}
    vision = Blip2VisionModel.from_pretrained(folder / "vision").eval().double()
    pixels = torch.randn(4, 3, 28, 28, generator=torch.Generator().manual_seed(2)).double()
    with torch.no_grad():
        torch.testing.assert_close(vision(pixels).last_hidden_state, PLAIN["run_eva"](state, pixels), rtol=0, atol=2e-5)


def test_frozen_encoders_come_with_their_processors(folder):
    see, hear = (auto.from_pretrained(folder / name) for auto, name in PROCESSORS.items())
    picture = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    assert see(images=[picture], return_tensors="pt").pixel_values.shape == (1, 3, 28, 28)
    mels = hear(np.zeros((2, 32000), np.float32), sampling_rate=16000, return_tensors="pt")["input_values"]
    assert mels.shape == (2, 1, 128, 204)
    assert "6 queries over at most 7 frames" in (folder / "README.md").read_text(encoding="utf-8")
    assert not [path for path in folder.parent.iterdir() if path.name.endswith(".partial")]


def test_what_was_trained_is_enough():
    made = convert(trained())
    assert made.missing == ("image Q-Former", "vision encoder", "audio encoder")
    assert made.models == {} and made.unexpected == ()
    assert set(made.skipped) == set(buffers())
    assert {name.split(".")[0] for name in made.tensors} == {"video_qformer", "audio_qformer"}
    assert all(tensor.dtype == torch.float32 for tensor in made.tensors.values())
    config = made.config
    assert (config.video_queries, config.audio_queries, config.max_frames, config.audio_clips) == (6, 3, 7, CLIPS)
    assert config.video_qformer_config.intermediate_size == 192


def test_the_published_sizes():
    """Built from the published shapes, the parts are what transformers has for BLIP-2, and Video-LLaMA's."""
    with torch.device("meta"):
        vision, image = VISION.build(VISION.usual, 39), IMAGE_QFORMER.build(IMAGE_QFORMER.usual, 12)
        audio = AUDIO.build(AUDIO.usual, 12)
        video, heard = (part.build(part.usual, 2) for part in (VIDEO_BRANCH, AUDIO_BRANCH))
    assert sizes(vision.config) == sizes(Blip2VisionConfig())
    assert sizes(image.image_qformer.config) == sizes(Blip2QFormerConfig())
    assert sizes(audio.config) == sizes(ImageBindAudioConfig())
    for branch, reads, queries, times in ((video, 768, 32, 32), (heard, 1024, 8, 8)):
        wanted = sizes(Blip2QFormerConfig(num_hidden_layers=2, cross_attention_frequency=1, encoder_hidden_size=reads))
        assert sizes(branch.qformer.config) == wanted
        assert branch.query_tokens.shape == (1, queries, 768) and branch.positions.weight.shape == (times, reads)
        assert branch.projection.weight.shape == (4096, 768)


def sizes(config) -> dict:
    return {name: value for name, value in config.to_dict().items() if isinstance(value, int | float)}


def test_a_later_checkpoint_wins(tmp_path, capsys):
    both, better = trained(0), trained(1)
    ears = {name: tensor for name, tensor in better.items() if name.startswith("audio_")}
    torch.save({"model": both}, tmp_path / "one.pth")
    save_file(ears, tmp_path / "two.safetensors")
    assert main([str(tmp_path / "one.pth"), str(tmp_path / "two.safetensors"), "--out", str(tmp_path / "made")]) == 0
    tensors = read_trained(tmp_path / "made")
    assert torch.equal(tensors["video_qformer.query_tokens"], both["video_query_tokens"])
    assert torch.equal(tensors["audio_qformer.query_tokens"], better["audio_query_tokens"])
    told = capsys.readouterr().out
    assert "one.pth, two.safetensors" in told and "vision encoder" in told
    assert main([str(tmp_path / "one.pth"), "--out", str(tmp_path / "made")]) == 2
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize("alias", ["affectgpt_proj", "video_llama_proj"])
def test_the_names_of_other_releases(tmp_path, alias):
    state = trained()
    for name in ("weight", "bias"):
        state[f"{alias}.{name}"] = state.pop(f"llama_proj.{name}")
    torch.save(state, tmp_path / "bare.pth", _use_new_zipfile_serialization=False)
    tensors = convert(read_checkpoint(tmp_path / "bare.pth")).tensors
    assert torch.equal(tensors["video_qformer.projection.bias"], state[f"{alias}.bias"])
    torch.save(state | {"llama_proj.weight": torch.zeros(LLM, WIDTH)}, tmp_path / "twice.pth")
    with pytest.raises(InputError, match="twice"):
        read_checkpoint(tmp_path / "twice.pth")


def test_the_files_of_the_frozen_parts(tmp_path):
    """eva_vit_g.pth and imagebind_huge.pth have no prefix; EVA-G's last block is not used."""
    state = original()
    eva = {name.removeprefix("visual_encoder."): t for name, t in state.items() if name.startswith("visual_encoder.")}
    eva |= {name.replace("blocks.0.", "blocks.39."): t for name, t in eva.items() if name.startswith("blocks.0.")}
    ears = {name.removeprefix("audio_encoder."): t for name, t in state.items() if name.startswith("audio_encoder.")}
    blip = {name: t for name, t in state.items() if name.startswith(("Qformer.", "query_tokens", "ln_vision."))}
    blip |= {"t5_proj.weight": torch.zeros(2, 2), "temp": torch.zeros(())}
    merged: dict[str, torch.Tensor] = {}
    for name, tensors in {"eva": eva, "ears": ears, "blip": {"model": blip}, "ours": {"model": trained()}}.items():
        torch.save(tensors, tmp_path / f"{name}.pth")
        merged |= read_checkpoint(tmp_path / f"{name}.pth")
    made = convert(merged)
    torch.save(state, tmp_path / "whole.pth")
    whole = convert(read_checkpoint(tmp_path / "whole.pth"))
    assert made.missing == () and made.unexpected == ("temp",) and whole.unexpected == ()
    assert made.tensors.keys() == whole.tensors.keys()
    for name in ("vision", "audio"):
        given, wanted = made.models[name].state_dict(), whole.models[name].state_dict()
        assert given.keys() == wanted.keys() and all(torch.equal(given[key], wanted[key]) for key in given)


@pytest.mark.parametrize(
    "lost",
    [
        "video_query_tokens",
        "video_Qformer.bert.encoder.layer.1.crossattention.self.key.bias",
        "video_Qformer.bert.encoder.layer.0.crossattention.self.key.weight",
        "video_frame_position_embedding.weight",
        "llama_proj.bias",
        "audio_Qformer.bert.embeddings.LayerNorm.weight",
        "audio_position_embedding.weight",
        "audio_llama_proj.weight",
        "Qformer.bert.encoder.layer.2.crossattention.output.dense.bias",
        "query_tokens",
        "visual_encoder.cls_token",
        "ln_vision.bias",
        "audio_encoder.modality_trunks.audio.blocks.1.attn.bias_k",
    ],
)
def test_a_missing_tensor_is_named(lost):
    state = original()
    del state[lost]
    with pytest.raises(InputError, match="not whole: 1 of ") as error:
        convert(state)
    assert f"({lost})" in str(error.value)


def test_a_missing_branch_and_half_an_encoder_are_refused():
    state = trained()
    with pytest.raises(InputError, match="audio branch is not whole.* and .* more"):
        convert({name: tensor for name, tensor in state.items() if not name.startswith("audio_")})
    with pytest.raises(InputError, match="vision encoder is not whole"):
        convert(state | {"visual_encoder.cls_token": torch.zeros(1, 1, EVA)})
    made = convert(state | {"ln_vision.weight": torch.ones(EVA), "ln_vision.bias": torch.zeros(EVA)})  # BLIP-2's file
    assert "ln_vision.bias" in made.skipped and made.models == {}


def test_strange_tensors():
    state = trained()
    with pytest.raises(InputError, match="does not know .video_Qformer.bert.pooler.weight"):
        convert(state | {"video_Qformer.bert.pooler.weight": torch.zeros(2)})
    assert convert(state | {"new_head.weight": torch.zeros(2)}).unexpected == ("new_head.weight",)
    for name, shape in {
        "video_Qformer.bert.encoder.layer.1.output_query.dense.weight": (WIDTH, 190),
        "audio_query_tokens": (3, WIDTH),
    }.items():
        with pytest.raises(InputError, match="do not fit") as error:
            convert(state | {name: torch.zeros(shape)})
        assert name in str(error.value)
    with pytest.raises(InputError, match="not of one model .*language model.* 96 and 80"):
        convert(state | {"audio_llama_proj.weight": torch.zeros(80, WIDTH), "audio_llama_proj.bias": torch.zeros(80)})


class Harmless:
    """Python's own object in a checkpoint; to load it, Python code would have to run."""


def test_nothing_is_unpickled(tmp_path, capsys):
    for name, new in (("new", True), ("old", False)):
        path = tmp_path / f"{name}.pth"
        torch.save({"model": trained(), "config": Harmless()}, path, _use_new_zipfile_serialization=new)
        assert main([str(path), "--out", str(tmp_path / "made")]) == 2
        told = capsys.readouterr().err
        assert f"{name}.pth" in told and "never unpickles" in told and told.count("\n") == 1
    assert not (tmp_path / "made").exists()


def test_files_that_are_no_checkpoint(tmp_path):
    torch.save({"model": trained()}, tmp_path / "whole.pth")
    whole = (tmp_path / "whole.pth").read_bytes()
    for name, content in {
        "cut.pth": whole[: len(whole) // 2],
        "empty.pth": b"",
        "page.pth": b"<!DOCTYPE html>",
        "words.pth": b"hello, these are words\n" * 20,
        "empty.safetensors": b"",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name):
            read_checkpoint(tmp_path / name)
    with pytest.raises(InputError, match="No such file"):
        read_checkpoint(tmp_path / "none.pth")
    torch.save({"epoch": 3}, tmp_path / "numbers.pth")
    with pytest.raises(InputError, match="no tensors by name"):
        read_checkpoint(tmp_path / "numbers.pth")


def test_help_has_an_example(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "python -m emolab.affectgpt.convert blip2_pretrained_flant5xxl.pth" in capsys.readouterr().out
