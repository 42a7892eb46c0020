"""Official AffectGPT (2024) and Video-LLaMA checkpoints to a folder of trained parts (see parts.py).

python -m emolab.affectgpt.convert blip2_pretrained_flant5xxl.pth finetune-vicuna7b-v2.pth checkpoint.pth --out FOLDER

A later checkpoint wins over an earlier one, tensor by tensor (the original's ckpt, ckpt_2, ckpt_3). They hold what was
trained; give the files of the frozen parts as well: BLIP-2's holds the image Q-Former, which goes into the folder. With
eva_vit_g.pth the vision encoder is written to FOLDER/vision, with imagebind_huge.pth the audio encoder to FOLDER/audio.
The language model is given to emolab by its own folder. Nothing is unpickled.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import Blip2QFormerConfig, BlipImageProcessor, PreTrainedModel

from emolab.affectgpt.configuration import AffectGPTConfig
from emolab.affectgpt.imagebind import ImageBindFeatureExtractor
from emolab.affectgpt.original import AUDIO, AUDIO_BRANCH, IMAGE_QFORMER, VIDEO_BRANCH, VISION, Part, listed
from emolab.affectgpt.parts import save_trained
from emolab.errors import EmolabError, InputError

# What a release, or the file of a frozen part, calls otherwise than the 2024 model
ALIASES = (
    (r"^(affectgpt_proj|video_llama_proj)\.", "llama_proj."),
    (r"^(?=modality_)", "audio_encoder."),
    (r"^(?=(cls_token|pos_embed|patch_embed\.|blocks\.))", "visual_encoder."),
)
# The language model and what the originals hold without using it: BERT's text half of a Q-Former, BLIP-2's own
# projection, EVA-G's last block (LAVIS leaves it out), ImageBind's other senses, buffers (they are in every checkpoint)
UNUSED = re.compile(
    r"llama_model\.|t5_proj\.|visual_encoder\.blocks\.39\.|audio_encoder\.modality_(\w+\.(?!audio\.)|postprocessors\.)"
    r"|(video_|audio_)?Qformer\.(cls\.|bert\.embeddings\.(word|position)_|bert\.encoder\.layer\.\d+\.(intermediate|output)\.)"
)
LN_VISION_EPS = 1e-5  # LAVIS' ln_vision; EVA-G's other norms have 1e-6, and so has transformers' BLIP-2 in this place
LOGIT_SCALE = "audio_encoder.modality_postprocessors.audio.1.log_logit_scale"


@dataclass(frozen=True)
class Converted:
    """What became of a checkpoint.

    `tensors`: what was trained, and the image Q-Former where it was there, by AffectGPT's names; `models`: frozen
    encoders by subfolder; `missing`: frozen parts that were not there; `unexpected` and `skipped` (known, but unused):
    names in the checkpoints.
    """

    tensors: dict[str, Tensor]
    config: AffectGPTConfig
    models: dict[str, PreTrainedModel]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    skipped: tuple[str, ...]


def convert(state: Mapping[str, Tensor]) -> Converted:
    """The original's tensors by its names (see `read_checkpoint`) as AffectGPT's.

    Q-Formers become float32; encoders keep their type. Raises InputError where a branch, or a frozen part of which
    something is there, is not whole, where a branch has a tensor unknown to the original, and where parts do not fit.
    """
    used = _join_qkv_bias({name: tensor for name, tensor in state.items() if not UNUSED.match(name)})
    branches, frozen = (VIDEO_BRANCH, AUDIO_BRANCH), (IMAGE_QFORMER, VISION, AUDIO)
    there = [*branches, *(part for part in frozen if any(name.startswith(part.marks) for name in used))]
    taken = {part: part.take(used) for part in there}
    modules = {part: module for part, (module, _) in taken.items()}
    strays = {part: part.strays(used, module) for part, module in modules.items()}
    foreign = [name for part in branches for name in strays[part]]
    if foreign:
        raise InputError(
            f"The checkpoints hold tensors among the Q-Formers' that the 2024 model does not know ({listed(foreign)}); "
            "give checkpoints of AffectGPT (2024) or Video-LLaMA."
        )
    config = _config(modules)
    prefixes = {VIDEO_BRANCH: "video_qformer.", AUDIO_BRANCH: "audio_qformer.", IMAGE_QFORMER: "encoders."}
    tensors = {
        f"{prefix}{name}": tensor.float()
        for part, prefix in prefixes.items()
        for name, tensor in taken.get(part, (None, {}))[1].items()
    }
    models = {}
    for folder, part in (("vision", VISION), ("audio", AUDIO)):
        if part in taken:
            models[folder], weights = taken[part]
            models[folder].load_state_dict(weights, assign=True)
    if "vision" in models:
        models["vision"].config.post_layernorm_eps = LN_VISION_EPS
    if "audio" in models and LOGIT_SCALE in state:
        models["audio"].config.scale = min(100.0, float(state[LOGIT_SCALE].exp()))
    absent = [part for part in frozen if part not in taken]
    idle = {name for name in used if any(part.owns(name) for part in absent)}
    unknown = {name for part in there for name in strays[part]}
    unknown |= {name for name in used if not any(part.owns(name) for part in (*branches, *frozen))}
    return Converted(
        tensors=tensors,
        config=config,
        models=models,
        missing=tuple(part.title for part in absent),
        unexpected=tuple(sorted(unknown)),
        skipped=tuple(sorted({*(name for name in state if UNUSED.match(name)), *idle})),
    )


def _config(modules: Mapping[Part, nn.Module]) -> AffectGPTConfig:
    """What is known of the whole model. Raises InputError where one part does not read what another gives."""
    video, audio = modules[VIDEO_BRANCH], modules[AUDIO_BRANCH]
    image, vision, encoder = (modules.get(part) for part in (IMAGE_QFORMER, VISION, AUDIO))
    reads = video.qformer.config.encoder_hidden_size
    pairs = {"language model of video and audio": (video.projection.out_features, audio.projection.out_features)}
    if image:
        pairs["Video Q-Former and image Q-Former"] = (reads, image.image_qformer.config.hidden_size)
    if image and vision:
        pairs["image and vision encoder"] = (image.image_qformer.config.encoder_hidden_size, vision.config.hidden_size)
    if encoder:
        pairs["Audio Q-Former and audio encoder"] = (audio.positions.embedding_dim, encoder.config.output_size)
    for what, (one, other) in pairs.items():
        if one != other:
            raise InputError(f"The checkpoints are not of one model (widths of {what}: {one} and {other}).")
    blip = Blip2QFormerConfig()  # what the published branches read, where its weights are not among the checkpoints
    return AffectGPTConfig(
        vision_config=vision and vision.config,
        audio_config=encoder and encoder.config,
        image_qformer_config=image.image_qformer.config if image else blip if reads == blip.hidden_size else None,
        video_qformer_config=video.qformer.config,
        audio_qformer_config=audio.qformer.config,
        image_queries=image.image_query_tokens.shape[1] if image else 32,
        video_queries=video.query_tokens.shape[1],
        audio_queries=audio.query_tokens.shape[1],
        max_frames=video.positions.num_embeddings,
        audio_clips=audio.positions.num_embeddings,
    )


def _join_qkv_bias(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """EVA's attention has biases for queries and values only; BLIP-2's in transformers one for all three."""
    for name in [name for name in state if name.endswith(".attn.q_bias")]:
        value = name.replace(".q_bias", ".v_bias")
        if value in state:
            query, value = state.pop(name), state.pop(value)
            state[name.replace(".q_bias", ".qkv.bias")] = torch.cat([query, torch.zeros_like(query), value])
    return state


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """A checkpoint's tensors by the 2024 model's names: of torch (`{"model": tensors}` or the tensors alone) or
    safetensors. Raises InputError for a file that is missing, broken, or holds more than unpickling-free loading gives.
    """
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            mapped = zipfile.is_zipfile(path)  # torch's older format cannot be mapped
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except UnpicklingError:
        raise InputError(
            f"{path}: is damaged, or holds Python objects besides tensors, which emolab never unpickles; if you "
            "trust it, save its tensors alone (torch.save(checkpoint['model'], …))."
        ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); check the name.") from None
    except (RuntimeError, ValueError, LookupError, EOFError, AttributeError, SafetensorError):
        raise InputError(f"{path}: is no whole torch or safetensors file; download it again.") from None
    if isinstance(state, dict) and isinstance(state.get("model"), dict):
        state = state["model"]
    if not isinstance(state, dict) or not state or not all(isinstance(each, Tensor) for each in state.values()):
        raise InputError(
            f"{path}: holds no tensors by name; give a checkpoint of AffectGPT, Video-LLaMA or a frozen part."
        )
    named = {}
    for name, tensor in state.items():
        for pattern, ours in ALIASES:
            name = re.sub(pattern, ours, name)
        if name in named:
            raise InputError(f"{path}: holds {name} twice, under two names; delete the one that is not used.")
        named[name] = tensor
    return named


def write(folder: Path, converted: Converted, sources: Sequence[str]) -> None:
    """A folder of trained parts, with the frozen encoders that were there in `vision/` and `audio/`, and a card; whole
    or absent. Raises InputError where the folder exists."""
    if folder.exists():
        raise InputError(f"{folder}: exists already; delete it or give another folder.")
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    try:
        save_trained(partial, converted.tensors, converted.config)
        for name, model in converted.models.items():
            model.save_pretrained(partial / name)
        if "vision" in converted.models:
            side = converted.config.vision_config.image_size
            BlipImageProcessor(size={"height": side, "width": side}).save_pretrained(partial / "vision")
        if "audio" in converted.models:
            ImageBindFeatureExtractor().save_pretrained(partial / "audio")
        (partial / "README.md").write_text(card(converted, sources), encoding="utf-8")
        os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def card(converted: Converted, sources: Sequence[str]) -> str:
    """What the folder holds and where it came from, in Markdown."""
    config = converted.config
    out, _ = converted.tensors["video_qformer.projection.weight"].shape
    lines = [
        "# Trained parts of AffectGPT, converted",
        "",
        f"- **From**: {', '.join(sources)} (a later one wins), whose licences hold.",
        f"- **Video branch**: {config.video_queries} queries over at most {config.max_frames} frames.",
        f"- **Audio branch**: {config.audio_queries} queries over {config.audio_clips} pieces of sound.",
        f"- **Language model**: {out} wide; only the one that these parts were trained with understands them.",
    ]
    if converted.models:
        lines.append(f"- **Frozen encoders**: {', '.join(f'`{name}/`' for name in converted.models)}.")
    if converted.missing:
        lines.append(f"- **Not in the checkpoints**: {', '.join(converted.missing)}.")
    if converted.unexpected:
        lines.append(f"- **Not understood and left out**: {listed(converted.unexpected)}.")
    if converted.skipped:
        lines.append(f"- **Known and not needed**: {len(converted.skipped)} tensors.")
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code (2: bad input)."""
    parser = argparse.ArgumentParser(
        prog="python -m emolab.affectgpt.convert",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoints", nargs="+", type=Path, metavar="CHECKPOINT", help=".pth or .safetensors")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder to be written")
    args = parser.parse_args(argv)
    try:
        state: dict[str, Tensor] = {}
        for path in args.checkpoints:
            state |= read_checkpoint(path)
        converted = convert(state)
        write(args.out, converted, [path.name for path in args.checkpoints])
    except EmolabError as error:
        print(f"convert: {error}", file=sys.stderr)
        return error.exit_code
    print(card(converted, [path.name for path in args.checkpoints]), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
