from emolab.captions.table1 import PAPER_TABLE_1, table1
from emolab.corpora import Clip, read_rows
from emolab.workbench.tables import Table


def test_the_papers_counts():
    assert [(row["type"], row["n"]) for row in PAPER_TABLE_1] == [
        ("train", 3439), ("train", 266), ("test", 66), ("train", 26000),
    ]  # fmt: skip
    assert all(row["name"].startswith("paper: ") for row in PAPER_TABLE_1)


def test_what_is_here_stands_beside_what_the_paper_had(small_corpus):
    rows = table1(read_rows(small_corpus), "drawn corpus", generated=12, minigpt4=5)
    assert [(row["name"], row["type"], row["dataset"], row["n"], row["paper"]) for row in rows] == [
        ("MiniGPT-4", "train", "cc_sbu_align", 5, 3439),
        ("described clips", "train", "drawn", 6, 266),
        ("described clips", "test", "drawn", 2, 66),
        ("generated captions", "train", "drawn corpus", 12, 26000),
    ]
    assert "26000" in str(Table("table_1", rows))


def test_absent_data_and_clips_without_a_split():
    clips = [Clip("a", labels=("happy",), corpus="mine"), Clip("b", split="train", corpus="ch-simsv2")]
    rows = table1(clips, "mine", generated=0)
    assert [(row["type"], row["dataset"], row["n"]) for row in rows] == [
        ("train", "absent", 0),
        ("train", "mine", 0),
        ("test", "mine", 0),
        ("not split", "mine", 1),
        ("train", "mine", 0),
    ]
    assert table1([], "pictures", generated=7)[-1] == {**rows[-1], "dataset": "pictures", "n": 7}
