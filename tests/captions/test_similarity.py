"""Scores are read from whatever a judge writes, and never guessed."""

import pytest

from emolab.captions.similarity import compare_scores, expected_score, read_score


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("0.95", 0.95),
        ("Score: .9", 0.9),
        ("90%", 0.9),
        ("90 percent", 0.9),
        ("0.8-0.9", 0.85),
        ("0.8 to 0.9", 0.85),
        ("between 0.8 and 0.9", 0.85),
        ("80–90%", 0.85),
        ("1", 1.0),
        ("0", 0.0),
        ("1.00", 1.0),
        ("0,95", 0.95),
        ("0．９５", 0.95),  # full-width
        ("9/10", 0.9),
        ("0.9/1", 0.9),
        ("95 out of 100", 0.95),
        ("**Score: 0.85**", 0.85),
        ("0.95 (95%)", 0.95),
        ("相似度：0.85", 0.85),
        ("I would give a score of 0.85 because both people are sad.", 0.85),
        ("Sentence 1 is sad, sentence 2 is happy: 0.1", 0.1),
        ("On a scale from 0 to 1, I'd say 0.6.", 0.6),
        ("Similarity score (0-1): 0.75", 0.75),
        ("1. Both are sad.\n2. Both cry.\nSimilarity: 0.9", 0.9),
        ("The emotions are alike (score = 0.9), about 0.4 of the words are not.", 0.9),
        ("The similarity between the two sentences is about 85 percent.", 0.85),
        ("85 per cent", 0.85),
        ("~0.85", 0.85),
        ("0.8~0.9", 0.85),
        ("0·85", 0.85),
        ("得分为0.85分", 0.85),
        ("我给出的分数是0.9。", 0.9),
        ("Sentence 1: happy. Sentence 2: sad, lonely. Score: 0.20", 0.2),
        ("The score is not 0.9 but 0.2.", 0.2),
        ("<think>Score: 0.9 perhaps</think>\n0.2", 0.2),
        ("A score of 0 would mean different and 1 would mean identical. I give 0.8.", 0.8),
        ("The similarity of 1 sentence to the other is 0.7", 0.7),
        ("The score is 1 because both are happy.", 1.0),
        ("Answer: 1.", 1.0),
    ],
)
def test_a_score_is_read(text, score):
    assert read_score(text) == pytest.approx(score)


@pytest.mark.parametrize(
    "text",
    ["", "none", "They are very similar.", "5", "-0.5", "1.5", "120%", "between 0 and 1", "Sentence 1 and sentence 2",
     "Sentence 1: 0.3. Sentence 2: 0.9", "score 0.3, or rather a score of 0.9", "0.9.1", "v0.9", "0.9-0.2",
     "Two people, 1 happy, 1 sad",
     "There is 1 person in both sentences.", "(1) Both sad. (2) Both cry.", "Answer: 1. Not similar.",
     "The score is not 1", "similarity cannot be 1", "1:10", "1/2", "3/4", "1 hundred percent different",
     "a score of 1 to the first sentence and 0.5 to the second", "Score 2: 0.4 and Score 1: 0.6", "0. 9", "0.95%",
     "The dissimilarity score is 0.1", "The emotions differ by 0.9", ">0.9", "at least 0.9", "Sentence 1: 0.9",
     "<think>Score: 0.9"],
)  # fmt: skip
def test_no_score_is_ever_guessed(text):
    assert read_score(text) is None


def test_the_expected_score_is_the_mean_over_what_could_have_been_written():
    sure = [{"0": 1.0}, {".": 1.0}, {"8": 1.0}, {"5": 1.0}]
    assert expected_score(sure) == pytest.approx(0.85)
    torn = [{"0": 1.0}, {".": 1.0}, {"8": 0.5, "2": 0.5}, {"0": 1.0}]
    assert expected_score(torn) == pytest.approx(0.5)
    nearly_one = [{"1": 0.6, "0": 0.4}, {".": 1.0}, {"0": 1.0}, {"0": 1.0}]
    assert expected_score(nearly_one) == pytest.approx(0.6 + 0.4 * 0.9)
    one_possible = [{"0": 0.75, "1": 0.25}, {".": 1.0}, {"9": 1.0}, {"0": 1.0}]
    assert expected_score(one_possible) == pytest.approx(0.25 + 0.75 * 0.9)
    assert expected_score([{"0": 1.0}, {".": 1.0}, {"85": 0.8, "9": 0.2, " and": 0.1}]) == pytest.approx(0.86)
    assert expected_score([{"Score": 1.0}, {":": 1.0}, {" 0": 1.0}, {".": 1.0}, {"7": 1.0}]) == pytest.approx(0.7)
    assert expected_score([{"1": 1.0}]) == 1.0
    assert expected_score([{"0": 0.9, "1": 0.1}]) == pytest.approx(0.1)


def test_the_score_expected_is_that_of_the_number_which_is_read():
    words = ["Sentence", " ", "1", ":", " happy", ".", " Sentence", " ", "2", ":", " sad", ".", " Score", ":"]
    tokens = [{word: 1.0} for word in words] + [{" 0": 1.0}, {".": 1.0}, {"2": 0.5, "4": 0.5}, {"0": 1.0}]
    assert read_score("".join(next(iter(token)) for token in tokens)) == 0.2
    assert expected_score(tokens) == pytest.approx(0.3)


@pytest.mark.parametrize("written", [[], ["alike"], ["90", "%"], ["1", "/", "10"], ["0", ".", "8", "-", "0", ".", "9"]])
def test_no_expected_score_without_digits(written):
    assert expected_score([{token: 1.0} for token in written]) is None


def test_both_scores_are_compared_where_both_are_there():
    rows = [{"answer": "0.9", "score": 0.9, "expected": 0.8}, {"answer": "0.5", "score": 0.5, "expected": 0.6}]
    rows += [{"answer": "so so", "score": None, "expected": None}, {"answer": None, "score": None, "expected": None}]
    (found,) = compare_scores(rows, 0.9)
    assert (found["n"], found["unparsable"], found["kept_by_answer"], found["kept_by_expected"]) == (2, 1, 1, 0)
    assert found["correlation"] == pytest.approx(1.0) and found["mean_difference"] == pytest.approx(0.0)
    assert compare_scores([], 0.9) == []
