"""A stage keeps what the model said, whole."""

from dataclasses import replace
from functools import partial

from emolab.engine.chat import ChatModel, Question
from emolab.engine.rows import RowFile, read_rows
from emolab.engine.settings import ModelSettings
from emolab.engine.stage import Task, answer_all, key_of

SETTINGS = ModelSettings(path="shipped:internvl", batch_size=4, max_new_tokens=8, device="cpu")


def test_token_probabilities_are_kept_and_come_back(tmp_path):
    asked = [
        Task(f"row_{i}", ("tokens", i), partial(Question, f"Score {i}:", top_tokens=3 if i < 4 else 0))
        for i in range(8)
    ]
    path = tmp_path / "answers.jsonl"
    with RowFile(path) as cache:
        first = answer_all(ChatModel(SETTINGS), asked, cache, "test", progress=False)
    with RowFile(path) as cache:
        again = answer_all(ChatModel(SETTINGS), asked, cache, "test", progress=False)
    assert again == first and not any(answer.error for answer in first)
    assert all(answer.tokens and all(tokens for tokens in answer.tokens) for answer in first[:4])
    assert all(answer.tokens is None for answer in first[4:])
    assert ["tokens" in row for row in read_rows(path)] == [True] * 4 + [False] * 4


def test_a_preparation_that_fails_oddly_is_one_bad_row(tmp_path):
    asked = [Task("odd", ("odd",), partial(int, "seven")), Task("good", ("good",), partial(Question, "Describe."))]
    with RowFile(tmp_path / "answers.jsonl") as cache:
        odd, good = answer_all(ChatModel(SETTINGS), asked, cache, "test", progress=False)
        assert odd.error.startswith("odd: could not be prepared (ValueError") and good.text and len(cache) == 1


def test_a_cut_answer_is_known_as_cut_also_from_the_file(tmp_path):
    asked = [Task("long", ("long",), partial(Question, "Describe the person."))]
    model = ChatModel(ModelSettings(path="shipped:internvl", max_new_tokens=3, device="cpu"))
    with RowFile(tmp_path / "answers.jsonl") as cache:
        (first,) = answer_all(model, asked, cache, "test", progress=False)
        (again,) = answer_all(model, asked, cache, "test", progress=False)
    assert first.cut and first.text and again == first


def test_what_shapes_an_answer_is_in_its_key():
    plain = ChatModel(SETTINGS)
    task = Task("a", ("a",), partial(Question, "Describe."))
    for change in ({"template": "internvl2_5"}, {"max_new_tokens": 9}, {"dtype": "bfloat16"}):
        assert key_of(ChatModel(replace(SETTINGS, **change)), task) != key_of(plain, task)
    assert key_of(ChatModel(replace(SETTINGS, batch_size=1)), task) == key_of(plain, task)


def test_answers_that_are_drawn_are_the_same_after_a_break(tmp_path):
    """One task is an error, which is tried again; the batches behind it stay as they were."""
    model = ChatModel(replace(SETTINGS, temperature=1.0), seed=3)
    tasks = [Task("odd", ("odd",), partial(int, "seven"))]
    tasks += [Task(f"row_{i}", ("drawn", i), partial(Question, f"Describe person {i}.")) for i in range(11)]
    with RowFile(tmp_path / "calm.jsonl") as cache:
        calm = answer_all(model, tasks, cache, "test", progress=False)
    assert len({answer.text for answer in calm}) > 2
    path = tmp_path / "broken.jsonl"
    path.write_bytes(b"".join((tmp_path / "calm.jsonl").read_bytes().splitlines(keepends=True)[:3]))  # the first batch
    with RowFile(path) as cache:
        assert answer_all(model, tasks, cache, "test", progress=False) == calm
