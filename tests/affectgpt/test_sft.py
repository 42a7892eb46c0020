"""Real trainings of the tiny AffectGPT in processes of their own, and what comes out."""

from __future__ import annotations

import json
import shutil
import traceback
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
import yaml

from emolab.affectgpt.configuration import AffectGPTConfig
from emolab.affectgpt.parts import is_whole, load_model, read_trained, trained_tensors
from emolab.affectgpt.record import trained_on
from emolab.affectgpt.samples import Collator
from emolab.affectgpt.settings import AffectSftSettings
from emolab.affectgpt.sft import (
    clips_to_test,
    read_training_file,
    train_qformers,
    training_rows,
    write_training_file,
)
from emolab.affectgpt.train import Batches, Clips, learning_rate, run
from emolab.corpora.clip import Clip
from emolab.corpora.minigpt4 import CaptionedImage
from emolab.engine.feature_file import CacheError
from emolab.engine.feature_store import FeatureStore
from emolab.engine.rows import read_rows
from emolab.engine.training_log import read_log, why_it_failed
from emolab.engine.weights import RECORD
from emolab.errors import InputError, RunError
from emolab.media.settings import FaceSettings

SFT = AffectSftSettings(
    epochs=4, batch_size=2, learning_rate=1e-2, last_rate=1e-3, warmup_rate=1e-4, warmup_steps=3, save_steps=5
)
STEPS = 16  # seven samples in batches of two, four times
HERE = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Trainings inherit it: two threads on a busy machine wait for each other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("PYTHONPATH", str(HERE))
        yield


@pytest.fixture(scope="module")
def data(clips, tmp_path_factory):
    """Seven samples, and one whose description is longer than any row may be."""
    path = tmp_path_factory.mktemp("data") / "train.jsonl"
    clips = [replace(clips[0], video=str(shutil.copy(clips[0].video, path.with_name("film.mp4")))), *clips[1:]]
    long = replace(clips[0], clip_id="long", description="She is glad! " * 300)
    assert write_training_file([clips[0], long, *clips[1:]], path) == {"tiny": 8}
    return path


@pytest.fixture(scope="module")
def trained(data, parts, store, tmp_path_factory):
    """A whole training, and the log that its watch was given."""
    folder, seen = tmp_path_factory.mktemp("sft") / "seed42", []
    made = train_qformers(data, parts, SFT, FaceSettings(), 42, folder, store.folder, watch=seen.append, progress=False)
    return made, seen


def train(data, parts, sft, folder, cache, **more):
    return train_qformers(data, parts, sft, FaceSettings(), 42, folder, cache, progress=False, **more)


def here(data, parts, sft, folder, cache, seed=42):
    """The training process's own work, in this process; the settings as it reads them."""
    folder.mkdir(exist_ok=True)
    about = {"data": str(data), "cache": str(cache), "output_dir": str(folder), "seed": seed}
    chosen = {**about, "affectgpt": asdict(parts), "affectgpt_sft": asdict(sft), "faces": asdict(FaceSettings())}
    (folder / "sft.yaml").write_text(yaml.safe_dump(chosen))
    return yaml.safe_load((folder / "sft.yaml").read_text())


def log_of(trained):
    return [json.loads(line) for line in (trained / "training_log.jsonl").read_text().splitlines()]


def test_the_published_schedule():
    """30e-6 → 10e-6 with warm-up from 1e-6: 100 epochs of 1,000 steps; numbers worked out by hand."""
    published = {
        0: 1e-6, 1: 1.029e-6, 500: 15.5e-6, 999: 29.971e-6,  # a straight line of 0.029e-6 a step
        1000: 29.995065604e-6,  # the cosine is where it would be without warm-up
        25_000: 27.071067812e-6, 50_000: 20e-6, 75_000: 12.928932188e-6, 99_000: 10.004934396e-6, 100_000: 10e-6,
    }  # fmt: skip
    for step, rate in published.items():
        assert learning_rate(step, 100_000, AffectSftSettings()) == pytest.approx(rate, rel=1e-9), step
    short = replace(SFT, warmup_steps=1000)
    assert learning_rate(5, 10, short) == pytest.approx(1e-4 + (1e-2 - 1e-4) / 2)


def test_what_is_learnt_from(clips, tmp_path):
    rows = training_rows(
        [*clips[:2], replace(clips[2], split="test"), replace(clips[3], description=" ")],
        [CaptionedImage("7", str(tmp_path / "7.jpg"), "A cat.")],
    )
    assert [row.clip_id for row in rows] == ["clip0", "clip1", "minigpt4_7"]
    assert rows[2] == Clip("minigpt4_7", video=str(tmp_path / "7.jpg"), description="A cat.", corpus="MiniGPT-4")
    assert write_training_file(rows, tmp_path / "t.jsonl") == {"tiny": 2, "MiniGPT-4": 1}
    assert read_training_file(tmp_path / "t.jsonl") == rows
    with pytest.raises(InputError, match="no clip of the train split has a description"):
        write_training_file([], tmp_path / "t.jsonl")
    drawn = Clips(rows, draws=2)
    assert len(drawn) == 6 and [drawn[n][1] for n in range(6)] == [0, 1] * 3 and drawn[5][0] == rows[2]


def test_a_training_and_what_it_leaves(trained, parts, data, clips):
    folder, seen = trained
    assert {path.name for path in folder.parent.iterdir()} == {"qformers", "sft.yaml", "train.log", ".training"}
    files = {"config.json", "model.safetensors", RECORD, "README.md", "training_log.jsonl"}
    assert {path.name for path in folder.iterdir()} == files
    log = log_of(folder)
    assert [row["step"] for row in log] == list(range(1, STEPS + 1)) and {row["steps"] for row in log} == {STEPS}
    assert seen[-1][-1]["step"] == STEPS
    for row in log:  # what the optimiser really took
        assert row["learning_rate"] == pytest.approx(learning_rate(row["step"] - 1, STEPS, SFT), rel=1e-9)
    start, end = read_trained(Path(parts.qformers)), read_trained(folder)
    assert start.keys() == end.keys()
    still = {name for name in start if torch.equal(start[name], end[name])}
    assert not still
    # positions that no clip has keep what they had, but for the weight decay of all
    rows = (start["video_qformer.positions.weight"], end["video_qformer.positions.weight"])
    ratio = rows[1][4:] / rows[0][4:]
    torch.testing.assert_close(ratio, torch.full_like(ratio, float(ratio.mean())), rtol=1e-4, atol=0)
    assert 0 < 1 - ratio.mean() < 0.05


def test_a_sample_that_is_too_long_is_left_out_and_said(trained):
    folder, _ = trained
    record = json.loads((folder / RECORD).read_text())
    (row,) = record["left_out"]
    assert row["clip_id"] == "long" and row["reason"].endswith("tokens are more than max_length 512")
    assert [each["clip_id"] for each in trained_on(folder)] == [
        "clip0", "clip1", "clip2", "clip3", "mute", "heard", "still",
    ]  # fmt: skip
    card = (folder / "README.md").read_text()
    assert "7 samples (7 tiny)" in card and "1 more left out" in card and record["data"] in card
    assert "16 steps, 4 epochs, batch 2, seed 42" in card and record["parts"]["language"] in card


def test_what_was_trained_loads_and_has_learnt(trained, parts, model, processor, clips, store):
    folder, _ = trained
    before, model = model, load_model(replace(parts, qformers=str(folder)))
    batch = Batches([store], None, Collator(processor, model.config))([(clip, 0) for clip in clips])
    with torch.no_grad():
        assert model(**batch)["loss"] < before(**batch)["loss"] - 0.1
    tensors = trained_tensors(model)
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in read_trained(folder).items())
    assert AffectGPTConfig.from_pretrained(folder).video_queries == 3 and is_whole(folder)


def test_features_computed_in_every_step_give_the_same_losses(trained, data, parts, store, tmp_path):
    folder, _ = trained
    run(here(data, parts, replace(SFT, cache=False), tmp_path / "work", tmp_path / "no features"))
    for ours, theirs in zip(read_log(tmp_path / "work" / "logging.jsonl"), log_of(folder), strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], abs=1e-4)
    assert not list((tmp_path / "no features").glob("*.safetensors"))


def test_half_batches_that_are_accumulated_give_the_same_losses(data, parts, store, tmp_path):
    """Batches of two, and of one twice, where nothing is dropped at random."""
    plain = tmp_path / "qformers"
    shutil.copytree(parts.qformers, plain)
    config = json.loads((plain / "config.json").read_text())
    for name in ("video_qformer_config", "audio_qformer_config"):
        config[name] |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (plain / "config.json").write_text(json.dumps(config))
    parts, logs = replace(parts, qformers=str(plain)), []
    for batch, accumulation in ((2, 1), (1, 2)):
        sft = replace(SFT, epochs=1, batch_size=batch, accumulation=accumulation)
        run(here(data, parts, sft, tmp_path / f"{batch}", store.folder))
        logs.append(read_log(tmp_path / f"{batch}" / "logging.jsonl"))
    assert len(logs[0]) == 4
    for whole, halves in zip(*logs, strict=True):
        assert halves["loss"] == pytest.approx(whole["loss"], abs=1e-4)
        assert halves["grad_norm"] == pytest.approx(whole["grad_norm"], rel=1e-3)


def test_modalities_that_are_hidden_are_not_learnt(data, parts, store, tmp_path):
    """Sound alone: clips without any are left out, and the video branch gets no gradient."""
    run(here(data, parts, replace(SFT, epochs=1, modalities=["audio"], weight_decay=0.0), tmp_path / "w", store.folder))
    out = read_rows(tmp_path / "w" / "left_out.jsonl")
    assert [(row["clip_id"], row["reason"]) for row in out if row["clip_id"] != "long"] == [
        ("mute", "nothing of it is shown"), ("still", "nothing of it is shown"),
    ]  # fmt: skip
    log = read_log(tmp_path / "w" / "logging.jsonl")
    start, end = read_trained(Path(parts.qformers)), read_trained(tmp_path / "w" / f"checkpoint-{len(log)}")
    changed = {name.split(".")[0] for name in start if not torch.equal(start[name], end[name])}
    assert len(log) == 3 and changed == {"audio_qformer"}


def test_nothing_left_to_learn_from(data, parts, store, tmp_path):
    with pytest.raises(InputError, match="No sample is left to learn from .clip0: .* more than max_length 64"):
        run(here(data, parts, replace(SFT, max_length=64), tmp_path / "w", store.folder))


def test_what_is_done_is_not_done_again(trained, data, parts, store):
    folder, _ = trained
    before = (folder / "model.safetensors").stat().st_mtime_ns
    for sft, how in (
        (SFT, parts),
        (replace(SFT, cache=False, save_steps=3, workers=1, seeds=[42, 43]), parts),
        (SFT, replace(parts, batch_size=9, temperature=0.0, max_new_tokens=3)),
    ):
        assert train(data, how, sft, folder.parent, store.folder) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == before


def test_another_film_is_trained_anew_and_its_damaged_features_are_named(
    trained, data, parts, tiny, clips, store, encoder, tmp_path
):
    """Another film under the same name is other data; what was trained before serves until the new is there."""
    shutil.copytree(trained[0].parent, tmp_path / "sft")
    shutil.copytree(store.folder, tmp_path / "features")
    made = tmp_path / "sft" / "qformers"
    assert train(data, parts, SFT, tmp_path / "sft", tmp_path / "features") == made
    film = Clip("film", video=tiny.filmed(data.parent, "film", 9))
    fresh = FeatureStore(tmp_path / "features", store.identity, store.make, store.dimensions)
    assert fresh.compute([film], encoder, progress=False) == {}
    damage(fresh.path(film))
    told = r"^AffectGPT's training stopped: .*\.safetensors is damaged \(.*\); compute the features again\. The log: "
    with pytest.raises(RunError, match=told) as error:
        train(data, parts, SFT, tmp_path / "sft", tmp_path / "features")
    shutil.copy(clips[0].video, data.with_name("film.mp4"))
    assert "\n" not in str(error.value) and is_whole(made)


def damage(path):
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def test_a_loaders_worker_is_heard(store, clips, tmp_path):
    """Its error comes wrapped in another; the sentence is still the cache's."""
    shutil.copytree(store.folder, tmp_path / "features")
    own = FeatureStore(tmp_path / "features", store.identity, store.make, store.dimensions)
    damage(own.path(clips[0]))
    loader = torch.utils.data.DataLoader(
        clips[:1], batch_size=None, num_workers=1, collate_fn=own.load, multiprocessing_context="fork"
    )
    with pytest.raises(CacheError) as caught:
        list(loader)
    (tmp_path / "train.log").write_text("".join(traceback.format_exception(caught.value)))
    told = why_it_failed(tmp_path / "train.log", 1, "AffectGPT", "")
    assert told.startswith(f"AffectGPT's training stopped: {own.path(clips[0])} is damaged") and "\n" not in told


def test_a_loss_that_is_no_number_ends_the_training(parts, data, store, tmp_path):
    told = r"^Training was stopped: (loss|grad_norm) is (nan|inf) at step \d+; lower the learning rate"
    wild = replace(SFT, learning_rate=1e30, warmup_steps=0, epochs=400)
    with pytest.raises(RunError, match=told):
        train(data, parts, wild, tmp_path / "sft", store.folder)
    assert not (tmp_path / "sft" / "qformers").exists()


def test_two_processes_train_one_model(parts, data, store, tmp_path):
    """torchrun with gloo: what several GPUs do, on the CPU. Each process takes half of every batch: as many steps as
    one process with twice the batch."""
    plain = {"epochs": 2, "weight_decay": 0.0}
    two = train(data, parts, replace(SFT, batch_size=1, processes=2, **plain), tmp_path / "two", store.folder)
    one = train(data, parts, replace(SFT, batch_size=2, **plain), tmp_path / "one", store.folder)
    log, whole = log_of(two), log_of(one)
    assert [row["step"] for row in log] == [row["step"] for row in whole] == list(range(1, 9))
    assert read_trained(two).keys() == read_trained(Path(parts.qformers)).keys()
    assert "batch 2" in (two / "README.md").read_text() and "batch 2" in (one / "README.md").read_text()


def test_what_cannot_be_tested_is_said_before_anything_is_trained(parts, clips):
    labelled = [replace(clip, labels=("happy",), split="train") for clip in clips]
    with pytest.raises(InputError, match="no labelled clip is of the test split"):
        clips_to_test(labelled, parts, SFT)
    test = [replace(labelled[0], split="test"), *labelled[1:]]
    with pytest.raises(InputError, match="nothing is trained, nor would be"):
        clips_to_test(test, replace(parts, qformers=None), replace(SFT, seeds=[]))
    assert clips_to_test(test, replace(parts, qformers=None), SFT) == test[:1]


def test_parts_that_were_trained_further_have_seen_both_data(trained, data, parts, store, clips, tmp_path):
    more = tmp_path / "more.jsonl"
    write_training_file([replace(clips[0], clip_id="another")], more)
    first, _ = trained
    again = train(more, replace(parts, qformers=str(first)), replace(SFT, epochs=1), tmp_path / "again", store.folder)
    assert {row["clip_id"] for row in trained_on(again)} == {row["clip_id"] for row in trained_on(first)} | {"another"}
    (again / RECORD).write_text("{broken")
    with pytest.raises(InputError, match="nobody knows what was trained on"):
        trained_on(again)


def test_uniform_frames_have_one_draw(data, parts, store, tmp_path):
    uniform = replace(parts, frames=replace(parts.frames, draw="uniform"))
    with pytest.raises(InputError, match="draws is 3, but uniform frames are the same in every draw"):
        train(data, uniform, replace(SFT, draws=3), tmp_path, store.folder)


def test_settings_that_cannot_be():
    for wrong, told in (
        ({"seeds": [1, 1]}, "holds a seed twice"),
        ({"epochs": 0}, "start at 1"),
        ({"max_length": 63}, "max_length at 64"),
        ({"last_rate": 0.0}, "above 0"),
        ({"modalities": []}, "some of audio, video, text"),
        ({"modalities": ["smell"]}, "some of audio, video, text"),
        ({"modalities": ["text"]}, "which no Q-Former reads"),
    ):
        with pytest.raises(InputError, match=told):
            AffectSftSettings(**wrong)
