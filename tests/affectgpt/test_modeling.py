"""The whole model at tiny dimensions: what it computes, what it trains, what it refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional
from transformers import AutoModel

from emolab.affectgpt.configuration import AffectGPTConfig
from emolab.affectgpt.modeling import IGNORED, AffectGPT
from emolab.affectgpt.parts import LORA, load_model, load_trained, save_trained, trained_tensors
from emolab.affectgpt.prefusion import AttentionPrefusion
from emolab.affectgpt.qformer import TimeQFormer
from emolab.affectgpt.samples import Collator
from emolab.errors import InputError

ANSWERS = ["She is glad.", "He is angry, and he shouts at somebody.", "Grief.", "It is a picture."]

EMBEDDED = ("input_ids", "video", "audio", "frames")
BRANCHES = ("video_qformer", "audio_qformer")


@pytest.fixture(scope="module")
def collator(processor, model):
    return Collator(processor, model.config)


@pytest.fixture(scope="module")
def mixed(tiny):
    """A whole clip, one without sound, one without picture, a still: other modalities and lengths in every row."""
    make = tiny.given
    return [make(0, subtitle="Go away, now!"), make(1, audio=False), make(2, frames=0), make(3, 1, False, "", True)]


@pytest.fixture(scope="module")
def batch(collator, mixed):
    return collator.batch(mixed, ANSWERS)


@pytest.fixture
def fresh(parts):
    """A model that a test may change, without encoders."""
    return load_model(parts)


def plain_loss(model, batch, reduction="mean"):
    """Cross-entropy out of the language model's full logits, row by row and without padding, by indices alone."""
    embeds = model.embed(*(batch[name] for name in EMBEDDED))
    losses = []
    for row, mask in enumerate(batch["attention_mask"].bool()):
        logits = model.language_model(inputs_embeds=embeds[row, mask][None]).logits[0]
        ids = batch["labels"][row, mask]
        losses += [functional.cross_entropy(logits[i - 1], ids[i]) for i in range(1, len(ids)) if ids[i] != IGNORED]
    return torch.stack(losses).mean() if reduction == "mean" else torch.stack(losses).sum()


def gradients(model):
    return {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}


def test_a_saved_model_is_the_same_model(model, batch, tmp_path):
    model.save_pretrained(tmp_path)
    again = AutoModel.from_pretrained(tmp_path).eval()
    assert isinstance(again, AffectGPT) and again.config.video_token_id == model.config.video_token_id
    ours, theirs = model.state_dict(), again.state_dict()
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
    pixels, sound = torch.randn(1, 2, 3, 32, 32), torch.randn(1, 3, 8000)
    with torch.no_grad():
        assert torch.equal(again(**batch)["logits"], model(**batch)["logits"])
        assert torch.equal(again.encoders.encode_video(pixels), model.encoders.encode_video(pixels))
        assert torch.equal(again.encoders.encode_audio(sound), model.encoders.encode_audio(sound))


def test_the_loss_is_that_of_the_targets_alone(model, batch):
    with torch.no_grad():
        told, wanted = model(**batch), plain_loss(model, batch)
    torch.testing.assert_close(told["loss"], wanted, rtol=0, atol=1e-6)
    assert told["logits"].shape[1] == int((batch["labels"] != IGNORED).sum(1).max()) + 1
    with torch.no_grad():
        torch.testing.assert_close(
            model(**batch, num_items_in_batch=7)["loss"] * 7, plain_loss(model, batch, "sum"), rtol=1e-6, atol=0
        )


def test_the_loss_knows_nothing_of_padding_and_neighbours(model, collator, mixed):
    """A row's loss is the same alone as beside a longer one with more frames."""
    with torch.no_grad():
        alone = [model(**collator.batch([each], [told]))["loss"] for each, told in zip(mixed, ANSWERS, strict=True)]
        for row, (each, told) in enumerate(zip(mixed, ANSWERS, strict=True)):
            batch = collator.batch([each, mixed[0]], [told, ANSWERS[1] * 3])
            batch["labels"][1] = IGNORED
            torch.testing.assert_close(model(**batch)["loss"], alone[row], rtol=1e-5, atol=1e-6)


def test_a_still_beside_eight_frames(tiny):
    """One frame, padded to eight, gives the words that it gives alone; the padding's content is not seen."""
    torch.manual_seed(0)
    branch = TimeQFormer(tiny.config().video_qformer_config, queries=3, times=8, out=32).eval()
    features = torch.randn(2, 8, 5, 16)
    frames = torch.tensor([1, 8])
    with torch.no_grad():
        alone, whole = branch(features[:1, :1]), branch(features[1:])
        both = branch(features, frames)
        features[0, 1:] = 100.0
        other = branch(features, frames)
    torch.testing.assert_close(both, torch.cat([alone, whole]), rtol=1e-5, atol=1e-6)
    assert torch.equal(both, other)
    with torch.no_grad():
        assert (branch(features[:1]) - alone).abs().max() > 1e-3
    with pytest.raises(ValueError, match="9 frames or clips, but there are 8 positions"):
        branch(torch.zeros(1, 9, 5, 16))


def test_the_order_of_the_frames_counts(model, tiny, collator):
    given = tiny.given(0)
    turned = replace(given, video=given.video.flip(0))
    with torch.no_grad():
        one, other = (model(**collator.batch([each], ANSWERS[:1]))["loss"] for each in (given, turned))
    assert abs(one - other) > 1e-4


def test_batched_and_single_answers_are_the_same(model, collator, mixed):
    how = {"max_new_tokens": 12, "do_sample": False}
    end = model.language_model.config.eos_token_id
    together = model.generate(**collator.batch(mixed), **how)
    told = []
    for row, each in enumerate(mixed):
        alone = model.generate(**collator.batch([each]), **how)[0].tolist()
        ours = together[row].tolist()
        assert ours[: len(alone)] == alone and set(ours[len(alone) :]) <= {end}
        told.append(tuple(alone))
    assert len(set(told)) > 1  # they do not all say the same
    by_hand = model.embed(**{name: value for name, value in collator.batch(mixed[:1]).items() if name in EMBEDDED})
    for token in told[0]:  # greedy, without a cache of keys
        with torch.no_grad():
            logits = model.language_model(inputs_embeds=by_hand).logits[0, -1]
        assert int(logits.argmax()) == token
        by_hand = torch.cat([by_hand, model.get_input_embeddings()(torch.tensor([[token]]))], 1)


def test_what_is_trained_is_named_and_counted_by_hand(fresh):
    # a Q-Former: norm, then a layer: self-attention, cross-attention (keys and values of what it reads), feed-forward
    def qformer(reads, layers, width=16, inner=24):
        linear, norm = width * width + width, 2 * width
        own, cross = 4 * linear + norm, 2 * linear + 2 * (reads * width + width) + norm
        return norm + layers * (own + cross + (width * inner + inner) + (inner * width + width) + norm)

    counts = fresh.freeze()
    assert counts == {
        "video_qformer.query_tokens": 3 * 16,
        "video_qformer.positions": 6 * 16,
        "video_qformer.qformer": qformer(16, 2),
        "video_qformer.projection": 16 * 32 + 32,
        "audio_qformer.query_tokens": 2 * 16,
        "audio_qformer.positions": 3 * 8,
        "audio_qformer.qformer": qformer(8, 1),
        "audio_qformer.projection": 16 * 32 + 32,
    }
    names = {name for name, weight in fresh.named_parameters() if weight.requires_grad}
    assert names == {name for name, _ in fresh.named_parameters() if name.split(".")[0] in BRANCHES}


def test_gradients_reach_what_is_trained_and_nothing_else(parts, model, batch):
    whole = load_model(parts, encoders=model.encoders)
    whole.freeze()
    whole.train()
    whole(**batch)["loss"].backward()
    for name, weight in whole.named_parameters():
        if name.startswith(BRANCHES):
            # a key's bias adds the same to every weight of a softmax: its gradient is a rounding error
            alive = weight.grad is not None and (name.endswith("key.bias") or weight.grad.abs().max() > 0)
            assert alive, name
        else:
            assert weight.grad is None and not weight.requires_grad, name
    unused = whole.video_qformer.positions.weight.grad[4:]  # no clip has that many frames
    assert not unused.any()


def test_the_gradient_is_that_of_the_plain_loss(fresh, batch):
    fresh.freeze()
    fresh(**batch)["loss"].backward()
    ours = gradients(fresh)
    fresh.zero_grad(set_to_none=True)
    plain_loss(fresh, batch).backward()
    for name, wanted in gradients(fresh).items():
        torch.testing.assert_close(ours[name], wanted, rtol=1e-4, atol=1e-6, msg=name)


def test_accumulated_gradients_are_those_of_one_batch(fresh, collator, mixed, batch):
    assert fresh.accepts_loss_kwargs  # or Trainer would weigh a short answer like a long one
    fresh.freeze()
    fresh(**batch)["loss"].backward()
    wanted = gradients(fresh)
    fresh.zero_grad(set_to_none=True)
    count = int((batch["labels"] != IGNORED).sum())
    for each, told in zip(mixed, ANSWERS, strict=True):
        fresh(**collator.batch([each], [told]), num_items_in_batch=count)["loss"].backward()
    for name, grad in gradients(fresh).items():
        torch.testing.assert_close(grad, wanted[name], rtol=1e-5, atol=1e-6, msg=name)


def test_a_stray_trained_weight_is_refused(fresh):
    """Named as LoRA's are, but none of the language model's."""
    fresh.encoders = torch.nn.ModuleDict({"x": torch.nn.ModuleDict({"lora_A": torch.nn.Linear(2, 2)})})
    with pytest.raises(InputError, match=r"other weights than its Q-Formers \(encoders.x.lora_A.bias"):
        fresh.freeze()


def test_a_trained_weight_that_is_also_a_frozen_one_is_refused(fresh):
    fresh.video_qformer.projection.weight = fresh.language_model.model.embed_tokens.weight
    with pytest.raises(InputError, match="some are missing"):
        fresh.freeze()


def test_placeholders_and_features_must_match(model, collator, mixed):
    batch = collator.batch(mixed[:1])
    hidden = {name: value for name, value in batch.items() if name not in ("video", "frames")}
    with pytest.raises(ValueError, match="placeholders for a modality that was not given"):
        model(**hidden)
    twice = {**batch, "video": batch["video"].repeat(2, 1, 1, 1), "frames": batch["frames"].repeat(2)}
    with pytest.raises(ValueError, match="3 placeholders for 2 × 3 pieces"):
        model(**twice)
    words = collator.batch([replace(mixed[0], video=None, audio=None)])
    with pytest.raises(ValueError, match="0 placeholders for 1 × 2 pieces"):
        model(**words, audio=batch["audio"])
    assert model(**words)["logits"].shape[0] == 1  # words alone are a question too


@pytest.fixture(scope="module")
def fused(tiny, parts, tmp_path_factory):
    """The 2025 variant: <Multi> tokens and LoRA, random."""
    folder = tmp_path_factory.mktemp("fused") / "qformers"
    tiny.save_qformers(folder, tiny.config(prefusion=True))
    return replace(parts, qformers=str(folder))


def test_the_multi_token_is_of_its_own_row(fused, processor, mixed, tiny):
    """Rows with and without <Multi> in one batch: each gets what it would get alone, and it counts."""
    model = load_model(fused)
    collator = Collator(processor, model.config)
    given = [mixed[1], mixed[0], mixed[2], tiny.given(5, frames=2), mixed[3]]
    told = ["a", "b", "c", "d", "e"]
    batch = collator.batch(given, told)
    assert (batch["input_ids"] == model.config.multi_token_id).sum(1).tolist() == [0, 1, 0, 1, 0]
    with torch.no_grad():
        embeds = model.embed(*(batch[name] for name in EMBEDDED))
        for row in (1, 3):
            own = model.prefusion(given[row].video[None], given[row].audio[None])
            found = embeds[row][batch["input_ids"][row] == model.config.multi_token_id]
            torch.testing.assert_close(found, own[0], rtol=1e-5, atol=1e-6)
        alone = torch.stack(
            [model(**collator.batch([a], [b]), num_items_in_batch=1)["loss"] for a, b in zip(given, told, strict=True)]
        )
        torch.testing.assert_close(model(**batch, num_items_in_batch=1)["loss"], alone.sum(), rtol=1e-5, atol=1e-5)
    counts = model.freeze()
    assert counts["prefusion.projection"] == 16 * 32 + 32 and counts["prefusion.weigh"] == 32 * 16 + 16 + 16 * 2 + 2
    model(**batch)["loss"].backward()
    assert all(weight.grad.abs().max() > 0 for weight in model.prefusion.parameters())


def test_prefusion_is_a_weighted_sum_of_means():
    torch.manual_seed(0)
    fuse = AttentionPrefusion(video=6, audio=4, out=5)
    video, audio = torch.randn(1, 3, 2, 6), torch.randn(1, 2, 4)
    seen, heard = fuse.video(video[0, :2].mean((0, 1))), fuse.audio(audio[0].mean(0))
    weights = fuse.weigh(torch.cat([seen, heard]))
    wanted = fuse.projection(weights[0] * seen + weights[1] * heard)
    torch.testing.assert_close(fuse(video, audio, torch.tensor([2]))[0, 0], wanted)


def test_lora_trains_adapters_besides(parts, batch, tmp_path):
    plain, model = load_model(parts), load_model(parts, lora=True, seed=3)
    with torch.no_grad():  # untrained adapters change nothing
        torch.testing.assert_close(model(**batch)["loss"], plain(**batch)["loss"], rtol=1e-6, atol=1e-6)
    counts = model.freeze()
    # rank 16 on all linears of 2 layers: q, o 32→32, k, v 32→16, gate, up 32→48, down 48→32
    by_hand = 2 * 16 * (2 * (32 + 32) + 2 * (32 + 16) + 3 * (32 + 48))
    assert counts["lora"] == by_hand and {name: counts[name] for name in counts if name != "lora"} == plain.freeze()
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert all(".lora_" in name or name.startswith(BRANCHES) for name in trained)
    model.train()
    optimizer = torch.optim.SGD([weight for weight in model.parameters() if weight.requires_grad], lr=0.5)
    for _ in range(2):  # lora_A has no gradient while lora_B is zero
        optimizer.zero_grad()
        model(**batch)["loss"].backward()
        optimizer.step()
    for name, weight in model.named_parameters():
        assert (weight.grad is not None) == (name in trained), name
    assert any(weight.grad.abs().max() > 0 for name, weight in model.named_parameters() if "lora_A" in name)
    save_trained(tmp_path, trained_tensors(model), model.config)
    assert AffectGPTConfig.from_pretrained(tmp_path).lora == LORA
    again = load_model(replace(parts, qformers=str(tmp_path)))
    with torch.no_grad():
        wanted = model.eval()(**batch)["loss"]
        assert torch.equal(again(**batch)["loss"], wanted)
        model.save_pretrained(tmp_path / "whole")
        assert torch.equal(AutoModel.from_pretrained(tmp_path / "whole").eval()(**batch)["loss"], wanted)
    with pytest.raises(InputError, match="does not fit the other parts"):
        load_trained(plain, tmp_path)
