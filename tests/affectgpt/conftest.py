"""A tiny AffectGPT: real classes with seeded random weights, saved as the folders that a profile names; and clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from tokenizers.trainers import BpeTrainer
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    CLIPVisionModel,
    HubertConfig,
    HubertModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Wav2Vec2FeatureExtractor,
)

from emolab.affectgpt.configuration import AffectGPTConfig, qformer_config
from emolab.affectgpt.encoding import ClipEncoder, feature_store
from emolab.affectgpt.modeling import AffectGPT
from emolab.affectgpt.parts import load_encoders, load_model, load_processor, save_trained, trained_tensors
from emolab.affectgpt.prompts import image_only, trimodal
from emolab.affectgpt.samples import Given
from emolab.affectgpt.settings import AffectSettings
from emolab.corpora.clip import Clip
from emolab.media.settings import FaceSettings, FrameSettings, SoundSettings
from emolab.media.write import write_video

SIDE, VISION, AUDIO, LLM, QFORMER = 32, 16, 8, 32, 16
SMALL = {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


def tiny_clip(seed: int = 0) -> CLIPVisionModel:
    torch.manual_seed(seed)
    return CLIPVisionModel(CLIPVisionConfig(hidden_size=VISION, image_size=SIDE, patch_size=16, **SMALL))


def tiny_hubert(seed: int = 0) -> HubertModel:
    torch.manual_seed(seed)
    shape = {"conv_dim": (8, 8), "conv_kernel": (10, 8), "conv_stride": (10, 8), "num_conv_pos_embeddings": 8}
    return HubertModel(HubertConfig(hidden_size=AUDIO, num_conv_pos_embedding_groups=2, **shape, **SMALL))


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE whose tokens span words: the fixed question takes few of them."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(
        vocab_size=500, special_tokens=["<unk>", "<s>", "</s>"], initial_alphabet=alphabet, show_progress=False
    )
    pieces = f"{trimodal('a')}{trimodal('', audio=False, video=False)}{image_only()}".replace("###", "<").split("<")
    made.train_from_iterator(pieces, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )


def tiny_llama(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    torch.manual_seed(0)
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    shape = {"num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 48}
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=LLM, tie_word_embeddings=True, initializer_range=0.2, **shape, **ids
    )
    return LlamaForCausalLM(config)


def tiny_config(**more) -> AffectGPTConfig:
    """What lies between the parts, two layers deep for pictures and one for sound."""
    small = {"heads": 2, "inner": 24}
    shapes = {"image_queries": 2, "video_queries": 3, "audio_queries": 2, "max_frames": 6, "audio_clips": 3}
    return AffectGPTConfig(
        tiny_clip().config,
        tiny_hubert().config,
        tiny_llama(tiny_tokenizer()).config,
        video_qformer_config=qformer_config(QFORMER, VISION, layers=2, **small),
        audio_qformer_config=qformer_config(QFORMER, AUDIO, layers=1, **small),
        **{**shapes, **more},
    )


def save_qformers(folder: Path, config: AffectGPTConfig, seed: int = 0) -> Path:
    """Random trained parts, with weights so large that everything given to them changes what comes out."""
    torch.manual_seed(seed)
    model = AffectGPT(config, with_encoders=False)
    for weight in trained_tensors(model).values():
        if weight.dim() > 1:
            weight.normal_(std=0.4)
    save_trained(folder, trained_tensors(model), config)
    return folder


@pytest.fixture(scope="session")
def parts(tmp_path_factory) -> AffectSettings:
    """The folders of the parts, and how a clip is shown: four frames, three pieces of sound of half a second."""
    place = tmp_path_factory.mktemp("parts")
    tiny_clip().save_pretrained(place / "clip")
    CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=SIDE).save_pretrained(place / "clip")
    tiny_hubert().save_pretrained(place / "hubert")
    Wav2Vec2FeatureExtractor().save_pretrained(place / "hubert")
    tokenizer = tiny_tokenizer()
    tokenizer.save_pretrained(place / "llama")
    tiny_llama(tokenizer).save_pretrained(place / "llama")
    save_qformers(place / "qformers", tiny_config())
    folders = {"vision": "clip", "audio": "hubert", "language": "llama", "qformers": "qformers"}
    return AffectSettings(
        **{name: str(place / folder) for name, folder in folders.items()},
        frames=FrameSettings(parts=4, draw="uniform"),
        sound=SoundSettings(clips=3, seconds=0.5),
        device="cpu",
        batch_size=3,
        max_new_tokens=12,
    )


def filmed(folder: Path, name: str, number: int, sound: bool = True) -> str:
    """A second of film: noise that moves, and a tone of its own."""
    pixels = np.random.default_rng(number).integers(0, 255, (48, 64, 3)).astype(np.uint8)
    tone = (0.3 * np.sin(np.arange(16000) / (3 + number))).astype(np.float32)
    write_video(folder / f"{name}.mp4", [np.roll(pixels, 3 * n, 1) for n in range(10)], 10, tone if sound else None)
    return str(folder / f"{name}.mp4")


@pytest.fixture(scope="session")
def clips(tmp_path_factory) -> list[Clip]:
    """Four whole clips, one without sound, one without picture, and a still: seven described samples."""
    folder = tmp_path_factory.mktemp("clips")
    told = [("She smiles.", "joy"), ("He shouts.", "anger"), ("Tears run down.", "grief"), ("Nothing moves.", "calm")]
    made = [
        Clip(f"clip{n}", video=filmed(folder, f"clip{n}", n), transcript=text, description=f"{text} I see {felt}.")
        for n, (text, felt) in enumerate(told)
    ]
    made.append(Clip("mute", video=filmed(folder, "mute", 4, sound=False), description="A face. It is joy."))
    made.append(Clip("heard", audio=filmed(folder, "heard", 5), transcript="Go.", description="A loud voice: anger."))
    Image.fromarray(np.random.default_rng(6).integers(0, 255, (40, 40, 3), np.uint8)).save(folder / "still.png")
    made.append(Clip("still", video=str(folder / "still.png"), description="A picture of noise."))
    return [replace(clip, split="train", corpus="tiny") for clip in made]


@pytest.fixture(scope="session")
def encoder(parts) -> ClipEncoder:
    return ClipEncoder.of(parts)


@pytest.fixture(scope="session")
def store(parts, clips, encoder, tmp_path_factory):
    """The clips' features, computed once."""
    made = feature_store(parts, FaceSettings(), 0, tmp_path_factory.mktemp("features"))
    assert made.compute(clips, encoder, progress=False) == {}
    return made


@pytest.fixture(scope="session")
def processor(parts):
    return load_processor(parts)


@pytest.fixture(scope="session")
def model(parts) -> AffectGPT:
    """The whole model, to be looked at and not to be changed."""
    return load_model(parts, encoders=load_encoders(parts))


@pytest.fixture(scope="session")
def tiny() -> SimpleNamespace:
    """What builds the parts, for tests that need others."""
    return SimpleNamespace(
        clip=tiny_clip,
        hubert=tiny_hubert,
        llama=lambda: tiny_llama(tiny_tokenizer()),
        config=tiny_config,
        save_qformers=save_qformers,
        filmed=filmed,
        given=given,
    )


def given(seed: int = 0, frames: int = 4, audio: bool = True, subtitle: str = "Go away.", image: bool = False) -> Given:
    """Random features of one clip; no frames, no pictures."""
    draw = torch.Generator().manual_seed(seed)
    video = torch.randn(frames, 5, VISION, generator=draw) if frames else None
    return Given(video, torch.randn(3, AUDIO, generator=draw) if audio else None, subtitle, image)
