"""Calibrated co-judgment: better than counting, and nothing of a clip's own truth in its labels."""

import pytest

from emolab.errors import InputError
from emolab.fusion.calibrated import believe, calibrated, choose_held, fit
from emolab.fusion.held_out import fitted, models_left_out, out_of_fold
from emolab.fusion.panel import Member, Panel, make_panel
from emolab.fusion.settings import FusionSettings
from emolab.fusion.strategies import union, vote
from emolab.labels.wheel import own_wheels
from emolab.scoring import wheel

SETTINGS = FusionSettings()


def _f(truth, fused, wheels=None, level="level1_f"):
    return wheel.score(truth, fused, wheels or own_wheels()).values()[level]


def test_it_beats_counting_on_clips_it_was_not_fitted_to(made):
    panel, truth = made
    strategy = calibrated(own_wheels(), SETTINGS)
    held_out = _f(truth, out_of_fold(strategy, panel, truth, 5, 0))
    counted = max(_f(truth, each.fit(panel, {})(panel)) for each in (union(), *(vote(k) for k in range(1, 7))))
    assert held_out > counted + 0.03


def test_descriptions_are_evidence(made):
    """Words that name no emotion, of one member, tell the emotions apart."""
    panel, truth = made
    mute = Panel(tuple(Member(each.name, each.labels) for each in panel.members), panel.clip_ids)
    strategy = calibrated(own_wheels(), SETTINGS)
    with_text, without = (_f(truth, out_of_fold(strategy, each, truth, 5, 0)) for each in (panel, mute))
    assert with_text > without + 0.02


def test_probabilities_are_what_they_say(made):
    """The more a cluster is believed, the more often it is true, and by and large as often."""
    panel, truth = made
    model = fit(panel.on(panel.clip_ids[::2]), truth, own_wheels(), SETTINGS)
    rest = panel.on(panel.clip_ids[1::2])
    p, r = model.probabilities(rest)
    held = model.meanings.matrix([truth[clip] for clip in rest.clip_ids]).toarray()
    shares = [held[(p > low) & (p <= high)].mean() for low, high in ((0, 0.2), (0.2, 0.5), (0.5, 1))]
    assert shares == sorted(shares) and shares[0] < 0.1 and shares[-1] > 0.8
    assert abs(p.sum() / held.sum() - 1) < 0.1 and (r <= p + 0.25).all()


def test_members_never_seen_take_part(published):
    panel, truth, wheels = published
    seen = [name for name in panel.names if not name.startswith(("SALMONN", "Video-"))]
    unseen = [name for name in panel.names if name not in seen]
    fused = models_left_out(calibrated(wheels, SETTINGS), panel, truth, seen, 5, 0)
    alone = panel.pick(unseen)
    voted = max(_f(truth, vote(k).fit(alone, {})(alone), wheels) for k in range(1, 6))
    assert _f(truth, fused, wheels) > voted + 0.04


def test_what_it_may_not_know_is_refused_or_left_empty(made):
    panel, truth = made
    with pytest.raises(InputError, match="24 clips with predictions and true labels"):
        fit(panel, dict(list(truth.items())[:24]), own_wheels(), SETTINGS)
    model = fit(panel, truth, own_wheels(), SETTINGS)
    nobody = Panel(panel.members, ("clip_000", "never asked"))
    assert model.fuse(nobody)["never asked"] == [] and model.fuse(nobody)["clip_000"]
    with pytest.raises(InputError, match="objective 'm1'"):
        fit(panel, truth, own_wheels(), FusionSettings(objective={"m1": 1}))


def test_odd_panels(made):
    """One member only; one whose answers are all empty; Chinese labels; probabilities beside labels."""
    panel, truth = made
    one = panel.pick(["a/good"])
    assert set(out_of_fold(calibrated(own_wheels(), SETTINGS), one, truth, 5, 0)) == set(truth)
    silent = make_panel([*panel.members, Member("silent", {clip: [] for clip in truth})])
    assert _f(truth, out_of_fold(calibrated(own_wheels(), SETTINGS), silent, truth, 5, 0)) > 0.6
    mute = make_panel([Member("silent", {clip: [] for clip in truth})])
    assert all(out_of_fold(calibrated(own_wheels(), SETTINGS), mute, truth, 5, 0).values())  # the most common words
    chinese = {
        "happy": "开心",
        "sad": "悲伤",
        "angry": "愤怒",
        "afraid": "害怕",
        "surprised": "惊讶",
        "disgusted": "厌恶",
    }
    translated = [
        Member(m.name, {c: [chinese[w] for w in ws] for c, ws in m.labels.items()}, m.texts) for m in panel.members
    ]
    model = fit(panel, truth, own_wheels(), SETTINGS)
    assert model.fuse(make_panel(translated)) == model.fuse(panel)
    sure = Member(
        "discriminative", {c: t[:1] for c, t in truth.items()}, {}, {c: {t[0]: 1.0} for c, t in truth.items()}
    )
    assert fit(make_panel([*panel.members, sure]), truth, own_wheels(), SETTINGS).weights["discriminative"] > 0.2


def test_a_higher_tradeoff_says_less(published):
    panel, truth, wheels = published
    model = fit(panel, truth, wheels, SETTINGS)
    said = [sum(map(len, model.fuse(panel, tradeoff).values())) for tradeoff in (0.3, 0.5, 0.7, 0.9)]
    assert said == sorted(said, reverse=True) and said[0] > 2 * said[-1]


def test_the_published_predictions_are_judged_better_than_by_any_vote(published):
    panel, truth, wheels = published
    fused = out_of_fold(calibrated(wheels, SETTINGS), panel, truth, 5, 0)
    level1, level2 = (_f(truth, fused, wheels, level) for level in ("level1_f", "level2_f"))
    voted = max(_f(truth, vote(k).fit(panel, {})(panel), wheels) for k in range(1, 9))
    assert level1 > voted + 0.04
    assert level1 > 0.70 and level2 > 0.58


def test_nothing_is_said_of_a_clip_that_no_chosen_member_answered(made):
    """As in the playground, where members are switched off."""
    panel, truth = made
    models = fitted(lambda taught, its: fit(taught, its, own_wheels(), SETTINGS), panel, truth, 5, 0)
    some = Member("a/good", {clip: panel.members[0].labels[clip] for clip in panel.clip_ids[:20]})
    said = choose_held(believe(models, Panel((some,), panel.clip_ids)))
    assert all(bool(said[clip]) == (clip in some.labels) for clip in panel.clip_ids)


def test_a_member_that_adds_nothing_still_speaks_where_it_is_alone(made):
    panel, truth = made
    perfect = Member("perfect", dict(list(truth.items())[:100]))
    fair = Member("fair", {clip: words if clip >= "clip_040" else ["happy"] for clip, words in truth.items()})
    model = fit(make_panel([perfect, fair]), truth, own_wheels(), SETTINGS)
    said = model.fuse(make_panel([fair]).on(panel.clip_ids[100:]))
    assert _f({clip: truth[clip] for clip in said}, said) > 0.8


def test_views_that_know_no_true_label(made):
    panel, truth = made
    odd = {clip: ["zorgful"] if clip < "clip_110" else ["zorgful", "happy"] for clip in truth}
    with pytest.raises(InputError, match="none of the true labels stands in the wheels"):
        fit(panel, {clip: ["zorgful"] for clip in truth}, own_wheels(), FusionSettings(objective={"level1": 1}))
    assert fit(panel.on(panel.clip_ids[:110]), odd, own_wheels(), SETTINGS).fuse(panel)["clip_000"] == ["zorgful"]
