"""Fusion heads: the vectors of sound, pictures and words to logits of the six emotions, also where one is missing.

Nothing here looks at values to decide what to do, so that `torch.func.vmap` can train many heads side by side.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import torch
from torch import nn

from emolab.corpora.clip import SIX_WAY
from emolab.discriminative.settings import FUSIONS, MODALITIES, FusionSettings

_HEADS = 4  # of the transformer's attention; hidden is a multiple of it


class Fusion(nn.Module):
    """What both heads share: `forward` of vectors (modality → [n, width]) and `present` [n, 3] gives logits [n, 6].

    Vectors are standardised by the buffers `mean_*` and `sd_*`. What is absent never enters any arithmetic, so that its
    NaN reaches neither logits nor gradients; what `known` [3] denies, since no training clip had it, counts as absent.
    """

    def __init__(self, widths: Mapping[str, int]) -> None:
        super().__init__()
        for name in MODALITIES:
            self.register_buffer(f"mean_{name}", torch.zeros(widths[name]))
            self.register_buffer(f"sd_{name}", torch.ones(widths[name]))
        self.register_buffer("known", torch.ones(len(MODALITIES), dtype=torch.bool))

    def forward(self, vectors: Mapping[str, torch.Tensor], present: torch.Tensor) -> torch.Tensor:
        present = present & self.known
        inputs = {}
        for column, name in enumerate(MODALITIES):
            mean, sd = getattr(self, f"mean_{name}"), getattr(self, f"sd_{name}")
            inputs[name] = (torch.where(present[:, column, None], vectors[name], mean) - mean) / sd
        return self.fuse(inputs, present)

    @abstractmethod
    def fuse(self, inputs: Mapping[str, torch.Tensor], present: torch.Tensor) -> torch.Tensor:
        """Logits of standardised vectors, which are 0 where absent."""


class Encoder(nn.Sequential):
    """The toolkit's: dropout, then three linear layers, each with a ReLU."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        layers = [nn.Linear(width, hidden), nn.ReLU()]
        for _ in range(2):
            layers += [nn.Linear(hidden, hidden), nn.ReLU()]
        super().__init__(nn.Dropout(dropout), *layers)


class AttentionFusion(Fusion):
    """MERTools' `attention`: each modality encoded, weights (no softmax) from all of them, the weighted sum classified.

    A missing modality is a learned vector where the weights are found, and has none of the weight itself. With all
    three there it is the toolkit's, but for the order of the modalities.
    """

    def __init__(self, widths: Mapping[str, int], hidden: int, dropout: float, classes: int = len(SIX_WAY)) -> None:
        super().__init__(widths)
        self.encoders = nn.ModuleDict({name: Encoder(widths[name], hidden, dropout) for name in MODALITIES})
        self.missing = nn.Parameter(torch.zeros(len(MODALITIES), hidden))
        self.weigh = nn.Sequential(
            Encoder(len(MODALITIES) * hidden, hidden, dropout), nn.Linear(hidden, len(MODALITIES))
        )
        self.classify = nn.Linear(hidden, classes)

    def fuse(self, inputs: Mapping[str, torch.Tensor], present: torch.Tensor) -> torch.Tensor:
        encoded = torch.stack([self.encoders[name](inputs[name]) for name in MODALITIES], 1)  # [n, 3, hidden]
        encoded = torch.where(present[..., None], encoded, self.missing)
        weights = self.weigh(encoded.flatten(1)) * present
        return self.classify((weights[..., None] * encoded).sum(1))


class TransformerFusion(Fusion):
    """One token a modality (linear, with its embedding) and a class token through two pre-norm blocks; what is missing
    is masked as a key; the class token is classified."""

    def __init__(self, widths: Mapping[str, int], hidden: int, dropout: float, classes: int = len(SIX_WAY)) -> None:
        super().__init__(widths)
        self.tokens = nn.ModuleDict({name: nn.Linear(widths[name], hidden) for name in MODALITIES})
        self.embeddings = nn.Parameter(0.02 * torch.randn(1 + len(MODALITIES), hidden))  # the class token's first
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList([Block(hidden, dropout) for _ in range(2)])
        self.norm = nn.LayerNorm(hidden)
        self.classify = nn.Linear(hidden, classes)

    def fuse(self, inputs: Mapping[str, torch.Tensor], present: torch.Tensor) -> torch.Tensor:
        tokens = torch.stack([self.tokens[name](inputs[name]) for name in MODALITIES], 1)
        tokens = torch.cat([torch.zeros_like(tokens[:, :1]), tokens], 1) + self.embeddings
        tokens = self.dropout(tokens)
        seen = torch.cat([torch.ones_like(present[:, :1]), present], 1)
        for block in self.blocks:
            tokens = block(tokens, seen)
        return self.classify(self.norm(tokens[:, 0]))


class Block(nn.Module):
    """A pre-norm transformer block over [n, tokens, hidden], in which only the tokens of `seen` [n, tokens] are
    attended to. Written out, since the fused kernels of `nn.TransformerEncoderLayer` know no vmap."""

    def __init__(self, hidden: int, dropout: float) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.project, self.join = nn.Linear(hidden, 3 * hidden), nn.Linear(hidden, hidden)
        self.mlp = nn.Sequential(
            nn.Linear(hidden, 2 * hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * hidden, hidden)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        query, key, value = self.project(self.first(tokens)).unflatten(-1, (3, _HEADS, -1)).unbind(-3)
        scores = torch.einsum("nqhd,nkhd->nhqk", query, key) / query.shape[-1] ** 0.5
        weights = torch.where(seen[:, None, None], scores, -torch.inf).softmax(-1)
        heard = torch.einsum("nhqk,nkhd->nqhd", weights, value).flatten(-2)
        tokens = tokens + self.dropout(self.join(heard))
        return tokens + self.dropout(self.mlp(self.second(tokens)))


def build_fusion(settings: FusionSettings, kind: str, widths: Mapping[str, int]) -> Fusion:
    """An untrained head of a kind, with weights from torch's current seed."""
    made = dict(zip(FUSIONS, (AttentionFusion, TransformerFusion), strict=True))[kind]
    return made(widths, settings.hidden, settings.dropout)
