"""Every inference stage on the map: two processes and Ray give the rows and the bytes of this process alone."""

import os
from dataclasses import replace

import pytest
import torch

from emolab.affectgpt.describe import Describer, describe_clips
from emolab.affectgpt.encoding import ClipEncoder, feature_store
from emolab.corpora.clip import Clip
from emolab.corpora.read import read_rows
from emolab.discriminative.encoders import AudioEncoder
from emolab.discriminative.features import audio_features, text_features, video_features
from emolab.discriminative.noise import Noise
from emolab.discriminative.pixels import pixel_store
from emolab.discriminative.prompted import write_about
from emolab.engine.chat import ChatModel
from emolab.engine.device import need_dtype
from emolab.engine.extraction import extract_with_model
from emolab.engine.faces import look_for_faces
from emolab.engine.rows import RowFile
from emolab.engine.settings import EngineSettings
from emolab.errors import RunError
from emolab.internvl.zero_shot import predict
from emolab.media.errors import MediaError
from emolab.workbench.profiles import load_profile

ENGINES = {"local": EngineSettings("local", 2), "ray": EngineSettings("ray", 2)}
SETTINGS = load_profile(
    "demo",
    "internvl.batch_size=2 internvl.max_new_tokens=12 affectgpt.batch_size=3 affectgpt.max_new_tokens=8 "
    "discriminative.audio.batch_size=1 discriminative.video.batch_size=3 discriminative.text.batch_size=3 "
    "discriminative.writer.batch_size=2 discriminative.writer.max_new_tokens=8 faces.cache=true",
)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Here as in the workers: sums over more threads differ in their last bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def cluster(one_thread):
    import ray

    ray.init("local", num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def clips(small_corpus):
    """Seven drawn clips and one whose file is gone."""
    there = [clip for clip in read_rows(small_corpus) if clip.video][:7]
    return [*there, Clip("gone", video="gone.mp4", transcript="Go away.")]


def zero_shot(clips, folder, engine):
    with RowFile(folder / "answers.jsonl") as answers:
        model = ChatModel(SETTINGS.internvl)
        return predict(clips, model, SETTINGS.frames, answers, engine=engine, progress=False)


def faces(clips, folder, engine):
    how = {"engine": engine, "progress": False}
    views = look_for_faces(clips, SETTINGS.frames, SETTINGS.faces, 0, folder / "faces", **how)
    assert all(view.images == [] for view in views[:-2] if not isinstance(view, MediaError))
    return [repr(view) for view in views]


def six_way(clips, folder, engine):
    own, how = SETTINGS.discriminative, {"engine": engine, "progress": False}
    pixels = pixel_store(own, SETTINGS.faces, 0, folder / "pixels")
    found = {
        "audio": audio_features(clips, own.audio, folder / "features", noise=Noise(0.0), **how),
        "video": video_features(clips, own.video, pixels, folder / "features", **how),
        "text": text_features({clip.clip_id: clip.transcript for clip in clips}, own.text, folder / "features", **how),
    }
    return [
        (name, each.identity, each.problems, each.present.tolist(), each.vectors.tobytes())
        for name, each in found.items()
    ]


def affectgpt(clips, folder, engine):
    parts = SETTINGS.affectgpt
    encoder = ClipEncoder.of(parts)
    store = feature_store(parts, SETTINGS.faces, 0, folder / "features", encoder.identity)
    failed = store.compute(clips, encoder, parts.batch_size, progress=False, engine=engine)
    with RowFile(folder / "answers.jsonl") as answers:
        rows = describe_clips(clips, store, Describer(parts), answers, engine=engine, progress=False)
    assert all(bool(row["text"]) != (row["clip_id"] in failed) for row in rows)
    return failed, rows


def extraction(clips, folder, engine):
    words = {clip.clip_id: f"The person says {clip.transcript}" for clip in clips}
    with RowFile(folder / "answers.jsonl") as answers:
        return extract_with_model(words, ChatModel(SETTINGS.internvl), answers, engine=engine, progress=False)


def writer(clips, folder, engine):
    with RowFile(folder / "answers.jsonl") as answers:
        return write_about(clips, ChatModel(SETTINGS.discriminative.writer), answers, engine=engine, progress=False)


STAGES = {each.__name__: each for each in (zero_shot, faces, six_way, affectgpt, extraction, writer)}


def files(folder):
    """What the stages keep; row files hold the rows in the order in which they came."""
    found = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {
        name: sorted(content.splitlines()) if name.suffix == ".jsonl" else content for name, content in found.items()
    }


@pytest.fixture(scope="module")
def alone(clips, tmp_path_factory):
    """Stage -> what it gives in this process alone, with the files that it keeps; computed when first asked for."""
    made = {}

    def result(stage):
        if stage not in made:
            folder = tmp_path_factory.mktemp(stage)
            made[stage] = STAGES[stage](clips, folder, EngineSettings()), files(folder)
        return made[stage]

    return result


# one engine each, as starting processes takes most of the time; test_map.py holds captions to both
EVERY = [(s, e) for s in ("zero_shot", "faces", "six_way", "affectgpt", "extraction", "writer") for e in ENGINES]
# `make faults` runs every pair; extraction and writer are answers of a chat model, as zero-shot is
SHORT = [("zero_shot", "ray"), ("faces", "local"), ("six_way", "local"), ("affectgpt", "ray")]


@pytest.mark.parametrize(("stage", "engine"), EVERY if os.environ.get("EMOLAB_FAULTS") == "full" else SHORT)
def test_the_rows_and_bytes_are_those_of_one_process(stage, engine, clips, alone, tmp_path, request):
    if engine == "ray":
        request.getfixturevalue("cluster")
    given, kept = alone(stage)
    assert (STAGES[stage](clips, tmp_path, ENGINES[engine]), files(tmp_path)) == (given, kept) and kept
    STAGES[stage](clips[:-1], tmp_path, ENGINES[engine])  # all of it is there
    assert files(tmp_path) == kept


def test_a_worker_that_would_compute_in_another_dtype_says_so():
    """A driver without a GPU and a worker with one mean different things by `auto`."""
    encoder = AudioEncoder(SETTINGS.discriminative.audio)
    make, (settings, identity) = encoder.__reduce__()
    elsewhere = make(replace(settings, dtype="bfloat16"), identity)
    with pytest.raises(RunError, match="would compute in torch.bfloat16, .* torch.float32; say dtype and device"):
        elsewhere.load()
    need_dtype(identity, torch.float32)
