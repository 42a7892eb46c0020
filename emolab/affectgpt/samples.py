"""From clips and their features to a batch: the question with its placeholders, the description as its target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.nn.utils.rnn import pad_sequence

from emolab.affectgpt.configuration import AffectGPTConfig
from emolab.affectgpt.modeling import IGNORED
from emolab.affectgpt.processing import AffectGPTProcessor
from emolab.affectgpt.prompts import image_only, tame, trimodal
from emolab.affectgpt.settings import MODALITIES
from emolab.corpora.clip import Clip
from emolab.errors import InputError
from emolab.media.senses import is_still

LEFT_OUT = "left_out.jsonl"  # beside a training's checkpoints: the samples that it does not learn from


@dataclass(frozen=True)
class Given:
    """What the model is given of one clip: `video` [frames, tokens, width] and `audio` [clips, width] of the cache or
    None, and the words. `image`: a still image, asked about in MiniGPT-4's form."""

    video: torch.Tensor | None
    audio: torch.Tensor | None
    subtitle: str
    image: bool = False

    def only(self, modalities: Sequence[str]) -> Given:
        """The same with every modality but these hidden."""
        return Given(
            self.video if "video" in modalities else None,
            self.audio if "audio" in modalities else None,
            self.subtitle if "text" in modalities else "",
            self.image and "video" in modalities,
        )

    def has(self) -> list[str]:
        """The modalities that are there."""
        there = (self.audio is not None, self.video is not None, bool(self.subtitle.strip()))
        return [name for name, here in zip(MODALITIES, there, strict=True) if here]

    def prompt(self, multi: bool) -> str:
        """The question that fits what is given."""
        if self.image:
            return image_only()
        return trimodal(self.subtitle, audio=self.audio is not None, video=self.video is not None, multi=multi)


def given_of(clip: Clip, features: Mapping[str, torch.Tensor | None]) -> Given:
    """What the model is given of a clip: its features by name, and its words."""
    return Given(features.get("video"), features.get("audio"), clip.transcript, image=is_still(clip))


class Collator:
    """Batches for the model: questions alone, or questions with answers; rows are padded on the left."""

    def __init__(self, processor: AffectGPTProcessor, config: AffectGPTConfig, max_length: int | None = None) -> None:
        self._processor, self._config, self._max = processor, config, max_length
        self._known: dict[str, list[int]] = {}

    def length(self, given: Given, answer: str) -> int:
        """Tokens of question and answer."""
        return len(self._question(given)) + len(self._answer(answer))

    def problem(self, given: Given, answer: str) -> str | None:
        """Why a sample cannot be learnt from; None where it can."""
        if not given.has():
            return "nothing of it is shown"
        if given.video is None and given.audio is None and not self._config.lora:
            return "neither picture nor sound is shown, and nothing else passes what is trained"
        length = self.length(given, answer)
        return f"{length} tokens are more than max_length {self._max}" if self._max and length > self._max else None

    def batch(self, given: Sequence[Given], answers: Sequence[str] | None = None) -> dict[str, torch.Tensor]:
        """input_ids, attention_mask [n, length], video, frames and audio of the rows that have them, and with `answers`
        labels [n, length]. Raises InputError for a row of more than `max_length` tokens."""
        rows, targets = [], []
        for number, each in enumerate(given):
            asked = self._question(each)
            told = self._answer(answers[number]) if answers else []
            if self._max and len(asked) + len(told) > self._max:
                raise InputError(f"a sample has {len(asked) + len(told)} tokens, more than max_length {self._max}.")
            rows.append(torch.tensor(asked + told))
            targets.append(torch.tensor([IGNORED] * len(asked) + told))
        pad = self._processor.tokenizer.pad_token_id
        made = {"input_ids": _left(rows, pad), "attention_mask": _left([torch.ones_like(row) for row in rows], 0)}
        if answers:
            made["labels"] = _left(targets, IGNORED)
        videos = [each.video for each in given if each.video is not None]
        if videos:
            made["video"] = pad_sequence(videos, batch_first=True)
            made["frames"] = torch.tensor([len(video) for video in videos])
        sounds = [each.audio for each in given if each.audio is not None]
        if sounds:
            made["audio"] = torch.stack(sounds)
        return made

    def _question(self, given: Given) -> list[int]:
        prompt = given.prompt(self._config.prefusion)
        return self._ids(prompt, lambda: self._processor.question(prompt, self._config))

    def _answer(self, text: str) -> list[int]:
        return self._ids(f"\0{text}", lambda: self._processor.answer(tame(text)))

    def _ids(self, key: str, make) -> list[int]:
        if key not in self._known:  # the same clips come back in every epoch
            self._known[key] = make()
        return self._known[key]


def _left(rows: Sequence[torch.Tensor], value: int) -> torch.Tensor:
    return pad_sequence(list(rows), batch_first=True, padding_value=value, padding_side="left")
