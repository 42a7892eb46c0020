"""Labels as columns of clusters."""

import numpy as np
import pytest

from emolab.errors import InputError
from emolab.fusion.meanings import MER2024, clusters_of, meanings_of, true_arrays, view_weights
from emolab.labels.wheel import own_wheels

OBJECTIVE = {"level1": 1.0, "level2": 1.0, MER2024: 2.0}


def test_a_label_has_a_cluster_in_every_view_that_knows_it():
    assert clusters_of("joyful", own_wheels())[-1] == clusters_of("happy", own_wheels())[-1]
    assert clusters_of("开心", own_wheels()) == clusters_of(
        "happy", own_wheels()
    )  # the official tables have no Chinese
    assert clusters_of("nonsense", own_wheels()) == ((MER2024, "nonsense"),)


def test_only_weighed_views_have_columns():
    meanings = meanings_of([["happy", "nonsense"]], own_wheels(), {"level1": 1.0})
    assert meanings.views == ("level1/own",)
    assert {view for view, _ in meanings.columns} == {"level1/own"}
    assert meanings.find("nonsense") == ()


def test_matrix_holds_ones_or_probabilities():
    meanings = meanings_of([["happy", "joyful", "sad"]], own_wheels(), {"level1": 1.0})
    found = meanings.matrix([["happy", "joyful"], {"happy": 0.25, "sad": 0.75}, {"happy": 0.7, "joyful": 0.6}, []])
    joy, sadness = meanings.find("happy")[0], meanings.find("sad")[0]
    assert found[0, joy] == 1 and found[0, sadness] == 0
    assert (found[1, joy], found[1, sadness]) == (0.25, 0.75)
    assert found[2, joy] == 1  # two words of one cluster are no more than certain
    assert found[3].nnz == 0


def test_truth_says_what_is_held_and_what_each_cluster_adds_to_recall():
    meanings = meanings_of([["happy", "sad", "nonsense"]], own_wheels(), OBJECTIVE)
    held, share, counts = true_arrays(meanings, {"a": ["happy", "sad"], "b": ["nonsense"]}, ["a", "b"])
    joy = meanings.find("happy")[0]
    assert held[0, joy] == 1 and share[0, joy] == 0.5
    assert not counts[1, joy] and counts[1, meanings.find("nonsense")[0]]


def test_view_weights_share_a_kind_and_sum_to_one():
    assert np.allclose(view_weights({"level1": 3, "m1": 1}, ("m1", "level1/1", "level1/2")), [0.25, 0.375, 0.375])
    with pytest.raises(InputError, match="'m1' is none of level1"):
        view_weights({"m1": 1}, ("level1/own",))
