"""The byte-level BPE vocabulary of the small models: trained on what the pipeline asks and answers."""

from __future__ import annotations

import json
import random

from transformers import Qwen2Tokenizer

from emolab.captions.prompts import CAPTION, similarity
from emolab.demo.scenario import scenario, stable_rng
from emolab.demo.texts import Writer
from emolab.internvl.prompts import zero_shot
from emolab.labels.prompts import extraction

SIZE = 1536


def byte_pairs(special: tuple[str, ...], texts: int = 6000) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Vocabulary (token -> id) and merges of `SIZE` entries, `special` ones first; other text falls back to bytes."""
    lines = []
    for index in range(texts):
        s = scenario("tokenizer", index)
        writer = Writer(s, stable_rng("tokenizer", index))
        lines += [zero_shot(s.transcript), writer.answer(), writer.caption(), CAPTION, extraction(writer.description())]
        lines += [
            similarity(writer.caption(), writer.caption()),
            f"0.{index % 100:02d}",
            "1.00",
            "[]",
            "user\n",
            "assistant\n",
        ]
    random.Random(0).shuffle(lines)
    trained = Qwen2Tokenizer(vocab={}, merges=[]).train_new_from_iterator(
        lines, SIZE, new_special_tokens=list(special), show_progress=False
    )
    state = json.loads(trained.backend_tokenizer.to_str())["model"]
    return state["vocab"], [tuple(pair) for pair in state["merges"]]
