"""What a profile says about the co-judgment (notebook 07)."""

from dataclasses import dataclass, field

from emolab.errors import InputError

# those of `emolab fuse`; extensions register others (`emolab.fusion.strategy`)
STRATEGIES = {
    "union": "all labels of all models, in order (the report's splice, section 2.3)",
    "vote": "synonym groups that at least --min-votes models said",
    "best-vote": "the same, with the number of votes that does best on labelled clips (--truth)",
    "weighted": "votes weighed by each model's precision on labelled clips (--truth)",
    "unsupervised": "votes weighed by reliability that needs no labels (Dawid-Skene)",
    "discriminative-first": "main label from the model with probabilities, others where they do not contradict it",
    "calibrated": "words with the best expected score, calibrated on labelled clips (--truth, or --load)",
    "judge": "a chat model picks from the candidates (--endpoint, --judge)",
}


@dataclass
class FusionSettings:
    """`predictions`: a folder of prediction files (MODEL/VARIANT-openset.npz as published, or csv, jsonl, npz) and
    `truth`: the file of true labels, where no notebook has made them; else the outputs of notebooks 03, 04 and 06."""

    predictions: str | None = None
    truth: str | None = None
    variant: str | None = None  # MODEL/VARIANT: the one whose models are compared by plain counting; None: all
    min_votes: list[int] = field(default_factory=lambda: [2, 3])  # of the strategy `vote`
    # what `calibrated` maximises: weights of level1, level2, mer2024 and, with the official tables, m1 and m2
    objective: dict[str, float] = field(default_factory=lambda: {"level1": 1.0, "level2": 0.5, "mer2024": 0.5})
    tradeoff: float | None = None  # weight of precision against recall, 0 to 1; None: what gives the best F
    most_words: int = 10  # that `calibrated` says of a clip; unsure of a clip, it says many
    folds: int = 5
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2, 3, 4])  # of the folds
    judge: bool = False  # ask the profile's chat model to choose among the candidates

    def __post_init__(self) -> None:
        if self.folds < 2 or not self.seeds or self.most_words < 1:
            raise InputError("fusion: folds start at 2, most_words at 1, and seeds name at least one.")
        if not self.min_votes or min(self.min_votes) < 1:
            raise InputError("fusion: min_votes is a list of numbers from 1.")
        if self.tradeoff is not None and not 0 < self.tradeoff < 1:
            raise InputError("fusion: tradeoff lies between 0 and 1; null finds the one with the best F.")
        if not self.objective or min(self.objective.values()) < 0 or not any(self.objective.values()):
            raise InputError("fusion: objective gives weights of 0 or more to scores, at least one above 0.")
