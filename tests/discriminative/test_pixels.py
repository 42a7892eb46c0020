"""Pixels as CLIP's image processor cuts them, kept as bytes."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import CLIPImageProcessor, SiglipImageProcessor, ViTImageProcessor

from emolab.corpora.clip import Clip
from emolab.corpora.read import read_rows
from emolab.discriminative.pixels import cut_pixels, load_image_processor, normalised, pixel_store
from emolab.discriminative.settings import DiscriminativeSettings, EncoderSettings
from emolab.errors import InputError
from emolab.media.settings import FaceSettings, FrameSettings

tiny = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("tiny_clip.py"))))


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    video = EncoderSettings(tiny.save(tmp_path_factory.mktemp("clip")), device="cpu")
    return DiscriminativeSettings(video=video, view="frame", frames=FrameSettings(parts=3, draw="uniform"))


@pytest.fixture(scope="module")
def clips(small_corpus):
    return [clip for clip in read_rows(small_corpus) if clip.video][:3]


@pytest.mark.parametrize("view", ["face", "frame"])
def test_pixels_are_those_of_the_processor(view, settings, clips, tmp_path):
    if view == "face":
        pytest.importorskip("mediapipe")
    store = pixel_store(replace(settings, view=view), FaceSettings(), 0, tmp_path)
    assert cut_pixels(clips, store, settings.video, progress=False) == {}
    processor = load_image_processor(settings.video)
    for clip in clips:
        pixels = store.load(clip).tensors["pixels"]
        assert pixels.dtype == torch.uint8 and pixels.shape == (3, 3, tiny.SIDE, tiny.SIDE)
        wanted = processor(images=store.make(clip).value, return_tensors="pt").pixel_values
        torch.testing.assert_close(normalised(pixels, processor), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "kind, how",
    [
        (CLIPImageProcessor, {"size": {"shortest_edge": 24}, "crop_size": {"height": 20, "width": 20}}),
        (SiglipImageProcessor, {"size": {"height": 24, "width": 24}}),
        (ViTImageProcessor, {"size": {"height": 24, "width": 24}, "do_normalize": False}),
        (ViTImageProcessor, {"size": {"height": 24, "width": 24}, "do_rescale": False, "do_normalize": False}),
    ],
)
def test_other_processors(kind, how, settings, clips, tmp_path):
    kind(**how).save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    settings = replace(settings, video=EncoderSettings(str(tmp_path)))
    store = pixel_store(settings, FaceSettings(), 0, tmp_path / "pixels")
    assert cut_pixels(clips[:1], store, settings.video, progress=False) == {}
    processor = load_image_processor(settings.video)
    wanted = processor(images=store.make(clips[0]).value, return_tensors="pt").pixel_values
    found = normalised(store.load(clips[0]).tensors["pixels"], processor)
    torch.testing.assert_close(found, wanted.float(), rtol=0, atol=1e-5)


def test_what_decides_the_pixels_names_them(settings, clips, tmp_path):
    twin, other = tmp_path / "twin", tmp_path / "other"
    tiny.save(twin, seed=1)  # other weights, the same pictures
    tiny.save(other)
    CLIPImageProcessor(size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64}).save_pretrained(other)
    stores = [
        pixel_store(each, FaceSettings(), 0, tmp_path / "pixels")
        for each in (
            settings,
            replace(settings, video=EncoderSettings(str(twin))),
            replace(settings, video=EncoderSettings(str(other))),
            replace(settings, view="face"),
            replace(settings, frames=FrameSettings(parts=2, draw="uniform")),
        )
    ]
    paths = [store.path(clips[0]) for store in stores]
    assert paths[0] == paths[1] and len(set(paths)) == 4
    with pytest.raises(InputError, match="give another folder"):
        cut_pixels(clips, stores[0], EncoderSettings(str(other)), progress=False)


def test_clips_that_cannot_be_seen(settings, tmp_path):
    store = pixel_store(settings, FaceSettings(), 0, tmp_path)
    words, gone = Clip("words", transcript="Go."), Clip("gone", video=str(tmp_path / "gone.mp4"))
    errors = cut_pixels([words, gone], store, settings.video, progress=False)
    assert errors["gone"].startswith("gone.mp4 cannot be read") and list(errors) == ["gone"]
    assert store.load(words).tensors == {} and store.load(words).problems == ("words has no picture.",)


def test_a_folder_without_image_processor_is_one_sentence(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="cannot be used as a vision encoder .*set discriminative.video.path"):
        load_image_processor(EncoderSettings(str(tmp_path)))
    with pytest.raises(InputError, match="discriminative.video names no model"):
        load_image_processor(EncoderSettings(""))


def test_uint8_of_any_shape_is_normalised():
    processor = tiny.image_processor()
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 5, 3, 8, 8), np.uint8))
    one = normalised(pixels, processor)
    assert one.shape == pixels.shape and one.dtype == torch.float32
    assert torch.equal(one[1, 2], normalised(pixels[1, 2], processor))
