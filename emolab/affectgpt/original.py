"""The original's parts, tensor by tensor: what its checkpoints call them, and the module here that takes them.

Sources: zeroQiaoba/AffectGPT (2024) and DAMO-NLP-SG/Video-LLaMA (video_llama/models/video_llama.py, eva_vit.py,
blip2.py), LAVIS (Q-Former), facebookresearch/ImageBind (imagebind_model.py).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import Blip2QFormerConfig, Blip2QFormerModel, Blip2VisionConfig, Blip2VisionModel

from emolab.affectgpt.configuration import qformer_config
from emolab.affectgpt.imagebind import ImageBindAudioConfig, ImageBindAudioModel
from emolab.affectgpt.qformer import TimeQFormer
from emolab.errors import InputError

HEAD, EVA_HEAD = 64, 88  # width of an attention head: the one thing that tensors do not tell
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class Part:
    """A part of the original. `names`: how its tensors begin here and there; `inner`: what else is called otherwise;
    `usual`: shapes in the published model, from whose namesakes `build` takes the sizes; `layers`: what stands before
    a layer's number; `marks`: the part is there where a name begins so."""

    title: str
    names: dict[str, str]
    inner: dict[str, str]
    usual: dict[str, tuple[int, ...]]
    build: Callable[[Shapes, int], nn.Module]
    layers: str
    marks: tuple[str, ...]

    def original(self, name: str) -> str:
        """What a tensor of the module is called in the original."""
        begin = next(begin for begin in self.names if name.startswith(begin))
        name = self.names[begin] + name.removeprefix(begin)
        for here, there in self.inner.items():
            name = name.replace(here, there)
        return name

    def owns(self, name: str) -> bool:
        """Whether a tensor of the original is called like this part's."""
        return name.startswith((*self.names.values(), *self.marks))

    def take(self, state: Mapping[str, Tensor]) -> tuple[nn.Module, dict[str, Tensor]]:
        """The module, without weights, and its tensors. Raises InputError naming what is missing or does not fit."""
        shapes = dict(self.usual)
        for name, usual in self.usual.items():
            if name in state and state[name].dim() == len(usual):
                shapes[name] = tuple(state[name].shape)
        numbers = {int(n) for name in state for n in re.findall(rf"^{re.escape(self.layers)}(\d+)\.", name)}
        with torch.device("meta"):
            module = self.build(shapes, max(1, len(numbers)))
        wanted = {self.original(name): name for name in module.state_dict()}
        missing = [name for name in wanted if name not in state]
        if missing:
            raise InputError(
                f"The {self.title} is not whole: {len(missing)} of {len(wanted)} tensors are missing "
                f"({listed(missing)}); give the checkpoint that holds them as well."
            )
        right = {there: tensor.shape for there, tensor in zip(wanted, module.state_dict().values(), strict=True)}
        wrong = [f"{name} {tuple(state[name].shape)}" for name in wanted if state[name].shape != right[name]]
        if wrong:
            raise InputError(f"The {self.title} has tensors that do not fit each other: {listed(wrong)}.")
        return module, {here: state[there] for there, here in wanted.items()}

    def strays(self, state: Mapping[str, Tensor], module: nn.Module) -> list[str]:
        """Tensors that are called like this part's, but are none of it."""
        known = {self.original(name) for name in module.state_dict()}
        return [name for name in state if self.owns(name) and name not in known]


def listed(names: Sequence[str], most: int = 12) -> str:
    """The first names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _heads(width: int, each: int = HEAD) -> int:
    if width % each:
        raise InputError(
            f"A part is {width} wide, which its heads of {each} do not divide; it is none of the original's."
        )
    return width // each


def _qformer_names(here: str, there: str) -> dict[str, str]:
    return {f"{here}.layernorm.": f"{there}.bert.embeddings.LayerNorm.", f"{here}.": f"{there}.bert."}


def _branch(kind: str, positions: str, projection: str, times: int, queries: int, reads: int) -> Part:
    """What is trained of a modality: queries, Q-Former, positions, projection (video_llama.py)."""
    former, tokens = f"{kind}_Qformer", f"{kind}_query_tokens"
    layers = f"{former}.bert.encoder.layer."
    key, inner = f"{layers}0.crossattention.self.key.weight", f"{layers}0.intermediate_query.dense.weight"

    def build(shapes: Shapes, depth: int) -> TimeQFormer:
        _, count, width = shapes[tokens]
        config = qformer_config(width, shapes[key][1], depth, _heads(width), shapes[inner][0])
        return TimeQFormer(config, count, shapes[f"{positions}.weight"][0], shapes[f"{projection}.weight"][0])

    return Part(
        title=f"{kind} branch",
        names={
            "query_tokens": tokens, "positions.": f"{positions}.", "projection.": f"{projection}.",
            **_qformer_names("qformer", former),
        },
        inner={"attention.attention.": "attention.self."},
        usual={
            tokens: (1, queries, 768), key: (768, reads), inner: (3072, 768),
            f"{positions}.weight": (times, reads), f"{projection}.weight": (4096, 768),
        },
        build=build,
        layers=layers,
        marks=(f"{former}.",),
    )  # fmt: skip


def _build_image_qformer(shapes: Shapes, depth: int) -> nn.Module:
    key, inner, tokens = IMAGE_QFORMER.usual
    _, count, width = shapes[tokens]
    module = nn.Module()
    module.image_query_tokens = nn.Parameter(torch.zeros(1, count, width))
    module.image_qformer = Blip2QFormerModel(
        Blip2QFormerConfig(
            hidden_size=width,
            num_hidden_layers=depth,
            num_attention_heads=_heads(width),
            intermediate_size=shapes[inner][0],
            encoder_hidden_size=shapes[key][1],
        )
    )
    return module


def _build_vision(shapes: Shapes, depth: int) -> Blip2VisionModel:
    patches, inner, positions = VISION.usual
    width, side = shapes[patches][0], shapes[patches][2]
    config = Blip2VisionConfig(
        hidden_size=width,
        num_hidden_layers=depth,
        num_attention_heads=_heads(width, EVA_HEAD),
        intermediate_size=shapes[inner][0],
        patch_size=side,
        image_size=side * math.isqrt(shapes[positions][1] - 1),
    )
    return Blip2VisionModel(config)


def _build_audio(shapes: Shapes, depth: int) -> ImageBindAudioModel:
    stem, inner, head = AUDIO.usual
    width = shapes[stem][0]
    config = ImageBindAudioConfig(
        hidden_size=width,
        num_hidden_layers=depth,
        num_attention_heads=_heads(width),
        mlp_ratio=shapes[inner][0] / width,
        kernel_size=shapes[stem][2],
        output_size=shapes[head][0],
    )
    return ImageBindAudioModel(config)


VIDEO_BRANCH = _branch("video", "video_frame_position_embedding", "llama_proj", times=32, queries=32, reads=768)
AUDIO_BRANCH = _branch("audio", "audio_position_embedding", "audio_llama_proj", times=8, queries=8, reads=1024)
IMAGE_QFORMER = Part(  # LAVIS, blip2.py
    title="image Q-Former",
    names={"image_query_tokens": "query_tokens", **_qformer_names("image_qformer", "Qformer")},
    inner={"attention.attention.": "attention.self."},
    usual={
        "Qformer.bert.encoder.layer.0.crossattention.self.key.weight": (768, 1408),
        "Qformer.bert.encoder.layer.0.intermediate_query.dense.weight": (3072, 768),
        "query_tokens": (1, 32, 768),
    },
    build=_build_image_qformer,
    layers="Qformer.bert.encoder.layer.",
    marks=("Qformer.", "query_tokens"),
)
VISION = Part(  # LAVIS, eva_vit.py; ln_vision is trained with BLIP-2 and lies in its file
    title="vision encoder",
    names={
        "embeddings.class_embedding": "visual_encoder.cls_token",
        "embeddings.position_embedding": "visual_encoder.pos_embed",
        "embeddings.patch_embedding.": "visual_encoder.patch_embed.proj.",
        "encoder.layers.": "visual_encoder.blocks.",
        "post_layernorm.": "ln_vision.",
    },
    inner={"self_attn.projection.": "attn.proj.", "self_attn.": "attn.", "layer_norm": "norm"},
    usual={
        "visual_encoder.patch_embed.proj.weight": (1408, 3, 14, 14),
        "visual_encoder.blocks.0.mlp.fc1.weight": (6144, 1408),
        "visual_encoder.pos_embed": (1, 257, 1408),
    },
    build=_build_vision,
    layers="visual_encoder.blocks.",
    marks=("visual_encoder.",),
)
AUDIO = Part(  # ImageBind, imagebind_model.py
    title="audio encoder",
    names={
        "stem.": "audio_encoder.modality_preprocessors.audio.rgbt_stem.proj.",
        "stem_norm.": "audio_encoder.modality_preprocessors.audio.rgbt_stem.norm_layer.",
        "class_token": "audio_encoder.modality_preprocessors.audio.cls_token",
        "positions": "audio_encoder.modality_preprocessors.audio.pos_embedding_helper.pos_embed",
        "layers.": "audio_encoder.modality_trunks.audio.blocks.",
        "norm.": "audio_encoder.modality_heads.audio.0.",
        "head.": "audio_encoder.modality_heads.audio.2.",
    },
    inner={".attention.": ".attn.", ".fc": ".mlp.fc"},
    usual={
        "audio_encoder.modality_preprocessors.audio.rgbt_stem.proj.weight": (768, 1, 16, 16),
        "audio_encoder.modality_trunks.audio.blocks.0.mlp.fc1.weight": (3072, 768),
        "audio_encoder.modality_heads.audio.2.weight": (1024, 768),
    },
    build=_build_audio,
    layers="audio_encoder.modality_trunks.audio.blocks.",
    marks=(
        "audio_encoder.modality_preprocessors.audio.",
        "audio_encoder.modality_trunks.audio.",
        "audio_encoder.modality_heads.audio.",
    ),
)
