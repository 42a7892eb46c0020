"""Train EmoVCLIP on the training clips of one fold, and take its features of all clips; both are kept on disk."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm
from transformers import AutoTokenizer, CLIPModel, PreTrainedTokenizerBase
from transformers.image_processing_utils import BaseImageProcessor

from emolab.corpora.clip import SIX_WAY, Clip
from emolab.discriminative.checkpoints import folder_of, precision
from emolab.discriminative.emovclip import EmoVCLIP, class_questions
from emolab.discriminative.pixels import cut_pixels, load_image_processor, normalised
from emolab.discriminative.settings import DiscriminativeSettings, EncoderSettings
from emolab.discriminative.table import Extracted
from emolab.engine.feature_store import FeatureStore
from emolab.engine.rows import write_rows
from emolab.engine.weights import pickled
from emolab.errors import InputError, RunError
from emolab.whole import whole


class EmoVCLIPTrainer:
    """Trains on clips of one corpus whose frames `pixels` keeps; CLIP is loaded once, when the first fold needs it."""

    def __init__(self, settings: DiscriminativeSettings, pixels: FeatureStore) -> None:
        self.settings, self.pixels = settings, pixels
        self._parts: _Parts | None = None

    def features(
        self, clips: Sequence[Clip], base: Extracted, train: Sequence[int], folder: Path, title: str = ""
    ) -> Extracted:
        """EmoVCLIP learns the emotions of the clips in the rows `train`, then sees all clips: [n, projection], the mean
        over frames of the projected CLS. `base` (CLIP's own features of the same clips) says which can be seen.

        `folder` gets prompts.safetensors (what was learned), log.jsonl and features.safetensors; where they are there,
        made of the same clips, weights and settings, nothing is done. Raises InputError where the weights are no CLIP
        with two towers or no training clip can be seen, RunError where the loss is no number.
        """
        rows = [row for row in train if base.present[row]]
        if not rows:
            raise InputError("EmoVCLIP has no training clip that can be seen; look at the problems of the features.")
        identity = self._identity(base, [clips[row] for row in rows])
        kept = _load(folder / "features.safetensors", identity)
        if kept is None:
            folder.mkdir(parents=True, exist_ok=True)
            visible = [clip for clip, there in zip(clips, base.present, strict=True) if there]
            # frames may be lost since `base` saw them, and the clip with them
            for problem in cut_pixels(visible, self.pixels, self.settings.video, progress=False).values():
                raise InputError(f"{problem} EmoVCLIP needs the frames that the features were made of.")
            model = self._made()
            learned = _load(folder / "prompts.safetensors", identity)
            if learned is None:
                with self._memory():
                    log = self._train(model, [clips[row] for row in rows], title)
                write_rows(folder / "log.jsonl", log)
                _write(folder / "prompts.safetensors", identity, model.state_dict())
            else:
                model.load_state_dict(learned)
            with self._memory():
                kept = {"vectors": self._see(model, clips, base.present, title)}
            _write(folder / "features.safetensors", identity, kept)
        return Extracted(base.clip_ids, kept["vectors"].numpy(), base.present, base.problems, identity)

    def unload(self) -> None:
        """Free the memory of CLIP."""
        self._parts = None
        torch.cuda.empty_cache()

    # --- parts

    def _made(self) -> EmoVCLIP:
        """A fresh EmoVCLIP on the one CLIP; its first weights come from the seed."""
        own = self.settings.emovclip
        self._parts = self._parts or _Parts.of(self.settings.video)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(own.seed)
            questions = class_questions(self._parts.tokenizer, own.context)
            sizes = (self.settings.frames.parts, own.global_prompts, own.context, own.freeze_cls_proj)
            return EmoVCLIP(self._parts.clip, questions, *sizes).to(self._parts.device)

    def _identity(self, base: Extracted, train: Sequence[Clip]) -> str:
        """Changes with CLIP, frames, settings, what is learned from and what is seen."""
        learned = [(clip.clip_id, clip.emotion) for clip in train]
        said = [base.identity, base.clip_ids, base.present.tolist(), self.pixels.identity, learned]
        said += [asdict(self.settings.emovclip), self.settings.frames.parts]
        return hashlib.blake2b(json.dumps(said).encode(), digest_size=16).hexdigest()

    # --- work

    def _train(self, model: EmoVCLIP, train: Sequence[Clip], title: str) -> list[dict]:
        """Learn; returns loss and accuracy of each epoch."""
        own, device = self.settings.emovclip, self._parts.device
        targets = torch.tensor([SIX_WAY.index(clip.emotion) for clip in train])
        order = torch.Generator().manual_seed(own.seed)
        loader = self._loader(train, own.batch_size, shuffle=True, generator=order)
        parameters = list(model.trainable().values())
        optimiser = torch.optim.AdamW(parameters, lr=own.learning_rate, weight_decay=own.weight_decay)
        steps = own.epochs * math.ceil(len(train) / own.batch_size)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        bar = tqdm(total=steps, desc=f"EmoVCLIP {title}".strip(), unit="step", mininterval=1.0)
        log = []
        with bar:
            for epoch in range(own.epochs):
                losses, right = [], 0
                for rows, pixels in loader:
                    with self._autocast():
                        logits = model(self._normalised(pixels))
                        loss = functional.cross_entropy(logits.float(), targets[rows].to(device))
                    if not loss.isfinite():
                        raise RunError("EmoVCLIP's loss is no number; lower discriminative.emovclip.learning_rate.")
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
                    schedule.step()
                    losses.append(loss.item() * len(rows))
                    right += (logits.argmax(1).cpu() == targets[rows]).sum().item()
                    bar.update()
                log.append({"epoch": epoch + 1, "loss": sum(losses) / len(train), "accuracy": right / len(train)})
                bar.set_postfix(loss=f"{log[-1]['loss']:.3f}")
        return log

    @torch.no_grad()
    def _see(self, model: EmoVCLIP, clips: Sequence[Clip], present: np.ndarray, title: str) -> torch.Tensor:
        """Features [clips, projection], NaN where nothing can be seen."""
        vectors = torch.full((len(clips), model.clip.config.projection_dim), torch.nan)
        rows_of = np.flatnonzero(present)
        loader = self._loader([clips[row] for row in rows_of], self.settings.emovclip.batch_size)
        for rows, pixels in tqdm(loader, desc=f"features {title}".strip(), unit="batch", mininterval=1.0):
            with self._autocast():
                vectors[rows_of[rows]] = model.video_features(self._normalised(pixels)).float().cpu()
        return vectors

    def _loader(self, clips: Sequence[Clip], size: int, **order) -> DataLoader:
        workers = 4 if self._parts.device.startswith("cuda") else 0
        frames = _Frames(self.pixels, clips, self.settings.frames.parts)
        return DataLoader(frames, size, collate_fn=_collate, num_workers=workers, **order)

    def _normalised(self, pixels: torch.Tensor) -> torch.Tensor:
        return normalised(pixels.to(self._parts.device), self._parts.processor)

    def _autocast(self) -> torch.autocast:
        dtype = self._parts.dtype  # float16 would need its losses scaled: there it stays float32
        return torch.autocast(torch.device(self._parts.device).type, dtype, enabled=dtype == torch.bfloat16)

    @contextlib.contextmanager
    def _memory(self) -> Iterator[None]:
        """A GPU that is too small ends with a sentence."""
        try:
            yield
        except torch.OutOfMemoryError:
            size = self.settings.emovclip.batch_size
            raise RunError(
                f"EmoVCLIP ran out of memory on {size} clips of {self.settings.frames.parts} frames; lower "
                "discriminative.emovclip.batch_size."
            ) from None


@dataclass(frozen=True)
class _Parts:
    """CLIP with its two towers (float32, frozen), and what prepares its inputs."""

    clip: CLIPModel
    tokenizer: PreTrainedTokenizerBase
    processor: BaseImageProcessor
    device: str
    dtype: torch.dtype

    @classmethod
    def of(cls, encoder: EncoderSettings) -> _Parts:
        folder, (device, dtype) = folder_of(encoder, "video"), precision(encoder)
        try:
            clip, told = CLIPModel.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
            tokenizer = AutoTokenizer.from_pretrained(folder)
        except (OSError, ValueError, RuntimeError) as error:
            raise _no_clip(encoder.path, str(error)) from None
        except UnpicklingError as error:
            raise pickled(folder) from error
        if told["missing_keys"]:
            raise _no_clip(encoder.path, f"it lacks {len(told['missing_keys'])} weights")
        return cls(clip.to(device), tokenizer, load_image_processor(encoder), device, dtype)


def _no_clip(path: str, why: str) -> InputError:
    return InputError(
        f"{path}: cannot be loaded as CLIP with its two towers ({' '.join(why.split())[:200]}); give discriminative."
        "video.path such a checkpoint, which EmoVCLIP needs."
    )


class _Frames(Dataset):
    """Row and frames uint8 [T, 3, side, side] of each clip. Where fewer frames have a face than T, some come again."""

    def __init__(self, pixels: FeatureStore, clips: Sequence[Clip], count: int) -> None:
        self.pixels, self.clips, self.count = pixels, clips, count

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, row: int) -> tuple[int, torch.Tensor]:
        frames = self.pixels.load(self.clips[row]).tensors["pixels"]
        return row, frames[np.linspace(0, len(frames) - 1, self.count).round().astype(int)]


def _collate(items: list[tuple[int, torch.Tensor]]) -> tuple[np.ndarray, torch.Tensor]:
    rows, frames = zip(*items, strict=True)
    return np.array(rows), torch.stack(frames)


def _write(path: Path, identity: str, tensors: dict[str, torch.Tensor]) -> None:
    kept = {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}
    with whole(path) as partial:
        save_file(kept, partial, {"identity": identity})


def _load(path: Path, identity: str) -> dict[str, torch.Tensor] | None:
    """The tensors of a file of this identity; None where there is none, or a damaged one: then it is made anew."""
    try:
        with safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get("identity") != identity:
                return None
            return {name: file.get_tensor(name).clone() for name in file.keys()}
    except (OSError, SafetensorError):
        return None
