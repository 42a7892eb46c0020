"""A chat model behind ms-swift's inference engines: questions with images in, texts out, in batches."""

from __future__ import annotations

import gc
import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emolab.engine import weights
from emolab.engine.backend import load_engine
from emolab.engine.settings import ModelSettings
from emolab.errors import RunError

CUT = "The answer was cut off at max_new_tokens; raise it for this model."
_HOPELESS = 8  # failures in a row before any answer: then it is the model, not a question


@dataclass(frozen=True)
class Question:
    """One prompt with its images ([height, width, 3] uint8 RGB, of any size), images first.

    `top_tokens`: how many alternatives to report for each token of the answer, with their probabilities.
    """

    prompt: str
    images: Sequence[np.ndarray] = ()
    top_tokens: int = 0


@dataclass(frozen=True)
class Answer:
    """What the model wrote, or why it wrote nothing (then `text` is empty and `error` one sentence; `failed` where the
    model itself broke down). `cut`: the text ends where `max_new_tokens` did. `tokens`: where asked for, {token:
    probability} for each token written, that one first; alternatives for numbers alone, by which scores are told."""

    text: str
    error: str | None = None
    failed: bool = False
    cut: bool = False
    tokens: list[dict[str, float]] | None = None


class ChatModel:
    """Any chat model that ms-swift knows. The weights are loaded at the first question, so a cached stage loads none.

    Raises InputError where the model is missing or wants its own code run without leave.
    """

    def __init__(self, settings: ModelSettings, seed: int = 0):
        self.settings, self.seed = settings, seed
        self.folder = weights.resolve(settings)
        self.identity = weights.identity(settings, self.folder)
        self._engine: Any = None
        self._text_runs = 0
        self._failures: float = 0  # questions asked one at a time that failed before any was answered

    @property
    def generation(self) -> dict:
        """The settings that shape an answer; part of the key under which it is kept. Batch size and device do not."""
        names = ["model_type", "template", "backend", "dtype", "max_new_tokens", "temperature", "max_tiles"]
        shaping = {name: getattr(self.settings, name) for name in names}
        return (
            shaping if self.settings.temperature == 0 else {**shaping, "top_p": self.settings.top_p, "seed": self.seed}
        )

    def load(self) -> None:
        """Load the weights now (once)."""
        if self._engine is None:
            self._engine = load_engine(self.settings, self.folder)

    def unload(self) -> None:
        """Give the weights' memory back; the next question loads them again."""
        self._engine = None
        gc.collect()
        _free_memory()

    def ask(self, questions: Sequence[Question], seed: int | None = None) -> list[Answer]:
        """Answers in the order of the questions, `batch_size` at once. What cannot be answered has an error.

        Raises RunError when the model fails on every question of a batch, or again and again before it ever answered:
        then it is the model, not a question.
        """
        self.load()
        size, seed = self.settings.batch_size, self.seed if seed is None else seed
        answers: list[Answer] = []
        for start in range(0, len(questions), size):
            batch = self._ask_batch(list(questions[start : start + size]), seed)
            self._failures = self._failures + len(batch) if all(answer.failed for answer in batch) else -math.inf
            if self._failures >= _HOPELESS or len(batch) > 1 and all(answer.failed for answer in batch):
                raise RunError(f"{self.identity}: {batch[0].error}")
            answers += batch
        return answers

    def ask_texts(self, prompts: Sequence[str]) -> list[str]:
        """Answers to prompts without images; empty where there is none. Each call draws anew where `temperature` is
        above 0, so that a judge can be asked several times."""
        run, self._text_runs = self._text_runs, self._text_runs + 1
        return [answer.text for answer in self.ask([Question(prompt) for prompt in prompts], self.seed + run)]

    def _ask_batch(self, questions: list[Question], seed: int) -> list[Answer]:
        failure = None
        try:
            return [_answer(response) for response in self._infer(questions, seed)]
        except Exception as error:  # of any engine: memory, a kernel, an image that it cannot take
            failure = f"The model failed on this question ({type(error).__name__}: {str(error)[:300]})."
        if len(questions) == 1:
            return [Answer("", failure, failed=True)]
        _free_memory()  # outside of `except`, whose traceback holds the batch
        half = len(questions) // 2
        return self._ask_batch(questions[:half], seed) + self._ask_batch(questions[half:], seed)

    def _infer(self, questions: list[Question], seed: int) -> list:
        from PIL import Image
        from swift.infer_engine import InferRequest, RequestConfig

        requests = [
            InferRequest(
                messages=[{"role": "user", "content": "<image>" * len(q.images) + plain(q.prompt)}],
                images=[Image.fromarray(image) for image in q.images],
            )
            for q in questions
        ]
        s = self.settings
        top = max(q.top_tokens for q in questions)
        config = RequestConfig(
            max_tokens=s.max_new_tokens, temperature=s.temperature, top_p=s.top_p, seed=seed,
            logprobs=top > 0, top_logprobs=top or None,
        )  # fmt: skip
        if s.backend != "transformers" or s.temperature == 0:
            return self._engine.infer(requests, config, use_tqdm=False)
        import torch

        with torch.random.fork_rng():  # ms-swift's transformers engine takes no notice of the seed
            torch.manual_seed(seed)
            return self._engine.infer(requests, config, use_tqdm=False)


def _free_memory() -> None:
    torch = sys.modules.get("torch")  # not imported: nothing was loaded
    if torch and torch.cuda.is_available():
        torch.cuda.empty_cache()


def plain(text: str) -> str:
    """Text that a template takes as text: media tags and turn markers in transcripts or captions lose their meaning."""
    for mark in ("<image>", "<video>", "<audio>", "<|", "|>", "<img>", "</img>", "<IMG_CONTEXT>"):
        text = text.replace(mark, f"{mark[0]} {mark[1:]}")
    return text


def _answer(response: Any) -> Answer:
    if isinstance(response, Exception):
        return Answer("", f"The question could not be encoded ({type(response).__name__}: {str(response)[:200]}).")
    choice = response.choices[0]
    cut = choice.finish_reason == "length"
    text = _said(choice.message.content or "")
    if not text:
        return Answer("", CUT if cut else "The model gave an empty answer.")
    return Answer(text, cut=cut, tokens=_tokens(choice.logprobs) if choice.logprobs else None)


def _said(text: str) -> str:
    """What a model says after it has thought: thinking models write <think>…</think> and may wrap the rest."""
    text = re.sub(r"<think>.*?(?:</think>|$)", "", text, flags=re.DOTALL).strip()
    wrapped = re.fullmatch(r"<answer>(.*?)(?:</answer>)?", text, re.DOTALL)
    return (wrapped[1] if wrapped else text).strip()


def _tokens(logprobs: dict) -> list[dict[str, float]]:
    """{token: probability} for each token written, that one first; its alternatives where it is a number."""
    kept = []
    for written in logprobs["content"]:
        number = written["token"].strip().isdecimal()
        others = [each for each in written.get("top_logprobs", ()) if number and each["token"].strip().isdecimal()]
        chances: dict[str, float] = {}
        for each in [written, *others]:  # several tokens may be written alike: the likeliest came first
            chances.setdefault(each["token"], round(math.exp(each["logprob"]), 6))
        kept.append(chances)
    return kept
