"""Descriptions: one row a clip, errors in one sentence, nothing asked twice, the same texts after a kill."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from emolab.affectgpt.describe import Describer, describe_clips
from emolab.affectgpt.encoding import feature_store
from emolab.affectgpt.prompts import IMAGE_ID, TRIMODAL_ID
from emolab.affectgpt.samples import given_of
from emolab.corpora.clip import Clip
from emolab.engine.rows import RowFile
from emolab.errors import RunError
from emolab.media.settings import FaceSettings


class Counting(Describer):
    """Counts the batches that the model is really asked for."""

    def __init__(self, *args) -> None:
        super().__init__(*args)
        self.asked: list[int] = []

    def describe(self, given):
        self.asked.append(len(given))
        return super().describe(given)


@pytest.fixture(scope="module")
def describer(parts):
    """Sampling, seed 1."""
    return Counting(parts, 1)


@pytest.fixture(autouse=True)
def from_zero(describer):
    describer.asked.clear()


def ask(clips, store, describer, path, **more):
    with RowFile(path) as answers:
        return describe_clips(clips, store, describer, answers, progress=False, **more)


def test_one_row_a_clip(clips, store, describer, tmp_path):
    rows = ask(clips, store, describer, tmp_path / "a.jsonl")
    assert [row["clip_id"] for row in rows] == [clip.clip_id for clip in clips]
    assert describer.asked == [3, 3, 1]
    for row in rows:
        assert row["text"] and row["error"] is None and "###" not in row["text"] and "</s>" not in row["text"]
        assert row["model"] == describer.identity and row["seed"] == 1
    given = {row["clip_id"]: (row["modalities"], row["prompt_id"]) for row in rows}
    assert given["clip0"] == (["audio", "video", "text"], TRIMODAL_ID) and given["still"] == (["video"], IMAGE_ID)
    assert given["mute"] == (["video"], TRIMODAL_ID) and given["heard"] == (["audio", "text"], TRIMODAL_ID)
    assert len({row["text"] for row in rows}) > 3


def test_the_text_is_the_models(clips, store, parts):
    """Greedy: what generate gives, up to the first ###."""
    greedy = Describer(replace(parts, temperature=0.0))
    given = [given_of(clip, store.load(clip).tensors) for clip in clips[:3]]
    together = greedy.describe(given)
    assert together == [greedy.describe([each])[0] for each in given]
    model, collator, tokenizer = greedy._model, greedy._collator, greedy._tokenizer
    with torch.no_grad():
        ids = model.generate(**collator.batch(given[:1]), max_new_tokens=parts.max_new_tokens, do_sample=False)
    assert together[0] == tokenizer.decode(ids[0], skip_special_tokens=True).partition("###")[0].strip()


def test_the_end_mark_stops_and_is_cut_off(clips, store, parts):
    """A language model that writes ### says nothing after it."""
    greedy = Describer(replace(parts, temperature=0.0, max_new_tokens=30))
    given = [given_of(clips[0], store.load(clips[0]).tensors)]
    greedy.describe(given)
    wanted = greedy._tokenizer("glad ### not this", add_special_tokens=False).input_ids
    head = greedy._model.language_model.lm_head

    class Says(torch.nn.Module):
        weight, count = head.weight, 0

        def forward(self, states):
            logits = torch.zeros(*states.shape[:-1], head.weight.shape[0])
            logits[..., wanted[min(self.count, len(wanted) - 1)]] = 1
            self.count += 1
            return logits

    greedy._model.language_model.lm_head = says = Says()
    assert greedy.describe(given) == ["glad"]
    assert says.count < len(wanted)


def test_sampling_can_be_repeated_and_has_its_seed(clips, store, parts, describer, tmp_path):
    first = ask(clips, store, describer, tmp_path / "a.jsonl")
    torch.rand(7)
    again = ask(clips, store, Counting(parts, 1), tmp_path / "b.jsonl")
    other = ask(clips, store, Counting(parts, 2), tmp_path / "c.jsonl")
    assert again == first
    assert [row["text"] for row in other] != [row["text"] for row in first]
    cold = Counting(replace(parts, temperature=0.0), 1)
    assert "temperature" not in cold.generation and describer.generation["top_p"] == 0.9
    assert [row["text"] for row in ask(clips, store, cold, tmp_path / "d.jsonl")] != [row["text"] for row in first]


def test_a_run_that_was_killed_gives_the_same_texts(clips, store, describer, tmp_path):
    """Batches are always of the same clips; only those with an open one are asked."""
    first = ask(clips, store, describer, tmp_path / "a.jsonl")
    assert describer.asked == [3, 3, 1]
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    assert len(lines) == 7
    for kept, asked in ((7, []), (6, [1]), (4, [3, 1]), (3, [3, 1]), (0, [3, 3, 1])):
        describer.asked.clear()
        torn = "".join(f"{line}\n" for line in lines[:kept]) + ('{"key": "hal' if kept < 7 else "")
        (tmp_path / "a.jsonl").write_text(torn)
        assert ask(clips, store, describer, tmp_path / "a.jsonl") == first
        assert describer.asked == asked
        assert sorted((tmp_path / "a.jsonl").read_text().splitlines()) == sorted(lines)


def test_what_changes_an_answer_asks_again(clips, store, parts, describer, tiny, tmp_path):
    path = tmp_path / "a.jsonl"
    ask(clips[:1], store, describer, path)
    ask(clips[:1], store, Counting(replace(parts, device="cpu", batch_size=9), 1), path)
    assert describer.asked == [1]
    tiny.save_qformers(tmp_path / "other", tiny.config(), seed=5)
    for changed, clip, more in (
        (Counting(parts, 3), clips[0], {}),
        (Counting(replace(parts, top_p=0.5), 1), clips[0], {}),
        (Counting(replace(parts, qformers=str(tmp_path / "other")), 1), clips[0], {}),
        (Counting(parts, 1), replace(clips[0], transcript="Other words."), {}),
        (Counting(parts, 1), clips[1], {}),
        (Counting(parts, 1), clips[0], {"modalities": ["audio", "text"]}),
    ):
        ask([clip], store, changed, path, **more)
        assert changed.asked == [1]
    same = Counting(parts, 1)
    ask([replace(clips[0], clip_id="another name")], store, same, path)
    assert same.asked == []


def test_a_row_that_cannot_be_described_says_why(clips, store, parts, describer, tmp_path):
    lost = Clip("lost", video=str(tmp_path / "lost.mp4"))
    unknown = replace(clips[0], clip_id="unknown", video=clips[5].audio)
    rows = ask(
        [lost, clips[4], unknown, clips[6], clips[5]], store, describer, tmp_path / "a.jsonl", modalities=["audio"]
    )
    assert describer.asked == [1] and [bool(row["text"]) for row in rows] == [False] * 4 + [True]
    errors = [row["error"] for row in rows]
    assert errors[0].startswith("lost.mp4 cannot be read")
    assert errors[1] == "mute: nothing is left to describe: mute.mp4 has no sound."
    assert errors[2].startswith("unknown has no features in ") and errors[2].endswith("; compute them first.")
    assert errors[3] == "still: nothing is left to describe: it has none of audio." and errors[4] is None
    assert rows[4]["modalities"] == ["audio"] and rows[1]["modalities"] == []


def test_an_empty_answer_is_an_error_and_is_not_kept(clips, store, parts, tmp_path):
    class Silent(Counting):
        def describe(self, given):
            told = super().describe(given)
            return ["", *told[1:]]

    silent = Silent(parts, 1)
    rows = ask(clips[:3], store, silent, tmp_path / "a.jsonl")
    assert rows[0]["error"] == "clip0: the model gave an empty answer." and rows[0]["text"] == ""
    assert rows[1]["text"] and rows[2]["text"]
    kept = [json.loads(line)["row_id"] for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert kept == ["clip1", "clip2"]
    whole = Counting(parts, 1)
    again = ask(clips[:3], store, whole, tmp_path / "a.jsonl")  # the next run asks again, and only that is new
    assert whole.asked == [3] and again[0]["text"] and again[1:] == rows[1:]


def test_hidden_modalities_change_the_answer(clips, store, parts, tmp_path):
    greedy = Describer(replace(parts, temperature=0.0, max_new_tokens=24))
    told = {
        shown: [row["text"] for row in ask(clips[:4], store, greedy, tmp_path / "a.jsonl", modalities=shown)]
        for shown in (("audio", "video", "text"), ("audio", "video"), ("text",))
    }
    assert len({tuple(texts) for texts in told.values()}) == 3


def test_the_model_is_loaded_when_it_is_asked(clips, store, parts, describer, tmp_path):
    ask(clips, store, describer, tmp_path / "a.jsonl")
    later = Describer(parts, 1)
    ask(clips, store, later, tmp_path / "a.jsonl")
    assert later._model is None  # everything was there
    describer.unload()
    assert describer._model is None and ask(clips[:1], store, describer, tmp_path / "b.jsonl")[0]["text"]


def test_untrained_parts_describe_nothing(parts):
    with pytest.raises(RunError, match="untrained, so it can describe nothing"):
        Describer(replace(parts, qformers=None))


def test_features_of_another_draw_are_other_features(clips, parts, store, describer, encoder, tmp_path):
    drawn = replace(parts, frames=replace(parts.frames, draw="random"))
    stores = [feature_store(drawn, FaceSettings(), seed, store.folder) for seed in (0, 1)]
    for each in stores:
        assert each.compute(clips[:1], encoder, progress=False) == {}
        ask(clips[:1], each, describer, tmp_path / "a.jsonl")
    assert describer.asked == [1, 1]
