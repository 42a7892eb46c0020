"""Vote shares and the members' weights."""

import numpy as np
import pytest

from emolab.fusion.evidence import descriptions, member_weights, vote_shares, votes, weight_of
from emolab.fusion.meanings import meanings_of, true_arrays
from emolab.fusion.panel import Member, make_panel
from emolab.labels.wheel import own_wheels

OBJECTIVE = {"level1": 1.0}


def test_shares_count_only_who_was_asked():
    panel = make_panel(
        [Member("a", {"x": ["happy"], "y": ["happy"]}), Member("b", {"x": ["sad"]}), Member("c", {"x": []})]
    )
    meanings = meanings_of([["happy", "sad"]], own_wheels(), OBJECTIVE)
    shares = vote_shares(votes(panel, meanings), {"a": 0.5, "b": 0.25, "c": 0.25})
    joy, sadness = meanings.find("happy")[0], meanings.find("sad")[0]
    assert np.allclose(shares[:, joy], [0.5, 1]) and np.allclose(shares[:, sadness], [0.25, 0])


def test_weights_tell_good_members_from_guessing_ones(made):
    panel, truth = made
    meanings = meanings_of([*truth.values()], own_wheels(), OBJECTIVE)
    held, _, counts = true_arrays(meanings, truth, panel.clip_ids)
    weights = member_weights(votes(panel, meanings), held, counts)
    assert sum(weights.values()) == pytest.approx(1)
    assert min(weights[f"{name}/good"] for name in "abc") > 3 * max(weights[f"{name}/bad"] for name in "abc")


def test_weights_are_the_least_squares_solution():
    """One member is right, one is its copy, one guesses: the fit cannot tell copies apart, but their sum."""
    rng = np.random.default_rng(3)
    clips = [f"c{i}" for i in range(200)]
    truth = {clip: ["happy"] if rng.random() < 0.5 else ["sad"] for clip in clips}
    guess = {clip: [("happy", "sad")[rng.integers(2)]] for clip in clips}
    panel = make_panel([Member("right/a", truth), Member("copy/b", truth), Member("guess/c", guess)])
    meanings = meanings_of([["happy", "sad"]], own_wheels(), OBJECTIVE)
    held, _, counts = true_arrays(meanings, truth, clips)
    weights = member_weights(votes(panel, meanings), held, counts)
    assert weights["right/a"] + weights["copy/b"] == pytest.approx(1 - 0.1 / 3, abs=0.02)  # each has its floor


def test_no_member_that_helps_leaves_all_alike():
    panel = make_panel([Member("a", {"x": [], "y": []}), Member("b", {"x": [], "y": []})])
    meanings = meanings_of([["happy", "sad"]], own_wheels(), OBJECTIVE)
    held, _, counts = true_arrays(meanings, {"x": ["happy"], "y": ["sad"]}, panel.clip_ids)
    assert member_weights(votes(panel, meanings), held, counts) == {"a": 0.5, "b": 0.5}


def test_an_unseen_member_weighs_as_its_variant_or_as_the_mean():
    weights = {"a/good": 0.4, "b/good": 0.2, "a/bad": 0.0}
    assert weight_of("a/good", weights) == 0.4
    assert weight_of("z/good", weights) == pytest.approx(0.3)
    assert weight_of("z", weights) == pytest.approx(0.2)


def test_descriptions_are_those_that_are_there():
    panel = make_panel([Member("a", {"x": [], "y": []}, {"x": "one"}), Member("b", {"x": []}, {"x": "two"})])
    assert descriptions(panel) == [["one", "two"], []]
