"""Systems of the ablation on features whose truth is known: tables, steps, what is missing, rounds."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from emolab.corpora.clip import SIX_WAY
from emolab.discriminative.ablation import (
    ablation_table,
    classes,
    missing_table,
    round_table,
    save_heads,
    self_trained,
    step_table,
    train_system,
    trained_anew,
)
from emolab.discriminative.head import Head
from emolab.discriminative.protocol import plan
from emolab.discriminative.settings import FusionSettings, ModalityDropout, SelfTrainingSettings
from emolab.errors import InputError
from emolab.scoring.settings import ScoringSettings

BLOBS = runpy.run_path(str(Path(__file__).with_name("blobs.py")))
MEANT = np.concatenate([np.arange(90) % 6, np.arange(40) % 8 - 2])  # 90 labelled; 40 others, some of no class
MEANT[MEANT < 0] = -1
TARGETS = np.where(np.arange(130) < 90, MEANT, -1)
LABELLED, POOL = np.arange(90), np.arange(90, 120)
SPLITS = plan(LABELLED, TARGETS, np.random.default_rng(0).permutation(90) % 3, [0, 1])
FUSION = FusionSettings(hidden=32, epochs=12, batch_size=16, learning_rate=4e-3)
SCORING = ScoringSettings(bootstrap=200)


@pytest.fixture(scope="module")
def tables():
    """fold -> features; those of fold 1 are its own, as EmoVCLIP's."""
    common = BLOBS["table"](MEANT, noise=1.2, absent=0.1)
    own = BLOBS["table"](MEANT, noise=1.2, absent=0.1)
    own.vectors["video"][own.present[:, 1]] *= 2
    return {0: common, 1: own, 2: common}


@pytest.fixture(scope="module")
def systems(tables):
    drop = ModalityDropout(0.4, 0.4, 0.4)
    return [
        train_system("base", tables, TARGETS, SPLITS, FUSION),
        train_system("+ dropout", tables, TARGETS, SPLITS, FUSION, drop),
    ]


def test_emotions_become_classes():
    assert classes(["sad", None, "neutral", "bored"]).tolist() == [3, -1, 0, -1]


def test_each_clip_is_judged_by_the_heads_of_its_fold_alone(systems, tables):
    (system, _), truth = systems, systems[0].truth
    assert truth == {tables[0].clip_ids[row]: int(MEANT[row]) for row in LABELLED}
    runs = system.runs()
    for seed, run in zip((0, 1), runs, strict=True):
        assert run.keys() == truth.keys()
        for job, head, split in zip(system.jobs, system.heads, system.splits, strict=True):
            assert job.features is tables[split.fold]
            if split.seed == seed:
                told = head.probabilities(tables[split.fold], rows=split.test).argmax(1)
                assert [run[tables[0].clip_ids[row]] for row in split.test] == told.tolist()


def test_the_table_has_scikit_learns_numbers(systems):
    system = systems[0]
    row = ablation_table(systems, SCORING)[0]
    ids = list(system.truth)
    true = [system.truth[each] for each in ids] * 2
    told = [run[each] for run in system.runs() for each in ids]
    assert row["name"] == "base" and row["n"] == 90 and row["seeds"] == 2
    assert row["weighted_f1"] == pytest.approx(f1_score(true, told, average="weighted"), abs=1e-12)
    assert row["accuracy"] == pytest.approx(accuracy_score(true, told), abs=1e-12)
    assert row["interval"]["weighted_f1"][0] < row["weighted_f1"] < row["interval"]["weighted_f1"][1]
    by_fold = [
        np.mean(
            [
                f1_score([system.truth[each] for each in fold], [run[each] for each in fold], average="weighted")
                for run in system.runs()
            ]
        )
        for fold in ([each for each in ids if system.folds[each] == number] for number in range(3))
    ]
    assert row["fold_mean"] == pytest.approx(np.mean(by_fold), abs=1e-9)
    assert row["fold_sd"] == pytest.approx(np.std(by_fold, ddof=1), abs=1e-9)


def test_steps_are_differences_of_neighbours(systems):
    third = replace(systems[1], name="third", heads=systems[0].heads)
    rows = {row["name"]: row for row in step_table([*systems, third], SCORING)}
    assert list(rows) == ["+ dropout − base", "third − + dropout", "third − base"]
    assert rows["third − base"]["weighted_f1"] == 0 and rows["third − base"]["p"] == 1
    assert rows["+ dropout − base"]["weighted_f1"] == pytest.approx(-rows["third − + dropout"]["weighted_f1"])


def test_dropout_loses_less_without_a_modality(systems):
    rows = missing_table(*systems, SCORING)
    assert [row["name"].split(":")[0] for row in rows] == [f"loss without {m}" for m in ("audio", "video", "text")]
    assert np.mean([row["weighted_f1"] for row in rows]) > 0


def test_other_features_are_judged_by_the_same_heads(systems, tables):
    system = systems[0]
    hidden = {fold: table.hide(LABELLED, "video") for fold, table in tables.items()}
    assert system.with_features(hidden).runs() == system.runs({"video": np.ones(130, bool)})
    assert system.with_features(hidden).runs() != system.runs()


def test_clips_outside_of_all_folds_are_judged_by_all_heads(systems, tables):
    rows = np.arange(120, 130)
    told = systems[0].judged(rows)
    pairs = zip(systems[0].heads, systems[0].splits, strict=True)
    each = [head.probabilities(tables[split.fold], rows=rows) for head, split in pairs]
    assert np.allclose(told, np.mean(each, 0), atol=1e-12, equal_nan=True) and told.shape == (10, len(SIX_WAY))


def test_self_training_is_a_system_with_rounds(systems):
    settings = SelfTrainingSettings(rounds=2, thresholds=[0.5] * 6)
    drop = ModalityDropout(0.4, 0.4, 0.4)
    trained, rounds = self_trained("taught", systems[1], POOL, settings, FUSION, drop, MEANT)
    assert trained.name == "taught" and len(trained.heads) == len(SPLITS)
    told = round_table(rounds)
    first = [row for row in rounds if row["round"] == 1]
    assert told[0]["n"] == len(first) == 6 and told[0]["accepted"] == sum(row["accepted"] for row in first)
    pseudo = sum(row["pseudo"] for row in first)
    assert told[0]["pseudo"] == pytest.approx(pseudo / 6)
    right = sum(row["pseudo"] * (row["purity"] or 0) for row in first)
    assert told[0]["purity"] == pytest.approx(right / pseudo)
    assert sum(told[0][name] for name in SIX_WAY) == pytest.approx(told[0]["pseudo"])
    unknown, same = self_trained("taught", systems[1], POOL, settings, FUSION, drop, None)
    assert unknown.runs() == trained.runs()  # the truth measures, and does nothing else
    assert all(row["purity"] is None for row in round_table(same))


def test_training_anew_is_judged_by_the_same_rule(systems):
    system = systems[1]
    anew, rows = trained_anew("anew", system, FUSION, ModalityDropout(0.4, 0.4, 0.4))
    assert len(rows) == len(SPLITS) and all(row["pseudo"] == 0 and row["purity"] is None for row in rows)
    for row, before, kept in zip(rows, system.heads, anew.heads, strict=True):
        assert row["valid_before"] == before.valid_f1 and row["accepted"] == (row["valid_after"] > before.valid_f1)
        assert (kept is before) != row["accepted"]
    assert any(row["valid_after"] != row["valid_before"] for row in rows)  # it is another training
    assert round_table(rows)[0]["purity"] is None


def test_heads_are_written_and_those_of_another_run_go(systems, tmp_path):
    (tmp_path / "heads" / "seed9_fold9").mkdir(parents=True)
    save_heads(systems[0], tmp_path / "heads")
    names = {f"seed{seed}_fold{fold}" for seed in (0, 1) for fold in range(3)}
    assert {path.name for path in (tmp_path / "heads").iterdir()} == names
    kept = Head.load(tmp_path / "heads" / "seed0_fold1")
    table = systems[0].jobs[1].features
    assert np.allclose(kept.probabilities(table), systems[0].heads[1].probabilities(table), equal_nan=True)


def test_a_clip_that_a_head_knows_is_not_judged_by_all(systems):
    with pytest.raises(InputError, match="has trained a head that would judge it"):
        systems[0].judged(np.array([3, 125]))


def test_a_head_that_saw_its_test_clip_is_refused(systems):
    system = systems[0]
    leaked = replace(system.jobs[0], train=np.append(system.jobs[0].train, system.splits[0].test[0]))
    with pytest.raises(InputError, match="has trained or validated the head"):
        replace(system, jobs=[leaked, *system.jobs[1:]]).runs()
