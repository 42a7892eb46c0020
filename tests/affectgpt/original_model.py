"""Video-LLaMA's and AffectGPT's model in front of the language model, written out plainly: names, shapes, computation.

Sources: video_llama/models/video_llama.py, LAVIS' Qformer.py and eva_vit.py, ImageBind's imagebind_model.py.
"""

from __future__ import annotations

import torch
from torch.nn import functional

WIDTH, EVA, HEARD, LLM = 128, 176, 64, 96  # two heads each, as wide as the original's
CLIPS = 4


def original(seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights under the names of Video-LLaMA's model, all parts but the language model, at small widths."""
    draw = torch.Generator().manual_seed(seed)
    state: dict[str, torch.Tensor] = {}

    def add(name: str, *shape: int) -> None:
        state[name] = torch.randn(shape, generator=draw) * 0.3 / max(1, shape[-1]) ** 0.25

    def linear(name: str, out: int, into: int, bias: bool = True) -> None:
        add(f"{name}.weight", out, into)
        if bias:
            add(f"{name}.bias", out)

    def norm(name: str, width: int) -> None:
        state[f"{name}.weight"] = 1 + 0.2 * torch.randn(width, generator=draw)
        add(f"{name}.bias", width)

    def qformer(name: str, layers: int, every: int, reads: int) -> None:
        norm(f"{name}.bert.embeddings.LayerNorm", WIDTH)
        for number in range(layers):
            layer = f"{name}.bert.encoder.layer.{number}"
            for attention, seen in (("attention", WIDTH), ("crossattention", reads)):
                if attention == "attention" or number % every == 0:
                    linear(f"{layer}.{attention}.self.query", WIDTH, WIDTH)
                    linear(f"{layer}.{attention}.self.key", WIDTH, seen)
                    linear(f"{layer}.{attention}.self.value", WIDTH, seen)
                    linear(f"{layer}.{attention}.output.dense", WIDTH, WIDTH)
                    norm(f"{layer}.{attention}.output.LayerNorm", WIDTH)
            linear(f"{layer}.intermediate_query.dense", 192, WIDTH)
            linear(f"{layer}.output_query.dense", WIDTH, 192)
            norm(f"{layer}.output_query.LayerNorm", WIDTH)

    add("query_tokens", 1, 5, WIDTH)
    qformer("Qformer", 4, 2, EVA)
    add("video_query_tokens", 1, 6, WIDTH)
    qformer("video_Qformer", 2, 1, WIDTH)
    add("video_frame_position_embedding.weight", 7, WIDTH)
    linear("llama_proj", LLM, WIDTH)
    add("audio_query_tokens", 1, 3, WIDTH)
    qformer("audio_Qformer", 2, 1, HEARD)
    add("audio_position_embedding.weight", CLIPS, HEARD)
    linear("audio_llama_proj", LLM, WIDTH)

    eva = "visual_encoder"
    add(f"{eva}.cls_token", 1, 1, EVA)
    add(f"{eva}.pos_embed", 1, 5, EVA)
    add(f"{eva}.patch_embed.proj.weight", EVA, 3, 14, 14)
    add(f"{eva}.patch_embed.proj.bias", EVA)
    for number in range(2):
        block = f"{eva}.blocks.{number}"
        norm(f"{block}.norm1", EVA)
        add(f"{block}.attn.q_bias", EVA)
        add(f"{block}.attn.v_bias", EVA)
        linear(f"{block}.attn.qkv", 3 * EVA, EVA, bias=False)
        linear(f"{block}.attn.proj", EVA, EVA)
        norm(f"{block}.norm2", EVA)
        linear(f"{block}.mlp.fc1", 200, EVA)
        linear(f"{block}.mlp.fc2", EVA, 200)
    norm("ln_vision", EVA)

    ears = "audio_encoder.modality_preprocessors.audio"
    add(f"{ears}.cls_token", 1, 1, WIDTH)
    add(f"{ears}.rgbt_stem.proj.weight", WIDTH, 1, 16, 16)
    norm(f"{ears}.rgbt_stem.norm_layer", WIDTH)
    add(f"{ears}.pos_embedding_helper.pos_embed", 1, 229, WIDTH)
    for number in range(2):
        block = f"audio_encoder.modality_trunks.audio.blocks.{number}"
        add(f"{block}.attn.in_proj_weight", 3 * WIDTH, WIDTH)
        add(f"{block}.attn.in_proj_bias", 3 * WIDTH)
        add(f"{block}.attn.bias_k", 1, 1, WIDTH)
        add(f"{block}.attn.bias_v", 1, 1, WIDTH)
        linear(f"{block}.attn.out_proj", WIDTH, WIDTH)
        norm(f"{block}.norm_1", WIDTH)
        norm(f"{block}.norm_2", WIDTH)
        linear(f"{block}.mlp.fc1", 4 * WIDTH, WIDTH)
        linear(f"{block}.mlp.fc2", WIDTH, 4 * WIDTH)
    norm("audio_encoder.modality_heads.audio.0", WIDTH)
    linear("audio_encoder.modality_heads.audio.2", HEARD, WIDTH, bias=False)
    return state | buffers()


def buffers() -> dict[str, torch.Tensor]:
    """What stands in every checkpoint of the original, also in one that holds only what was trained."""
    positions = torch.arange(512)[None]
    return {
        **{f"{name}.bert.embeddings.position_ids": positions for name in ("Qformer", "video_Qformer", "audio_Qformer")},
        "audio_encoder.modality_postprocessors.audio.1.log_logit_scale": torch.tensor(17.0).log(),
        "audio_encoder.modality_preprocessors.text.mask": torch.zeros(4, 4),
        "llama_model.model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(8),
    }


FROZEN = ("Qformer.", "query_tokens", "visual_encoder.", "ln_vision.", "audio_encoder.")


def trained(seed: int = 0) -> dict[str, torch.Tensor]:
    """What AffectGPT's runner saves: weights that were trained, and every buffer."""
    return {name: tensor for name, tensor in original(seed).items() if not name.startswith(FROZEN)} | buffers()


# The computation, in evaluation mode


def linear(state, name, x):
    return functional.linear(x, state[f"{name}.weight"], state.get(f"{name}.bias"))


def norm(state, name, x, eps):
    return functional.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"], eps)


def attend(query, key, value, heads):
    query, key, value = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (query, key, value))
    weights = (query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5).softmax(-1)
    return (weights @ value).transpose(1, 2).flatten(2)


def run_qformer(state, name, queries, seen):
    """BERT's layers over the queries alone, with cross-attention where a layer has it, normalised after each sum."""
    x = norm(state, f"{name}.bert.embeddings.LayerNorm", queries.expand(len(seen), -1, -1), 1e-12)
    number = 0
    while f"{name}.bert.encoder.layer.{number}.attention.self.query.weight" in state:
        layer = f"{name}.bert.encoder.layer.{number}"
        for attention, read in (("attention", None), ("crossattention", seen)):
            part = f"{layer}.{attention}"
            if f"{part}.self.query.weight" in state:
                read = x if read is None else read
                query, key, value = (
                    linear(state, f"{part}.self.{each}", of)
                    for each, of in (("query", x), ("key", read), ("value", read))
                )
                told = linear(state, f"{part}.output.dense", attend(query, key, value, WIDTH // 64))
                x = norm(state, f"{part}.output.LayerNorm", told + x, 1e-12)
        inner = functional.gelu(linear(state, f"{layer}.intermediate_query.dense", x))
        told = linear(state, f"{layer}.output_query.dense", inner)
        x = norm(state, f"{layer}.output_query.LayerNorm", told + x, 1e-12)
        number += 1
    return x


def run_eva(state, pixels):
    name = "visual_encoder"
    patch = state[f"{name}.patch_embed.proj.weight"], state[f"{name}.patch_embed.proj.bias"]
    x = functional.conv2d(pixels, *patch, stride=14).flatten(2).transpose(1, 2)
    x = torch.cat([state[f"{name}.cls_token"].expand(len(x), -1, -1), x], 1) + state[f"{name}.pos_embed"]
    for number in range(2):
        block = f"{name}.blocks.{number}"
        query, value = state[f"{block}.attn.q_bias"], state[f"{block}.attn.v_bias"]
        normed = norm(state, f"{block}.norm1", x, 1e-6)
        both = linear(state, f"{block}.attn.qkv", normed) + torch.cat([query, torch.zeros_like(query), value])
        x = x + linear(state, f"{block}.attn.proj", attend(*both.chunk(3, -1), EVA // 88))
        inner = functional.gelu(linear(state, f"{block}.mlp.fc1", norm(state, f"{block}.norm2", x, 1e-6)))
        x = x + linear(state, f"{block}.mlp.fc2", inner)
    return norm(state, "ln_vision", x, 1e-5)


def run_imagebind(state, mels):
    before = "audio_encoder.modality_preprocessors.audio"
    x = functional.conv2d(mels, state[f"{before}.rgbt_stem.proj.weight"], stride=10).flatten(2).transpose(1, 2)
    x = norm(state, f"{before}.rgbt_stem.norm_layer", x, 1e-5)
    x = torch.cat([state[f"{before}.cls_token"].expand(len(x), -1, -1), x], 1)
    x = x + state[f"{before}.pos_embedding_helper.pos_embed"]
    for number in range(2):
        block = f"audio_encoder.modality_trunks.audio.blocks.{number}"
        normed = norm(state, f"{block}.norm_1", x, 1e-6)
        both = functional.linear(normed, state[f"{block}.attn.in_proj_weight"], state[f"{block}.attn.in_proj_bias"])
        query, key, value = both.chunk(3, -1)
        key = torch.cat([key, state[f"{block}.attn.bias_k"].expand(len(x), -1, -1)], 1)
        value = torch.cat([value, state[f"{block}.attn.bias_v"].expand(len(x), -1, -1)], 1)
        x = x + linear(state, f"{block}.attn.out_proj", attend(query, key, value, WIDTH // 64))
        inner = functional.gelu(linear(state, f"{block}.mlp.fc1", norm(state, f"{block}.norm_2", x, 1e-6)))
        x = x + linear(state, f"{block}.mlp.fc2", inner)
    x = norm(state, "audio_encoder.modality_heads.audio.0", x, 1e-6)[:, 0]
    x = functional.normalize(x @ state["audio_encoder.modality_heads.audio.2.weight"].T, dim=-1)
    scale = state["audio_encoder.modality_postprocessors.audio.1.log_logit_scale"].float().exp().clip(max=100)
    return x * scale.to(x.dtype)


def run_video(state, pixels):
    """encode_videoQformer_visual: [n, frames, 3, 28, 28] to [n, queries, LLM]."""
    count, frames = pixels.shape[:2]
    seen = run_qformer(state, "Qformer", state["query_tokens"], run_eva(state, pixels.flatten(0, 1)))
    seen = seen.unflatten(0, (count, frames)) + state["video_frame_position_embedding.weight"][:frames, None]
    words = run_qformer(state, "video_Qformer", state["video_query_tokens"], seen.flatten(1, 2))
    return linear(state, "llama_proj", words)


def run_audio(state, mels):
    """encode_audioQformer: [n, clips, 1, 128, 204] to [n, queries, LLM]."""
    heard = run_imagebind(state, mels.flatten(0, 1)).unflatten(0, mels.shape[:2])
    heard = heard + state["audio_position_embedding.weight"][: mels.shape[1]]
    return linear(state, "audio_llama_proj", run_qformer(state, "audio_Qformer", state["audio_query_tokens"], heard))
