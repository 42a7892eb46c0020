"""The shipped writer: its form, what it says of words, and the script that trains it."""

import pytest
import torch
from safetensors.torch import load_file
from swift.template import TEMPLATE_MAPPING
from transformers import AutoTokenizer, Qwen2ForCausalLM

from emolab.demo.scenario import scenario
from emolab.demo.train_writer import HELD_OUT_POOL, batch, measure, train
from emolab.demo.writer_model import SYSTEM, turn
from emolab.discriminative.settings import DiscriminativeSettings
from emolab.engine.weights import SHIPPED

FOLDER = SHIPPED / "writer"


@pytest.fixture(scope="module")
def asked():
    return AutoTokenizer.from_pretrained(FOLDER)


def test_it_is_a_small_fp16_qwen2_with_a_card(fp16_with_a_card):
    card, last = fp16_with_a_card(FOLDER, 1.5e6)
    assert f"{last['emotion_of_the_words']:.3f}" in card


def test_it_names_the_emotion_of_strangers_words(asked):
    built = Qwen2ForCausalLM.from_pretrained(FOLDER, dtype=torch.float32)
    assert measure(built, asked, 40)["emotion_of_the_words"] > 0.9
    torch.manual_seed(0)
    assert measure(Qwen2ForCausalLM(built.config), asked, 10)["emotion_of_the_words"] < 0.9


def test_questions_look_as_ms_swift_and_the_tokenizer_write_them(asked):
    template = TEMPLATE_MAPPING[DiscriminativeSettings().writer.template]
    assert template.default_system == SYSTEM
    assert asked.apply_chat_template(
        [{"role": "user", "content": "Hm."}], tokenize=False, add_generation_prompt=True
    ) == turn("Hm.")
    (question,) = template.prompt
    assert turn("Hm.").endswith(question.replace("{{QUERY}}", "Hm."))


def test_the_loss_counts_the_answer_alone(asked):
    made = batch(asked, [scenario(HELD_OUT_POOL, index) for index in range(3)])
    for ids, labels in zip(made["input_ids"], made["labels"], strict=True):
        said = asked.decode(ids[labels >= 0])
        assert said.endswith("<|im_end|>") and "A person says" not in said and said.startswith(("The words", "Nothing"))


def test_training_writes_a_whole_checkpoint_and_the_same_twice(tmp_path):
    first, second = (train(tmp_path / name, scale=0.003, seed=3) for name in ("a", "b"))
    assert first == second and first["held_out"] == 8
    weights = [load_file(tmp_path / name / "model.safetensors") for name in ("a", "b")]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    assert Qwen2ForCausalLM.from_pretrained(tmp_path / "a").config.vocab_size == len(
        AutoTokenizer.from_pretrained(tmp_path / "a")
    )
