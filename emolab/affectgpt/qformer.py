"""A Q-Former that turns what an encoder saw or heard over time into a fixed number of words of the language model."""

from __future__ import annotations

import torch
from torch import nn
from transformers import Blip2QFormerConfig, Blip2QFormerModel


class TimeQFormer(nn.Module):
    """Queries, position embeddings over time, Q-Former and projection: all that AffectGPT trains of a branch.

    Reads [n, time, tokens, width] (video: frames × tokens of a frame; audio: clips × 1), gives [n, queries, out].
    """

    def __init__(self, config: Blip2QFormerConfig, queries: int, times: int, out: int) -> None:
        super().__init__()
        self.query_tokens = nn.Parameter(torch.zeros(1, queries, config.hidden_size))
        self.query_tokens.data.normal_(std=config.initializer_range)
        self.positions = nn.Embedding(times, config.encoder_hidden_size)
        self.qformer = Blip2QFormerModel(config)
        self.projection = nn.Linear(config.hidden_size, out)

    def forward(self, features: torch.Tensor, times: torch.Tensor | None = None) -> torch.Tensor:
        """`times` [n]: how many of the times are real; the rest is padding. None: all."""
        count, longest, tokens, _ = features.shape
        if longest > self.positions.num_embeddings:
            raise ValueError(f"{longest} frames or clips, but there are {self.positions.num_embeddings} positions.")
        placed = features.to(self.positions.weight.dtype) + self.positions.weight[:longest, None]
        mask = None
        if times is not None and int(times.min()) < longest:
            real = torch.arange(longest, device=times.device) < times[:, None]
            mask = real.repeat_interleave(tokens, dim=1).long()
        seen = self.qformer(
            query_embeds=self.query_tokens.expand(count, -1, -1),
            encoder_hidden_states=placed.flatten(1, 2),
            encoder_attention_mask=mask,
        ).last_hidden_state
        return self.projection(seen)
