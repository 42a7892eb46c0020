"""Calibrated co-judgment: what is said of a clip becomes probabilities of emotions, and these the label set with the
best expected score.

The report splices its models' labels, gains recall and loses accuracy, and leaves to future work to keep "only a few
critical expressions" (section 4). Here clips with known labels teach how far to believe whom:

1. evidence of a clip: weighted vote shares by cluster and the words of the descriptions (`emolab.fusion.evidence`);
2. kernel ridge regression from it to p and r of every cluster (`emolab.fusion.expected`), its few settings chosen by
   leave-one-out error on the clips that it is fitted to (`emolab.fusion.kernel_ridge`);
3. what that gets wrong about all clusters alike is corrected (`emolab.fusion.correction`);
4. the words with the best expected score, precision weighing as much as gives the best F on those same clips.

Votes are shares and not columns of single models, so that models which were not there in fitting can take part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from emolab.errors import InputError
from emolab.fusion.correction import Correction, fit_correction
from emolab.fusion.evidence import descriptions, member_weights, vote_shares, votes
from emolab.fusion.expected import best_tradeoff, choose
from emolab.fusion.kernel_ridge import Regression
from emolab.fusion.kernel_ridge import fit as fit_regression
from emolab.fusion.meanings import Meanings, meanings_of, true_arrays, view_weights
from emolab.fusion.panel import Panel
from emolab.fusion.settings import FusionSettings
from emolab.fusion.strategy import Strategy
from emolab.fusion.text import Words, count, fit_words
from emolab.labels.wheel import Wheels
from emolab.scoring.clips import LabelSets
from emolab.scoring.grouping import clean_labels

_FITTED_AT_LEAST = 25  # with 25 clips it was as good as the best vote on published predictions, with 16 worse
_FITTED_AT_MOST = 4000  # clips: the kernel matrix has this number squared of entries
_CLIPS_AT_ONCE = 2048
_LEAST_DEVIATION = 0.02


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A fitted co-judgment, see `fit`. `named` [N]: the columns of `meanings` that were true of some clip; the
    regression predicts p and r of these [2N]."""

    meanings: Meanings
    vocabulary: tuple[str, ...]  # the words it may say
    weights: Mapping[str, float]  # of the members' votes
    text: Words | None
    named: np.ndarray
    scale: np.ndarray  # [D] that vote shares are multiplied by
    regression: Regression
    correction: Correction
    view_weights: np.ndarray
    tradeoff: float
    most_words: int  # of a clip

    def probabilities(self, panel: Panel) -> tuple[np.ndarray, np.ndarray]:
        """p and r [n, D] of the panel's clips: Pr(c in G) and E[1(c in G) / |G|] of each cluster."""
        shares = vote_shares(votes(panel, self.meanings), self.weights)
        words = _weighed(count(descriptions(panel)), self.text)
        p, r = _spread(self.regression.predict(shares * self.scale, words), self.named, len(self.meanings.columns))
        return self.correction(p, r, shares)

    def choose(self, p: np.ndarray, r: np.ndarray, tradeoff: float | None = None) -> list[list[str]]:
        """The words of each clip with the best expected score. `tradeoff`: precision's weight against recall, 0 to 1,
        instead of the fitted one."""
        weight = self.tradeoff if tradeoff is None else tradeoff
        return choose(p, r, self.vocabulary, self.meanings, self.view_weights, weight, self.most_words)

    def fuse(self, panel: Panel, tradeoff: float | None = None) -> dict[str, list[str]]:
        """The chosen label set of every clip of the panel; of a clip that no member answered, none."""
        answered = panel.on(filter(panel.answered, panel.clip_ids))
        fused: dict[str, list[str]] = {clip: [] for clip in panel.clip_ids}
        for at in range(0, len(answered.clip_ids), _CLIPS_AT_ONCE):
            part = answered.on(answered.clip_ids[at : at + _CLIPS_AT_ONCE])
            fused |= zip(part.clip_ids, self.choose(*self.probabilities(part), tradeoff), strict=True)
        return fused


Believed = list[tuple[Calibrated, Sequence[str], np.ndarray, np.ndarray]]


def believe(models: Sequence[tuple[Calibrated, Sequence[str]]], panel: Panel) -> Believed:
    """Each model with the clips that were held out from it (see `emolab.fusion.held_out.fitted`), and their p and r;
    0 for a clip that no member of the panel answered, so that nothing is said of it."""
    found = []
    for model, held in models:
        asked = np.array([panel.answered(clip) for clip in held], float)[:, None]
        p, r = model.probabilities(panel.on(held))
        found.append((model, held, p * asked, r * asked))
    return found


def choose_held(believed: Believed, tradeoff: float | None = None) -> dict[str, list[str]]:
    """The label sets of all clips, each by the model that was fitted without it."""
    return {
        clip: words
        for model, held, p, r in believed
        for clip, words in zip(held, model.choose(p, r, tradeoff), strict=True)
    }


def calibrated(wheels: Wheels, settings: FusionSettings) -> Strategy:
    """The strategy `calibrated` for the scores of these wheels; `settings.objective` says which scores to maximise."""
    about = "words with the best expected score, by votes and descriptions, calibrated on labelled clips"
    return Strategy("calibrated", about, lambda panel, truth: fit(panel, truth, wheels, settings).fuse, True, True)


def fit(panel: Panel, truth: LabelSets, wheels: Wheels, settings: FusionSettings, seed: int = 0) -> Calibrated:
    """Fit to the clips of the panel that have true labels; of more than 4,000, to so many drawn with `seed`.

    Everything is learned here and from these clips alone: the words that it may say, the members' weights, the kernel's
    settings and the trade-off. InputError for fewer than 25 such clips, and where the objective's views know none of
    their labels.
    """
    labelled = [clip for clip in panel.clip_ids if panel.answered(clip) and clean_labels(truth.get(clip, ()))]
    if len(labelled) < _FITTED_AT_LEAST:
        raise InputError(
            f"calibrated: {len(labelled)} clips with predictions and true labels to learn from (outside of the fold "
            f"that is judged); it needs {_FITTED_AT_LEAST}, and with fewer a vote is better"
        )
    rng = np.random.default_rng(seed)
    if len(labelled) > _FITTED_AT_MOST:
        labelled = [labelled[i] for i in sorted(rng.permutation(len(labelled))[:_FITTED_AT_MOST])]
    panel = panel.on(labelled)
    true = {clip: clean_labels(truth[clip]) for clip in labelled}
    said = (member.labels.get(clip, ()) for member in panel.members for clip in labelled)
    chances = (member.probabilities.get(clip, ()) for member in panel.members for clip in labelled)
    meanings = meanings_of([*true.values(), *said, *chances], wheels, settings.objective)
    held, share, counts = true_arrays(meanings, true, labelled)
    if not held.any():
        raise InputError("calibrated: none of the true labels stands in the wheels that the objective names")

    cast = votes(panel, meanings)
    weights = member_weights(cast, held, counts)
    shares = vote_shares(cast, weights)
    # rare clusters would else hardly count, and clusters that are always said would decide alone
    scale = 1 / np.sqrt(shares.std(axis=0) + _LEAST_DEVIATION)
    counted = count(descriptions(panel))
    text = fit_words(counted)
    objective = view_weights(settings.objective, meanings.views)
    named = np.flatnonzero(held.any(axis=0))  # p and r of the other clusters are 0
    known = counts[:, named]
    targets = np.hstack(
        [
            np.where(known, each, each.sum(axis=0) / np.maximum(known.sum(axis=0), 1))
            for each in (held[:, named], share[:, named])
        ]
    )
    importance = np.tile(objective[meanings.view_of[named]], 2)
    regression, left_out = fit_regression(shares * scale, _weighed(counted, text), targets, importance)
    p, r = _spread(left_out, named, len(meanings.columns))
    kinds = [view.partition("/")[0] for view in meanings.views]
    kind_of = np.array([sorted(set(kinds)).index(kinds[view]) for view in meanings.view_of])
    correction = fit_correction(p, r, shares, held, share, counts, meanings.view_of, kind_of)
    vocabulary = _vocabulary(true, meanings)
    most, believed = settings.most_words, correction(p, r, shares)
    tradeoff = settings.tradeoff or best_tradeoff(*believed, held, vocabulary, meanings, objective, most)
    return Calibrated(
        meanings, vocabulary, weights, text, named, scale, regression, correction, objective, tradeoff, most
    )  # fmt: skip


def _weighed(counted: sparse.csr_matrix, text: Words | None) -> sparse.csr_matrix:
    return text.weigh(counted) if text else sparse.csr_matrix((counted.shape[0], 0))


def _vocabulary(true: LabelSets, meanings: Meanings) -> tuple[str, ...]:
    """Words of two or more clips' true labels that some view knows, most common first: of several that mean the same,
    `choose` takes the first."""
    counted: dict[str, int] = {}
    for labels in true.values():
        for label in labels:
            counted[label] = counted.get(label, 0) + 1
    ranked = sorted((label for label in counted if meanings.find(label)), key=lambda label: (-counted[label], label))
    return tuple(label for label in ranked if counted[label] > 1) or tuple(ranked)


def _spread(found: np.ndarray, named: np.ndarray, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """p and r [n, D] of [n, 2N]; 0 for clusters that were never true."""
    p, r = np.zeros((2, len(found), columns))
    p[:, named], r[:, named] = np.hsplit(found, 2)
    return p, r
