"""Table 3 of the report: AffectGPT after SFT on 66 test clips, beside the paper's numbers; and what is hidden."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

from emolab.affectgpt.settings import MODALITIES
from emolab.internvl.table2 import MEASURES, paper_columns
from emolab.scoring.baselines import constant_list, shuffled_truth
from emolab.scoring.clips import LabelSets
from emolab.scoring.runs import Runs, runs_row
from emolab.scoring.settings import ScoringSettings

PAPER_TABLE_3 = {"AffectGPT-sft": (0.7429, 0.6775, 0.8083)}  # 66 real MER2024 clips
SUBSETS = [subset for size in (1, 2, 3) for subset in combinations(MODALITIES, size)]  # each, each pair, all


def table3(
    truth: LabelSets,
    systems: Mapping[str, Runs],
    settings: ScoringSettings,
    seed: int = 0,
    *,
    source: LabelSets,
    **options,
) -> list[dict]:
    """A row a system: the columns of `runs_row`, and `paper_columns` (of other clips, weights and another judge of
    synonyms). Last what takes no model: the commonest labels of `source` (the train split, whose habits SFT learns),
    and the truth of other clips."""
    rows = []
    for name, runs in systems.items():
        row = runs_row(name, truth, runs, settings, seed, **options)
        rows.append({**row, **paper_columns(PAPER_TABLE_3.get(name))})
    constant = [constant_list(truth, source=source)] if source else []
    baselines = {"constant list (5 commonest of the train split)": constant}
    baselines["shuffled truth"] = shuffled_truth(truth, seed=seed)
    return rows + [runs_row(name, truth, each, settings, seed, **options) for name, each in baselines.items() if each]


def paper_rows() -> list[dict]:
    """The paper's Table 3 as it stands."""
    named = PAPER_TABLE_3.items()
    return [{"name": f"paper: {name}", "n": 66, **dict(zip(MEASURES, values, strict=True))} for name, values in named]
