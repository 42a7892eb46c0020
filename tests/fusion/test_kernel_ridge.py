"""Kernel ridge regression and its leave-one-out error."""

import numpy as np
from scipy import sparse

from emolab.fusion.kernel_ridge import fit, solve

RNG = np.random.default_rng(0)


def test_the_closed_form_is_that_of_leaving_one_out():
    points, targets = RNG.normal(size=(12, 3)), RNG.normal(size=(12, 2))
    kernel = np.exp(-((points[:, None] - points) ** 2).sum(-1)) + 10
    _, off = solve(kernel, targets, 0.3)
    for i in range(12):
        others = np.arange(12) != i
        dual = np.linalg.solve(kernel[np.ix_(others, others)] + 0.3 * np.eye(11), targets[others])
        assert np.abs(targets[i] - kernel[i, others] @ dual - off[i]).max() < 1e-9


def test_it_tells_what_counts_from_what_does_not():
    """Targets depend on the votes, or on the words; the other side is noise, and is given little weight."""
    votes = RNG.random((80, 4))
    words = sparse.csr_matrix(RNG.random((80, 30)) * (RNG.random((80, 30)) < 0.2))
    by_votes, by_words = votes[:, :1] > 0.5, words[:, [0]].toarray() > 0
    chosen = {}
    for name, target in (("votes", by_votes), ("words", by_words)):
        found, left_out = fit(votes, words, target.astype(float), np.ones(1))
        chosen[name] = found.scales[1] / found.scales[0]
        assert np.corrcoef(found.predict(votes, words).ravel(), target.ravel())[0, 1] > 0.8
        assert left_out.shape == (80, 1)
    assert chosen["votes"] < chosen["words"]


def test_without_words_only_votes_count():
    votes, none = RNG.random((30, 3)), sparse.csr_matrix((30, 0))
    found, _ = fit(votes, none, votes[:, :1], np.ones(1))
    assert found.scales[1] == 0
    assert found.predict(votes[:0], none[:0]).shape == (0, 1)
