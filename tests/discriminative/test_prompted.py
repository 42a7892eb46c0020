"""LLM-prompted text: the shipped writer through ms-swift, any callable, and what is kept."""

from __future__ import annotations

import pytest

from emolab.corpora.clip import Clip
from emolab.discriminative.prompted import write_about
from emolab.discriminative.prompts import WRITER, WRITER_ID, prompted, what_words_suggest
from emolab.discriminative.settings import DiscriminativeSettings
from emolab.engine.chat import ChatModel
from emolab.engine.rows import RowFile
from emolab.errors import InputError, RunError

CLIPS = [
    Clip("a", transcript="I lost him last winter."),
    Clip("b", transcript="How dare you say that to me!"),
    Clip("silent", transcript="  "),
    Clip("again", transcript="I lost him last winter."),
]


def test_the_question_is_kept_word_for_word():
    assert WRITER_ID == "what-words-suggest-1"
    assert WRITER == (
        'A person says: "{transcript}" What do these words suggest about the emotion of the speaker? Answer in one or '
        "two sentences: what the words speak of, and which emotion they suggest."
    )
    assert '"{transcript} {x}"' in what_words_suggest(" {transcript} {x} ")  # braces in words are words
    assert prompted(" It is sad. ", " Oh no. ") == "It is sad.\nOh no."


@pytest.fixture(scope="module")
def writer():
    return ChatModel(DiscriminativeSettings().writer)


def test_the_shipped_writer_says_what_words_suggest(writer, tmp_path):
    with RowFile(tmp_path / "answers.jsonl") as answers:
        rows = write_about(CLIPS, writer, answers, progress=False)
    assert [row["clip_id"] for row in rows] == [clip.clip_id for clip in CLIPS]
    said = {row["clip_id"]: row for row in rows}
    assert any(word in said["a"]["written"] for word in ("sad", "sorrowful", "unhappy", "dejected"))
    assert any(word in said["b"]["written"] for word in ("angry", "furious"))
    assert said["a"]["text"] == f"{said['a']['written']}\nI lost him last winter."
    assert said["a"]["prompt"] == what_words_suggest(CLIPS[0].transcript) and said["a"]["model"] == writer.identity
    assert said["again"] | {"clip_id": "a"} == said["a"]
    assert said["silent"]["error"] == "silent has no words." and said["silent"]["text"] == ""
    assert said["silent"]["prompt"] is None


def test_what_was_answered_is_not_asked_again(tmp_path):
    asked = []

    def ask(prompts):
        asked.extend(prompts)
        return [f"Something about {len(prompt)} signs." for prompt in prompts]

    for _ in range(2):
        with RowFile(tmp_path / "answers.jsonl") as answers:
            rows = write_about(CLIPS, ask, answers, model="callable", progress=False)
        assert [bool(row["text"]) for row in rows] == [True, True, False, True]
    assert sorted(asked) == sorted(what_words_suggest(clip.transcript) for clip in CLIPS[:2])
    with RowFile(tmp_path / "answers.jsonl") as answers:  # another model answers for itself
        write_about(CLIPS, ask, answers, model="other", progress=False)
    assert len(asked) == 4


def test_without_an_answer_the_words_stand_alone_and_it_is_asked_again(tmp_path):
    said = {what_words_suggest(CLIPS[0].transcript): " ", what_words_suggest(CLIPS[1].transcript): "Anger."}
    with RowFile(tmp_path / "answers.jsonl") as answers:
        first = write_about(CLIPS[:2], lambda p: [said[p[0]]], answers, model="m", progress=False)
        second = write_about(CLIPS[:2], lambda p: ["Grief."], answers, model="m", progress=False)
    assert first[0]["error"] == "The model gave an empty answer." and first[0]["text"] == CLIPS[0].transcript
    assert [row["written"] for row in second] == ["Grief.", "Anger."]


def test_a_refused_prompt_is_its_rows_error_and_all_refused_are_the_runs(tmp_path):
    def filtered(prompts):
        if "dare" in prompts[0]:
            raise InputError("refuses the request (400 content_filter)")
        return ["Grief."]

    with RowFile(tmp_path / "answers.jsonl") as answers:
        rows = write_about(CLIPS[:2], filtered, answers, model="m", progress=False)
    assert rows[0]["error"] is None and "content_filter" in rows[1]["error"] and rows[1]["text"] == CLIPS[1].transcript
    with RowFile(tmp_path / "others.jsonl") as answers, pytest.raises(InputError, match="content_filter"):
        write_about(CLIPS[1:2], filtered, answers, model="m", progress=False)


def test_what_was_answered_before_a_failure_is_kept(tmp_path):
    many = [Clip(str(n), transcript=f"Line {n}.") for n in range(40)]

    def failing(prompts):
        if "Line 35." in prompts[0]:
            raise RunError("no network")
        return ["Joy."]

    with RowFile(tmp_path / "answers.jsonl") as answers, pytest.raises(RunError):
        write_about(many, failing, answers, model="m", progress=False)
    with RowFile(tmp_path / "answers.jsonl") as answers:
        asked = []
        rows = write_about(many, lambda p: asked.extend(p) or ["Joy."], answers, model="m", progress=False)
    assert 1 <= len(asked) <= 10 and all(row["text"] for row in rows)
