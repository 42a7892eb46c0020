"""The frames of a clip as CLIP's image processor cuts them, kept as bytes: cut once, seen in every epoch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import AutoImageProcessor
from transformers.image_processing_utils import BaseImageProcessor

from emolab.corpora.clip import Clip
from emolab.discriminative.checkpoints import folder_of, unfit
from emolab.discriminative.inputs import FrameMaker, Given
from emolab.discriminative.settings import DiscriminativeSettings, EncoderSettings
from emolab.engine.feature_store import FeatureStore
from emolab.engine.settings import IN_PROCESS, EngineSettings
from emolab.errors import RunError
from emolab.media.settings import FaceSettings


def pixel_store(settings: DiscriminativeSettings, faces: FaceSettings, seed: int, folder: Path) -> FeatureStore:
    """Where the clips' `pixels` lie, uint8 [frames, 3, side, side]; absent where nothing, or no face, is to be seen.

    `seed` draws the frames where they are drawn at random. `cut_pixels` fills it.
    """
    make = FrameMaker(settings.frames, faces, settings.view, seed, folder / "faces")
    return FeatureStore(folder, PixelCutter(settings.video).identity, make, {"pixels": 4}, "uint8")


def cut_pixels(
    clips: Sequence[Clip],
    store: FeatureStore,
    encoder: EncoderSettings,
    progress: bool = True,
    engine: EngineSettings = IN_PROCESS,
) -> dict[str, str]:
    """Cut what is not there yet; clip_id → one sentence for each clip that cannot be (see `FeatureStore.compute`).
    Raises InputError where the store is of another image processor than the encoder's."""
    return store.compute(clips, PixelCutter(encoder), progress=progress, what="frames of clips", engine=engine)


def load_image_processor(encoder: EncoderSettings) -> BaseImageProcessor:
    """The image processor of a vision encoder. Raises InputError where its folder has none."""
    folder = folder_of(encoder, "video")
    try:
        return AutoImageProcessor.from_pretrained(folder, trust_remote_code=encoder.trust_remote_code)
    except Exception as error:  # a folder without one fails in many ways
        raise unfit(encoder, "video", error) from error


def normalised(pixels: torch.Tensor, processor: BaseImageProcessor) -> torch.Tensor:
    """uint8 [..., 3, side, side] to the float32 that the processor itself gives."""
    values = pixels.float()
    if processor.do_rescale:
        values = values * processor.rescale_factor
    if processor.do_normalize:
        mean, deviation = (
            torch.tensor(each, device=values.device)[:, None, None]
            for each in (processor.image_mean, processor.image_std)
        )
        values = (values - mean) / deviation
    return values


class PixelCutter:
    """The part of an image processor that gives bytes: all but rescaling and normalising."""

    def __init__(self, encoder: EncoderSettings) -> None:
        self._encoder, self.processor = encoder, load_image_processor(encoder)
        said = {name: value for name, value in self.processor.to_dict().items() if not name.startswith("_")}
        for later in ("do_rescale", "rescale_factor", "do_normalize", "image_mean", "image_std"):
            said.pop(later, None)
        kind = type(self.processor).__name__
        self.identity = f"pixels of {kind} {json.dumps(said, sort_keys=True, default=str)}"

    def __reduce__(self) -> tuple:
        return PixelCutter, (self._encoder,)

    def encode(self, inputs: Sequence[Given]) -> list[dict[str, torch.Tensor | None]]:
        """`pixels` of each, uint8 [frames, 3, side, side]."""
        return [{"pixels": None if each.value is None else self._cut(each.value)} for each in inputs]

    def _cut(self, frames: list) -> torch.Tensor:
        how = {"do_rescale": False, "do_normalize": False, "input_data_format": "channels_last"}
        cut = self.processor(images=frames, return_tensors="pt", **how).pixel_values
        if not torch.equal(cut, cut.to(torch.uint8).to(cut.dtype)):
            raise RunError(f"{type(self.processor).__name__} does not give whole numbers from 0 to 255 as pixels.")
        return cut.to(torch.uint8)
