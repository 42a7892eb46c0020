import json
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import CLIPVisionConfig, CLIPVisionModel, HubertConfig, HubertModel

from emolab.affectgpt.encoding import DIMENSIONS
from emolab.affectgpt.inputs import InputMaker, Inputs
from emolab.corpora.clip import Clip
from emolab.engine.feature_file import CacheError
from emolab.engine.feature_store import FeatureStore
from emolab.errors import InputError, RunError
from emolab.media.settings import FaceSettings, FrameSettings, SoundSettings
from emolab.media.write import write_video

MAKE = InputMaker(
    FrameSettings(parts=4, draw="uniform"), FaceSettings(), "frame", SoundSettings(clips=3, seconds=0.5, rate=16000)
)
SIDE = 32


class TinyEncoder:
    """CLIP and HuBERT of 16 and 8 dimensions with weights drawn by a seed; counts what it was asked for."""

    def __init__(self, seed=0):
        torch.manual_seed(seed)
        small = {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
        self.clip = CLIPVisionModel(CLIPVisionConfig(hidden_size=16, image_size=SIDE, patch_size=16, **small)).eval()
        convolutions = {"conv_dim": (8, 8), "conv_kernel": (10, 8), "conv_stride": (10, 8)}
        positions = {"num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2}
        self.hubert = HubertModel(HubertConfig(hidden_size=8, **small, **convolutions, **positions)).eval()
        self.identity, self.asked = f"tiny@{seed}", []

    def encode(self, inputs):
        self.asked.append(len(inputs))
        return [{"video": self._see(each.frames), "audio": self._hear(each.sound)} for each in inputs]

    def _see(self, frames):
        if frames is None:
            return None
        small = [np.asarray(Image.fromarray(frame).resize((SIDE, SIDE))) / 255 for frame in frames]
        pixels = torch.tensor(np.stack(small), dtype=torch.float32).permute(0, 3, 1, 2)
        return self.clip(pixels).last_hidden_state

    def _hear(self, sound):
        return None if sound is None else self.hubert(torch.from_numpy(sound)).last_hidden_state.mean(1)


@pytest.fixture(scope="module")
def encoder():
    return TinyEncoder()


def render(folder, name, seconds=1.0, sound=True):
    pixels = np.random.default_rng(len(name)).integers(0, 255, (48, 64, 3)).astype(np.uint8)
    frames = [np.roll(pixels, 3 * n + ord(name[-1]), 1) for n in range(10)]
    samples = (0.3 * np.sin(np.arange(int(16000 * seconds)) / (3 + ord(name[-1]) % 7))).astype(np.float32)
    write_video(folder / f"{name}.mp4", frames, 10, samples if sound else None)
    return Clip(name, video=str(folder / f"{name}.mp4"))


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    return [render(folder, f"clip{n}") for n in range(5)]


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "features", "tiny@0", MAKE, DIMENSIONS)


def compute(store, clips, encoder, **more):
    encoder.asked.clear()
    return store.compute(clips, encoder, progress=False, **more)


def same(one, other):
    assert one.problems == other.problems
    assert one.tensors.keys() == other.tensors.keys()
    assert all(torch.equal(tensor, other.tensors[name]) for name, tensor in one.tensors.items())


def test_features_are_those_of_the_encoder(clips, store, encoder):
    assert compute(store, clips, encoder, batch_size=2) == {} and encoder.asked == [2, 2, 1]
    for clip in clips:
        found = store.load(clip)
        with torch.no_grad():
            (made,) = encoder.encode([MAKE(clip)])
        video, audio = (found.tensors[name] for name in DIMENSIONS)
        assert video.shape == (4, 5, 16) and audio.shape == (3, 8) and found.problems == ()
        assert torch.equal(video, made["video"]) and torch.equal(audio, made["audio"])
        assert video.dtype == torch.float32 and not video.requires_grad
    assert len({store.path(clip) for clip in clips}) == len(list(store.folder.iterdir())) == 5
    assert compute(store, clips, encoder) == {} and encoder.asked == []
    assert compute(store, [], encoder) == {}


def test_half_precision_takes_half_the_disk(clips, store, encoder):
    half = FeatureStore(store.folder, "tiny@0", MAKE, DIMENSIONS, dtype="float16")
    compute(store, clips[:1], encoder), compute(half, clips[:1], encoder)
    full, small = (each.load(clips[0]).tensors["video"] for each in (store, half))
    assert small.dtype == torch.float16 and torch.equal(small, full.half())
    assert half.path(clips[0]).stat().st_size < 0.75 * store.path(clips[0]).stat().st_size
    with pytest.raises(InputError, match="'int8'; one of float32, float16"):
        FeatureStore(store.folder, "tiny@0", MAKE, DIMENSIONS, dtype="int8")


def test_what_is_missing_is_absent_and_said(tmp_path, store, encoder):
    still = tmp_path / "still.png"
    Image.new("RGB", (40, 40), (200, 10, 10)).save(still)
    mute, short, long = render(tmp_path, "mute", sound=False), render(tmp_path, "short", 0.1), render(tmp_path, "l", 65)
    given = [
        (mute, (4, 3), "mute.mp4 has no sound."),
        (short, (4, 3), "short.mp4 has 0."),
        (long, (4, 2), None),
        (Clip("still", video=str(still)), (1, 3), None),
        (Clip("heard", audio=long.video), (None, 2), "heard has no picture."),
        (Clip("words", transcript="Go away."), (None, 3), "words has no picture."),
    ]
    makes_short = replace(MAKE, sound=replace(MAKE.sound, shortest=0.5))
    store = FeatureStore(store.folder, "tiny@0", makes_short, DIMENSIONS)
    assert compute(store, [clip for clip, *_ in given], encoder) == {}
    for clip, (frames, dimensions), problem in given:
        found = store.load(clip)
        assert ("video" in found.tensors) == (frames is not None) and len(found.tensors.get("video", ())) == (
            frames or 0
        )
        assert ("audio" in found.tensors) == (dimensions == 2)
        assert found.problems == () if problem is None else found.problems[0].startswith(problem)
        assert load_file(store.path(clip)).keys() == found.tensors.keys()


def test_errors_are_collected_and_the_rest_goes_on(tmp_path, clips, store, encoder):
    (tmp_path / "text.mp4").write_text("no video")
    bad = [Clip("none", video=str(tmp_path / "none.mp4")), Clip("text", video=str(tmp_path / "text.mp4")), Clip("bare")]
    errors = compute(store, [bad[0], *clips[:3], *bad[1:], *clips[3:]], encoder, batch_size=2)
    assert list(errors) == ["none", "text", "bare"] and encoder.asked == [1, 2, 2]
    assert errors["none"].startswith("none.mp4 cannot be read") and errors["text"].startswith("text.mp4 is not a video")
    assert all(store.load(clip).tensors.keys() == DIMENSIONS.keys() for clip in clips)
    with pytest.raises(CacheError, match="^bare has no features in .*; compute them first.$"):
        store.load(bad[2])


def test_any_changed_byte_is_noticed_and_repaired(clips, store, encoder, capsys):
    compute(store, clips, encoder)
    path, fresh = store.path(clips[0]), store.load(clips[0])
    good = path.read_bytes()
    chance = random.Random(0)
    places = [*range(0, 600, 7), *(chance.randrange(len(good)) for _ in range(60)), len(good) - 1]
    for place in places:
        path.write_bytes(good[:place] + bytes([good[place] ^ 1 << chance.randrange(8)]) + good[place + 1 :])
        with pytest.raises(CacheError, match=f"{path.name} .*; compute the features again.$"):
            store.load(clips[0])
    for part in (b"", good[:5], good[: len(good) // 2], good[:-1], good + b"\0", b"\xff" * 400):
        path.write_bytes(part)
        with pytest.raises(CacheError, match=f"{path.name} .*; compute the features again.$"):
            store.load(clips[0])
    assert compute(store, clips, encoder) == {} and encoder.asked == [5]  # beside those that it was encoded with
    assert "damaged files of features made anew: 1; the first: " in capsys.readouterr().out
    same(store.load(clips[0]), fresh)
    assert path.read_bytes() == good


def test_another_encoders_features_are_not_taken(clips, store, encoder):
    compute(store, clips[:2], encoder)
    other = FeatureStore(store.folder, "tiny@1", MAKE, DIMENSIONS)
    with pytest.raises(CacheError, match="has no features"):
        other.load(clips[0])
    shutil.copy(store.path(clips[0]), other.path(clips[0]))
    with pytest.raises(CacheError, match=r"another encoder \(tiny@0, not tiny@1\); compute the features again"):
        other.load(clips[0])
    shutil.copy(store.path(clips[1]), store.path(clips[0]))
    with pytest.raises(CacheError, match="of other inputs"):
        store.load(clips[0])
    save_file({"video": torch.zeros(4, 5, 16)}, store.path(clips[0]))
    with pytest.raises(CacheError, match="checksum"):
        store.load(clips[0])
    with pytest.raises(InputError, match="features are of tiny@1, not of tiny@0"):
        other.compute(clips, encoder)
    assert compute(store, clips[:2], encoder) == {} and encoder.asked == [2]
    second = TinyEncoder(1)
    assert compute(other, clips[:2], second) == {} and second.asked == [2]
    assert not torch.equal(*(each.load(clips[0]).tensors["video"] for each in (other, store)))


def test_the_content_of_the_files_and_the_settings_name_the_features(tmp_path, encoder):
    clip = render(tmp_path, "a")
    store = FeatureStore(tmp_path / "features", "tiny@0", MAKE, DIMENSIONS)
    compute(store, [clip], encoder)
    moved = shutil.copy(clip.video, tmp_path / "moved.mp4")
    same(store.load(Clip("b", video=str(moved))), store.load(clip))
    render(tmp_path, "z"), os.replace(tmp_path / "z.mp4", clip.video)
    with pytest.raises(CacheError, match="^a has no features"):
        store.load(clip)
    drawn = FeatureStore(store.folder, "tiny@0", replace(MAKE, frames=FrameSettings(parts=4)), DIMENSIONS)
    assert drawn.path(Clip("a", video=str(moved))) != drawn.path(Clip("b", video=str(moved)))


def test_features_that_do_not_fit_are_not_kept(clips, store, encoder):
    class Loud(TinyEncoder):
        def _hear(self, sound):
            return super()._hear(sound) * 1e9

    half = FeatureStore(store.folder, "tiny@0", MAKE, DIMENSIONS, dtype="float16")
    errors = compute(half, clips[:2], Loud())
    assert list(errors) == ["clip0", "clip1"] and "do not fit float16" in errors["clip0"]
    assert list(store.folder.iterdir()) == []

    class Flat(TinyEncoder):
        def _see(self, frames):
            return super()._see(frames)[0]

    with pytest.raises(RunError, match="^clip0: the encoder gave .*'video': 'torch.float32 .5, 16."):
        compute(store, clips[:2], Flat())


def test_workers_of_a_data_loader_read_the_store(clips, store, encoder):
    compute(store, clips, encoder)
    assert len(pickle.dumps(store)) < 2000
    loaded = torch.utils.data.DataLoader(
        clips, batch_size=None, num_workers=2, collate_fn=store.load, multiprocessing_context="fork"
    )
    for clip, found in zip(clips, loaded, strict=True):
        same(found, store.load(clip))


def test_a_path_that_is_none_is_its_clips_error(clips, store, encoder):
    strange = [Clip("nul", video="a\0b.mp4"), Clip("half", video="a\udcff\ud83d.mp4")]
    errors = compute(store, [*strange, *clips[:1]], encoder)
    assert list(errors) == ["nul", "half"] and all("\n" not in why for why in errors.values())
    assert store.load(clips[0]).tensors


def test_two_may_compute_at_once(clips, store):
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: store.compute(clips, TinyEncoder(), 1, progress=False), range(2)))
    assert results == [{}, {}] and len(list(store.folder.iterdir())) == 5
    assert all(store.load(clip).tensors.keys() == DIMENSIONS.keys() for clip in clips)


SLOW = """
import json, sys, time
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from test_feature_store import DIMENSIONS, MAKE, Clip, FeatureStore, TinyEncoder

class Slow(TinyEncoder):
    def encode(self, inputs):
        time.sleep(0.3)
        return super().encode(inputs)

clips = [Clip(*pair) for pair in json.loads(sys.argv[2])]
FeatureStore(Path(sys.argv[1]), "tiny@0", MAKE, DIMENSIONS).compute(clips, Slow(), batch_size=1)
"""


def test_a_killed_run_goes_on_where_it_was(clips, store, encoder):
    pairs = json.dumps([(clip.clip_id, clip.video) for clip in clips])
    places = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    process = subprocess.Popen([sys.executable, "-c", SLOW, str(store.folder), pairs, *places])
    try:
        end = time.monotonic() + 120
        while len(list(store.folder.glob("*.safetensors"))) < 2 and process.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    finally:
        process.kill()
    done = len(list(store.folder.glob("*.safetensors")))
    assert 2 <= done < 5
    (store.folder / ".old.1.2.partial").write_bytes(b"half")
    os.utime(store.folder / ".old.1.2.partial", (0, 0))
    assert compute(store, clips, encoder, batch_size=1) == {} and len(encoder.asked) == 5 - done
    assert all(store.load(clip).tensors.keys() == DIMENSIONS.keys() for clip in clips)
    assert not (store.folder / ".old.1.2.partial").exists()


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path, clips, encoder):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="file cannot be used for features .*; give another.$"):
        FeatureStore(tmp_path / "file", "tiny@0", MAKE, DIMENSIONS).compute(clips, encoder, progress=False)


def test_bytes_are_kept_as_they_are(tmp_path, clips):
    class Bytes:
        identity = "bytes"

        def encode(self, inputs):
            return [{"frames": torch.from_numpy(np.stack(each.frames))} for each in inputs]

    class Floats(Bytes):
        def encode(self, inputs):
            return [{"frames": tensors["frames"] / 255} for tensors in super().encode(inputs)]

    class Seen(Inputs):
        def has(self, name):
            return name == "frames" and self.frames is not None

    class Maker(InputMaker):
        def __call__(self, clip):
            return Seen(**vars(super().__call__(clip)))

    store = FeatureStore(tmp_path, "bytes", Maker(**vars(MAKE)), {"frames": 4}, "uint8")
    with pytest.raises(RunError, match="clip0: the encoder gave .*torch.float32"):
        store.compute(clips[:1], Floats(), progress=False)
    assert store.compute(clips[:1], Bytes(), progress=False) == {}
    kept = store.load(clips[0]).tensors["frames"]
    assert kept.dtype == torch.uint8 and np.array_equal(kept, np.stack(MAKE(clips[0]).frames))


def test_what_is_missing_is_told(tmp_path, clips, store, encoder):
    compute(store, clips[:3], encoder)
    store.path(clips[1]).write_bytes(b"damaged")
    gone = Clip("gone", video=str(tmp_path / "gone.mp4"))
    assert store.missing([*clips, gone]) == [clips[1], *clips[3:], gone]
