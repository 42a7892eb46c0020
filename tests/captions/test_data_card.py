"""The data card: counts, distributions and examples, with model text as plain code."""

from emolab.captions.data_card import data_card, family_counts
from emolab.captions.settings import FilterSettings

NASTY = "He `seems` | <script>alert(1)</script>\n# happy"


def test_it_tells_counts_and_shows_examples_without_markup():
    pair = {"image_id": "a|b", "first": NASTY, "second": "She seems sad.", "score": 1.0, "chosen": "first"}
    pairs = [
        {**pair, "kept": True, "reason": None},
        {**pair, "kept": False, "reason": "Similarity 0.10 is below 0.90."},
    ]
    steps = [{"name": "pairs kept", "n": 1, "lost": 1, "why": "below"}]
    sweep = [{"threshold": 0.9, "kept": 1, "share": 0.5}]
    models = {"judge": "internvl@1"}
    card = data_card("Captions", "drawn corpus", steps, sweep, pairs, [NASTY], models, FilterSettings(), 7)
    assert "1 captions of drawn corpus" in card and "| pairs kept | 1 | 1 |" in card and "seed 7" in card
    assert "\n# happy" not in card and "`He 'seems' ¦ <script>" in card
    for line in card.splitlines():
        if "<script>" in line:
            assert line.count("`") == 2


def test_families_are_counted_once_a_text():
    assert family_counts(["He seems happy and joyful.", "She seems cheerful."])["joy"] == 2


def test_an_empty_set_has_a_card():
    assert "0 captions" in data_card("Captions", "x", [], [], [], [], {}, FilterSettings(), 0)
