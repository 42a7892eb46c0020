"""Descriptions of clips by AffectGPT: batches of features in, one row a clip out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from emolab.affectgpt.parts import folder_of, load_model, load_processor, part_identity
from emolab.affectgpt.prompts import END, IMAGE_ID, TRIMODAL_ID
from emolab.affectgpt.samples import Collator, Given, given_of
from emolab.affectgpt.settings import MODALITIES, AffectSettings
from emolab.corpora.clip import Clip
from emolab.engine.feature_store import FeatureStore
from emolab.engine.rows import RowFile
from emolab.errors import EmolabError, RunError

# The release's sampling; a language model's own generation_config may say otherwise (Qwen's does)
PLAIN = {"repetition_penalty": 1.0, "top_k": 50}


class Describer:
    """AffectGPT that is asked; language model and Q-Formers are loaded when first needed, the encoders never: it reads
    features."""

    def __init__(self, settings: AffectSettings, seed: int = 0) -> None:
        if settings.qformers is None:
            raise RunError("AffectGPT's Q-Formers are untrained, so it can describe nothing; train them first.")
        self.settings, self.seed = settings, seed
        self.folders = {name: folder_of(getattr(settings, name), name) for name in ("qformers", "language")}
        self.identity = "+".join(part_identity(getattr(settings, name), path) for name, path in self.folders.items())
        self._model = self._collator = self._tokenizer = None

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
) -> list[dict]:
    """One row a clip, in order: clip_id, model, modalities (given and there), text, prompt_id, seed, error.

    A clip without features (see `FeatureStore.compute`), or of which none of `modalities` is there, has `error` in one
    sentence and no text. `answers` keeps every description; batches are always of the same clips, so a run that was
    killed gives the texts of an undisturbed one.
    """
    given: dict[int, Given] = {}
    problems: dict[int, str] = {}
    keys: dict[int, str] = {}
    for number, clip in enumerate(clips):
        try:
            path = store.path(clip)
            features = store.load(clip)
        except EmolabError as error:
            problems[number] = str(error)
            continue
        shown = given_of(clip, features.tensors).only(modalities)
        if not shown.has():
            reason = " ".join(features.problems) or f"it has none of {', '.join(modalities)}."
            problems[number] = f"{clip.clip_id}: nothing is left to describe: {reason}"
            continue
        given[number] = shown
        keys[number] = _key(describer, path, shown)
    order, size = list(given), describer.settings.batch_size
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    bar = tqdm(total=len(order), desc=f"describing by {', '.join(modalities)}", unit="clip", disable=not progress)
    with bar:
        for batch in batches:
            if any(keys[number] not in answers for number in batch):
                texts = describer.describe([given[number] for number in batch])
                answers.append(
                    {"key": keys[number], "row_id": clips[number].clip_id, "model": describer.identity, "text": text}
                    for number, text in zip(batch, texts, strict=True)
                    if text
                )
            bar.update(len(batch))
    rows = []
    for number, clip in enumerate(clips):
        text = answers[keys[number]]["text"] if number in keys and keys[number] in answers else ""
        error = problems.get(number) or (None if text else f"{clip.clip_id}: the model gave an empty answer.")
        shown = given[number].has() if number in given else []
        image = number in given and given[number].image
        about = {"prompt_id": IMAGE_ID if image else TRIMODAL_ID, "seed": describer.seed, "error": error}
        rows.append({"clip_id": clip.clip_id, "model": describer.identity, "modalities": shown, "text": text, **about})
    return rows


def _key(describer: Describer, features: Path, given: Given) -> str:
    """Changes with model, generation, features and what of them is shown."""
    parts = [describer.identity, describer.generation, features.stem, given.has(), given.prompt(multi=True)]
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).hexdigest()
