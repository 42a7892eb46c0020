"""Vita-CLIP's forward pass written out plainly over CLIP's weights: local prompts and summary are taken away between
attention and MLP, global prompts behind the block, as in the published code."""

import torch
from torch.nn import functional


def attention(x, q, k, v, out, heads):
    """Scaled dot-product attention of x [n, tokens, width] on itself; q, k, v, out are (weight, bias)."""

    def split(layer):
        return functional.linear(x, *layer).unflatten(-1, (heads, -1)).transpose(1, 2)

    queries, keys, values = split(q), split(k), split(v)
    weights = (queries @ keys.transpose(-1, -2) / queries.shape[-1] ** 0.5).softmax(-1)
    return functional.linear((weights @ values).transpose(1, 2).flatten(2), *out)


def pair(layer):
    return layer.weight, layer.bias


def video_features(tuned, pixel_values):
    """What `EmoVCLIP.video_features` should give."""
    vision, own = tuned.clip.vision_model, tuned
    count, frames = pixel_values.shape[:2]
    x = vision.embeddings(pixel_values.flatten(0, 1))
    x = x + own.time_embed.repeat(count, 1)[:, None]
    x = vision.pre_layrnorm(x)
    heads = tuned.clip.config.vision_config.num_attention_heads
    for block, prompts, shared in zip(vision.encoder.layers, own.layers, own.global_prompts, strict=True):
        many = len(shared)
        x = torch.cat([x[:, :1], shared.expand(len(x), -1, -1), x[:, 1:]], 1)
        cls = functional.linear(x[:, 0].view(count, frames, -1), *pair(prompts.cls_proj))
        normed = prompts.summary_ln(cls)
        mixed = prompts.summary_attn
        q, k, v = zip(mixed.in_proj_weight.chunk(3), mixed.in_proj_bias.chunk(3), strict=True)
        summary = cls + attention(normed, q, k, v, pair(mixed.out_proj), heads)
        x = torch.cat([x, summary.reshape(count * frames, 1, -1)], 1)
        local = torch.stack([prompts.local_prompts[0] + cls[clip] for clip in range(count) for _ in range(frames)])
        x = torch.cat([x[:, :1], local, x[:, 1:]], 1)
        attn = block.self_attn
        parts = [pair(attn.q_proj), pair(attn.k_proj), pair(attn.v_proj), pair(attn.out_proj)]
        x = x + attention(block.layer_norm1(x), *parts, heads)
        x = x[:, :-1]
        x = torch.cat([x[:, :1], x[:, 1 + frames :]], 1)
        x = x + block.mlp(block.layer_norm2(x))
        x = torch.cat([x[:, :1], x[:, 1 + many :]], 1)
    cls = tuned.clip.visual_projection(vision.post_layernorm(x[:, 0]))
    return cls.view(count, frames, -1).mean(1)
