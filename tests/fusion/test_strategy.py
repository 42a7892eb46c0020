"""Registered strategies: what is checked of what they give."""

import pytest

from emolab.errors import InputError
from emolab.fusion.held_out import out_of_fold
from emolab.fusion.panel import Member, make_panel
from emolab.fusion.settings import STRATEGIES, FusionSettings
from emolab.fusion.strategies import plain_strategies
from emolab.fusion.strategy import REGISTERED, strategy

PANEL = make_panel([Member("a", {"x": ["sad"], "y": ["calm"]}), Member("b", {"x": ["Tearful"]})])


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch):
    monkeypatch.setattr(REGISTERED, "_entries", {})


def test_one_that_does_not_learn_sees_no_truth():
    @strategy("mine")
    def fused(panel):
        """Everything.

        More of it."""
        return {clip: [" Sad", "sad", "calm"] for clip in ("x", "y", "z")}

    (mine,) = [each for each in plain_strategies(FusionSettings(), PANEL) if each.name == "mine"]
    assert (mine.about, mine.learns) == ("Everything.", False)
    assert out_of_fold(mine, PANEL, {}, 5, 0) == {"x": ["sad", "calm"], "y": ["sad", "calm"]}


@pytest.mark.parametrize(
    ("fused", "cause"),
    [
        ({"x": ["sad"]}, "gives clip 'y' None, which is no list of labels"),
        ({"x": ["sad"], "y": "sad"}, "gives clip 'y' 'sad', which is no list"),
        ({"x": [1], "y": []}, "gives clip 'x' [1], which is no list"),
        (None, "AttributeError: 'NoneType' object has no attribute 'get'"),
    ],
)
@pytest.mark.parametrize("learns", [False, True])
def test_what_is_no_label_set_is_one_sentence(fused, cause, learns):
    strategy("mine", learns=learns)((lambda panel, truth: lambda panel: fused) if learns else lambda panel: fused)
    with pytest.raises(InputError, match="fusion strategy 'mine'") as raised:
        REGISTERED["mine"].fit(PANEL, {})(PANEL)
    assert cause in str(raised.value)


def test_names_of_the_command_line_are_taken():
    for name in STRATEGIES:
        with pytest.raises(InputError, match="emolab itself has a fusion strategy"):
            strategy(name)(len)
