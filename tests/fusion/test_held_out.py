"""No clip's labels may depend on its own truth: what is checked here on every strategy that learns, and that the check
catches a leak."""

from dataclasses import replace

import pytest

from emolab.errors import InputError
from emolab.fusion.calibrated import calibrated, fit
from emolab.fusion.held_out import folds, models_left_out, out_of_fold, splits
from emolab.fusion.panel import Member, make_panel
from emolab.fusion.settings import FusionSettings
from emolab.fusion.strategies import best_vote, union
from emolab.fusion.strategy import Strategy
from emolab.fusion.weighted import weighted
from emolab.labels.wheel import own_wheels

SETTINGS = FusionSettings()


def altered(truth):
    """(clips of the first fold, the truth with nothing but theirs changed)."""
    own = set(folds(list(truth), 5, 0)[0])
    return own, {clip: ["disgusted", "bored", "proud"] if clip in own else labels for clip, labels in truth.items()}


@pytest.mark.parametrize("make", [lambda: calibrated(own_wheels(), SETTINGS), weighted, best_vote])
def test_strategies_that_learn_see_no_truth_of_their_own(made, make):
    panel, truth = made
    own, other = altered(truth)
    before, after = (out_of_fold(make(), panel, each, 5, 0) for each in (truth, other))
    assert [clip for clip in own if before[clip] != after[clip]] == []


def test_unseen_models_are_fused_without_the_clips_own_truth(made):
    panel, truth = made
    own, other = altered(truth)
    strategy, known = calibrated(own_wheels(), SETTINGS), ["a/good", "b/good", "a/bad"]
    before, after = (models_left_out(strategy, panel, each, known, 5, 0) for each in (truth, other))
    assert before != after and [clip for clip in own if before[clip] != after[clip]] == []


def leaks(fit_fold, panel, truth) -> bool:
    """Whether the model of the first fold, or what it says of that fold's clips, depends on their truth.
    `fit_fold(all_truth, taught panel, its truth)` makes the model; every number is compared, not only the words."""
    found = []
    for each in (truth, altered(truth)[1]):
        taught, held = next(splits(panel, each, 5, 0))
        model = fit_fold(each, taught, {clip: each[clip] for clip in taught.clip_ids})
        found.append((model.vocabulary, model.tradeoff, dict(model.weights), model.named.tolist(), model.fuse(held),
                      *(each.tobytes() for each in model.probabilities(held))))  # fmt: skip
    return found[0] != found[1]


def test_no_number_of_a_fold_depends_on_its_own_truth(made):
    assert not leaks(lambda _, taught, its: fit(taught, its, own_wheels(), SETTINGS), *made)


@pytest.mark.parametrize("part", ["vocabulary", "tradeoff", "weights", "everything"])
def test_a_planted_leak_is_caught(made, part):
    """One part of the model, or all of it, is learned from a held-out clip too."""
    panel, truth = made

    def leaking(all_truth, taught, its):
        own = [clip for clip in panel.clip_ids if clip not in its]
        shown = panel.on([*taught.clip_ids, *own])
        everything = fit(shown, all_truth, own_wheels(), SETTINGS)
        if part == "everything":
            return everything
        honest = fit(taught, its, own_wheels(), SETTINGS)
        return replace(honest, **{part: getattr(everything, part)})

    assert leaks(leaking, panel, truth)


def test_probabilities_of_held_out_clips_shape_nothing(made):
    """A discriminative member's words of other clips must not reach the fit either."""
    panel, truth = made
    chances = {clip: {"zealous" if clip >= "clip_090" else "happy": 0.9} for clip in truth}
    wide = make_panel([*panel.members, Member("six", {clip: ["happy"] for clip in truth}, {}, chances)])
    some = wide.on(wide.clip_ids[:90])
    model = fit(some, truth, own_wheels(), SETTINGS)
    assert not any(cluster == "zealous" for _, cluster in model.meanings.columns)


def test_folds_part_the_clips_whatever_their_order():
    clips = [f"c{i}" for i in range(23)]
    parts = folds(clips, 5, 3)
    assert sorted(clip for part in parts for clip in part) == sorted(clips)
    assert {len(part) for part in parts} == {4, 5}
    assert parts == folds(clips[::-1], 5, 3) != folds(clips, 5, 4)
    with pytest.raises(InputError, match="4 clips with true labels make no 5 folds"):
        folds(clips[:4], 5, 0)


def test_every_clip_comes_back_in_order_also_without_truth(made):
    panel, truth = made
    some = {clip: labels for clip, labels in truth.items() if clip < "clip_090"} | {"clip_100": []}
    fused = out_of_fold(best_vote(), panel, some, 5, 0)
    assert list(fused) == list(panel.clip_ids)
    assert all(set(held.clip_ids).isdisjoint(taught.clip_ids) for taught, held in splits(panel, some, 5, 0))


def test_what_does_not_learn_is_given_no_truth(made):
    panel, truth = made
    seen = []
    spy = Strategy("spy", "", lambda p, t: seen.append(t) or union().fit(p, t))
    out_of_fold(spy, panel, truth, 5, 0)
    assert seen == [{}]
