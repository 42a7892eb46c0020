"""What a profile says about scoring."""

from dataclasses import dataclass

from emolab.errors import InputError

# published headline scores of the wheel metrics
PRESETS = {
    "ov-merd": "mean of the 12 F: M1, M2, and five wheels at two levels (OV-MER paper)",
    "unibench": "level-1 F (MER-UniBench, OV-MERD+)",
    "mer2025": "mean of level-1 and level-2 F (MER2025, track 2; edition 2025)",
    "mer2026": "level-1 F (MER2026, track 2; edition 2026)",
    "hit-rate": "level-1 hits per clip (MER-UniBench, sets with one discrete label a clip)",
}


@dataclass
class ScoringSettings:
    """`grouping`: `lexicon` (emolab's own), a JSON file of cached groupings, `chat` (ask the model) or `none`."""

    grouping: str = "lexicon"
    judge_runs: int = 1  # how often a chat model is asked for each grouping; the scores are averaged
    tables: str | None = None  # folder of the official wheel tables; None takes emolab's own wheel
    edition: str | None = None  # of these tables: 2025 or 2026
    bootstrap: int = 10_000  # resamples over clips
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if self.bootstrap < 0 or self.judge_runs < 1 or not 0 < self.confidence < 1:
            raise InputError("scoring: bootstrap starts at 0, judge_runs at 1, and confidence lies between 0 and 1.")
        if self.tables is not None and self.edition is None:
            raise InputError("scoring.tables needs scoring.edition (2025 or 2026): the editions' scores differ.")
