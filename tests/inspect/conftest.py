"""Caption pairs of drawn images, written by the drawn corpus's own writer."""

import numpy as np
import pytest
from PIL import Image

from emolab.demo.draw import Stage
from emolab.demo.scenario import scenario
from emolab.demo.texts import Writer


@pytest.fixture(scope="session")
def pairs_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    (folder / "images").mkdir()
    for number in range(8):
        Image.fromarray(Stage(scenario("review", number)).frame(0.6)).save(folder / "images" / f"{number}.jpg")
    return folder


@pytest.fixture
def pairs():
    """Eight pair rows: kept, dropped, without a score (5), without a second caption (6), with hostile text (7)."""
    rng = np.random.default_rng(0)
    rows = []
    for number, score in enumerate((1.0, 0.9, 0.95, 0.85, 0.2, None, None, 0.9)):
        writer = Writer(scenario("review", number), rng)
        kept = score is not None and score >= 0.9
        rows.append(
            {
                "image_id": f"clip_{number}",
                "clip_id": "clip",
                "image": f"images/{number}.jpg",
                "first": writer.caption(),
                "second": writer.caption(),
                "answer": f"Score: {score}",
                "score": score,
                "expected": None if score is None else score - 0.02,
                "kept": kept,
                "reason": None if kept else f"Similarity {score} is too low.",
                "chosen": "second" if kept else None,
            }
        )
    rows[5] |= {"answer": "They differ.", "reason": "No score in the judge's answer: 'They differ.'."}
    rows[6] |= {"second": "", "answer": None, "reason": "No pair of captions (second: empty answer)."}
    rows[7] |= {"first": r"<script>alert(1)</script> $x$ \frac{1}{0} " + "long " * 200, "second": "她很高兴。" * 40}
    return rows
