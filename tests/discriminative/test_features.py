"""Features of real clips by the shipped encoders and a tiny CLIP: cached, masked, and said where they are missing."""

import runpy
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import AutoModel

from emolab.corpora.clip import Clip
from emolab.corpora.read import read_rows
from emolab.discriminative import encoders
from emolab.discriminative.features import audio_features, text_features, video_features
from emolab.discriminative.noise import Noise
from emolab.discriminative.pixels import cut_pixels, load_image_processor, pixel_store
from emolab.discriminative.settings import DiscriminativeSettings, EncoderSettings
from emolab.discriminative.table import combine
from emolab.errors import InputError
from emolab.media.audio import read_audio
from emolab.media.settings import FaceSettings, FrameSettings
from emolab.media.write import write_video

tiny = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("tiny_clip.py"))))
HUBERT = EncoderSettings("shipped:hubert", batch_size=4, device="cpu")
LLAMA = EncoderSettings("shipped:llama", layers=2, batch_size=4, device="cpu")


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    video = EncoderSettings(tiny.save(tmp_path_factory.mktemp("clip")), batch_size=4, device="cpu")
    return DiscriminativeSettings(video=video, view="frame", frames=FrameSettings(parts=3, draw="uniform"))


@pytest.fixture(scope="module")
def clips(small_corpus):
    return [clip for clip in read_rows(small_corpus) if clip.video][:6]


@pytest.fixture
def broken(tmp_path):
    """A clip without sound, one without picture and words, and one whose file is gone."""
    write_video(tmp_path / "mute.mp4", [np.full((48, 64, 3), 20 * n, np.uint8) for n in range(10)], 10)
    tone = (0.3 * np.sin(np.arange(16000) / 5)).astype(np.float32)
    write_video(tmp_path / "tone.mp4", [np.zeros((48, 64, 3), np.uint8)] * 10, 10, tone)
    return [
        Clip("mute", video=str(tmp_path / "mute.mp4"), transcript="Go away."),
        Clip("heard", audio=str(tmp_path / "tone.mp4"), transcript=" "),
        Clip("gone", video=str(tmp_path / "gone.mp4")),
    ]


@pytest.fixture
def loads(monkeypatch):
    """The encoders whose weights are loaded, in order."""
    made = []
    load = encoders.load_checkpoint
    monkeypatch.setattr(encoders, "load_checkpoint", lambda *given: made.append(given[1]) or load(*given))
    return made


def see(clips, settings, folder, encoder=None):
    store = pixel_store(settings, FaceSettings(), 0, folder / "pixels")
    return video_features(clips, encoder or settings.video, store, folder / "video", progress=False)


def words_of(clips):
    return {clip.clip_id: clip.transcript for clip in clips}


def test_sounds_by_the_shipped_hubert(clips, tmp_path):
    found = audio_features(clips, HUBERT, tmp_path, progress=False)
    assert found.clip_ids == tuple(clip.clip_id for clip in clips) and found.vectors.shape == (6, 160)
    assert found.present.all() and found.problems == {}
    model = AutoModel.from_pretrained(encoders.folder_of(HUBERT, "audio"), dtype=torch.float32).eval()
    for row, clip in enumerate(clips):
        with torch.no_grad():
            told = model(torch.from_numpy(read_audio(clip.video))[None], output_hidden_states=True)
        wanted = torch.stack(told.hidden_states)[-4:].sum(0)[0].mean(0)  # the toolkit's two lines
        np.testing.assert_allclose(found.vectors[row], wanted.numpy(), rtol=1e-4, atol=1e-5)


def test_a_second_call_loads_no_model(clips, broken, settings, tmp_path, loads):
    def every():
        heard = audio_features([*clips, *broken], HUBERT, tmp_path / "audio", progress=False)
        read = text_features(words_of([*clips, *broken]), LLAMA, tmp_path / "text", progress=False)
        return combine({"audio": heard, "video": see([*clips, *broken], settings, tmp_path), "text": read})

    first = every()
    assert loads == ["audio", "text", "video"]
    again = every()
    assert len(loads) == 3 and np.array_equal(first.present, again.present)
    for modality, vectors in first.vectors.items():
        assert np.array_equal(vectors, again.vectors[modality], equal_nan=True)
    assert first.widths == {"audio": 160, "video": 10, "text": 128}


def test_what_is_missing_is_a_mask_and_said(clips, broken, settings, tmp_path):
    given = [clips[0], *broken]
    heard = audio_features(given, HUBERT, tmp_path / "audio", progress=False)
    seen = see(given, settings, tmp_path)
    read = text_features(words_of(given), LLAMA, tmp_path / "text", progress=False)
    table = combine({"audio": heard, "video": seen, "text": read})
    assert table.present.tolist() == [[1, 1, 1], [0, 1, 1], [1, 0, 0], [0, 0, 0]]
    assert np.isnan(heard.vectors[[1, 3]]).all() and np.isnan(seen.vectors[[2, 3]]).all()
    assert heard.problems.keys() == {"mute", "gone"} and seen.problems.keys() == {"heard", "gone"}
    assert heard.problems["mute"] == "mute: mute.mp4 has no sound."
    assert "gone.mp4 cannot be read" in heard.problems["gone"] and "gone.mp4 cannot be read" in seen.problems["gone"]
    assert seen.problems["heard"] == "heard has no picture."
    assert read.problems == {"heard": "heard: has no words.", "gone": "gone: has no words."}


def test_a_modality_that_no_clip_has_keeps_its_width(broken, settings, tmp_path):
    none = audio_features(broken[:1], HUBERT, tmp_path / "audio", progress=False)
    assert none.vectors.shape == (1, 160) and not none.present.any()
    assert text_features({"a": ""}, LLAMA, tmp_path / "text", progress=False).vectors.shape == (1, 128)
    assert see(broken[1:], settings, tmp_path).vectors.shape == (2, 10)
    assert audio_features([], HUBERT, tmp_path / "audio", progress=False).vectors.shape == (0, 160)


def test_frames_by_clip(clips, settings, tmp_path):
    found = see(clips, settings, tmp_path)
    model = AutoModel.from_pretrained(settings.video.path).eval()
    store, processor = pixel_store(settings, FaceSettings(), 0, tmp_path), load_image_processor(settings.video)
    for row, clip in enumerate(clips):
        pixels = processor(images=store.make(clip).value, return_tensors="pt").pixel_values
        with torch.no_grad():
            wanted = model.get_image_features(pixel_values=pixels).pooler_output.mean(0)
        np.testing.assert_allclose(found.vectors[row], wanted.numpy(), rtol=1e-4, atol=1e-5)


def test_pixels_are_cut_only_where_they_are_needed(clips, settings, tmp_path):
    found = see(clips[:4], settings, tmp_path)
    shutil.rmtree(tmp_path / "pixels")
    again = see(clips, settings, tmp_path)
    assert len(list((tmp_path / "pixels").glob("*.safetensors"))) == 6  # the new ones are encoded beside the others
    shutil.rmtree(tmp_path / "pixels")
    see(clips, settings, tmp_path)
    assert not list((tmp_path / "pixels").glob("*.safetensors"))  # every feature is there
    assert np.array_equal(again.vectors[:4], found.vectors) and again.present.all()


def test_two_encoders_share_the_pixels(clips, settings, tmp_path):
    twin = replace(settings.video, path=tiny.save(tmp_path / "twin", seed=1))
    one, other = see(clips, settings, tmp_path), see(clips, settings, tmp_path, twin)
    assert not np.allclose(one.vectors, other.vectors) and one.identity != other.identity
    assert len(list((tmp_path / "pixels").glob("*.safetensors"))) == len(clips)


def test_the_identity_changes_with_what_is_seen(clips, settings, tmp_path):
    before = see(clips, settings, tmp_path).identity
    fewer = replace(settings, frames=FrameSettings(parts=2, draw="uniform"))
    assert len({before, see(clips, fewer, tmp_path).identity, see(clips[:5], settings, tmp_path).identity}) == 3
    assert see(clips, settings, tmp_path).identity == before


def test_each_text_is_read_once(tmp_path, monkeypatch):
    read = []
    tokens = encoders.TextEncoder.tokens
    monkeypatch.setattr(encoders.TextEncoder, "tokens", lambda self, text: read.append(text) or tokens(self, text))
    texts = {"a": "I am so happy.", "b": "Go away, please, and never come back!", "c": "I am so happy.", "d": "No"}
    found = text_features(texts, LLAMA, tmp_path, progress=False)
    assert sorted(text for text in read if text != "a") == sorted(set(texts.values()))  # "a" is the encoder's example
    assert len(list(tmp_path.glob("*.safetensors"))) == 3 and found.present.all()
    assert np.array_equal(found.vectors[0], found.vectors[2])
    alone = [text_features({"x": text}, LLAMA, tmp_path / name, progress=False) for name, text in texts.items()]
    np.testing.assert_allclose(found.vectors, np.concatenate([each.vectors for each in alone]), rtol=1e-4, atol=1e-5)
    spaced = text_features({"e": "No "}, LLAMA, tmp_path, progress=False)
    assert len(list(tmp_path.glob("*.safetensors"))) == 4 and not np.array_equal(spaced.vectors[0], found.vectors[3])


def test_an_encoder_that_cannot_be_used_is_an_error_of_the_run(clips, tmp_path):
    shutil.copytree(encoders.folder_of(LLAMA, "text"), tmp_path / "llama")
    for file in (tmp_path / "llama").glob("tokenizer*"):
        file.unlink()
    with pytest.raises(InputError, match="cannot be used as a language model"):
        text_features(words_of(clips), replace(LLAMA, path=str(tmp_path / "llama")), tmp_path / "text", progress=False)
    with pytest.raises(InputError, match="cannot be used as an audio encoder"):
        audio_features(clips, replace(LLAMA, layers=1), tmp_path / "audio", progress=False)
    with pytest.raises(InputError, match="shipped:llama: has 2 hidden layers, and the last 4 are asked for"):
        text_features(words_of(clips), replace(LLAMA, layers=4), tmp_path / "text", progress=False)


def test_noise_is_part_of_the_cache(clips, tmp_path, loads):
    def hear(*noise):
        return [audio_features(clips[:2], HUBERT, tmp_path, noise=each, progress=False) for each in noise]

    clean, loud, soft, other = hear(None, Noise(0.0), Noise(40.0), Noise(0.0, 1))
    apart = [np.abs(each.vectors - clean.vectors).mean() for each in (loud, soft)]
    assert apart[0] > 3 * apart[1] > 0 and not np.array_equal(loud.vectors, other.vectors)
    assert len({each.identity for each in (clean, loud, soft, other)}) == 4
    before = len(loads)
    assert np.array_equal(hear(Noise(0.0))[0].vectors, loud.vectors) and len(loads) == before


def test_vectors_that_are_no_numbers_or_of_another_width_are_errors(clips, tmp_path, monkeypatch):
    vectors = encoders.AudioEncoder._vectors

    def spoilt(self, values):
        made = vectors(self, values)
        return made if len(made) == 1 else [made[0] * torch.nan, made[1][:7], *made[2:]]

    monkeypatch.setattr(encoders.AudioEncoder, "_vectors", spoilt)
    found = audio_features(clips, HUBERT, tmp_path, progress=False)
    assert found.present.tolist() == [False, False, True, True, True, True] and found.vectors.shape == (6, 160)
    assert "are no numbers" in found.problems[clips[0].clip_id]
    assert found.problems[clips[1].clip_id].endswith("its audio has 7 features, that of others 160.")


def test_the_memory_is_given_back(clips, tmp_path, monkeypatch):
    seen = []
    unload = encoders.FrozenEncoder.unload
    monkeypatch.setattr(encoders.FrozenEncoder, "unload", lambda self: unload(self) or seen.append(self._model))
    audio_features(clips[:1], HUBERT, tmp_path, progress=False)
    with pytest.raises(InputError, match="has 5 hidden layers, and the last 9 are asked for"):
        audio_features(clips[:1], replace(HUBERT, layers=9), tmp_path, progress=False)
    assert seen == [None, None]


def test_two_clips_of_one_name_are_refused(clips, tmp_path):
    with pytest.raises(InputError, match=f"{clips[0].clip_id}: two clips have this name"):
        audio_features([*clips, clips[0]], HUBERT, tmp_path)


def test_pixels_of_another_processor_are_refused(clips, settings, tmp_path):
    store = pixel_store(settings, FaceSettings(), 0, tmp_path / "pixels")
    tiny.save(tmp_path / "other")
    tiny.image_processor().__class__(size={"shortest_edge": 64}, crop_size=32).save_pretrained(tmp_path / "other")
    with pytest.raises(InputError, match="give another folder"):
        video_features(clips, EncoderSettings(str(tmp_path / "other")), store, tmp_path / "video", progress=False)
    assert cut_pixels(clips[:1], store, settings.video, progress=False) == {}
