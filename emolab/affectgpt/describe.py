"""Descriptions of clips by AffectGPT: batches of features in, one row a clip out."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from tqdm import tqdm

from emolab.affectgpt.parts import folder_of, load_model, load_processor, part_identity
from emolab.affectgpt.prompts import END, IMAGE_ID, TRIMODAL_ID
from emolab.affectgpt.samples import Collator, Given, given_of
from emolab.affectgpt.settings import MODALITIES, AffectSettings
from emolab.corpora.clip import Clip
from emolab.engine.feature_store import FeatureStore
from emolab.engine.map import map_unordered
from emolab.engine.rows import RowFile
from emolab.engine.settings import IN_PROCESS, EngineSettings
from emolab.errors import EmolabError, RunError

# The release's sampling; a language model's own generation_config may say otherwise (Qwen's does)
PLAIN = {"repetition_penalty": 1.0, "top_k": 50}


class Describer:
    """AffectGPT that is asked; language model and Q-Formers are loaded when first needed, the encoders never: it reads
    features. What it loaded does not go along to another process."""

    def __init__(self, settings: AffectSettings, seed: int = 0) -> None:
        if settings.qformers is None:
            raise RunError("AffectGPT's Q-Formers are untrained, so it can describe nothing; train them first.")
        self.settings, self.seed = settings, seed
        self.folders = {name: folder_of(getattr(settings, name), name) for name in ("qformers", "language")}
        self.identity = "+".join(part_identity(getattr(settings, name), path) for name, path in self.folders.items())
        self._model = self._collator = self._tokenizer = None

    def __getstate__(self) -> dict:
        return {**vars(self), "_model": None, "_collator": None, "_tokenizer": None}

    @property
    def generation(self) -> dict:
        """The settings that shape an answer."""
        names = ("max_new_tokens", "temperature", "top_p") if self.settings.temperature else ("max_new_tokens",)
        return {**{name: getattr(self.settings, name) for name in names}, **PLAIN, "seed": self.seed}

    def describe(self, given: Sequence[Given]) -> list[str]:
        """One description each, `###` and what follows it cut off; the same batch gives the same texts."""
        self._load()
        device = next(self._model.parameters()).device
        batch = {name: tensor.to(device) for name, tensor in self._collator.batch(given).items()}
        how = {"max_new_tokens": self.settings.max_new_tokens, "do_sample": self.settings.temperature > 0, **PLAIN}
        if how["do_sample"]:
            how |= {"temperature": self.settings.temperature, "top_p": self.settings.top_p}
            torch.manual_seed(self.seed)
        told = self._model.generate(**batch, **how, stop_strings=[END], tokenizer=self._tokenizer)
        texts = self._tokenizer.batch_decode(told, skip_special_tokens=True)
        return [text.partition(END)[0].strip() for text in texts]

    def unload(self) -> None:
        """Free the memory; the next question loads the model again."""
        self._model = self._collator = self._tokenizer = None
        torch.cuda.empty_cache()

    def _load(self) -> None:
        if self._model is None:
            self._model, processor = load_model(self.settings), load_processor(self.settings)
            self._tokenizer = processor.tokenizer
            self._collator = Collator(processor, self._model.config)


def describe_clips(
    clips: Sequence[Clip],
    store: FeatureStore,
    describer: Describer,
    answers: RowFile,
    *,
    modalities: Sequence[str] = MODALITIES,
    progress: bool = True,
    engine: EngineSettings = IN_PROCESS,
) -> list[dict]:
    """One row a clip, in order: clip_id, model, modalities (given and there), text, prompt_id, seed, error.

    A clip without features (see `FeatureStore.compute`), or of which none of `modalities` is there, has `error` in one
    sentence and no text. `answers` keeps every description; batches are always of the same clips, so a run that was
    killed, or is shared out among workers, gives the texts of an undisturbed one.
    """
    with ThreadPoolExecutor() as pool:
        shown = list(pool.map(lambda clip: _look(clip, store, describer, modalities), clips))
    order, size = [number for number, each in enumerate(shown) if not each.problem], describer.settings.batch_size
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    open_ = [batch for batch in batches if any(shown[number].key not in answers for number in batch)]
    make = partial(_Worker, describer, store, tuple(modalities))
    gpu = describer.settings.device in ("auto", "cuda")
    done = map_unordered(make, [[clips[number] for number in batch] for batch in open_], engine, gpu)
    there, what = len(order) - sum(map(len, open_)), f"describing by {', '.join(modalities)}"
    bar = tqdm(total=len(order), initial=there, desc=what, unit="clip", disable=not (progress and open_))
    with bar, contextlib.closing(done):
        for position, texts in done:
            batch = open_[position]
            answers.append(
                {"key": shown[n].key, "row_id": clips[n].clip_id, "model": describer.identity, "text": text}
                for n, text in zip(batch, texts, strict=True)
                if text
            )
            bar.update(len(batch))
    rows = []
    for clip, each in zip(clips, shown, strict=True):
        text = answers[each.key]["text"] if each.key in answers else ""
        error = each.problem or (None if text else f"{clip.clip_id}: the model gave an empty answer.")
        about = {"prompt_id": IMAGE_ID if each.image else TRIMODAL_ID, "seed": describer.seed, "error": error}
        rows.append(
            {"clip_id": clip.clip_id, "model": describer.identity, "modalities": each.has, "text": text, **about}
        )
    return rows


class _Worker:
    """Of the map: the features of a batch are read in a thread while the batch before it is described."""

    def __init__(self, describer: Describer, store: FeatureStore, modalities: tuple[str, ...]) -> None:
        self._describer, self._store, self._modalities = describer, store, modalities
        self._thread = ThreadPoolExecutor(1)

    def begin(self, clips: Sequence[Clip]) -> Future[list[Given]]:
        return self._thread.submit(lambda: [_given(clip, self._store, self._modalities) for clip in clips])

    def finish(self, begun: Future[list[Given]]) -> list[str]:
        return self._describer.describe(begun.result())


@dataclass(frozen=True)
class _Shown:
    """What a clip will be described by, without the features themselves: those of 100,000 clips fill no memory."""

    key: str = ""
    has: list[str] = field(default_factory=list)
    image: bool = False
    problem: str | None = None


def _look(clip: Clip, store: FeatureStore, describer: Describer, modalities: Sequence[str]) -> _Shown:
    try:
        path, features = store.path(clip), store.load(clip)
    except EmolabError as error:
        return _Shown(problem=str(error))
    given = given_of(clip, features.tensors).only(modalities)
    if not given.has():
        reason = " ".join(features.problems) or f"it has none of {', '.join(modalities)}."
        return _Shown(problem=f"{clip.clip_id}: nothing is left to describe: {reason}")
    return _Shown(_key(describer, path, given), given.has(), given.image)


def _given(clip: Clip, store: FeatureStore, modalities: Sequence[str]) -> Given:
    return given_of(clip, store.load(clip).tensors).only(modalities)


def _key(describer: Describer, features: Path, given: Given) -> str:
    """Changes with model, generation, features and what of them is shown."""
    parts = [describer.identity, describer.generation, features.stem, given.has(), given.prompt(multi=True)]
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).hexdigest()
