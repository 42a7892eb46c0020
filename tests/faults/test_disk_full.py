"""A full disk: one sentence and exit code 1, nothing half-written that a later run would believe, and with room again
the bytes of an undisturbed run. On a real small disk where one can be mounted; by a limit on file sizes anywhere."""

import os
import resource
import shutil
import signal
import subprocess

import numpy as np
import pytest

from emolab.corpora.clip import Clip
from emolab.engine.feature_store import FeatureStore
from emolab.engine.journal import Journal
from emolab.engine.rows import RowFile, read_rows, write_rows
from emolab.errors import InputError, RunError
from emolab.media.faces import cached_faces
from emolab.media.sampling import cached_frames
from emolab.media.settings import FaceSettings
from emolab.workbench.files import write_json

FULL = os.environ.get("EMOLAB_FAULTS") == "full"


@pytest.fixture
def disk(tmp_path):
    """A disk of 3 MB: its folder, and `fill(free)`, which leaves so many bytes (0: makes room again)."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no small disk can be mounted here (that takes root)")

    def fill(free: int | None) -> None:
        ballast = folder / ".ballast"
        ballast.unlink(missing_ok=True)
        if free is not None:
            ballast.write_bytes(b"x" * max(0, shutil.disk_usage(folder).free - free))

    yield folder, fill
    subprocess.run(["umount", "-l", str(folder)], check=True)


def with_limit(size, do):
    """`do()` while no file of this process can grow beyond `size` bytes: a write is cut short there, the next fails.
    Not in a fork: where torch's or Ray's threads hold a lock at that moment, the child waits for ever."""
    handler, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        return do()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("free", [0, 20_000, 60_000, 120_000, 250_000, 420_000] if FULL else [0, 120_000])
def test_a_run_on_a_full_disk_ends_in_a_sentence_and_goes_on_with_room(free, disk, tmp_path, project, calm, count):
    folder, fill = disk
    small = project(tmp_path / "project", FAULT_PAUSE="0")
    (small.folder / "outputs").symlink_to(folder)
    fill(free)
    full = small.run()
    assert full.code == 1 and full.told.count("No space left on device") == 1, (full.out, full.told)
    assert "Traceback" not in full.told and len(full.told.strip().splitlines()[-1]) < 600
    assert not (small.output / "run.json").exists()
    fill(None)
    ended = small.run()
    assert ended.code == 0, ended.told
    assert small.made() == calm and len(small.asked()) == 150
    assert not [path for path in folder.rglob("*.partial")]
    count("disk full", "tmpfs")
    count("files compared byte by byte", "small project", len(calm))


@pytest.mark.parametrize("size", [20_000, 50_000, 170_000] if FULL else [170_000])
def test_a_run_whose_files_cannot_grow(size, tmp_path, project, calm, count):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    small = project(tmp_path, FAULT_PAUSE="0")
    stopped = small.run(preexec_fn=limit)
    assert stopped.code == 1 and "File too large" in stopped.told and "Traceback" not in stopped.told, stopped.told
    ended = small.run()
    assert ended.code == 0 and small.made() == calm, ended.told
    count("disk full", "file size limit")
    count("files compared byte by byte", "small project", len(calm))


def test_half_a_batch_leaves_nothing_and_later_rows_follow_whole_ones(tmp_path, count):
    path = tmp_path / "answers.jsonl"
    batches = [[{"key": f"{b}-{n}", "text": "x" * 50} for n in range(4)] for b in range(3)]

    def append():
        with RowFile(path) as rows:
            rows.append(batches[0])
            before = path.read_bytes()
            with pytest.raises(RunError, match=r"answers\.jsonl cannot be written \(File too large\); make room"):
                rows.append(batches[1])  # its second row does not fit
            assert path.read_bytes() == before and "1-0" not in rows
            rows.append([{"key": "s"}])  # a short one fits
        return True

    assert with_limit(450, append)
    with RowFile(path) as rows:
        for batch in batches:
            rows.append(batch)
    assert [row["key"] for row in read_rows(path)] == [
        *(f"0-{n}" for n in range(4)), "s", *(f"{b}-{n}" for b in (1, 2) for n in range(4)),
    ]  # fmt: skip
    count("disk full", "row file")


def test_whole_files_stay_as_they_were(tmp_path, count):
    rows, table, journal = tmp_path / "rows.jsonl", tmp_path / "run.json", tmp_path / "verdicts.jsonl"
    decisions = Journal(journal, lambda row: isinstance(row["n"], int), "number")
    write_rows(rows, [{"n": 1}])
    write_json(table, {"n": 1})
    decisions.append(lambda _: {"n": 1})
    before = {path: path.read_bytes() for path in (rows, table, journal)}

    def write(do):
        with pytest.raises((RunError, InputError), match=r"cannot be written \(File too large\)"):
            do()
        return True

    assert with_limit(90, lambda: write(lambda: write_rows(rows, [{"n": n} for n in range(50)])))
    assert with_limit(90, lambda: write(lambda: write_json(table, {"n": "x" * 500})))
    assert with_limit(90, lambda: write(lambda: decisions.append(lambda _: {"n": 2, "text": "x" * 500})))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before  # and nothing beside them
    count("disk full", "whole files", 3)


def test_caches_end_the_run_and_keep_nothing_half(small_corpus, tmp_path, count):
    video = next((small_corpus / "video").glob("described_*.mp4"))

    def frames():
        return cached_frames(video, clip_id="a", cache_dir=tmp_path / "frames")

    def faces():
        return cached_faces(frames, FaceSettings(), None, tmp_path / "faces", "key")

    whole = frames()
    with pytest.raises(RunError, match=r"faces\.npz cannot be written \(File too large\); make room"):
        with_limit(200, faces)
    shutil.rmtree(tmp_path / "frames")
    with pytest.raises(RunError, match=r"npz cannot be written \(File too large\); make room"):
        with_limit(2000, frames)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert all(np.array_equal(a, b) for a, b in zip(frames().images, whole.images, strict=True))
    count("disk full", "media caches", 2)


class Inputs:
    problems = ()

    def has(self, name):
        return True


class Maker:
    def __call__(self, clip):
        return Inputs()

    def key(self, clip):
        return clip.clip_id


class Encoder:
    identity = "numbers"

    def encode(self, inputs):
        import torch

        return [{"x": torch.arange(5000.0)} for _ in inputs]


def test_features_end_the_run_and_are_made_when_there_is_room(tmp_path, count):
    store = FeatureStore(tmp_path / "features", "numbers", Maker(), {"x": 1})
    clips = [Clip(str(n)) for n in range(3)]
    with pytest.raises(RunError, match=r"cannot be written \(File too large\); make room"):
        with_limit(9000, lambda: store.compute(clips, Encoder(), progress=False))
    assert not list(store.folder.iterdir())
    assert store.compute(clips, Encoder(), progress=False) == {} and not store.missing(clips)
    count("disk full", "feature store")
