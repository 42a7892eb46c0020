"""What is frozen before the Q-Formers: any vision encoder with an optional image Q-Former, any audio encoder."""

from __future__ import annotations

import torch
from torch import nn
from transformers import AutoModel, Blip2QFormerModel, Blip2VisionModel
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from emolab.affectgpt.configuration import AffectGPTConfig
from emolab.affectgpt.imagebind import ImageBindAudioModel

EDGE = 2  # Whisper's mel frames after the end of a sound whose windows still reach into it


class FrozenEncoders(nn.Module):
    """Frames and pieces of sound to features, always in evaluation mode and without gradients: their output for a clip
    is a constant, which `encoding.py` keeps."""

    def __init__(
        self, config: AffectGPTConfig, vision: nn.Module | None = None, audio: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.vision = vision or build_vision(config.vision_config)
        self.audio = audio or build_audio(config.audio_config)
        own = getattr(config.vision_config, "post_layernorm_eps", None)  # transformers has one epsilon for all norms
        if own is not None:
            self.vision.post_layernorm.eps = own
        self.audio_layers = config.audio_layers
        self.image_qformer, self.image_query_tokens = None, None
        if config.image_qformer_config is not None:
            self.image_qformer = Blip2QFormerModel(config.image_qformer_config)
            shape = (1, config.image_queries, config.image_qformer_config.hidden_size)
            self.image_query_tokens = nn.Parameter(torch.zeros(shape))

    def train(self, mode: bool = True) -> FrozenEncoders:
        """Stays as it is: an encoder's dropout would make another feature of every pass."""
        return super().train(False)

    @torch.no_grad()
    def encode_video(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Frames [n, frames, 3, height, width] to [n, frames, tokens, width]."""
        count, frames = pixel_values.shape[:2]
        pixels = pixel_values.flatten(0, 1).to(self.vision.device, self.vision.dtype)
        tokens = self.vision(pixels).last_hidden_state
        if self.image_qformer is not None:
            queries = self.image_query_tokens.expand(len(tokens), -1, -1)
            tokens = self.image_qformer(query_embeds=queries, encoder_hidden_states=tokens).last_hidden_state
        return tokens.unflatten(0, (count, frames))

    @torch.no_grad()
    def encode_audio(self, sound: torch.Tensor) -> torch.Tensor:
        """What the processor made of the pieces, [n, clips, ...], to one vector a piece, [n, clips, width]."""
        count, clips = sound.shape[:2]
        pieces = sound.flatten(0, 1).to(self.audio.device, self.audio.dtype)
        with torch.random.fork_rng(devices=[]):  # HuBERT draws for its layer drop even where it drops none
            return audio_vectors(self.audio, pieces, self.audio_layers).unflatten(0, (count, clips))


def build_vision(config) -> nn.Module:
    """A vision encoder without weights; EVA-CLIP-G is BLIP-2's."""
    return Blip2VisionModel(config) if config.model_type == "blip_2_vision_model" else AutoModel.from_config(config)


def build_audio(config) -> nn.Module:
    """An audio encoder without weights; of Whisper only the encoder."""
    if config.model_type == "whisper":
        return WhisperEncoder(config)
    return ImageBindAudioModel(config) if config.model_type == "imagebind_audio" else AutoModel.from_config(config)


def audio_vectors(encoder: nn.Module, sound: torch.Tensor, layers: int = 1) -> torch.Tensor:
    """Pieces of sound to one vector each, [n, width]: the mean over time of the mean of the last `layers` layers.

    HuBERT and its kin take samples [n, samples]; Whisper mel pictures [n, mels, time + EDGE] without the padding to
    30 s, of which the time counts; ImageBind gives a vector itself.
    """
    if isinstance(encoder, ImageBindAudioModel):
        return encoder(sound)
    if not isinstance(encoder, WhisperEncoder):
        states = encoder(sound, output_hidden_states=True).hidden_states[-layers:]
        return torch.stack(states).mean((0, 2))
    real, longest = sound.shape[-1], 2 * encoder.config.max_source_positions
    floor = (sound.amax((1, 2), keepdim=True) - 2).clamp(min=-1.5)  # what its extractor makes of silence
    silence = floor.expand(-1, sound.shape[1], max(0, longest - real))
    states = encoder(torch.cat([sound, silence], -1), output_hidden_states=True).hidden_states[-layers:]
    return torch.stack([state[:, : max(1, (real - EDGE) // 2)] for state in states]).mean((0, 2))
