"""What a profile says about the clips."""

from dataclasses import dataclass

from emolab.corpora.readers import find_reader
from emolab.errors import InputError


@dataclass
class CorpusSettings:
    """Where the clips come from. `reader`: `drawn` (rendered by emolab), `rows` (a folder with clips.jsonl), `folder`
    (any folder of videos), `images` (any folder of single images, for captioning), `ch_simsv2` (CH-SIMS v2(s) as
    distributed), `mer2024` (MER2024 as released, or as its toolkit rewrites it), or what an extension registers."""

    reader: str = "drawn"
    root: str | None = None  # folder of the data; for `drawn` None means the outputs folder
    transcripts: str | None = None  # `folder` only: CSV of what is said
    minigpt4: str | None = None  # folder of MiniGPT-4's cc_sbu_align, which joins the training set (section 3.1.1)
    described: int = 332  # drawn corpus only, as the next three: clips with description and open-vocabulary labels
    labelled: int = 180  # clips with a six-way emotion
    unlabelled: int = 240  # clips with neither
    stills: int = 300  # single images for captioning
    # described clips drawn, with the seed, for the test split; the others train (the paper: 266 and 66). Of the drawn
    # corpus, and of MER2024, whose release names no split; there at most a quarter
    test: int = 66

    def __post_init__(self) -> None:
        find_reader(self.reader)
        if min(self.described, self.labelled, self.unlabelled, self.stills, self.test) < 0:
            raise InputError("corpus sizes (described, labelled, unlabelled, stills, test) cannot be below 0.")
        if self.reader == "drawn" and self.test > self.described:
            raise InputError(f"corpus.test is {self.test} but corpus.described only {self.described}; lower it.")
