"""The frozen encoders in the toolkit's way (MERTools, MERBench): one vector a clip out of sound, pictures or words."""

from __future__ import annotations

import gc
import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoConfig, AutoFeatureExtractor, AutoTokenizer, PreTrainedTokenizerBase

from emolab.discriminative.checkpoints import folder_of, load_checkpoint, precision, unfit
from emolab.discriminative.inputs import RATE, Given
from emolab.discriminative.pixels import PixelCutter, normalised
from emolab.discriminative.settings import EncoderSettings
from emolab.engine.device import need_dtype
from emolab.engine.weights import fingerprint
from emolab.errors import EmolabError, InputError

LONGEST = 10 * RATE  # samples of a piece: longer sounds are cut, as in the toolkit
# kinds whose convolutions and position embedding see nothing of the padding behind a sound, where each frame has its
# own norm; data2vec's five position layers do, and a group norm is over all of the time
PADDED = ("hubert", "wav2vec2", "wavlm", "unispeech", "unispeech-sat")


class FrozenEncoder(ABC):
    """One vector a clip, as `FeatureStore.compute` takes it. The weights are loaded at the first clip that needs them,
    and tried on an example: a checkpoint of another kind is one InputError. `identity` names them and what is asked;
    to another process go settings and identity, not the weights."""

    modality: str

    def __init__(self, settings: EncoderSettings, identity: str = "") -> None:
        self.settings, self.folder = settings, folder_of(settings, self.modality)
        self.device, self.dtype = precision(settings)
        self.gpu = settings.device in ("auto", "cuda")  # a worker wants one of its own
        asked = "" if self.modality == "video" else f"last {settings.layers} layers, "
        self.identity = identity or f"{self.modality} {fingerprint(self.folder)}, {asked}{self.dtype}"
        self._model = None
        self._width = 0

    def __reduce__(self) -> tuple:
        return type(self), (self.settings, self.identity)

    def encode(self, inputs: Sequence[Given]) -> list[dict[str, torch.Tensor | None]]:
        """`vector` [width] float32 of each; None where the input has nothing."""
        rows = [row for row, each in enumerate(inputs) if each.value is not None]
        found: list[torch.Tensor | None] = [None] * len(inputs)
        if rows:
            self.load()
            for row, vector in zip(rows, self._vectors([inputs[row].value for row in rows]), strict=True):
                found[row] = vector
        return [{"vector": vector} for vector in found]

    def load(self) -> None:
        """Load the weights now (once). Raises InputError for a checkpoint that cannot do what is asked."""
        if self._model is not None:
            return
        need_dtype(self.identity, self.dtype)
        self._model = load_checkpoint(self.settings, self.modality)
        try:
            (vector,) = self._vectors([self._example()])
            self._width = len(vector)
        except (EmolabError, torch.OutOfMemoryError):
            self._model = None
            raise
        except Exception as error:  # how a model fails on what it does not take has many names
            self._model = None
            raise unfit(self.settings, self.modality, error) from error

    @property
    def width(self) -> int:
        """Of the vectors; loads the weights where that has not been done."""
        if not self._width:
            self.load()
        return self._width

    def unload(self) -> None:
        """Give the memory back; the next clip loads the weights again."""
        self._model = None
        gc.collect()
        torch.cuda.empty_cache()

    def summed(self, inputs: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """The sum of the last hidden layers, float32 [n, time, width]."""
        more = {} if mask is None else {"attention_mask": mask.to(self.device)}
        name = self._model.main_input_name
        with torch.no_grad(), torch.random.fork_rng(devices=[]):  # HuBERT draws for its layer drop though it drops none
            told = self._model(**{name: inputs.to(self.device)}, **more, output_hidden_states=True)
        states = told.hidden_states[1:]  # the first is what goes into the layers
        if len(states) < self.settings.layers:
            raise InputError(
                f"{self.settings.path}: has {len(states)} hidden layers, and the last {self.settings.layers} are asked "
                f"for; set discriminative.{self.modality}.layers={len(states)}."
            )
        return torch.stack([state.float() for state in states[-self.settings.layers :]]).sum(0)

    @abstractmethod
    def _vectors(self, values: Sequence) -> list[torch.Tensor]:
        """One vector [width] each."""

    @abstractmethod
    def _example(self) -> object:
        """Something small to encode."""


class AudioEncoder(FrozenEncoder):
    """HuBERT and its kin: sum of the last layers, mean over time.

    Each sound is normalised on its own where the feature extractor says so, cut into equal pieces of at most ten
    seconds where it is longer, and padded only where that changes nothing (PADDED); else only equal lengths share a
    batch. Takes sounds float32 [samples] at RATE.
    """

    modality = "audio"

    def __init__(self, settings: EncoderSettings, identity: str = "") -> None:
        super().__init__(settings, identity)
        self._extractor = None

    def load(self) -> None:
        if self._extractor is None:
            try:
                self._extractor = AutoFeatureExtractor.from_pretrained(
                    self.folder, trust_remote_code=self.settings.trust_remote_code
                )
            except Exception as error:  # a folder without one fails in many ways
                raise unfit(self.settings, self.modality, error) from error
        super().load()

    def _vectors(self, values: Sequence[np.ndarray]) -> list[torch.Tensor]:
        pieces: list[tuple[int, torch.Tensor]] = []
        for number, samples in enumerate(values):
            ready = self._extractor(samples, sampling_rate=RATE, return_tensors="np").input_values[0]
            if ready.shape != samples.shape:
                raise ValueError(f"its feature extractor makes {ready.shape} of {samples.shape} samples")
            cut = np.array_split(ready, math.ceil(len(ready) / LONGEST))
            pieces += [(number, torch.from_numpy(piece).to(self.dtype)) for piece in cut]
        sums, frames = [0.0] * len(values), [0] * len(values)
        for batch in self._batches(pieces):
            for (number, _), states in zip(batch, self._states([piece for _, piece in batch]), strict=True):
                sums[number] += states.sum(0)
                frames[number] += len(states)
        return [total / count for total, count in zip(sums, frames, strict=True)]

    def _batches(self, pieces: list[tuple[int, torch.Tensor]]) -> Iterator[list[tuple[int, torch.Tensor]]]:
        """Longest first, so that memory runs out at once if it does."""
        config = self._model.config
        padded = config.model_type in PADDED and config.feat_extract_norm == "layer"
        padded = padded and not any(getattr(config, name, False) for name in ("conv_pos_batch_norm", "add_adapter"))
        batch: list[tuple[int, torch.Tensor]] = []
        for piece in sorted(pieces, key=lambda piece: -len(piece[1])):
            full = len(batch) == self.settings.batch_size
            if batch and (full or not padded and len(batch[0][1]) != len(piece[1])):
                yield batch
                batch = []
            batch.append(piece)
        yield batch

    def _states(self, pieces: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """[frames, width] of each piece."""
        lengths = torch.tensor([len(piece) for piece in pieces])
        even = bool((lengths == lengths[0]).all())
        mask = None if even else (torch.arange(int(lengths.max())) < lengths[:, None]).long()
        states = self.summed(pad_sequence(list(pieces), batch_first=True), mask)
        if even:
            return list(states)
        frames = self._model._get_feat_extract_output_lengths(lengths)
        return [own[: int(count)] for own, count in zip(states, frames, strict=True)]

    def _example(self) -> np.ndarray:
        return np.sin(np.arange(RATE) / 10).astype(np.float32)


class VideoEncoder(FrozenEncoder):
    """CLIP and its kin: the projected feature of each frame (`pooler_output` of towers that project nothing), mean over
    frames. Takes what `PixelCutter` gives, uint8 [frames, 3, side, side]."""

    modality = "video"

    def __init__(self, settings: EncoderSettings, identity: str = "") -> None:
        super().__init__(settings, identity)
        self._cutter = None

    def load(self) -> None:
        self._cutter = self._cutter or PixelCutter(self.settings)
        super().load()

    def _vectors(self, values: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        pixels = normalised(torch.cat(list(values)).to(self.device), self._cutter.processor).to(self.dtype)
        see = getattr(self._model, "get_image_features", self._model)
        with torch.no_grad():
            told = see(pixel_values=pixels)
        vectors = told if isinstance(told, torch.Tensor) else told.pooler_output  # a tensor from code of older models
        if vectors.ndim != 2:
            raise ValueError(f"it gives {list(vectors.shape)} of {list(pixels.shape)}, not one vector a picture")
        return [own.float().mean(0) for own in vectors.split([len(each) for each in values])]

    def _example(self) -> torch.Tensor:
        (made,) = self._cutter.encode([Given([np.zeros((64, 64, 3), np.uint8)])])
        return made["pixels"]


class TextEncoder(FrozenEncoder):
    """Any language model: sum of the last layers, mean over the tokens of the text, those included that the tokenizer
    adds. Takes token ids, as `tokens` gives them; a batch is padded on the right, which changes nothing."""

    modality = "text"

    def __init__(self, settings: EncoderSettings, identity: str = "") -> None:
        super().__init__(settings, identity)
        self._tokenizer = None
        self._lock = threading.Lock()  # fast tokenizers are no good to two threads at once

    def load(self) -> None:
        super().load()
        self._model.config.use_cache = False

    def tokens(self, text: str) -> Given:
        """The token ids of a text; of one longer than the model reads the start, and said."""
        with self._lock:
            self._tokenizer = self._tokenizer or self._load_tokenizer()
            limit, ids = self._tokenizer.model_max_length, self._tokenizer(text, verbose=False).input_ids
            if len(ids) <= limit:
                return Given(ids) if ids else Given(None, ("its words give no tokens.",))
            cut = self._tokenizer(text, truncation=True, max_length=limit).input_ids
        return Given(cut, (f"its words give {len(ids)} tokens, of which the model reads the first {limit}.",))

    def _load_tokenizer(self) -> PreTrainedTokenizerBase:
        code = {"trust_remote_code": self.settings.trust_remote_code}
        try:
            config = AutoConfig.from_pretrained(self.folder, **code)
            tokenizer = AutoTokenizer.from_pretrained(self.folder, **code)
        except Exception as error:  # a folder without one fails in many ways
            raise unfit(self.settings, self.modality, error) from error
        positions = getattr(config.get_text_config(), "max_position_embeddings", None)
        tokenizer.model_max_length = min(tokenizer.model_max_length, positions or tokenizer.model_max_length)
        return tokenizer

    def _vectors(self, values: Sequence[list[int]]) -> list[torch.Tensor]:
        ids = pad_sequence([torch.tensor(each) for each in values], batch_first=True)
        mask = torch.arange(ids.shape[1]) < torch.tensor([len(each) for each in values])[:, None]
        states = self.summed(ids, mask.long())
        return [own[: len(each)].mean(0) for own, each in zip(states, values, strict=True)]

    def _example(self) -> list[int]:
        return self.tokens("a").value
