"""Table 2 of the report: the workbench's rows beside the paper's numbers, which are of 332 real MER2024 clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from emolab.errors import InputError
from emolab.scoring.clips import LabelSets
from emolab.scoring.runs import Runs, runs_row
from emolab.scoring.settings import ScoringSettings

MEASURES = ("avg", "accuracy", "recall")
# (model, preprocess) -> avg, accuracy, recall of InternVL-Chat-V1.5
PAPER_TABLE_2 = {
    ("zero-shot", "face alignment"): (0.3292, 0.2001, 0.4582),
    ("zero-shot", "entire image"): (0.4394, 0.3170, 0.5618),
    ("fine-tune", "entire image"): (0.4701, 0.4222, 0.5179),
    ("zero-shot + fine-tune", "entire image"): (0.5258, 0.3503, 0.7013),
    ("zero-shot + fine-tune + discriminative model", "entire image"): (0.6167, 0.3895, 0.8439),
}


def table2(
    truth: LabelSets,
    systems: Mapping[tuple[str, str], Runs],
    settings: ScoringSettings,
    seed: int = 0,
    **options,
) -> list[dict]:
    """Rows in the paper's order, then what it does not have: name, preprocess, the columns of `runs_row`, and
    `paper_columns` (of other clips, weights and another judge of synonyms)."""
    order = [*PAPER_TABLE_2, *systems]
    rows = []
    for model, preprocess in sorted(systems, key=order.index):
        row = runs_row(model, truth, systems[model, preprocess], settings, seed, **options)
        columns = paper_columns(PAPER_TABLE_2.get((model, preprocess)))
        rows.append({"name": row.pop("name"), "preprocess": preprocess, **row, **columns})
    return rows


def paper_columns(numbers: Sequence[float] | None) -> dict[str, float | None]:
    """paper_avg, paper_accuracy, paper_recall, to stand beside a row; None where the paper has no such row."""
    return {f"paper_{name}": number for name, number in zip(MEASURES, numbers or (None,) * 3, strict=True)}


def paper_rows() -> list[dict]:
    """The paper's Table 2 as it stands."""
    return [
        {"name": f"paper: {model}", "preprocess": preprocess, "n": 332, **dict(zip(MEASURES, values, strict=True))}
        for (model, preprocess), values in PAPER_TABLE_2.items()
    ]


def union(first: LabelSets, second: LabelSets) -> dict[str, list[str]]:
    """Label sets of the clips of both, the second's new labels after the first's: row four of Table 2."""
    return {clip: list(dict.fromkeys([*first[clip], *second[clip]])) for clip in first if clip in second}


def labels_of(rows: Sequence[Mapping]) -> dict[str, list[str]]:
    """clip_id -> labels of Prediction rows; a row with an error has none, and scores nothing."""
    return {row["clip_id"]: row["labels"] for row in rows}


def same_model(rows: Sequence[dict], identity: str) -> Sequence[dict]:
    """Prediction rows of another notebook. Raises InputError where another model wrote them: they make no table
    together with this one's."""
    other = next((row["model"] for row in rows if row["model"] != identity), None)
    if other:
        raise InputError(
            f"notebook 03 asked {other}, this run {identity}; run 03 with the same settings: emolab run 03 05 …"
        )
    return rows
