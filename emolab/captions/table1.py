"""Table 1 of the report: what the paper trained and tested on, always shown apart from what is here."""

from __future__ import annotations

from collections.abc import Sequence

from emolab.corpora.clip import Clip

PAPER_TABLE_1 = [
    {"name": "paper: MiniGPT-4", "type": "train", "n": 3439},
    {"name": "paper: MER2024-OV", "type": "train", "n": 266},
    {"name": "paper: MER2024-OV", "type": "test", "n": 66},
    {
        "name": "paper: captions generated from CH-SIMS v2 (section 3.1.2)",
        "type": "train",
        "n": 26000,
    },
]


def table1(clips: Sequence[Clip], corpus: str, generated: int, minigpt4: int = 0) -> list[dict]:
    """The rows of Table 1 for the data that is here: name, type, dataset, n (count here), paper (count there).

    `generated` (from `corpus`) and `minigpt4` count training rows. MER2024-OV's place is taken by the clips with a
    description or a label set, by their split; those without one have a row of their own. An absent data set has n = 0.
    """
    described = [clip for clip in clips if clip.labels or clip.description]
    names = _names(described)
    rows = [_row("MiniGPT-4", "train", "cc_sbu_align" if minigpt4 else "absent", minigpt4, 3439)]
    for split, paper in (("train", 266), ("valid", None), ("test", 66), (None, None)):
        n = sum(clip.split == split for clip in described)
        if n or paper:
            rows.append(_row("described clips", split or "not split", names, n, paper))
    return [*rows, _row("generated captions", "train", corpus, generated, 26000)]


def _names(clips: Sequence[Clip]) -> str:
    return ", ".join(sorted({clip.corpus for clip in clips if clip.corpus})) or ("unnamed" if clips else "absent")


def _row(name: str, split: str, dataset: str, n: int, paper: int | None) -> dict:
    return {"name": name, "type": split, "dataset": dataset, "n": n, "paper": paper}
