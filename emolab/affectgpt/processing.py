"""From frames, sound and text to what the model takes: pictures, sound pieces, token ids."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import AutoFeatureExtractor, AutoImageProcessor, AutoTokenizer, WhisperFeatureExtractor

from emolab.affectgpt.configuration import AffectGPTConfig
from emolab.affectgpt.encoders import EDGE
from emolab.affectgpt.prompts import AUDIO, END, MULTI, VIDEO

RATE = 16_000  # samples a second of every encoder


class AffectGPTProcessor:
    """The image processor, feature extractor and tokenizer of the three parts; `vision/` and `audio/` below a saved
    model's folder hold the first two."""

    def __init__(self, image_processor, feature_extractor, tokenizer) -> None:
        self.image_processor, self.feature_extractor, self.tokenizer = image_processor, feature_extractor, tokenizer
        tokenizer.add_tokens([VIDEO, AUDIO, MULTI], special_tokens=True)
        tokenizer.padding_side = "left"
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> AffectGPTProcessor:
        """The processor of a folder that `save_pretrained` wrote."""
        folder = Path(folder)
        image, sound = AutoImageProcessor.from_pretrained(folder / "vision"), sound_processor(folder / "audio")
        return cls(image, sound, AutoTokenizer.from_pretrained(folder))

    def save_pretrained(self, folder: str | Path) -> None:
        """Write what `from_pretrained` reads."""
        folder = Path(folder)
        self.image_processor.save_pretrained(folder / "vision")
        self.feature_extractor.save_pretrained(folder / "audio")
        self.tokenizer.save_pretrained(folder)

    def token_ids(self) -> dict[str, int]:
        """The placeholders' ids by their names in AffectGPTConfig; the language model has no rows for them."""
        named = {"video_token_id": VIDEO, "audio_token_id": AUDIO, "multi_token_id": MULTI}
        return {name: self.tokenizer.convert_tokens_to_ids(token) for name, token in named.items()}

    def pixels(self, frames: Sequence[np.ndarray]) -> torch.Tensor:
        """Frames [height, width, 3] uint8 RGB to [frames, 3, side, side]."""
        return self.image_processor(images=list(frames), return_tensors="pt").pixel_values

    def sound(self, pieces: np.ndarray) -> torch.Tensor:
        """Pieces [clips, samples] float32 at 16 kHz to what the audio encoder takes of each, [clips, ...]."""
        made = self.feature_extractor(list(pieces), sampling_rate=RATE, return_tensors="pt")
        name = next(key for key in ("input_values", "input_features") if key in made)
        if isinstance(self.feature_extractor, WhisperFeatureExtractor):  # it pads to 30 s; what is real comes first
            return made[name][..., : pieces.shape[1] // self.feature_extractor.hop_length + EDGE]
        return made[name]

    def question(self, prompt: str, config: AffectGPTConfig) -> list[int]:
        """Token ids of a prompt (see prompts.py), each placeholder as often as it has pieces, after the start token."""
        repeated = {VIDEO: config.video_queries, AUDIO: config.audio_queries, MULTI: 1}
        for token, count in repeated.items():
            prompt = prompt.replace(token, token * count)
        start = [] if self.tokenizer.bos_token_id is None else [self.tokenizer.bos_token_id]
        return start + self.tokenizer(prompt, add_special_tokens=False).input_ids

    def answer(self, text: str) -> list[int]:
        """Token ids of a target; it ends with `###`."""
        return self.tokenizer(f"{text}{END}", add_special_tokens=False).input_ids


def sound_processor(folder: str | Path):
    """The feature extractor of an audio encoder's folder."""
    return AutoFeatureExtractor.from_pretrained(folder)
