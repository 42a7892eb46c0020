"""Training side by side: the same as alone, the toolkit's rules, modality dropout, what is refused."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from emolab.discriminative.fit import Job, fit, hide_some
from emolab.discriminative.fusion import build_fusion
from emolab.discriminative.settings import FUSIONS, MODALITIES, FusionSettings, ModalityDropout
from emolab.errors import InputError, RunError
from emolab.scoring.six_way import weighted_f1

BLOBS = runpy.run_path(str(Path(__file__).with_name("blobs.py")))
CLASSES = np.arange(150) % 6
TABLE = BLOBS["table"](CLASSES, absent=0.15)
PLAIN = FusionSettings(hidden=16, dropout=0.0, epochs=4, batch_size=16)


def job(first=0, last=90, seed=0, table=TABLE):
    return Job(table, np.arange(first, last), CLASSES, np.arange(100, 130), seed)


def fitted(jobs, settings=PLAIN, drop=None, **more):
    return fit(jobs, settings, drop=drop, progress=False, **more)


def same(ours, theirs, tolerance=1e-5):
    return all(torch.allclose(ours.state[k].float(), theirs.state[k].float(), atol=tolerance) for k in ours.state)


@pytest.mark.parametrize("kind", FUSIONS)
def test_side_by_side_is_the_same_as_alone(kind):
    """Heads of different sizes, seeds, tables; with modality dropout, without the noise of dropout."""
    other = BLOBS["table"](CLASSES, seed=9)
    jobs = [job(), job(0, 37, seed=3), job(20, 90, seed=5), job(0, 90, seed=1, table=other)]
    jobs.append(job(table=TABLE.replace("video", _video(other))))  # shares sound and words with the first
    together = fitted(jobs, kind=kind, drop=ModalityDropout())
    for each, head in zip(jobs, together, strict=True):
        (alone,) = fitted([each], kind=kind, drop=ModalityDropout())
        assert same(head, alone, 1e-4) and head.seed == each.seed and head.kind == kind
        assert [row["valid_f1"] for row in head.history] == pytest.approx([row["valid_f1"] for row in alone.history])
        assert head.temperature == pytest.approx(alone.temperature, rel=1e-3)
        assert len(head.history) == PLAIN.epochs
    assert not same(together[0], together[2])


def _video(table):
    from emolab.discriminative.table import Extracted

    return Extracted(table.clip_ids, table.vectors["video"], table.present[:, 1])


def test_a_head_is_what_a_plain_loop_with_torchs_adam_trains():
    settings = replace(PLAIN, epochs=1, weight_decay=0.05)
    (head,) = fitted([job(0, 13)], settings)  # 13 clips in a batch of 16: what fills it up does not count
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build_fusion(settings, "attention", TABLE.widths)
    for column, name in enumerate(MODALITIES):
        own = TABLE.vectors[name][:13][TABLE.present[:13, column]].astype(float)
        getattr(model, f"mean_{name}").copy_(torch.tensor(own.mean(axis=0)))
        getattr(model, f"sd_{name}").copy_(torch.tensor(own.std(axis=0)))
    adam = torch.optim.Adam(model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    vectors = {name: torch.tensor(TABLE.vectors[name][:13]) for name in MODALITIES}
    loss = cross_entropy(model(vectors, torch.tensor(TABLE.present[:13])), torch.tensor(CLASSES[:13]))
    loss.backward()
    adam.step()
    wanted = model.state_dict()
    assert head.state.keys() == wanted.keys() and head.history[0]["train_loss"] == pytest.approx(loss.item(), abs=1e-5)
    for name, tensor in wanted.items():  # the first step of Adam is ± the rate: signs of gradients near 0 may differ
        assert (torch.isclose(head.state[name].float(), tensor.float(), atol=1e-5)).float().mean() > 0.99, name


def test_seeds_alone_decide_what_training_starts_from():
    settings = replace(PLAIN, learning_rate=1e-12)
    first, second, third = fitted([job(seed=4), job(0, 60, seed=4), job(seed=5)], settings)
    names = [name for name in first.state if "mean" not in name and "sd" not in name]
    assert all(torch.allclose(first.state[name].float(), second.state[name].float(), atol=1e-7) for name in names)
    assert any(not torch.allclose(first.state[name].float(), third.state[name].float()) for name in names)


def test_nothing_of_it_touches_torchs_seed_and_it_repeats():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    noisy = replace(PLAIN, dropout=0.5)
    ours, again = (fitted([job(), job(seed=1)], noisy, ModalityDropout()) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(same(a, b, 0) for a, b in zip(ours, again, strict=True))


@pytest.mark.parametrize("kind", FUSIONS)
def test_heads_learn_and_the_best_epoch_is_kept(kind):
    settings = replace(PLAIN, epochs=25, dropout=0.3)
    for head in fitted([job(seed=seed) for seed in range(2)], settings, ModalityDropout(), kind=kind):
        best = max(head.history, key=lambda row: (row["valid_f1"], -row["valid_loss"]))
        assert head.valid_f1 == best["valid_f1"] > 0.7 and [row["epoch"] for row in head.history] == [*range(1, 26)]
        told = head.probabilities(TABLE, rows=np.arange(100, 130))
        assert weighted_f1(CLASSES[100:130], told.argmax(axis=1)) == pytest.approx(head.valid_f1, abs=1e-12)
        assert head.history[0]["train_loss"] > head.history[-1]["train_loss"]
        unseen = head.probabilities(TABLE, rows=np.arange(130, 150))
        assert weighted_f1(CLASSES[130:150], unseen.argmax(axis=1)) > 0.6


def test_modality_dropout_hides_at_its_rates_and_never_all():
    rates = torch.tensor([0.5, 0.2, 0.0])
    draws = torch.rand(40_000, 3, generator=torch.Generator().manual_seed(0))
    every = hide_some(torch.ones(40_000, 3, dtype=torch.bool), draws, rates)
    assert (1 - every.float().mean(0) - rates).abs().max() < 0.01  # words always stay: nothing is ever all hidden
    two = torch.tensor([True, True, False]).expand(40_000, 3)
    left = hide_some(two, draws, rates)
    assert not left[:, 2].any() and left.any(1).all()
    # all would go in 10 % of draws: half of these keep the one, half the other
    assert (left[:, :2].float().mean(0) - torch.tensor([0.5 + 0.05, 0.8 + 0.05])).abs().max() < 0.01
    alone = hide_some(torch.tensor([False, True, False]).expand(1000, 3), draws[:1000], torch.full((3,), 0.99))
    assert alone[:, 1].all() and alone.sum() == 1000
    nothing = torch.zeros(1000, 3, dtype=torch.bool)
    assert not hide_some(nothing, draws[:1000], rates).any()


def test_modality_dropout_makes_heads_bear_a_loss():
    """Video tells most, so that without dropout it is relied on."""
    classes = np.arange(400) % 6
    table = BLOBS["table"](classes, noise=1.2)
    table = table.replace("video", _video(BLOBS["table"](classes, noise=0.1, seed=1)))
    jobs = [Job(table, np.arange(120), classes, np.arange(120, 180), seed) for seed in range(2)]
    settings = replace(PLAIN, epochs=15, dropout=0.2, learning_rate=4e-3)
    lost = {}
    for name, drop in (("plain", None), ("dropped", ModalityDropout(0.3, 0.5, 0.3))):
        heads = fitted(jobs, settings, drop)
        told = [head.probabilities(table, ["video"], rows=np.arange(180, 400)).argmax(axis=1) for head in heads]
        lost[name] = 1 - np.mean([weighted_f1(classes[180:], each) for each in told])
    assert lost["dropped"] < lost["plain"] - 0.05


def test_clips_without_anything_do_not_train_and_are_misses():
    empty = np.arange(5)
    table = TABLE
    for name in MODALITIES:
        table = table.hide(np.concatenate([empty, [100]]), name)
    (with_them,) = fitted([job(table=table)])
    (without,) = fitted([job(5, 90, table=table)])
    assert same(with_them, without, 1e-6)
    told = with_them.probabilities(table, rows=np.arange(100, 130))
    assert np.isnan(told[0]).all() and np.isfinite(told[1:]).all()
    guess = np.where(np.isnan(told[:, 0]), -1, np.nan_to_num(told).argmax(axis=1))
    assert with_them.valid_f1 == pytest.approx(weighted_f1(CLASSES[100:130], guess), abs=1e-12)


def test_a_modality_that_never_trains_is_not_used_later():
    table = TABLE.hide(np.arange(90), "text")
    (head,) = fitted([job(table=table)])
    told, without = (head.probabilities(table, hide) for hide in ([], ["text"]))
    assert not head.state["known"][2] and np.array_equal(told, without, equal_nan=True)
    assert np.isnan(head.probabilities(table, ["audio", "video"])).all()


def test_what_cannot_train_is_refused():
    assert fitted([]) == []
    rows = np.arange(150)
    for train, valid, targets, message in (
        (rows[:0], rows[100:], CLASSES, "clips to train on"),
        (rows[:50], rows[:0], CLASSES, "clips to train on"),
        (rows[:50], rows[49:], CLASSES, "c0049 trains and validates"),
        (rows[:50], rows[60:], np.where(rows == 7, -1, CLASSES), "c0007 trains or validates a head, but has no class"),
        (rows[:50], rows[60:], CLASSES[:100], "150 clips have features, but 100"),
    ):
        with pytest.raises(InputError, match=message):
            Job(TABLE, train, targets, valid, 0)
    narrow = replace(TABLE, vectors={**TABLE.vectors, "text": TABLE.vectors["text"][:, :4]})
    with pytest.raises(InputError, match="same widths"):
        fitted([job(), job(table=narrow)])
    with pytest.raises(RunError, match="diverged"):
        fitted([job()], replace(PLAIN, learning_rate=1e30))
