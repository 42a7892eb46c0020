"""Weighted votes: precision on calibration clips, and a threshold of the same clips."""

import pytest

from emolab.errors import InputError
from emolab.fusion.panel import Member, make_panel
from emolab.fusion.weighted import labelled, level1_f, precisions, weighted

TRUTH = {str(i): ["happy"] if i % 2 else ["sad", "worried"] for i in range(8)}
GOOD = Member(
    "good", {clip: ["joyful"] if labels == ["happy"] else ["unhappy", "worried"] for clip, labels in TRUTH.items()}
)
WRONG = [Member(name, {clip: ["angry"] for clip in TRUTH}) for name in ("wrong 1", "wrong 2")]
HALF = Member("half", {clip: ["happy", "angry"] for clip in TRUTH})


def test_precision_is_counted_over_synonym_groups():
    panel = make_panel([GOOD, *WRONG, HALF, Member("silent", dict.fromkeys(TRUTH, []))])
    assert precisions(panel, TRUTH) == {
        "good": 1, "wrong 1": 0, "wrong 2": 0, "half": 0.25, "silent": pytest.approx(1.25 / 4),
    }  # fmt: skip
    assert set(precisions(make_panel(WRONG), TRUTH).values()) == {1.0}


def test_one_good_member_outweighs_two_wrong_ones():
    panel = make_panel([GOOD, *WRONG])
    strategy = weighted()
    assert strategy.learns
    fused = strategy.fit(panel.on("0123"), TRUTH)(panel.on("4567"))
    assert fused == {clip: list(GOOD.labels[clip]) for clip in "4567"}


def test_truth_of_clips_outside_the_panel_teaches_nothing():
    panel = make_panel([GOOD, *WRONG])
    lies = dict.fromkeys("4567", ["angry"])
    fuse = weighted().fit(panel.on("0123"), TRUTH | lies)
    assert fuse(panel.on("4567")) == weighted().fit(panel.on("0123"), TRUTH)(panel.on("4567"))

    def metric(truth, predictions):
        assert [*truth] == [*predictions] == [*"0123"]
        return 0.0

    weighted(metric).fit(panel.on("0123"), TRUTH | lies)


def test_unseen_members_weigh_the_mean_and_unanswered_clips_are_empty():
    fuse = weighted().fit(make_panel([GOOD, *WRONG]), TRUTH)
    new = make_panel(
        [Member("x", {"n": ["proud"]}), Member("y", {"n": ["proud", "tense"]}), Member("z", {"n": [], "m": []})]
    )
    assert fuse(new.on(["n", "m", "nobody"])) == {"n": ["proud"], "m": [], "nobody": []}
    alone = fuse(make_panel([WRONG[0]]))
    assert alone == {clip: ["angry"] for clip in TRUTH}  # weight 0 of all that answered: the heaviest stay


def test_the_metric_decides_threshold_and_words():
    two = make_panel([Member("a", {"c": ["happy", "proud"]}), Member("b", {"c": ["joyful"]})])

    def size(wanted):
        return lambda truth, predictions: -abs(len(predictions["c"]) - wanted)

    # a is half right and b right: joy has all the weight, pride a third
    truth = {"c": ["glad"]}
    assert weighted(size(1)).fit(two, truth)(two) == {"c": ["happy"]}
    assert weighted(size(3)).fit(two, truth)(two) == {"c": ["happy", "joyful", "proud"]}


def test_no_true_labels_is_one_sentence():
    panel = make_panel([GOOD])
    for truth in ({}, {"other": ["sad"]}, {"0": []}):
        with pytest.raises(InputError, match="none of the clips has some"):
            weighted().fit(panel, truth)


def test_labelled_cleans_and_keeps_the_clips_in_order():
    panel, truth = labelled(make_panel([GOOD]), {"3": [" Happy ", "happy"], "1": [], "x": ["sad"]})
    assert panel.clip_ids == ("1", "3") and truth == {"1": [], "3": ["happy"]}


def test_default_metric_is_level_1_of_the_own_wheel():
    assert level1_f({"c": ["happy"]}, {"c": ["proud"]}) == 1  # both joy
    assert level1_f({"c": ["happy"]}, {"c": ["sad"]}) == 0
