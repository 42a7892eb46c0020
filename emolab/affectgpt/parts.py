"""AffectGPT out of its parts: encoders and language model from their own checkpoints, and what was trained between.

A folder of trained parts holds `config.json` (AffectGPTConfig) and `model.safetensors` under the whole model's names,
with nothing but the Q-Formers (`video_qformer.*`, `audio_qformer.*`, and where there is an image Q-Former
`encoders.image_qformer.*` and `encoders.image_query_tokens`), pre-fusion and LoRA: megabytes, where a whole model has
gigabytes. Shipped, converted and fine-tuned ones all look like that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForCausalLM,
    AutoTokenizer,
    Blip2QFormerModel,
    logging,
)

from emolab.affectgpt.configuration import AffectGPTConfig, qformer_config
from emolab.affectgpt.encoders import FrozenEncoders, build_audio, build_vision
from emolab.affectgpt.modeling import AffectGPT, is_trained
from emolab.affectgpt.processing import RATE, AffectGPTProcessor, sound_processor
from emolab.affectgpt.settings import AffectSettings
from emolab.engine import weights
from emolab.engine.device import pick_device, pick_dtype
from emolab.engine.settings import ModelSettings
from emolab.errors import InputError

WEIGHTS = "model.safetensors"
LORA = {"r": 16, "lora_alpha": 32, "lora_dropout": 0.05, "target_modules": "all-linear"}  # the 2025 model's
IMAGE_QFORMER = ("encoders.image_qformer.", "encoders.image_query_tokens")
_BETWEEN = (  # what AffectGPTConfig says of what lies between the parts
    "image_qformer_config", "video_qformer_config", "audio_qformer_config", "image_queries", "video_queries",
    "audio_queries", "max_frames", "audio_clips", "audio_layers", "prefusion",
)  # fmt: skip
# how a checkpoint that holds more than the part calls it
_VISION = {r"^(model\.)?(vision_tower|vision_model|visual)\.": ""}
_WHISPER = {r"^(model\.)?encoder\.": ""}


def folder_of(path: str, what: str) -> Path:
    """The local folder of a part. Raises InputError naming the setting where it cannot be had."""
    if not path:
        raise InputError(f"affectgpt.{what} names no model; give a folder or a hub id with --set affectgpt.{what}=...")
    return weights.resolve(ModelSettings(path=path))


def part_identity(path: str, folder: Path) -> str:
    """What rows and cards call a part: its name as the profile gives it, and its fingerprint."""
    return weights.identity(ModelSettings(path=path), folder)


def load_config(settings: AffectSettings, lora: bool = False, language: bool = True) -> AffectGPTConfig:
    """The configuration of the parts that a profile names: shapes of the Q-Formers from their folder, or Video-LLaMA's
    where they start untrained. Without `language` it is enough for the encoders."""
    about = {"lora": LORA if lora else None}
    vision = AutoConfig.from_pretrained(folder_of(settings.vision, "vision"))
    about["vision_config"] = getattr(vision, "vision_config", vision)
    about["audio_config"] = AutoConfig.from_pretrained(folder_of(settings.audio, "audio"))
    if language:
        about["text_config"] = AutoConfig.from_pretrained(folder_of(settings.language, "language"))
    if settings.qformers is not None:
        known = AffectGPTConfig.from_pretrained(folder_of(settings.qformers, "qformers"))
        if settings.prefusion and not known.prefusion:
            raise InputError(
                f"affectgpt.prefusion: {settings.qformers} was trained without it; set affectgpt.qformers null."
            )
        about |= {name: getattr(known, name) for name in _BETWEEN}
        about["lora"] = known.lora or about["lora"]
        return _fitting(AffectGPTConfig(**about), settings)
    if settings.image_qformer:
        blip = AutoConfig.from_pretrained(folder_of(settings.image_qformer, "image_qformer"))
        about |= {"image_qformer_config": blip.qformer_config, "image_queries": blip.num_query_tokens}
    about |= {"audio_clips": settings.sound.clips, "prefusion": settings.prefusion}
    about["audio_layers"] = 1 if about["audio_config"].model_type in ("whisper", "imagebind_audio") else 4
    about["max_frames"] = max(32, settings.frames.parts)
    config = AffectGPTConfig(**about)
    config.video_qformer_config = qformer_config(768, config.frame_width)
    config.audio_qformer_config = qformer_config(768, config.audio_width)
    return config


def _fitting(config: AffectGPTConfig, settings: AffectSettings) -> AffectGPTConfig:
    """Raise InputError where more is asked of a clip than the trained parts have positions for."""
    for name, asked, known in (
        ("frames.parts", settings.frames.parts, config.max_frames),
        ("sound.clips", settings.sound.clips, config.audio_clips),
    ):
        if asked > known:
            raise InputError(
                f"affectgpt.{name} is {asked}, but {settings.qformers} has positions for {known}; lower it."
            )
    return config


def load_processor(settings: AffectSettings) -> AffectGPTProcessor:
    """Image processor, feature extractor and tokenizer of the parts that a profile names. Raises InputError for another
    rate of sound than the encoders'."""
    if settings.sound.rate != RATE:
        raise InputError(f"affectgpt.sound.rate is {settings.sound.rate}; the audio encoders take {RATE}.")
    image = AutoImageProcessor.from_pretrained(folder_of(settings.vision, "vision"))
    sound = sound_processor(folder_of(settings.audio, "audio"))
    return AffectGPTProcessor(image, sound, AutoTokenizer.from_pretrained(folder_of(settings.language, "language")))


def load_encoders(settings: AffectSettings) -> FrozenEncoders:
    """The frozen encoders alone, on the profile's device and in its dtype; the image Q-Former stays float32."""
    config, device = load_config(settings, language=False), pick_device(settings.device)
    dtype = pick_dtype(device, settings.dtype)
    with torch.device("meta"):
        vision, audio = type(build_vision(config.vision_config)), type(build_audio(config.audio_config))
    encoders = FrozenEncoders(
        config,
        _part(vision, folder_of(settings.vision, "vision"), config.vision_config, dtype, _VISION),
        _part(audio, folder_of(settings.audio, "audio"), config.audio_config, dtype, _WHISPER),
    )
    if config.image_qformer_config is not None:
        named = "image_qformer" if settings.image_qformer else "qformers"
        folder = folder_of(getattr(settings, named), named)
        prefix = "" if settings.image_qformer else "encoders."
        _load_image_qformer(encoders, folder, config, prefix)
    return encoders.requires_grad_(False).to(device).eval()


def load_model(
    settings: AffectSettings, *, encoders: FrozenEncoders | None = None, lora: bool = False, seed: int = 0
) -> AffectGPT:
    """Language model and Q-Formers of a profile, ready to be fed features; with `encoders` the whole model.

    Q-Formers that start untrained are drawn with `seed`; `lora` adds untrained adapters. Raises InputError where a part
    cannot be had, or the trained parts do not fit the others.
    """
    config, device = load_config(settings, lora), pick_device(settings.device)
    folder = folder_of(settings.language, "language")
    with _loading(folder):
        language = AutoModelForCausalLM.from_pretrained(folder, dtype=pick_dtype(device, settings.dtype))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AffectGPT(config, encoders, language, with_encoders=encoders is not None)
    for name, token in load_processor(settings).token_ids().items():
        setattr(model.config, name, token)
    if settings.qformers is not None:
        load_trained(model, folder_of(settings.qformers, "qformers"))
    return model.to(device).eval()


def load_trained(model: AffectGPT, folder: Path) -> None:
    """Put trained parts into a model. Raises InputError where a tensor is missing, unknown or of another shape."""
    tensors = read_trained(folder)
    own = {name: weight for name, weight in model.state_dict().items() if is_trained(name)}
    known = AffectGPTConfig.from_pretrained(folder)
    if model.config.lora and not known.lora:  # fresh adapters over trained Q-Formers
        own = {name: weight for name, weight in own.items() if ".lora_" not in name}
    given = {name: tensor for name, tensor in tensors.items() if not name.startswith(IMAGE_QFORMER)}
    wrong = sorted(own.keys() ^ given.keys())
    wrong += sorted(name for name in own.keys() & given.keys() if own[name].shape != given[name].shape)
    if wrong:
        raise InputError(
            f"{folder}: does not fit the other parts ({len(wrong)} tensors are missing, unknown or of another shape: "
            f"{', '.join(wrong[:3])}, …); give the language model and encoders that it was trained with."
        )
    model.load_state_dict(given, strict=False)


def read_trained(folder: Path) -> dict[str, torch.Tensor]:
    """The tensors of a folder of trained parts. Raises InputError for a file that is missing or broken."""
    try:
        return load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{folder / WEIGHTS}: cannot be read ({type(error).__name__}); train or copy it again."
        ) from None


def is_whole(folder: Path) -> bool:
    """Whether a folder of trained parts was written to its end."""
    return weights.is_whole(folder, "config.json", WEIGHTS)


def save_trained(folder: Path, tensors: Mapping[str, torch.Tensor], config: AffectGPTConfig) -> None:
    """Write a folder of trained parts; `tensors` under the whole model's names."""
    folder.mkdir(parents=True, exist_ok=True)
    config = deepcopy(config)
    for each in (config, config.vision_config, config.audio_config, config.text_config):
        if each is not None:
            each._name_or_path = ""  # a path of this machine
    config.save_pretrained(folder)
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, folder / WEIGHTS)


def trained_tensors(model: AffectGPT) -> dict[str, torch.Tensor]:
    """The tensors of a model that belong into a folder of trained parts, without the image Q-Former."""
    return {name: weight for name, weight in model.state_dict().items() if is_trained(name)}


def image_qformer_tensors(settings: AffectSettings) -> dict[str, torch.Tensor]:
    """The frozen image Q-Former's tensors, which every folder of trained parts carries along; none without one."""
    if load_config(settings, language=False).image_qformer_config is None:
        return {}
    if settings.qformers is not None and not settings.image_qformer:
        given = read_trained(folder_of(settings.qformers, "qformers"))
        return {name: tensor for name, tensor in given.items() if name.startswith(IMAGE_QFORMER)}
    state = load_encoders(settings).state_dict()
    return {f"encoders.{name}": tensor for name, tensor in state.items() if name.startswith("image_")}


def encoder_identity(settings: AffectSettings) -> str:
    """Of the frozen parts: changes with their weights and the precision they are asked in."""
    names = ["vision", "audio", *(["image_qformer"] if settings.image_qformer else [])]
    parts = [weights.fingerprint(folder_of(getattr(settings, name), name)) for name in names]
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(image_qformer_tensors(settings).items()) if not settings.image_qformer else ():
        digest.update(name.encode() + tensor.float().numpy().tobytes())
    layers = load_config(settings, language=False).audio_layers
    dtype = pick_dtype(pick_device(settings.device), settings.dtype)
    return json.dumps([*parts, digest.hexdigest(), layers, str(dtype)])


def _part(cls: type, folder: Path, config, dtype, names: dict[str, str]) -> nn.Module:
    with _loading(folder):
        part, told = cls.from_pretrained(
            folder, config=config, dtype=dtype, key_mapping=names, output_loading_info=True
        )
    if told["missing_keys"]:
        lost = sorted(told["missing_keys"])
        raise InputError(f"{folder}: holds no whole {cls.__name__} ({lost[0]} and {len(lost) - 1} more are missing).")
    return part


def _load_image_qformer(encoders: FrozenEncoders, folder: Path, config: AffectGPTConfig, prefix: str) -> None:
    names = {rf"^{prefix}(image_)?qformer\.": ""}
    encoders.image_qformer = _part(Blip2QFormerModel, folder, config.image_qformer_config, torch.float32, names)
    queries = _tensor(folder, ("encoders.image_query_tokens", "query_tokens"))
    encoders.image_query_tokens = nn.Parameter(queries.float())


def _tensor(folder: Path, names: tuple[str, ...]) -> torch.Tensor:
    """One tensor of a checkpoint that may lie in several files."""
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as tensors:
            for name in names:
                if name in tensors.keys():
                    return tensors.get_tensor(name)
    raise InputError(
        f"{folder}: holds no {names[-1]} (of the image Q-Former); give a BLIP-2 checkpoint with safetensors."
    )


@contextmanager
def _loading(folder: Path):
    """Without transformers' list of what else a checkpoint holds; what is missing is checked here. Raises InputError
    for weights that are more than tensors."""
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    except UnpicklingError as error:
        raise weights.pickled(folder) from error
    finally:
        logging.set_verbosity(before)
