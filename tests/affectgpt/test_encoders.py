"""Each encoder, loaded from a checkpoint that holds more than it: its features are those of plain transformers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForImageTextToText,
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2QFormerConfig,
    Blip2VisionConfig,
    BlipImageProcessor,
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPTextConfig,
    CLIPVisionConfig,
    HubertForCTC,
    OPTConfig,
    Wav2Vec2FeatureExtractor,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)

from emolab.affectgpt.encoders import FrozenEncoders
from emolab.affectgpt.encoding import ClipEncoder
from emolab.affectgpt.inputs import Inputs
from emolab.affectgpt.modeling import AffectGPT
from emolab.affectgpt.parts import (
    encoder_identity,
    image_qformer_tensors,
    load_config,
    load_encoders,
    load_processor,
    save_trained,
)
from emolab.engine.weights import SHIPPED
from emolab.errors import InputError

FRAMES = list(np.random.default_rng(0).integers(0, 255, (3, 40, 50, 3), dtype=np.uint8))
SOUND = np.random.default_rng(1).normal(size=(3, 8000)).astype(np.float32)
SMALL = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}


def loud(model):
    """Weights so large that every one of them shows in what comes out."""
    torch.manual_seed(1)
    for weight in model.parameters():
        weight.data.normal_(std=0.3)
    return model.eval()


def pixels(settings):
    return load_processor(settings).pixels(FRAMES)


@pytest.fixture(scope="module")
def blip(tmp_path_factory):
    """A BLIP-2 with image Q-Former and language model."""
    folder = tmp_path_factory.mktemp("blip2")
    vision = Blip2VisionConfig(hidden_size=24, image_size=28, patch_size=14, **SMALL)
    qformer = Blip2QFormerConfig(hidden_size=16, encoder_hidden_size=24, vocab_size=20, **SMALL)
    text = OPTConfig(
        vocab_size=30, hidden_size=16, ffn_dim=16, num_hidden_layers=1, num_attention_heads=2, word_embed_proj_dim=16
    )
    config = Blip2Config(vision_config=vision, qformer_config=qformer, text_config=text, num_query_tokens=5)
    model = loud(Blip2ForConditionalGeneration(config))
    model.save_pretrained(folder)
    BlipImageProcessor(size={"height": 28, "width": 28}).save_pretrained(folder)
    return folder, model


def test_clip(parts, tiny, tmp_path):
    small = {**SMALL, "hidden_size": 16, "projection_dim": 8}
    vision = CLIPVisionConfig(**small, image_size=32, patch_size=16)
    config = CLIPConfig(text_config=CLIPTextConfig(**small, vocab_size=20), vision_config=vision, projection_dim=8)
    model = loud(CLIPModel(config))
    model.save_pretrained(tmp_path)
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32).save_pretrained(tmp_path)
    settings = replace(parts, vision=str(tmp_path))
    seen = load_encoders(settings).encode_video(pixels(settings)[None])
    assert seen.shape == (1, 3, 5, 16)
    with torch.no_grad():
        assert torch.equal(seen[0], model.vision_model(pixels(settings)).last_hidden_state)


def test_the_tower_of_internvl(parts):
    settings = replace(parts, vision="shipped:internvl")
    model = AutoModelForImageTextToText.from_pretrained(SHIPPED / "internvl", dtype=torch.float32).eval()
    seen = load_encoders(settings).encode_video(pixels(settings)[None])
    with torch.no_grad():
        wanted = model.model.vision_tower(pixels(settings)).last_hidden_state
    assert torch.equal(seen[0], wanted) and seen[0, 0].std() > 0.01


def test_blip2_with_its_image_qformer(parts, blip):
    folder, model = blip
    settings = replace(parts, vision=str(folder), image_qformer=str(folder), qformers=None)
    config = load_config(settings)
    assert (config.image_queries, config.frame_width, config.video_qformer_config.encoder_hidden_size) == (5, 16, 16)
    seen = load_encoders(settings).encode_video(pixels(settings)[None])
    with torch.no_grad():
        tokens = model.vision_model(pixels(settings)).last_hidden_state
        queries = model.query_tokens.expand(3, -1, -1)
        wanted = model.qformer(query_embeds=queries, encoder_hidden_states=tokens).last_hidden_state
    assert seen.shape == (1, 3, 5, 16)
    torch.testing.assert_close(seen[0], wanted, rtol=1e-5, atol=1e-6)
    plain = replace(settings, image_qformer=None)
    torch.testing.assert_close(load_encoders(plain).encode_video(pixels(settings)[None])[0], tokens)


def test_the_image_qformer_travels_with_the_trained_parts(parts, tiny, blip, tmp_path):
    """As a converted or fine-tuned folder has it: the BLIP-2 checkpoint is not needed any more."""
    folder, _ = blip
    first = replace(parts, vision=str(folder), image_qformer=str(folder), qformers=None)
    carried = image_qformer_tensors(first)
    config = tiny.config(image_qformer_config=load_config(first).image_qformer_config, image_queries=5)
    torch.manual_seed(0)
    model = AffectGPT(config, with_encoders=False)
    between = {name: weight for name, weight in model.state_dict().items() if "qformer." in name}
    save_trained(tmp_path, between | carried, config)
    later = replace(parts, vision=str(folder), qformers=str(tmp_path))
    ours, theirs = (load_encoders(each).encode_video(pixels(first)[None]) for each in (later, first))
    assert torch.equal(ours, theirs)
    assert image_qformer_tensors(later).keys() == carried.keys()
    assert encoder_identity(later) != encoder_identity(first) != encoder_identity(parts)
    changed = {**carried, "encoders.image_query_tokens": carried["encoders.image_query_tokens"] + 1}
    before = encoder_identity(later)
    save_trained(tmp_path, between | changed, config)
    assert encoder_identity(later) != before
    save_trained(tmp_path, between, config)
    with pytest.raises(InputError, match="holds no whole Blip2QFormerModel"):
        load_encoders(later)


@pytest.mark.parametrize("layers", [1, 2])
def test_hubert(parts, tiny, tmp_path, layers):
    base = tiny.hubert().config
    base.num_hidden_layers, base.vocab_size = 3, 20
    model = loud(HubertForCTC(base))
    model.save_pretrained(tmp_path / "hubert")
    Wav2Vec2FeatureExtractor().save_pretrained(tmp_path / "hubert")
    tiny.save_qformers(tmp_path / "qformers", tiny.config(audio_layers=layers))
    settings = replace(parts, audio=str(tmp_path / "hubert"), qformers=str(tmp_path / "qformers"))
    heard = load_encoders(settings).encode_audio(load_processor(settings).sound(SOUND)[None])
    given = Wav2Vec2FeatureExtractor()(list(SOUND), sampling_rate=16000, return_tensors="pt").input_values
    with torch.no_grad():
        states = model.hubert(given, output_hidden_states=True).hidden_states
    wanted = sum(state.mean(1) for state in states[-layers:]) / layers
    assert heard.shape == (1, 3, 8)
    torch.testing.assert_close(heard[0], wanted, rtol=1e-4, atol=1e-6)


def test_the_encoder_of_whisper(parts, tiny, tmp_path):
    sizes = {"encoder_layers": 2, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    tokens = {f"{name}_token_id": 1 for name in ("pad", "bos", "eos", "decoder_start")}
    config = WhisperConfig(
        vocab_size=20, d_model=8, encoder_ffn_dim=16, decoder_ffn_dim=16, num_mel_bins=80, **sizes, **tokens
    )
    model = loud(WhisperForConditionalGeneration(config))
    model.save_pretrained(tmp_path)
    WhisperFeatureExtractor(feature_size=80).save_pretrained(tmp_path)
    settings = replace(parts, audio=str(tmp_path))
    heard = load_encoders(settings).encode_audio(load_processor(settings).sound(SOUND)[None])
    given = WhisperFeatureExtractor(feature_size=80)(list(SOUND), sampling_rate=16000, return_tensors="pt")
    with torch.no_grad():
        states = model.model.encoder(given.input_features).last_hidden_state
    torch.testing.assert_close(heard[0], states[:, :25].mean(1), rtol=1e-4, atol=1e-5)  # half a second of thirty
    assert load_config(replace(settings, qformers=None)).audio_layers == 1


def test_a_batch_of_clips_is_what_each_is_alone(parts, encoder):
    """Stills and films, with and without sound, in one batch."""
    given = [
        Inputs(FRAMES, SOUND), Inputs(FRAMES[:1], None), Inputs(None, SOUND + 0.1), Inputs(FRAMES[::-1], None),
    ]  # fmt: skip
    together = encoder.encode(given)
    for made, each in zip(together, given, strict=True):
        (alone,) = encoder.encode([each])
        for name in ("video", "audio"):
            assert (made[name] is None) == (alone[name] is None)
            if made[name] is not None:
                torch.testing.assert_close(made[name], alone[name], rtol=1e-5, atol=1e-6)


def test_encoders_stay_in_evaluation_mode(parts, tiny):
    """HuBERT has dropout and masks time while it trains: neither happens, whatever the whole model does."""
    config = tiny.config()
    config.audio_config.mask_time_prob = 0.5
    model = AffectGPT(config, FrozenEncoders(config))
    model.train()
    assert model.video_qformer.training and not any(part.training for part in model.encoders.modules())
    sound, frames = torch.randn(1, 3, 8000), torch.randn(1, 2, 3, 32, 32)
    one, other = model.encoders.encode_audio(sound), model.encoders.encode_audio(sound)
    assert torch.equal(one, other) and not one.requires_grad
    assert not model.encoders.encode_video(frames).requires_grad
    loaded = load_encoders(parts)
    assert not loaded.training and not any(weight.requires_grad for weight in loaded.parameters())


def test_an_encoder_that_is_not_whole_is_refused(parts, tiny, tmp_path):
    model = tiny.clip()
    names = [name for name in model.state_dict() if "layer_norm1" not in name]
    model.save_pretrained(tmp_path / "clip", state_dict={name: model.state_dict()[name] for name in names})
    with pytest.raises(InputError, match=r"clip: holds no whole CLIPVisionModel \(.*layer_norm1.* 1 more are missing"):
        load_encoders(replace(parts, vision=str(tmp_path / "clip")))
    for name in ("vision", "audio", "language"):
        with pytest.raises(InputError, match=f"affectgpt.{name} names no model; give a folder or a hub id"):
            load_config(replace(parts, **{name: ""}))
    with pytest.raises(InputError, match="no model there"):
        load_encoders(replace(parts, audio=str(tmp_path / "nowhere")))


def test_the_identity_is_of_what_is_frozen(parts, tiny, tmp_path):
    """Features do not change with what is trained, or with the language model."""
    known = encoder_identity(parts)
    tiny.save_qformers(tmp_path / "other", tiny.config(), seed=9)
    assert encoder_identity(replace(parts, qformers=str(tmp_path / "other"), language=parts.audio)) == known
    tiny.save_qformers(tmp_path / "two", tiny.config(audio_layers=2))
    tiny.clip(1).save_pretrained(tmp_path / "clip")
    for change in ({"qformers": str(tmp_path / "two")}, {"vision": str(tmp_path / "clip")}, {"dtype": "bfloat16"}):
        assert encoder_identity(replace(parts, **change)) != known
    assert ClipEncoder.of(parts).identity == known


def test_half_precision(parts):
    settings = replace(parts, dtype="bfloat16")
    encoders = load_encoders(settings)
    assert encoders.vision.dtype == encoders.audio.dtype == torch.bfloat16
    seen, full = (e.encode_video(pixels(settings)[None]) for e in (encoders, load_encoders(parts)))
    assert seen.dtype == torch.bfloat16
    torch.testing.assert_close(seen.float(), full, rtol=0.1, atol=0.1)
