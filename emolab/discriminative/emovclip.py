"""EmoVCLIP: CLIP with learned video prompts and text context, after Vita-CLIP (Wasim et al., CVPR 2023).

The towers are transformers' `CLIPModel`, frozen and unchanged: hooks add prompts before each vision block and take
them away behind it. (The published code takes local prompts and summary away between attention and MLP; the MLP sees
each token alone, so that the others come out the same.)
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial

import torch
from torch import nn
from torch.nn import functional
from transformers import CLIPModel

from emolab.corpora.clip import SIX_WAY


class EmoVCLIP(nn.Module):
    """What is learned on top of a frozen CLIP, which is shared and not part of the state.

    `frames` T is fixed: the local prompts and the time embedding hold one vector a frame. `questions` [classes, length]
    are token ids with room for `context` learned tokens behind the start (see `class_questions`). Trainable: prompts,
    summary attention, `cls_proj` (unless frozen), time embedding, context and logit scale, as in Vita-CLIP.
    """

    def __init__(
        self,
        clip: CLIPModel,
        questions: torch.Tensor,
        frames: int,
        global_prompts: int = 8,
        context: int = 8,
        freeze_cls_proj: bool = False,
    ) -> None:
        super().__init__()
        self._clip = [clip.requires_grad_(False).eval()]  # in a list: no part of this module's state or mode
        vision, text = clip.config.vision_config, clip.config.text_config
        width, layers = vision.hidden_size, vision.num_hidden_layers
        self.frames = frames
        self.time_embed = nn.Parameter(torch.empty(frames, width).normal_(std=0.02))
        start = (6 / (3 * vision.patch_size**2 + width)) ** 0.5  # Vita-CLIP's, for global and local prompts
        self.global_prompts = nn.Parameter(torch.empty(layers, global_prompts, width).uniform_(-start, start))
        self.layers = nn.ModuleList(
            _LayerPrompts(width, vision.num_attention_heads, frames, start) for _ in range(layers)
        )
        if freeze_cls_proj:
            for layer in self.layers:
                layer.cls_proj.requires_grad_(False)
        self.context = nn.Parameter(torch.empty(len(questions), context, text.hidden_size).normal_(std=0.02))
        self.logit_scale = nn.Parameter(clip.logit_scale.detach().clone())
        self.register_buffer("questions", questions, persistent=False)

    @property
    def clip(self) -> CLIPModel:
        """The frozen CLIP below."""
        return self._clip[0]

    def trainable(self) -> dict[str, nn.Parameter]:
        """Name -> parameter of all that learns."""
        return {name: each for name, each in self.named_parameters() if each.requires_grad}

    def video_features(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Clips [n, T, 3, height, width], normalised as CLIP's, to [n, projection]: the mean over frames of the
        projected CLS. Raises ValueError for another number of frames."""
        count, frames = pixel_values.shape[:2]
        if frames != self.frames:
            raise ValueError(f"EmoVCLIP was made for {self.frames} frames and is given {frames}.")
        with self._prompted():
            seen = self.clip.get_image_features(pixel_values=pixel_values.flatten(0, 1)).pooler_output
        return seen.unflatten(0, (count, frames)).mean(1)

    def class_features(self) -> torch.Tensor:
        """[classes, projection]: the text tower over learned context and class name."""

        def with_context(module: nn.Module, given: tuple, embedded: torch.Tensor) -> torch.Tensor:
            return torch.cat([embedded[:, :1], self.context, embedded[:, 1 + self.context.shape[1] :]], 1)

        with contextlib.closing(_Hooks()) as hooks:
            hooks.add(self.clip.text_model.embeddings.token_embedding.register_forward_hook(with_context))
            return self.clip.get_text_features(input_ids=self.questions).pooler_output

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes]: exp(logit_scale) · cosine of video and class features."""
        video, classes = self.video_features(pixel_values).float(), self.class_features().float()
        with torch.autocast(pixel_values.device.type, enabled=False):  # bfloat16 rounds logits of 25 to tenths
            cosine = functional.normalize(video, dim=-1) @ functional.normalize(classes, dim=-1).T
            return self.logit_scale.exp() * cosine

    @contextlib.contextmanager
    def _prompted(self) -> Iterator[None]:
        """The vision tower with time embedding and prompts; as it was afterwards."""
        vision = self.clip.vision_model
        with contextlib.closing(_Hooks()) as hooks:
            hooks.add(vision.embeddings.register_forward_hook(self._in_time))
            for block, layer, shared in zip(vision.encoder.layers, self.layers, self.global_prompts, strict=True):
                hooks.add(block.register_forward_pre_hook(partial(layer.insert, shared), with_kwargs=True))
                hooks.add(block.register_forward_hook(partial(_take_away, self.frames + len(shared))))
            yield

    def _in_time(self, module: nn.Module, given: tuple, tokens: torch.Tensor) -> torch.Tensor:
        return (tokens.unflatten(0, (-1, self.frames)) + self.time_embed[:, None]).flatten(0, 1)


class _LayerPrompts(nn.Module):
    """The local prompts and the summary of one vision block."""

    def __init__(self, width: int, heads: int, frames: int, start: float) -> None:
        super().__init__()
        self.cls_proj = nn.Linear(width, width)
        self.local_prompts = nn.Parameter(torch.empty(1, frames, width).uniform_(-start, start))
        self.summary_ln = nn.LayerNorm(width)
        self.summary_attn = nn.MultiheadAttention(width, heads, batch_first=True)

    def insert(self, shared: torch.Tensor, module: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        """Block inputs [n · T, tokens, width] become CLS, T local, global (`shared`), patches, 1 summary."""
        tokens = kwargs.pop("hidden_states") if "hidden_states" in kwargs else args[0]
        frames = self.local_prompts.shape[1]
        cls = self.cls_proj(tokens[:, 0].unflatten(0, (-1, frames)))  # [n, T, width]
        calm = self.summary_ln(cls)
        summary = cls + self.summary_attn(calm, calm, calm, need_weights=False)[0]
        local = (self.local_prompts + cls).repeat_interleave(frames, 0)  # all T go to every frame
        shared = shared.expand(len(tokens), -1, -1)
        given = torch.cat([tokens[:, :1], local, shared, tokens[:, 1:], summary.flatten(0, 1)[:, None]], 1)
        return (given, *args[1:]), kwargs


def _take_away(count: int, module: nn.Module, given: tuple, tokens: torch.Tensor) -> torch.Tensor:
    """Without the `count` prompts behind CLS and the summary at the end."""
    return torch.cat([tokens[:, :1], tokens[:, 1 + count : -1]], 1)


class _Hooks:
    """Handles that are removed together."""

    def __init__(self) -> None:
        self._handles: list = []

    def add(self, handle) -> None:
        self._handles.append(handle)

    def close(self) -> None:
        for handle in self._handles:
            handle.remove()


def class_questions(tokenizer, context: int) -> torch.Tensor:
    """Token ids [6, length] of the classes in SIX_WAY's order: start, room for the context, the class name, end, filled
    up with ends (the text tower reads its state at the first)."""
    names = [tokenizer(name, add_special_tokens=False).input_ids for name in SIX_WAY]
    rows = [[tokenizer.bos_token_id, *[name[0]] * context, *name, tokenizer.eos_token_id] for name in names]
    width = max(map(len, rows))
    return torch.tensor([row + [tokenizer.eos_token_id] * (width - len(row)) for row in rows])
