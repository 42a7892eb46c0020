"""The correction shared by all clusters."""

import numpy as np

from emolab.fusion.correction import fit_correction


def _example(rng, n=400):
    """Two kinds of two views with three clusters each; beliefs are held back to half of what they should be."""
    view_of = np.repeat([0, 1, 2], 3)
    kind_of = np.repeat([0, 0, 1], 3)
    chance = rng.random((n, 9))
    held = (rng.random((n, 9)) < chance).astype(float)
    share = held / np.maximum(np.stack([held[:, view_of == view].sum(1) for view in view_of], axis=1), 1)
    p = 0.5 + 0.4 * (chance - 0.5)
    return p, p / 2, chance, held, share, view_of, kind_of


def test_beliefs_held_back_too_far_are_let_go():
    rng = np.random.default_rng(0)
    p, r, shares, held, share, view_of, kind_of = _example(rng)
    found = fit_correction(p, r, shares, held, share, held >= 0, view_of, kind_of)
    new_p, new_r, new_shares, new_held, *_ = _example(rng)
    better, better_r = found(new_p, new_r, new_shares)
    assert ((better - new_held) ** 2).mean() < ((new_p - new_held) ** 2).mean() - 0.01
    assert better.min() >= 0 and better.max() <= 1 and better_r.shape == new_r.shape


def test_clips_without_truth_in_a_view_do_not_count():
    rng = np.random.default_rng(1)
    p, r, shares, held, share, view_of, kind_of = _example(rng)
    counts = np.ones_like(held, bool)
    counts[:50, view_of == 0] = False
    spoilt = held.copy()
    spoilt[:50, view_of == 0] = 1 - spoilt[:50, view_of == 0]
    one, two = (fit_correction(p, r, shares, each, share, counts, view_of, kind_of) for each in (held, spoilt))
    assert np.array_equal(one.coefficients, two.coefficients)
