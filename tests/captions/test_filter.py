"""The judge's scores, the verdicts and the choice: rules on rows, and the shipped judge on captions."""

import pytest

from emolab.captions.filter import agreements_with, counts, decide, judge, pairs_of, sweep, unfiltered
from emolab.captions.settings import FilterSettings
from emolab.engine.chat import ChatModel
from emolab.engine.rows import RowFile
from emolab.engine.settings import ModelSettings
from emolab.errors import InputError


def caption(image_id, text, error=None):
    return {"image_id": image_id, "clip_id": image_id[0], "image": f"{image_id}.jpg", "text": text, "error": error}


def pair(image_id, score, expected=None, answer="0.5", error=None, first="a b", second="c"):
    keys = {"image_id": image_id, "clip_id": image_id, "image": "x.jpg", "first": first, "second": second}
    return {**keys, "answer": answer, "score": score, "expected": expected, "error": error}


def test_a_pair_needs_a_caption_of_each():
    first = [caption("a", "one"), caption("b", "", "broken"), caption("c", "two")]
    pairs = pairs_of(first, [caption("a", "eins"), caption("b", "zwei")])
    assert [p["error"] is None for p in pairs] == [True, False, False]
    assert "first: broken" in pairs[1]["error"] and "second: not captioned" in pairs[2]["error"]


def test_below_the_threshold_or_without_a_score_it_is_dropped_with_the_reason():
    pairs = [pair("a", 0.9), pair("b", 0.89), pair("c", None, answer="very <b>alike</b>"), pair("d", None, error="No.")]
    kept, low, unread, none = decide(pairs, FilterSettings())
    assert kept["kept"] and kept["reason"] is None and kept["chosen"] in ("first", "second")
    assert not low["kept"] and low["reason"] == "Similarity 0.89 is below 0.90." and low["chosen"] is None
    assert not unread["kept"] and "very <b>alike</b>" in unread["reason"]
    assert not none["kept"] and none["reason"] == "No."


def test_a_reviewer_goes_before_the_score_but_cannot_keep_what_is_not_there():
    pairs = [pair("a", 0.1), pair("b", 1.0), pair("c", None), pair("d", None, error="No pair.")]
    rows = decide(pairs, FilterSettings(), verdicts={"a": "keep", "b": "drop", "c": "keep", "d": "keep"})
    assert [row["kept"] for row in rows] == [True, False, True, False]
    assert "reviewer" in rows[0]["reason"] and rows[2]["chosen"]
    assert decide(pairs, FilterSettings(), verdicts={"b": "flag"})[1]["kept"]  # a flag alone changes nothing


def test_the_expected_score_can_rule():
    rows = decide([pair("a", 0.8, 0.95), pair("b", 0.95, 0.8)], FilterSettings(score="expected"))
    assert [row["kept"] for row in rows] == [True, False]


def test_the_random_choice_depends_on_seed_and_image_alone():
    pairs = [pair(str(i), 1.0) for i in range(400)]
    chosen = [row["chosen"] for row in decide(pairs, FilterSettings(), seed=3)]
    assert 150 < chosen.count("first") < 250
    assert [row["chosen"] for row in decide(pairs[200:], FilterSettings(), seed=3)] == chosen[200:]
    assert [row["chosen"] for row in decide(pairs, FilterSettings(), seed=4)] != chosen


def test_other_choices():
    rows = [pair("a", 1.0), pair("b", 1.0, first="c", second="a b")]
    assert [r["chosen"] for r in decide(rows, FilterSettings(choice="longer"))] == ["first", "second"]
    assert [r["chosen"] for r in decide(rows, FilterSettings(choice="both"))] == ["both", "both"]
    third = {"a": (0.2, 0.7), "b": (None, None)}
    found = decide(rows, FilterSettings(choice="agreement"), agreements=third)
    assert found[0]["chosen"] == "second" and found[1]["chosen"] in ("first", "second")
    assert len(unfiltered(found, FilterSettings(choice="both"))) == 4


@pytest.mark.parametrize("bad", [{"threshold": 1.1}, {"choice": "best"}, {"score": "guess"}])
def test_bad_settings_are_named(bad):
    with pytest.raises(InputError, match=next(iter(bad))):
        FilterSettings(**bad)


def test_counts_of_every_step_add_up():
    images = [{"error": "cut short", "kept": False, "image": None}]
    images += [{"error": None, "kept": i > 0, "image": "x", "reason": None} for i in range(5)]
    images += [{"error": None, "kept": False, "image": None, "reason": "carries a label set"}]
    pairs = [pair("a", 1.0), pair("b", 0.1), pair("c", None), pair("d", None, error="No pair.")]
    steps = counts(images, decide(pairs, FilterSettings()))
    assert [(s["n"], s["lost"]) for s in steps] == [(6, 0), (5, 1), (4, 1), (3, 1), (2, 1), (1, 1)]
    assert "cut short" in steps[1]["why"]


def test_a_threshold_sweep_keeps_less_and_less():
    rows = sweep([pair("a", 1.0), pair("b", 0.5), pair("c", None)], [0, 0.5, 0.75, 1.0])
    assert [row["kept"] for row in rows] == [2, 2, 1, 1] and rows[0]["share"] == pytest.approx(2 / 3)
    assert sweep([], [0.5]) == [{"name": "≥ 0.50", "threshold": 0.5, "kept": 0, "share": 0.0}]


def test_the_shipped_judge_tells_the_same_emotion_from_another(tmp_path):
    model = ChatModel(ModelSettings(path="shipped:internvl", batch_size=8, max_new_tokens=64, device="cpu"))
    happy = "The woman smiles with raised mouth corners. She stands at ease. She is in a sunny park. She seems {}."
    sad = "The man has drooping mouth corners. He slumps forward. He is out in the rain. He seems {}."
    first = [caption("a", happy.format("happy")), caption("b", happy.format("joyful"))]
    second = [caption("a", happy.format("joyful")), caption("b", sad.format("sad"))]
    with RowFile(tmp_path / "answers.jsonl") as answers:
        rows = judge(pairs_of(first, second), model, answers, FilterSettings(), progress=False)
        asked = len(answers)
        both = judge(pairs_of(first, second), model, answers, FilterSettings(symmetric=True), progress=False)
        assert len(answers) == asked + 2  # the first order was known already
        third = agreements_with(
            [caption("a", happy.format("cheerful"))], rows, model, answers, FilterSettings(), progress=False
        )
    assert rows[0]["score"] > rows[1]["score"] and 0 <= rows[1]["expected"] < rows[0]["expected"] <= 1
    assert all(row["answer_swapped"] for row in both) and "answer_swapped" not in rows[0]
    assert set(third) == {"a"} and len(third["a"]) == 2
    with RowFile(tmp_path / "answers.jsonl") as answers:  # scores and chances come back from the file, nothing is asked
        again = judge(pairs_of(first, second), _never_asked(model), answers, FilterSettings(), progress=False)
    assert again == rows


def _never_asked(model):
    fresh = ChatModel(model.settings, model.seed)
    fresh.load = lambda: pytest.fail("asked again")
    return fresh
