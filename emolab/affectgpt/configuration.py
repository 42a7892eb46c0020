"""Shapes and parts of AffectGPT as a transformers configuration."""

from __future__ import annotations

from copy import deepcopy

from transformers import AutoConfig, Blip2QFormerConfig, PreTrainedConfig

import emolab.affectgpt.imagebind  # noqa: F401  registers ImageBind's audio encoder with transformers' Auto classes


class AffectGPTConfig(PreTrainedConfig):
    """The parts by their own configurations, and what lies between them.

    vision_config: any vision encoder; image_qformer_config: BLIP-2's Q-Former over each frame, or None;
    video_qformer_config and audio_qformer_config: the trained ones; audio_config: HuBERT and its kin, Whisper, or
    ImageBind's audio encoder; text_config: any causal language model. `audio_layers`: an encoder's last hidden states
    that are averaged (1; HuBERT in the 2025 model: 4). `lora`: peft's settings for the language model, or None.
    """

    model_type = "affectgpt"
    sub_configs = {
        "vision_config": AutoConfig, "audio_config": AutoConfig, "text_config": AutoConfig,
        "image_qformer_config": Blip2QFormerConfig, "video_qformer_config": Blip2QFormerConfig,
        "audio_qformer_config": Blip2QFormerConfig,
    }  # fmt: skip

    def __init__(
        self,
        vision_config=None,
        audio_config=None,
        text_config=None,
        image_qformer_config=None,
        video_qformer_config=None,
        audio_qformer_config=None,
        image_queries: int = 32,
        video_queries: int = 32,
        audio_queries: int = 8,
        max_frames: int = 32,
        audio_clips: int = 8,
        audio_layers: int = 1,
        prefusion: bool = False,
        lora: dict | None = None,
        video_token_id: int | None = None,
        audio_token_id: int | None = None,
        multi_token_id: int | None = None,
        **kwargs,
    ) -> None:
        self.vision_config, self.audio_config = _config(vision_config), _config(audio_config)
        self.text_config = _config(text_config)
        self.image_qformer_config = _qformer(image_qformer_config)
        self.video_qformer_config = _qformer(video_qformer_config)
        self.audio_qformer_config = _qformer(audio_qformer_config)
        self.image_queries, self.video_queries, self.audio_queries = image_queries, video_queries, audio_queries
        self.max_frames, self.audio_clips, self.audio_layers = max_frames, audio_clips, audio_layers
        self.prefusion, self.lora = prefusion, lora
        self.video_token_id, self.audio_token_id = video_token_id, audio_token_id
        self.multi_token_id = multi_token_id
        super().__init__(**kwargs)

    @property
    def frame_width(self) -> int:
        """Width of the tokens that the Video Q-Former reads."""
        return (self.image_qformer_config or self.vision_config).hidden_size

    @property
    def audio_width(self) -> int:
        """Width of the vectors that the Audio Q-Former reads."""
        return getattr(self.audio_config, "output_size", None) or self.audio_config.hidden_size


def qformer_config(
    width: int, reads: int, layers: int = 2, heads: int = 12, inner: int | None = None
) -> Blip2QFormerConfig:
    """A Q-Former of `width` over vectors of width `reads`, with cross-attention in every layer (Video-LLaMA's)."""
    return Blip2QFormerConfig(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=inner or 4 * width,
        cross_attention_frequency=1,
        encoder_hidden_size=reads,
    )


def _config(given):
    # A copy: a configuration writes into those that it holds, and a living model whose attention implementation is
    # taken away attends without its causal mask
    return AutoConfig.for_model(**given) if isinstance(given, dict) else deepcopy(given)


def _qformer(given):
    return Blip2QFormerConfig(**given) if isinstance(given, dict) else deepcopy(given)
