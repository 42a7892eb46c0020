"""The small writer: a Qwen2 chat model at tiny dimensions that says what the words of drawn clips suggest."""

from __future__ import annotations

import json

import numpy as np
from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer

from emolab.demo.emotions import EMOTIONS
from emolab.demo.scenario import Scenario, scenario, stable_rng
from emolab.demo.texts import WORDS
from emolab.discriminative.prompts import what_words_suggest

SIZE = 1024  # entries of the vocabulary
POOL = "writer"  # no clip and no speaker of this pool appears in the corpus
END = "<|im_end|>"
SPECIAL = ("<|endoftext|>", "<|im_start|>", END)
SYSTEM = "You are a helpful assistant."  # Qwen's template, which ms-swift fills in
CHAT_TEMPLATE = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\n" + SYSTEM + "<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def turn(prompt: str) -> str:
    """A question as the model reads it, up to where the answer begins."""
    return f"<|im_start|>system\n{SYSTEM}{END}\n<|im_start|>user\n{prompt}{END}\n<|im_start|>assistant\n"


def answer(s: Scenario, rng: np.random.Generator) -> str:
    """What the words of a clip suggest: their matter, and the emotion in one word or two."""
    family = s.shown_by["words"]
    if family is None:
        return str(
            rng.choice(("The words say little about an emotion.", "Nothing in these words tells of an emotion."))
        )
    emotion = EMOTIONS[family]
    words = [str(word) for word in rng.choice(emotion.words, size=min(2, len(emotion.words)), replace=False)]
    return f"The words speak of {WORDS[family]}. The speaker may be {' or '.join(words)}."


def tokenizer(texts: int = 4000) -> Qwen2Tokenizer:
    """A byte-level BPE with Qwen's chat marks, trained on the writer's questions and answers."""
    lines = ["system\n", "user\n", "assistant\n", SYSTEM]
    for index in range(texts):
        s = scenario("tokenizer", index)
        lines += [what_words_suggest(s.transcript), answer(s, stable_rng("writer", "tokenizer", index))]
    trained = Qwen2Tokenizer(vocab={}, merges=[]).train_new_from_iterator(
        lines, SIZE, new_special_tokens=list(SPECIAL), show_progress=False
    )
    state = json.loads(trained.backend_tokenizer.to_str())["model"]
    made = Qwen2Tokenizer(
        vocab=state["vocab"], merges=[tuple(pair) for pair in state["merges"]],
        eos_token=END, pad_token="<|endoftext|>", bos_token=None, unk_token=None, model_max_length=1024,
        additional_special_tokens=["<|im_start|>"],
    )  # fmt: skip
    made.chat_template = CHAT_TEMPLATE
    return made


def model(asked: Qwen2Tokenizer) -> Qwen2ForCausalLM:
    """Qwen2 with random weights, 96 wide × 3 layers, 0.4 M parameters."""
    end, pad = (asked.convert_tokens_to_ids(token) for token in (END, "<|endoftext|>"))
    built = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(asked),
            hidden_size=96,
            num_hidden_layers=3,
            num_attention_heads=4,
            num_key_value_heads=2,
            intermediate_size=288,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=end,
            pad_token_id=pad,
        )  # fmt: skip
    )
    built.generation_config.eos_token_id, built.generation_config.pad_token_id = end, pad
    return built
