import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from emolab.discriminative.settings import MODALITIES
from emolab.discriminative.table import Extracted, FeatureTable, combine
from emolab.errors import InputError

NAMES = ("a", "b", "c", "d")
WIDTHS = {"audio": 3, "video": 5, "text": 2}


def extracted(modality, absent=(), names=NAMES):
    vectors = np.random.default_rng(len(modality)).normal(size=(len(names), WIDTHS[modality])).astype(np.float32)
    present = np.ones(len(names), bool)
    vectors[list(absent)], present[list(absent)] = np.nan, False
    return Extracted(names, vectors, present, {names[row]: "is absent." for row in absent}, "weights")


@pytest.fixture
def table():
    return combine({"text": extracted("text", [3]), "audio": extracted("audio", [0, 1]), "video": extracted("video")})


def test_modalities_stand_in_their_order(table):
    assert table.clip_ids == NAMES and len(table) == 4 and table.widths == WIDTHS
    assert table.present.tolist() == [[0, 1, 1], [0, 1, 1], [1, 1, 1], [1, 1, 0]]
    for column, modality in enumerate(MODALITIES):
        assert np.array_equal(np.isfinite(table.vectors[modality]).all(1), table.present[:, column])


def test_what_is_hidden_is_nan_and_said(table):
    before = table.vectors["video"].copy()
    for rows in ([0, 2], np.array([True, False, True, False]), [True, False, True, False]):
        hidden = table.hide(rows, "video")
        assert hidden.present[:, 1].tolist() == [False, True, False, True]
        assert np.isnan(hidden.vectors["video"][[0, 2]]).all()
        assert np.array_equal(hidden.vectors["video"][[1, 3]], before[[1, 3]])
        assert hidden.vectors["audio"] is table.vectors["audio"]
    assert np.array_equal(table.vectors["video"], before) and table.present[:, 1].all()
    assert np.array_equal(table.hide([], "video").present, table.present)
    with pytest.raises(InputError, match="no modality 'face'; one of audio, video, text"):
        table.hide([0], "face")


def test_rows_are_taken_in_the_order_given(table):
    some = table.take([2, 0])
    assert some.clip_ids == ("c", "a") and some.present.tolist() == [[1, 1, 1], [0, 1, 1]]
    assert np.array_equal(some.vectors["text"], table.vectors["text"][[2, 0]])
    assert table.take(table.present[:, 0]).clip_ids == ("c", "d")
    assert len(table.take([])) == 0 and table.take([]).widths == WIDTHS


def test_a_modality_can_be_replaced(table):
    other = table.replace("text", Extracted(NAMES, np.ones((4, 7), np.float32), np.ones(4, bool)))
    assert other.widths == WIDTHS | {"text": 7} and other.present[:, 2].all() and not table.present[3, 2]
    with pytest.raises(InputError, match="features of text are of other clips"):
        table.replace("text", extracted("text", names=("a", "b", "d", "c")))


def test_a_modality_of_some_clips_can_be_updated(table):
    heard, before = extracted("audio", names=("d", "b")), table.present.copy()
    other = table.update("audio", heard)
    for row, clip_id in ((3, "d"), (1, "b")):
        at = heard.clip_ids.index(clip_id)
        assert np.array_equal(other.vectors["audio"][row], heard.vectors[at], equal_nan=True)
        assert other.present[row, 0] == heard.present[at]
    for row in (0, 2):
        assert np.array_equal(other.vectors["audio"][row], table.vectors["audio"][row], equal_nan=True)
    assert np.array_equal(table.present, before)  # the table itself stays
    with pytest.raises(InputError, match="are of x, which the table does not have"):
        table.update("audio", extracted("audio", names=("a", "x")))
    with pytest.raises(InputError, match="have 7 numbers, those of the table"):
        table.update("text", Extracted(("a",), np.ones((1, 7), np.float32), np.ones(1, bool)))


def test_what_does_not_fit_together_is_refused(table):
    parts = {modality: extracted(modality) for modality in MODALITIES}
    with pytest.raises(InputError, match="needs audio, video, text, not audio, video"):
        combine({name: parts[name] for name in ("audio", "video")})
    with pytest.raises(InputError, match="features of text are of other clips than those of audio"):
        combine(parts | {"text": extracted("text", names=NAMES[:3])})
    with pytest.raises(InputError, match="names a clip twice"):
        combine({name: extracted(name, names=("a", "b", "a")) for name in MODALITIES})
    vectors, present = table.vectors["audio"], table.present[:, 0]
    with pytest.raises(InputError, match="of a: a vector that is there holds numbers alone, one that is absent NaN"):
        Extracted(NAMES, vectors, np.ones(4, bool))
    with pytest.raises(InputError, match="features of a: "):
        Extracted(NAMES, np.zeros((4, 3), np.float32), np.zeros(4, bool))  # zeros are no mask
    with pytest.raises(InputError, match="4 clips, 3 vectors and 4 masks"):
        Extracted(NAMES, vectors[:3], present)
    with pytest.raises(InputError, match="vectors are float32"):
        Extracted(NAMES, vectors.astype(np.float64), present)
    with pytest.raises(InputError, match="audio of c: "):
        FeatureTable(NAMES, table.vectors, np.zeros((4, 3), bool) | np.array([0, 1, 1], bool))
    with pytest.raises(InputError, match="each with its mask"):
        FeatureTable(NAMES, table.vectors, table.present[:, :2])


@pytest.mark.parametrize("module", ["table", "inputs", "noise"])
def test_no_torch_is_loaded(module):
    code = f"import sys, emolab.discriminative.{module}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
