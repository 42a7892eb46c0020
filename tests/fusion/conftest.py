"""A panel whose members are right to a known degree, and the published predictions where they lie."""

from pathlib import Path

import numpy as np
import pytest

from emolab.fusion.panel import Member, make_panel, read_panel
from emolab.labels.wheel import read_wheels
from emolab.scoring.files import read_labels

GOLDEN = Path(__file__).resolve().parents[2].parent / "shared" / "golden"
WORDS = ("happy", "sad", "angry", "afraid", "surprised", "disgusted")
SEEN = ("smiling broadly", "weeping softly", "shouting loudly", "trembling hands", "raised eyebrows", "wrinkled nose")
DESCRIBED = dict(zip(WORDS, SEEN, strict=True))


@pytest.fixture(scope="session")
def made():
    """(panel, truth): 120 clips with one or two of six emotions; `good` members say each with .8 and a false one with
    .3, `bad` ones guess; the first good member describes what it sees in words that name no emotion."""
    rng = np.random.default_rng(7)
    clips = [f"clip_{number:03}" for number in range(120)]
    truth = {clip: [WORDS[i] for i in rng.permutation(6)[: 1 + rng.integers(2)]] for clip in clips}

    def member(name, hit, false, texts=False):
        labels = {}
        for clip in clips:
            said = [word for word in truth[clip] if rng.random() < hit]
            if rng.random() < false:
                said.append(WORDS[rng.integers(6)])
            labels[clip] = list(dict.fromkeys(said))
        told = {clip: " and ".join(DESCRIBED[word] for word in truth[clip]) for clip in clips}
        return Member(name, labels, told if texts else {})

    members = [member("a/good", 0.8, 0.3, texts=True), member("b/good", 0.8, 0.3), member("c/good", 0.8, 0.3)]
    members += [member("a/bad", 0.2, 1.0), member("b/bad", 0.2, 1.0), member("c/bad", 0.2, 1.0)]
    return make_panel(members), truth


@pytest.fixture(scope="session")
def published():
    """(panel of five models x three variants, truth, wheels) of the 332 real clips."""
    if not GOLDEN.is_dir():
        pytest.skip("the published predictions (shared/golden) are not here")
    truth = read_labels(GOLDEN / "mer2024-ov" / "check-openset.csv")
    return read_panel([GOLDEN / "ov-merd-predictions"]), truth, read_wheels(GOLDEN / "emotion-wheel-2025", "2025")
