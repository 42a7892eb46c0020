"""Hashed TF-IDF, against scikit-learn's."""

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from emolab.fusion.text import count, fit_words

TEXTS = [
    f"the man {verb} while rain falls {how}" for verb in ("smiles", "weeps", "shouts") for how in ("softly", "hard", "")
] * 2


def test_the_same_as_scikit_learn():
    plain = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), stop_words="english", min_df=3, max_df=0.5)
    expected = plain.fit_transform(TEXTS).toarray()
    counted = count([[text] for text in TEXTS])
    words = fit_words(counted)
    found = words.weigh(counted).toarray()
    assert found.shape == expected.shape
    assert np.abs(found @ found.T - expected @ expected.T).max() < 1e-9  # columns stand in another order


def test_several_texts_of_a_clip_are_counted_together():
    assert (count([["sad sad", "sad"]]) != count([["sad sad sad", "sad"]])).nnz  # and pairs do not cross texts
    assert count([["sad"], ["sad", "sad"]]).sum(axis=1).tolist() == [[1], [2]]


def test_nothing_to_learn_from():
    assert fit_words(count([[], [], []])) is None
    assert fit_words(count([["one"], ["two"], ["three"]])) is None
    unknown = fit_words(count([[text] for text in TEXTS])).weigh(count([["nothing known"], []]))
    assert unknown.nnz == 0
