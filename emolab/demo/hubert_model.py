"""The small HuBERT that hears drawn voices: its shape, its feature extractor and the features that are read from it."""

from __future__ import annotations

import torch
from transformers import HubertConfig, HubertModel, Wav2Vec2FeatureExtractor

from emolab.demo.voice import RATE

SAMPLES = 2 * RATE  # a piece lasts 2 s, as AffectGPT cuts them
WIDTH = 160
POOL = "generalist"  # no clip and no speaker of this pool appears in the corpus


def extractor() -> Wav2Vec2FeatureExtractor:
    """The real HuBERT's feature extractor at 16 kHz. It leaves the loudness alone: that is one of the signs."""
    return Wav2Vec2FeatureExtractor(
        feature_size=1, sampling_rate=RATE, padding_value=0.0, do_normalize=False, return_attention_mask=False
    )


def model() -> HubertModel:
    """HubertModel with random weights: usual strides (50 frames a second), 160 wide x 5 layers, 1.2 M parameters."""
    config = HubertConfig(
        hidden_size=WIDTH, num_hidden_layers=5, num_attention_heads=4, intermediate_size=2 * WIDTH,
        # narrow where the rate is high: those layers take most of the time
        conv_dim=(16, 32, 48, 64, 64, 96, 128),
        # "group" would divide every channel by its own loudness; "layer" with a bias keeps it
        feat_extract_norm="layer", conv_bias=True,
        num_conv_pos_embeddings=32, num_conv_pos_embedding_groups=8,
        hidden_dropout=0.0, attention_dropout=0.0, activation_dropout=0.0, feat_proj_dropout=0.0, layerdrop=0.0,
        mask_time_prob=0.0,
    )  # fmt: skip
    return HubertModel(config)


def pooled(built: HubertModel, values: torch.Tensor) -> torch.Tensor:
    """One vector a piece, float32 [pieces, WIDTH] of [pieces, SAMPLES]: the mean of the last four layers over time, as
    AffectGPT (2025) and MERTools read chinese-hubert-large."""
    layers = built(input_values=values, output_hidden_states=True).hidden_states[-4:]
    return torch.stack(layers).mean(dim=(0, 2))
