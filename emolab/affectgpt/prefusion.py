"""Attention pre-fusion: sound and pictures weighed into one token before the language model (AffectGPT 2025)."""

from __future__ import annotations

import torch
from torch import nn


class AttentionPrefusion(nn.Module):
    """Each modality's mean goes to the larger width; two weights, without softmax, come from both; their weighted sum
    is the token: [n, frames, tokens, video width] and [n, clips, audio width] to [n, 1, out]."""

    def __init__(self, video: int, audio: int, out: int) -> None:
        super().__init__()
        width = max(video, audio)
        self.video, self.audio = nn.Linear(video, width), nn.Linear(audio, width)
        self.weigh = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU(), nn.Linear(width, 2))
        self.projection = nn.Linear(width, out)

    def forward(self, video: torch.Tensor, audio: torch.Tensor, frames: torch.Tensor | None = None) -> torch.Tensor:
        """`frames` [n]: how many of the frames are real; the rest is padding. None: all."""
        dtype = self.video.weight.dtype
        perframe = video.to(dtype).mean(2)
        if frames is None:
            mean = perframe.mean(1)
        else:
            real = torch.arange(perframe.shape[1], device=frames.device) < frames[:, None]
            mean = (perframe * real[..., None]).sum(1) / frames[:, None]
        both = torch.stack([self.video(mean), self.audio(audio.to(dtype).mean(1))], 1)  # [n, 2, width]
        weights = self.weigh(both.flatten(1))
        return self.projection((weights[..., None] * both).sum(1, keepdim=True))
