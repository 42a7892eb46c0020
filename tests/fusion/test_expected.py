"""The expected score is exact, and the choice nearly the best there is."""

from itertools import combinations

import numpy as np

from emolab.fusion.expected import best_tradeoff, choose
from emolab.fusion.meanings import meanings_of, true_arrays, view_weights
from emolab.labels.wheel import own_wheels
from emolab.scoring import wheel

WORDS = ("happy", "sad", "angry", "afraid", "surprised")
OBJECTIVE = {"level1": 1.0}
MEANINGS = meanings_of([WORDS], own_wheels(), OBJECTIVE)
WEIGHTS = view_weights(OBJECTIVE, MEANINGS.views)


def _worlds(rng):
    """Possible truths and their probabilities."""
    sets = [list(each) for size in (1, 2) for each in combinations(WORDS, size)]
    return sets, rng.dirichlet(np.full(len(sets), 0.3))


def test_the_choice_has_nearly_the_best_score_expected_over_all_worlds():
    rng = np.random.default_rng(0)
    for _ in range(20):
        worlds, chance = _worlds(rng)
        held, share, _ = true_arrays(MEANINGS, dict(enumerate(worlds)), range(len(worlds)))
        p, r = chance @ held, chance @ share

        def expected(said, worlds=worlds, chance=chance):
            scores = [
                0.6 * len(set(said) & set(true)) / len(said) + 0.4 * len(set(said) & set(true)) / len(true)
                for true in worlds
            ]
            return float(np.dot(scores, chance))

        found = choose(p[None], r[None], WORDS, MEANINGS, WEIGHTS, 0.6, 10)[0]
        best = max((each for size in range(1, 6) for each in combinations(WORDS, size)), key=expected)
        assert expected(found) > expected(best) - 0.01, (found, best)


def test_words_that_add_nothing_are_left_out_and_synonyms_said_once():
    p = np.zeros((1, len(MEANINGS.columns)))
    p[0, list(MEANINGS.find("happy"))] = 1
    assert choose(p, p, ("joyful", "happy", "sad"), MEANINGS, WEIGHTS, 0.5, 10) == [["joyful"]]
    assert choose(p * 0, p * 0, WORDS, MEANINGS, WEIGHTS, 0.5, 10) == [[]]


def test_many_clips_are_chosen_as_single_ones_are():
    rng = np.random.default_rng(1)
    p = rng.random((1100, len(MEANINGS.columns)))
    r = p * rng.random(p.shape)
    together = choose(p, r, WORDS, MEANINGS, WEIGHTS, 0.6, 10)
    assert together[700:705] == [
        choose(p[i : i + 1], r[i : i + 1], WORDS, MEANINGS, WEIGHTS, 0.6, 10)[0] for i in range(700, 705)
    ]


def test_the_tradeoff_found_has_the_best_f_of_a_grid():
    rng = np.random.default_rng(2)
    clips = [f"c{i}" for i in range(400)]
    truth = {clip: [WORDS[i] for i in rng.permutation(5)[: 1 + rng.integers(2)]] for clip in clips}
    held, share, _ = true_arrays(MEANINGS, truth, clips)
    noise = rng.normal(0, 0.35, held.shape)
    p, r = np.clip(0.3 + 0.4 * held + noise, 0, 1), np.clip(0.25 * (0.3 + 0.4 * held + noise), 0, 1)

    def f(tradeoff):
        fused = dict(zip(clips, choose(p, r, WORDS, MEANINGS, WEIGHTS, tradeoff, 10), strict=True))
        return wheel.score(truth, fused, own_wheels()).values()["level1_f"]

    found = best_tradeoff(p, r, held, WORDS, MEANINGS, WEIGHTS, 10)
    assert 0 < found < 1
    assert f(found) > max(map(f, np.linspace(0.1, 0.9, 17))) - 0.01
