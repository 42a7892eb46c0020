"""From a clip to a row of tokens: where the target stands, what a row is given, what is too long."""

from __future__ import annotations

import pytest
import torch

from emolab.affectgpt.modeling import IGNORED
from emolab.affectgpt.prompts import image_only, trimodal
from emolab.affectgpt.samples import Collator, Given, given_of
from emolab.errors import InputError


@pytest.fixture(scope="module")
def collator(processor, model):
    return Collator(processor, model.config)


def test_only_the_target_counts_with_its_end(collator, processor, tiny):
    given = [tiny.given(0), tiny.given(1, audio=False, subtitle=""), tiny.given(2, frames=0)]
    answers = ["She is glad.", "He is angry ### and </s> calm.", "Both: joy, grief."]
    batch = collator.batch(given, answers)
    lengths = batch["attention_mask"].sum(1)
    assert batch["input_ids"].shape == batch["labels"].shape == (3, int(lengths.max()))
    for row, (each, answer) in enumerate(zip(given, answers, strict=True)):
        ids, mask, labels = (batch[name][row] for name in ("input_ids", "attention_mask", "labels"))
        length = int(lengths[row])
        assert mask.tolist() == [0] * (len(mask) - length) + [1] * length  # padding on the left
        assert (ids[:-length] == processor.tokenizer.pad_token_id).all() or length == len(ids)
        target = labels != IGNORED
        told = processor.tokenizer.decode(labels[target])
        assert told == f"{answer.replace('###', '# ##').replace('</s>', '< /s>')}###"
        count = int(target.sum())
        assert target[-count:].all() and not target[:-count].any() and torch.equal(ids[target], labels[target])
        asked = processor.tokenizer.decode(ids[-length:-count])
        wanted = trimodal(each.subtitle, audio=each.audio is not None, video=each.video is not None)
        for mark, times in (("<AudioHere>", 2), ("<ImageHere>", 3)):
            wanted = wanted.replace(mark, mark * times)
        assert asked == f"<s>{wanted}"
        assert length == collator.length(each, answer)


def test_features_stand_in_the_order_of_their_rows(collator, tiny):
    given = [
        tiny.given(0, frames=0),
        tiny.given(1, frames=2),
        tiny.given(2, audio=False),
        tiny.given(3, 1, False, "", True),
    ]
    batch = collator.batch(given)
    assert "labels" not in batch and batch["frames"].tolist() == [2, 4, 1] and batch["video"].shape == (3, 4, 5, 16)
    for row, each in enumerate(given[1:]):
        assert torch.equal(batch["video"][row, : len(each.video)], each.video)
        assert not batch["video"][row, len(each.video) :].any()
    assert torch.equal(batch["audio"], torch.stack([given[0].audio, given[1].audio]))
    words = collator.batch([Given(None, None, "Go.")])
    assert words.keys() == {"input_ids", "attention_mask"}


def test_a_question_is_padded_alike_with_and_without_answers(collator, tiny):
    given = [tiny.given(0), tiny.given(1, audio=False)]
    asked, told = collator.batch(given), collator.batch(given, ["a", "b"])
    for row in (0, 1):
        question = asked["input_ids"][row][asked["attention_mask"][row].bool()]
        both = told["input_ids"][row][told["attention_mask"][row].bool()]
        assert torch.equal(both[: len(question)], question)


def test_too_long_a_row_is_refused(processor, model, tiny):
    given = tiny.given(0)
    length = Collator(processor, model.config).length(given, "joy")
    exact = Collator(processor, model.config, max_length=length)
    assert exact.batch([given], ["joy"])["input_ids"].shape == (1, length)
    with pytest.raises(InputError, match=rf"^a sample has {length + 1} tokens, more than max_length {length}\.$"):
        exact.batch([given, given], ["joy", "xjoy"])


def test_what_is_hidden_is_not_asked_about(tiny):
    whole, still = tiny.given(0), tiny.given(1, 1, False, "", True)
    assert whole.has() == ["audio", "video", "text"] and still.has() == ["video"]
    hidden = whole.only(["video"])
    assert hidden.audio is None and hidden.subtitle == "" and hidden.video is whole.video and hidden.has() == ["video"]
    assert hidden.prompt(multi=True) == trimodal("", audio=False)
    assert whole.prompt(multi=True) == trimodal("Go away.", multi=True)
    assert still.prompt(multi=False) == image_only() == still.only(["video", "text"]).prompt(multi=True)


def test_a_still_whose_picture_is_hidden_has_no_placeholder(collator, tiny):
    hidden = tiny.given(1, 1, False, "Words on it.", True).only(["audio", "text"])
    assert hidden.prompt(multi=False) == trimodal("Words on it.", audio=False, video=False) and hidden.has() == ["text"]
    assert "video" not in collator.batch([hidden])


def test_what_a_clip_gives(clips, store):
    found = {clip.clip_id: given_of(clip, store.load(clip).tensors) for clip in clips}
    assert {name: each.has() for name, each in found.items()} == {
        **{f"clip{n}": ["audio", "video", "text"] for n in range(4)},
        "mute": ["video"], "heard": ["audio", "text"], "still": ["video"],
    }  # fmt: skip
    assert found["still"].image and found["still"].video.shape == (1, 5, 16) and not found["mute"].image
    assert found["clip0"].video.shape == (4, 5, 16) and found["clip0"].audio.shape == (3, 8)
