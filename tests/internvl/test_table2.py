"""Table 2: the paper's numbers stand beside ours, never among them."""

from emolab.internvl.table2 import PAPER_TABLE_2, labels_of, paper_rows, table2, union
from emolab.scoring.settings import ScoringSettings


def test_the_papers_numbers():
    assert all(round((acc + rec) / 2, 4) - avg <= 1e-4 for avg, acc, rec in PAPER_TABLE_2.values())
    assert PAPER_TABLE_2["fine-tune", "entire image"] == (0.4701, 0.4222, 0.5179)
    assert [row["avg"] for row in paper_rows()] == [0.3292, 0.4394, 0.4701, 0.5258, 0.6167]
    assert all(row["name"].startswith("paper: ") and row["n"] == 332 for row in paper_rows())


def test_rows_stand_in_the_papers_order_beside_its_numbers():
    truth = {"a": ["happy"], "b": ["sad"]}
    right, wrong = {"a": ["happy"], "b": ["sad"]}, {"a": ["sad"], "b": ["happy"]}
    systems = {
        ("zero-shot", "both"): [right],
        ("fine-tune", "entire image"): [right, wrong],
        ("zero-shot", "face alignment"): [wrong],
    }
    rows = table2(truth, systems, ScoringSettings(bootstrap=50))
    assert [(row["name"], row["preprocess"]) for row in rows] == [
        ("zero-shot", "face alignment"),
        ("fine-tune", "entire image"),
        ("zero-shot", "both"),
    ]
    assert [row["avg"] for row in rows] == [0, 0.5, 1]
    assert [row["paper_avg"] for row in rows] == [0.3292, 0.4701, None]


def test_a_union_keeps_the_order_and_repeats_nothing():
    assert union({"a": ["x", "y"], "b": ["z"]}, {"a": ["y", "w"], "c": []}) == {"a": ["x", "y", "w"]}
    assert labels_of([{"clip_id": "a", "labels": ["x"]}]) == {"a": ["x"]}
