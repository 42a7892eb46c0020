import hashlib
import json
import shutil

import av
import cv2
import numpy as np
import pytest

from emolab.corpora import read_rows
from emolab.corpora.clip import SIX_WAY
from emolab.corpora.settings import CorpusSettings
from emolab.demo.corpus import is_drawn, render
from emolab.demo.truth import six_way
from emolab.labels.lexicon import family_of
from emolab.media.audio import read_audio
from emolab.media.probe import probe

SIZES = CorpusSettings(described=3, labelled=1, unlabelled=1, stills=1, test=1)


def hashes(root):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(root.rglob("*")) if p.is_file()}


def test_every_clip_has_what_its_pool_promises(small_corpus):
    clips = {clip.clip_id: clip for clip in read_rows(small_corpus)}
    described = [c for c in clips.values() if c.clip_id.startswith("described")]
    assert len(clips) == 13 and len(described) == 8
    assert sum(c.split == "test" for c in described) == 2
    assert all(c.labels and c.description and c.transcript and c.speaker for c in described)
    assert all(set(c.labels) <= set(c.description.replace(",", " ").replace(".", " ").split()) for c in described)
    assert clips["labelled_00000"].emotion in SIX_WAY or any(c.emotion in SIX_WAY for c in clips.values())
    unlabelled = [c for c in clips.values() if c.clip_id.startswith("unlabelled")]
    assert all(c.labels is None and c.emotion is None and c.description is None for c in unlabelled)
    speakers = [{c.speaker for c in clips.values() if c.clip_id.startswith(pool)} for pool in ("des", "lab", "unl")]
    assert not set.intersection(*speakers)


def test_clips_have_picture_and_sound(small_corpus):
    for clip in read_rows(small_corpus)[:3]:
        info = probe(clip.video)
        assert (info.width, info.height) == (224, 224) and info.has_audio and 1.9 <= info.duration <= 3.1
        sound = read_audio(clip.audio)
        assert 0.02 < np.abs(sound).max() <= 1.2 and len(sound) == pytest.approx(info.duration * 16000, rel=0.1)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    first, again = (hashes(render(tmp_path / name, SIZES, workers=1)) for name in "ab")
    other = hashes(render(tmp_path / "c", SIZES, seed=1, workers=1))
    assert first == again
    assert not set(other.values()) & {v for k, v in first.items() if k.endswith(("mp4", "png"))}


def test_the_unlabelled_pool_holds_clips_of_no_emotion_of_the_six(tmp_path):
    """As in MER2024, nobody sorted them out; the labelled pool has none."""
    root = render(tmp_path, CorpusSettings(described=0, labelled=4, unlabelled=16, stills=0, test=0))
    meant = six_way(root)
    pool = [meant[clip.clip_id] for clip in read_rows(root) if clip.clip_id.startswith("unlabelled")]
    assert len(pool) == 16 and 0 < pool.count(None) < 16 and set(pool) <= {*SIX_WAY, None}
    labelled = [clip for clip in read_rows(root) if clip.clip_id.startswith("labelled")]
    assert len(labelled) == 4 and all(clip.emotion == meant[clip.clip_id] in SIX_WAY for clip in labelled)
    assert CorpusSettings().unlabelled == 240


def test_rendering_goes_on_where_it_was_stopped(tmp_path):
    root = render(tmp_path, SIZES, workers=1)
    before = hashes(root)
    (root / "clips.jsonl").unlink()
    kept, lost = sorted((root / "video").glob("*.mp4"))[:2]
    stamp = kept.stat().st_mtime_ns
    lost.unlink()
    assert render(tmp_path, SIZES, workers=1) == root
    assert hashes(root) == before and kept.stat().st_mtime_ns == stamp


def test_a_complete_corpus_is_not_drawn_again(tmp_path):
    root = render(tmp_path, SIZES, workers=1)
    shutil.rmtree(root / "video")
    render(tmp_path, SIZES, workers=1)
    assert not (root / "video").exists()


def test_a_copied_clip_is_known_as_drawn(small_corpus, tmp_path):
    copy = shutil.copy(read_rows(small_corpus)[0].video, tmp_path / "x.mp4")
    assert is_drawn(copy)
    (tmp_path / "text.mp4").write_text("no video")
    assert not is_drawn(tmp_path / "text.mp4") and not is_drawn(tmp_path / "missing.mp4")
    with av.open(str(tmp_path / "other.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width = stream.height = 64
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    assert not is_drawn(tmp_path / "other.mp4")


def test_truth_and_stills_are_complete(small_corpus):
    truth = [json.loads(line) for line in (small_corpus / "truth.jsonl").read_text().splitlines()]
    stills = [json.loads(line) for line in (small_corpus / "stills.jsonl").read_text().splitlines()]
    assert len(truth) == 17 and len(stills) == 4
    assert all(cv2.imread(str(small_corpus / s["image"])).shape == (224, 224, 3) for s in stills)
    assert all(family_of(word) for row in truth for word in row["words"])
