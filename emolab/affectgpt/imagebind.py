"""ImageBind's audio encoder and its mel pictures, as transformers classes (the frozen ears of the 2024 AffectGPT).

Sources: facebookresearch/ImageBind (imagebind/models/*.py), DAMO-NLP-SG/Video-LLaMA (`get_audio_feature`) and
zeroQiaoba/AffectGPT (ImageBind/data.py).
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import nn
from transformers import (
    ASTFeatureExtractor,
    AutoConfig,
    AutoFeatureExtractor,
    AutoModel,
    BatchFeature,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers import initialization as init


class ImageBindAudioConfig(PreTrainedConfig):
    """Shapes of the audio trunk; the defaults are imagebind_huge's.

    `scale` is the factor on the normalised vector: 20, fixed, for sound.
    """

    model_type = "imagebind_audio"

    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    mlp_ratio: float = 4.0
    num_mel_bins: int = 128
    target_length: int = 204
    kernel_size: int = 16
    stride: int = 10
    output_size: int = 1024
    stem_norm_eps: float = 1e-5  # torch's own in the stem, another one everywhere else
    layer_norm_eps: float = 1e-6
    scale: float = 20.0
    initializer_range: float = 0.02

    @property
    def positions(self) -> int:
        """Patches of a mel picture, and the class token."""
        down, along = ((size - self.kernel_size) // self.stride + 1 for size in (self.num_mel_bins, self.target_length))
        return down * along + 1


class _Block(nn.Module):
    """A pre-norm transformer block whose attention has one learned key and value besides the tokens'."""

    def __init__(self, config: ImageBindAudioConfig) -> None:
        super().__init__()
        width, inner = config.hidden_size, int(config.mlp_ratio * config.hidden_size)
        self.norm_1 = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.attention = nn.MultiheadAttention(width, config.num_attention_heads, add_bias_kv=True, batch_first=True)
        self.norm_2 = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        normed = self.norm_1(states)
        states = states + self.attention(normed, normed, normed, need_weights=False)[0]
        return states + self.fc2(nn.functional.gelu(self.fc1(self.norm_2(states))))


class ImageBindAudioModel(PreTrainedModel):
    """Mel pictures [n, 1, mel bins, target length] of two seconds each to vectors [n, output_size].

    The vector is what Video-LLaMA and AffectGPT read (the second value of `get_audio_feature`): after the head, of
    length 1, times `scale`.
    """

    config_class = ImageBindAudioConfig
    main_input_name = "input_values"
    _no_split_modules = ["_Block"]

    def __init__(self, config: ImageBindAudioConfig) -> None:
        super().__init__(config)
        width = config.hidden_size
        self.stem = nn.Conv2d(1, width, config.kernel_size, config.stride, bias=False)
        self.stem_norm = nn.LayerNorm(width, eps=config.stem_norm_eps)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.zeros(1, config.positions, width))
        self.layers = nn.ModuleList(_Block(config) for _ in range(config.num_hidden_layers))
        self.norm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.head = nn.Linear(width, config.output_size, bias=False)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if module is self:
            init.normal_(self.class_token, std=self.config.hidden_size**-0.5)
            init.normal_(self.positions, std=self.config.hidden_size**-0.5)

    def forward(self, input_values: torch.Tensor) -> torch.Tensor:
        """Raises ValueError for pictures of another size: ImageBind's positions know no other."""
        size = (1, self.config.num_mel_bins, self.config.target_length)
        if tuple(input_values.shape[1:]) != size:
            raise ValueError(f"mel pictures are {tuple(input_values.shape)}; ImageBind takes [n, {str(size)[1:-1]}].")
        patches = self.stem_norm(self.stem(input_values).flatten(2).transpose(1, 2))
        states = torch.cat([self.class_token.expand(len(patches), -1, -1), patches], 1) + self.positions
        for layer in self.layers:
            states = layer(states)
        vectors = self.head(self.norm(states[:, 0]))
        return self.config.scale * nn.functional.normalize(vectors, dim=-1)


class ImageBindFeatureExtractor(ASTFeatureExtractor):
    """Sound at 16 kHz, float32 [n, samples] in -1 to 1, to mel pictures `input_values` [n, 1, 128, 204].

    Kaldi's filter bank (25 ms hanning windows every 10 ms, 128 bins, no dither) of the sound without its mean, zeros to
    204 steps or cut there, then less -4.268 and by 9.138. AST's extractor divides by twice its `std`.
    """

    model_input_names = ["input_values"]

    def __init__(self, max_length: int = 204, mean: float = -4.268, std: float = 4.569, **kwargs) -> None:
        with warnings.catch_warnings():  # of 128 filters over 257 frequencies one is empty, in Kaldi as well
            warnings.filterwarnings("ignore", message="At least one mel filter")
            super().__init__(max_length=max_length, mean=mean, std=std, **kwargs)

    def __call__(
        self, raw_speech, sampling_rate: int | None = None, return_tensors: str | None = None, **kwargs
    ) -> BatchFeature:
        """Raises ValueError for another rate, or a sound shorter than one window (25 ms)."""
        sounds = [np.asarray(sound, dtype=np.float32) for sound in np.atleast_2d(raw_speech)]
        if min(map(len, sounds), default=0) < 0.025 * self.sampling_rate:
            raise ValueError("A sound is shorter than 25 ms; ImageBind's mel pictures need at least one window.")
        sounds = [sound - sound.mean() for sound in sounds]
        mels = np.stack(super().__call__(sounds, sampling_rate=sampling_rate, **kwargs)["input_values"])
        pictures = np.ascontiguousarray(mels.transpose(0, 2, 1)[:, None], dtype=np.float32)
        return BatchFeature({"input_values": pictures}, tensor_type=return_tensors)


AutoConfig.register(ImageBindAudioConfig.model_type, ImageBindAudioConfig, exist_ok=True)
AutoModel.register(ImageBindAudioConfig, ImageBindAudioModel, exist_ok=True)
AutoFeatureExtractor.register(ImageBindAudioConfig, ImageBindFeatureExtractor, exist_ok=True)
