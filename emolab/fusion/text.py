"""Words of the descriptions as evidence: TF-IDF (Sparck Jones 1972) of single words and pairs, hashed.

Chinese is cut at punctuation only, so that it is hardly evidence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from scipy import sparse

BUCKETS = 2**18
_IN_CLIPS, _IN_SHARE = 3, 0.5  # a term stands in at least so many clips, and in at most such a share of them


@dataclass(frozen=True, eq=False)
class Words:
    """Hash buckets [W] of the terms that `fit_words` kept, ascending, and their inverse document frequencies [W]."""

    buckets: np.ndarray
    idf: np.ndarray

    def weigh(self, counted: sparse.csr_matrix) -> sparse.csr_matrix:
        """[n, W] TF-IDF of counts [n, buckets] (see `count`), rows of length 1, or 0 for a clip without known terms."""
        found = counted[:, self.buckets].tocsr(copy=True)
        found.data = 1 + np.log(found.data)
        found = found.multiply(self.idf).tocsr()
        lengths = np.sqrt(np.asarray(found.multiply(found).sum(axis=1)).ravel())
        return sparse.diags(1 / np.maximum(lengths, 1e-12)) @ found


def fit_words(counted: sparse.csr_matrix) -> Words | None:
    """The terms of some clips' counts; None where none stands in three clips and in no more than half of them."""
    clips = np.bincount(counted.indices, minlength=counted.shape[1])
    buckets = np.flatnonzero((clips >= _IN_CLIPS) & (clips <= _IN_SHARE * counted.shape[0]))
    return Words(buckets, 1 + np.log((1 + counted.shape[0]) / (1 + clips[buckets]))) if len(buckets) else None


def count(texts: Sequence[Sequence[str]]) -> sparse.csr_matrix:
    """[n, 2^18] how often each hashed term stands in the texts of a clip, all its texts together."""
    terms = [_terms(text) for each in texts for text in each]
    clips = [clip for clip, each in enumerate(texts) for _ in each]
    rows = np.repeat(clips, [len(buckets) for buckets, _ in terms])
    columns, values = (np.concatenate([each[side] for each in terms]) if terms else [] for side in (0, 1))
    return sparse.csr_matrix((values, (rows, columns)), shape=(len(texts), BUCKETS), dtype=float)


@lru_cache(maxsize=20_000)  # folds, seeds and the playground read the same descriptions again and again
def _terms(text: str) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.utils import murmurhash3_32

    found = Counter(murmurhash3_32(term, positive=True) % BUCKETS for term in _analyzer()(text))
    return np.fromiter(found, np.int32, len(found)), np.fromiter(found.values(), np.int32, len(found))


@cache
def _analyzer() -> Callable[[str], list[str]]:
    from sklearn.feature_extraction.text import CountVectorizer

    return CountVectorizer(ngram_range=(1, 2), stop_words="english").build_analyzer()
