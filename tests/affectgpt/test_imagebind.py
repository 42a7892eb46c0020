"""ImageBind's ears: the mel picture against Kaldi's formulas written out, shapes against the published ones."""

import math
import warnings

import numpy as np
import pytest
import torch
from transformers import AutoFeatureExtractor, AutoModel

from emolab.affectgpt.imagebind import ImageBindAudioConfig, ImageBindAudioModel, ImageBindFeatureExtractor

SMALL = ImageBindAudioConfig(hidden_size=64, num_hidden_layers=2, num_attention_heads=1, output_size=32)


def kaldi_mel(sound: np.ndarray) -> np.ndarray:
    """torchaudio's compliance.kaldi.fbank as ImageBind calls it, written out in float64: [128, frames]."""
    sound = sound.astype(np.float64) - sound.mean()
    frames = np.stack([sound[i : i + 400] for i in range(0, len(sound) - 399, 160)])
    frames = frames - frames.mean(1, keepdims=True)
    frames = frames - 0.97 * np.concatenate([frames[:, :1], frames[:, :-1]], 1)
    window = 0.5 - 0.5 * np.cos(2 * math.pi * np.arange(400) / 399)
    power = np.abs(np.fft.rfft(frames * window, 512)) ** 2

    def mel(hertz):
        return 1127 * np.log(1 + hertz / 700)

    edges = np.linspace(mel(20.0), mel(8000.0), 130)
    at = mel(np.arange(257) * 16000 / 512)
    rising = (at - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - at) / (edges[2:] - edges[1:-1])[:, None]
    energies = np.clip(np.minimum(rising, falling), 0, None) @ power.T
    return np.log(np.maximum(energies, 1.1920928955078125e-07))


def sound(seconds: float, seed: int = 0) -> np.ndarray:
    time = np.arange(int(seconds * 16000)) / 16000
    noise = np.random.default_rng(seed).normal(size=len(time)) * 0.05
    return (np.sin(2 * math.pi * (200 + 300 * time) * time) * 0.3 + noise + 0.1).astype(np.float32)


@pytest.mark.parametrize("seconds, frames", [(2.0, 198), (1.0, 98), (3.0, 204)])
def test_mel_pictures_are_kaldis(seconds, frames):
    given = sound(seconds)
    made = ImageBindFeatureExtractor()(given, sampling_rate=16000)["input_values"]
    assert made.shape == (1, 1, 128, 204) and made.dtype == np.float32
    wanted = kaldi_mel(given)[:, :204]
    assert wanted.shape == (128, frames)
    wanted = np.pad(wanted, ((0, 0), (0, 204 - frames)))  # zeros of the logarithm, before the normalisation
    np.testing.assert_allclose(made[0, 0], (wanted + 4.268) / 9.138, atol=2e-5)


def test_a_batch_is_its_sounds_one_by_one():
    extract = ImageBindFeatureExtractor()
    pieces = np.stack([sound(2, 1), np.zeros(32000, np.float32), sound(2, 2)])
    before = pieces.copy()
    together = extract(pieces, sampling_rate=16000, return_tensors="pt")["input_values"]
    assert together.shape == (3, 1, 128, 204) and torch.isfinite(together).all()
    for piece, picture in zip(pieces, together, strict=True):
        alone = extract(piece, sampling_rate=16000, return_tensors="pt")["input_values"]
        assert torch.equal(alone[0], picture)
    assert np.array_equal(pieces, before)


def test_other_rates_and_scraps_are_refused():
    extract = ImageBindFeatureExtractor()
    with pytest.raises(ValueError, match="16000"):
        extract(sound(2), sampling_rate=44100)
    with pytest.raises(ValueError, match="25 ms"):
        extract(np.zeros(399, np.float32), sampling_rate=16000)


def test_no_warning_of_the_empty_filter():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ImageBindFeatureExtractor()


def test_shapes_are_imagebind_huges():
    with torch.device("meta"):
        model = ImageBindAudioModel(ImageBindAudioConfig())
    assert model.positions.shape == (1, 229, 768)  # 12 × 19 patches of 16 × 16 every 10, and the class token
    assert model.layers[0].attention.bias_k.shape == (1, 1, 768)
    assert model.head.weight.shape == (1024, 768)
    block = 4 * 768 * 768 + 4 * 768 + 2 * 768 + 4 * 768 + 2 * 768 * 3072 + 3072 + 768
    ends = 256 * 768 + 229 * 768 + 768 + 4 * 768 + 768 * 1024  # stem, positions, class token, two norms, head
    assert sum(weight.numel() for weight in model.parameters()) == 12 * block + ends


def test_vectors_have_the_scale_for_their_length():
    torch.manual_seed(0)
    model = ImageBindAudioModel(SMALL).eval()
    vectors = model(torch.randn(3, 1, 128, 204))
    assert vectors.shape == (3, 32)
    torch.testing.assert_close(vectors.norm(dim=-1), torch.full((3,), 20.0))
    assert (vectors[0] - vectors[1]).norm() > 0.1
    with pytest.raises(ValueError, match=r"\[n, 1, 128, 204\]"):
        model(torch.randn(1, 1, 128, 198))


def test_saved_and_loaded_by_the_auto_classes(tmp_path):
    torch.manual_seed(0)
    model = ImageBindAudioModel(SMALL).eval()
    model.save_pretrained(tmp_path)
    ImageBindFeatureExtractor().save_pretrained(tmp_path)
    again, extract = AutoModel.from_pretrained(tmp_path), AutoFeatureExtractor.from_pretrained(tmp_path)
    assert isinstance(again, ImageBindAudioModel) and isinstance(extract, ImageBindFeatureExtractor)
    pictures = extract(sound(2), sampling_rate=16000, return_tensors="pt")["input_values"]
    assert torch.equal(pictures, ImageBindFeatureExtractor()(sound(2), 16000, "pt")["input_values"])
    torch.testing.assert_close(again(pictures), model(pictures))
