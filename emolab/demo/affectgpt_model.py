"""The small AffectGPT: tokenizer, Llama and Q-Formers at tiny dimensions over the shipped vision tower and HuBERT."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers import decoders as decoding
from tokenizers.trainers import BpeTrainer
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from emolab.affectgpt.configuration import AffectGPTConfig, qformer_config
from emolab.affectgpt.encoders import FrozenEncoders
from emolab.affectgpt.modeling import AffectGPT
from emolab.affectgpt.parts import load_encoders
from emolab.affectgpt.processing import AffectGPTProcessor
from emolab.affectgpt.prompts import image_only, trimodal
from emolab.affectgpt.settings import AffectSettings
from emolab.captions.prompts import CAPTION
from emolab.demo.affectgpt_lessons import tell
from emolab.demo.scenario import scenario, stable_rng

SIZE, LONGEST = 2048, 24  # entries of the vocabulary; letters of the longest one
WIDTH = 128
POOL = "trimodal"  # no clip and no speaker of this pool appears in the corpus


def tokenizer(texts: int = 6000) -> PreTrainedTokenizerFast:
    """A byte-level BPE whose tokens may span words: the fixed question takes 50 tokens instead of 150, and every
    step of the training crosses it (as SuperBPE's)."""
    lines = [image_only(), CAPTION]
    for index in range(texts):
        s, rng = scenario("tokenizer", index), stable_rng("tokenizer", index)
        lines += [trimodal(s.transcript, audio=rng.random() > 0.2, video=rng.random() > 0.2), tell(s, rng)]
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoding.ByteLevel()
    special = ["<unk>", "<s>", "</s>"]
    trainer = BpeTrainer(
        vocab_size=SIZE,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=LONGEST,
        show_progress=False,
    )
    # The question in pieces, so that placeholders and "###" stay tokens of their own
    made.train_from_iterator((piece for line in lines for piece in _pieces(line)), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )


def _pieces(line: str) -> list[str]:
    for mark in ("<AudioHere>", "<ImageHere>", "<MultiHere>", "<Subtitle>", "</Subtitle>", "###"):
        line = line.replace(mark, f"\0{mark}\0")
    return [piece for piece in line.split("\0") if piece]


def language_model(asked: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A Llama with random weights, 128 wide × 4 layers, 1 M parameters."""
    config = LlamaConfig(
        vocab_size=SIZE, hidden_size=WIDTH, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=352, max_position_embeddings=2048, tie_word_embeddings=True,
        bos_token_id=asked.bos_token_id, eos_token_id=asked.eos_token_id, pad_token_id=asked.pad_token_id,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def parts() -> AffectSettings:
    """The shipped encoders, with nothing trained between them and the language model yet."""
    return AffectSettings(qformers=None, device="cpu")


def model(encoders: FrozenEncoders, asked: AffectGPTProcessor) -> AffectGPT:
    """AffectGPT with random Llama and Q-Formers; the encoders are those that are shipped."""
    language = language_model(asked.tokenizer)
    config = AffectGPTConfig(
        encoders.vision.config, encoders.audio.config, language.config,
        image_queries=8, audio_layers=4, **asked.token_ids(),
    )  # fmt: skip
    small = {"layers": 2, "heads": 4, "inner": 2 * WIDTH}
    config.image_qformer_config = qformer_config(WIDTH, encoders.vision.config.hidden_size, **small)
    config.video_qformer_config = qformer_config(WIDTH, WIDTH, **small)
    config.audio_qformer_config = qformer_config(WIDTH, config.audio_width, **small)
    built = FrozenEncoders(config, encoders.vision, encoders.audio)
    torch.nn.init.normal_(built.image_query_tokens, std=0.02)
    return AffectGPT(config, built, language)


def shipped_encoders() -> FrozenEncoders:
    """The shipped vision tower and HuBERT, frozen."""
    return load_encoders(parts())
