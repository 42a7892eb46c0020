"""Training EmoVCLIP on films whose colour tells the emotion: it learns, is kept, and is never trained twice."""

from __future__ import annotations

import json
import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors import safe_open

from emolab.corpora.clip import SIX_WAY, Clip
from emolab.discriminative.features import video_features
from emolab.discriminative.pixels import pixel_store
from emolab.discriminative.settings import DiscriminativeSettings, EmoVCLIPSettings, EncoderSettings
from emolab.discriminative.train_emovclip import EmoVCLIPTrainer
from emolab.errors import InputError, RunError
from emolab.media.settings import FaceSettings, FrameSettings
from emolab.media.write import write_video

tiny = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("tiny_clip.py"))))
COLOURS = ((220, 30, 30), (30, 200, 30), (40, 40, 220), (220, 220, 40), (200, 40, 220), (40, 220, 220))
COUNT = 24


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """24 one-second films, one that has sound alone, and a tiny CLIP."""
    folder = tmp_path_factory.mktemp("world")
    clips = []
    for number in range(COUNT):
        rng = np.random.default_rng(number)
        colour = np.array(COLOURS[number % 6]) + rng.integers(-25, 25, 3)
        frames = [np.clip(colour + rng.integers(-30, 30, (32, 32, 3)), 0, 255).astype(np.uint8) for _ in range(6)]
        write_video(folder / f"{number}.mp4", frames, 6)
        clips.append(Clip(f"c{number}", video=str(folder / f"{number}.mp4"), emotion=SIX_WAY[number % 6]))
    clips.append(Clip("unseen", transcript="Only words.", emotion="sad"))
    settings = DiscriminativeSettings(
        video=EncoderSettings(tiny.save(folder / "clip"), device="cpu"),
        view="frame",
        frames=FrameSettings(parts=3, draw="uniform"),
        emovclip=EmoVCLIPSettings(global_prompts=2, context=3, epochs=20, batch_size=8, learning_rate=5e-3),
    )
    pixels = pixel_store(settings, FaceSettings(), 0, folder / "pixels")
    base = video_features(clips, settings.video, pixels, folder / "features", progress=False)
    return SimpleNamespace(folder=folder, clips=clips, settings=settings, pixels=pixels, base=base)


def features(world, folder, settings=None, train=range(COUNT + 1)):
    trainer = EmoVCLIPTrainer(settings or world.settings, world.pixels)
    return trainer, trainer.features(world.clips, world.base, list(train), folder)


def log_of(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_it_learns_and_what_cannot_be_seen_is_absent(world, tmp_path):
    _, found = features(world, tmp_path)
    log = log_of(tmp_path)
    assert len(log) == 20 and log[-1]["loss"] < 1.7 < log[0]["loss"] and log[-1]["accuracy"] >= 0.5  # chance: 1.79, .17
    assert found.clip_ids == tuple(clip.clip_id for clip in world.clips) and found.vectors.shape == (COUNT + 1, 10)
    assert found.present.tolist() == [True] * COUNT + [False] and np.isnan(found.vectors[-1]).all()
    assert "unseen" in found.problems and found.identity != world.base.identity


def test_the_same_seed_gives_the_same_features(world, tmp_path):
    _, first = features(world, tmp_path / "a")
    _, second = features(world, tmp_path / "b")
    assert np.array_equal(first.vectors[:COUNT], second.vectors[:COUNT])
    other = replace(world.settings, emovclip=replace(world.settings.emovclip, seed=1))
    assert not np.array_equal(first.vectors[:COUNT], features(world, tmp_path / "c", other)[1].vectors[:COUNT])


def test_what_is_done_is_not_done_again(world, tmp_path):
    _, first = features(world, tmp_path)
    (tmp_path / "log.jsonl").unlink()
    trainer, again = features(world, tmp_path)
    assert trainer._parts is None and not (tmp_path / "log.jsonl").exists()  # not even CLIP was loaded
    assert np.array_equal(first.vectors, again.vectors, equal_nan=True)
    (tmp_path / "features.safetensors").write_bytes(b"cut off")  # killed while it wrote: the prompts are still there
    _, mended = features(world, tmp_path)
    assert np.array_equal(first.vectors, mended.vectors, equal_nan=True) and not (tmp_path / "log.jsonl").exists()
    with safe_open(tmp_path / "prompts.safetensors", "pt") as file:
        assert "time_embed" in file.keys() and not any("vision" in name for name in file.keys())


def test_other_training_clips_are_another_training(world, tmp_path):
    _, first = features(world, tmp_path, train=range(12))
    (tmp_path / "log.jsonl").unlink()
    _, second = features(world, tmp_path, train=range(12, 24))
    assert (tmp_path / "log.jsonl").exists() and not np.array_equal(first.vectors[:COUNT], second.vectors[:COUNT])


def test_the_emotion_of_other_clips_changes_nothing(world, tmp_path):
    _, first = features(world, tmp_path / "a", train=range(12))
    told = [replace(clip, emotion="happy") if n >= 12 else clip for n, clip in enumerate(world.clips)]
    trainer = EmoVCLIPTrainer(world.settings, world.pixels)
    second = trainer.features(told, world.base, list(range(12)), tmp_path / "b")
    assert np.array_equal(first.vectors[:COUNT], second.vectors[:COUNT]) and first.identity == second.identity


def test_few_faces_come_again(world, tmp_path):
    """A clip with fewer pictures than EmoVCLIP takes frames shows some of them twice."""
    settings = replace(world.settings, frames=FrameSettings(parts=5, draw="uniform"))
    _, found = features(world, tmp_path, settings)  # the store holds three pictures a clip
    assert np.isfinite(found.vectors[:COUNT]).all()


def test_nothing_to_see_and_no_clip_are_sentences(world, tmp_path):
    with pytest.raises(InputError, match="no training clip that can be seen"):
        features(world, tmp_path, train=[COUNT])
    folder = tmp_path / "vision_alone"
    tiny.clip().vision_model.save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    tiny.image_processor().save_pretrained(folder)
    settings = replace(world.settings, video=EncoderSettings(str(folder), device="cpu"))
    with pytest.raises(InputError, match="cannot be loaded as CLIP with its two towers"):
        features(world, tmp_path, settings)


def test_a_loss_that_is_no_number_ends_with_a_sentence(world, tmp_path):
    wild = replace(world.settings, emovclip=replace(world.settings.emovclip, learning_rate=1e30))
    with pytest.raises(RunError, match="loss is no number"):
        features(world, tmp_path, wild)
    assert not (tmp_path / "prompts.safetensors").exists()


def test_lost_and_damaged_frames_are_cut_again(world, tmp_path):
    _, first = features(world, tmp_path / "a")
    path = world.pixels.path(world.clips[0])
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    world.pixels.path(world.clips[1]).unlink()
    _, second = features(world, tmp_path / "b")
    assert np.array_equal(first.vectors, second.vectors, equal_nan=True)


def test_bytes_are_kept_once(world):
    kept = world.pixels.load(world.clips[0]).tensors["pixels"]
    assert kept.dtype == torch.uint8 and list(kept.shape) == [3, 3, 32, 32]
