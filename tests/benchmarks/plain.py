"""The plain way that emolab's batches are measured against: transformers' `generate`, one question at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emolab.engine.chat import Question


class OneByOne:
    """A checkpoint in transformers, asked as its model card shows; answers are greedy and hold no special tokens.

    `model`: that of the folder, where it is loaded already.
    """

    def __init__(self, folder: Path, device: str, new_tokens: int, dtype: str = "float32", model: Any = None):
        import torch
        from transformers import AutoModelForImageTextToText, AutoProcessor

        self.device, self.new_tokens, self.dtype = device, new_tokens, getattr(torch, dtype)
        self.processor = AutoProcessor.from_pretrained(folder)
        self.processor.tokenizer.padding_side = "left"
        if hasattr(self.processor.image_processor, "max_patches"):  # one tile an image, as emolab has it
            self.processor.image_processor.max_patches = 1
        self.model = model or AutoModelForImageTextToText.from_pretrained(folder, dtype=self.dtype).to(device).eval()

    def ask(self, question: Question) -> str:
        """The answer to one question."""
        return self.ask_together([question])[0]

    def ask_together(self, questions: Sequence[Question]) -> list[str]:
        """The answers to questions in one padded batch."""
        texts = self.processor.batch_decode(self.tokens(questions), skip_special_tokens=True)
        return [text.strip() for text in texts]

    def tokens(self, questions: Sequence[Question]):
        """The same as token ids: [questions, longest answer], filled up with the end or the padding."""
        import torch

        inputs = self.inputs(questions)
        with torch.inference_mode():
            written = self.model.generate(**inputs, max_new_tokens=self.new_tokens, do_sample=False)
        return written[:, inputs["input_ids"].shape[1] :]

    def inputs(self, questions: Sequence[Question]):
        """What the model takes of questions, on its device."""
        turns = []
        for question in questions:
            content = [{"type": "image", "image": image} for image in question.images]
            turns.append([{"role": "user", "content": [*content, {"type": "text", "text": question.prompt}]}])
        return self.processor.apply_chat_template(
            turns,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
        ).to(self.device, self.dtype)


def same(ours: Sequence[str], theirs: Sequence[str]) -> str:
    """How many answers are the same, in words."""
    return f"the same text for {sum(a == b for a, b in zip(ours, theirs, strict=True))} of {len(ours)}"
