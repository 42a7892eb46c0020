"""Each kind of encoder gives what plain transformers gives of one clip at a time; batches change nothing."""

import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from emolab.discriminative.encoders import LONGEST, AudioEncoder, TextEncoder, VideoEncoder
from emolab.discriminative.inputs import Given
from emolab.discriminative.settings import EncoderSettings
from emolab.errors import InputError

tiny = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("tiny_clip.py"))))
SMALL = {"num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 16, "hidden_size": 8}
HEARS = {"conv_dim": (8, 8), "conv_kernel": (10, 8), "conv_stride": (10, 8), "num_conv_pos_embeddings": 8}
HEARS |= {"num_conv_pos_embedding_groups": 2, "mask_time_prob": 0.0} | SMALL
AUDIO = {  # name: (configuration, how it is built)
    "hubert": ("Hubert", {"feat_extract_norm": "layer"}),
    "hubert large": ("Hubert", {"feat_extract_norm": "layer", "do_stable_layer_norm": True}),
    "hubert of groups": ("Hubert", {"feat_extract_norm": "group"}),
    "hubert with batch norm": ("Hubert", {"feat_extract_norm": "layer", "conv_pos_batch_norm": True}),
    "wav2vec2": ("Wav2Vec2", {"feat_extract_norm": "layer"}),
    "wavlm": ("WavLM", {"feat_extract_norm": "layer", "num_buckets": 16, "max_bucket_distance": 32}),
    "data2vec": ("Data2VecAudio", {"num_conv_pos_embedding_groups": 2, "conv_pos_kernel_size": 5}),
}


def sounds(*lengths):
    draw = np.random.default_rng(0)
    return [(0.1 * draw.normal(size=n) + 0.02 * number).astype(np.float32) for number, n in enumerate(lengths)]


def vectors(encoder, values):
    return torch.stack([made["vector"] for made in encoder.encode([Given(value) for value in values])])


def saved_audio(kind, folder, normalise=True):
    name, how = AUDIO[kind]
    torch.manual_seed(0)
    model = getattr(transformers, f"{name}Model")(getattr(transformers, f"{name}Config")(**HEARS | how))
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    model.save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=normalise).save_pretrained(folder)
    return model.eval()


@pytest.mark.parametrize("kind", AUDIO)
def test_sounds_of_any_length_in_one_batch(kind, tmp_path):
    model = saved_audio(kind, tmp_path)
    encoder = AudioEncoder(EncoderSettings(str(tmp_path), layers=2, batch_size=3, device="cpu"))
    given = sounds(5000, 16000, 5000, 4001, 12345, 16000, 9999)
    found = vectors(encoder, given)
    for vector, sound in zip(found, given, strict=True):
        ready = (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)
        with torch.no_grad():
            states = model(torch.from_numpy(ready)[None], output_hidden_states=True).hidden_states
        torch.testing.assert_close(vector, (states[-1] + states[-2])[0].mean(0), rtol=1e-5, atol=1e-5)
    assert encoder.width == 8


def test_padding_is_used_where_it_changes_nothing_alone(tmp_path):
    def sizes(kind):
        saved_audio(kind, tmp_path / kind)
        encoder = AudioEncoder(EncoderSettings(str(tmp_path / kind), layers=1, batch_size=4, device="cpu"))
        encoder.load()
        given = [(n, torch.zeros(length)) for n, length in enumerate((5000, 6000, 5000, 7000, 5000))]
        return [[len(piece) for _, piece in batch] for batch in encoder._batches(given)]

    assert sizes("wavlm") == [[7000, 6000, 5000, 5000], [5000]]
    for kind in ("hubert of groups", "hubert with batch norm", "data2vec"):
        assert sizes(kind) == [[7000], [6000], [5000, 5000, 5000]]


def test_long_sounds_are_heard_in_pieces(tmp_path):
    model = saved_audio("hubert", tmp_path, normalise=False)
    encoder = AudioEncoder(EncoderSettings(str(tmp_path), layers=1, batch_size=4, device="cpu"))
    (long,) = sounds(2 * LONGEST + 1)
    states = []
    for piece in np.array_split(long, 3):
        with torch.no_grad():
            states.append(model(torch.from_numpy(piece)[None]).last_hidden_state[0])
    found = vectors(encoder, [long, long[:LONGEST]])
    torch.testing.assert_close(found[0], torch.cat(states).mean(0), rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        whole = model(torch.from_numpy(long[None, :LONGEST])).last_hidden_state[0]
    torch.testing.assert_close(found[1], whole.mean(0), rtol=1e-5, atol=1e-5)


def test_encoding_leaves_the_random_numbers_alone(tmp_path):
    saved_audio("hubert", tmp_path)
    encoder = AudioEncoder(EncoderSettings(str(tmp_path), layers=1, device="cpu"))
    encoder.load()
    before = torch.random.get_rng_state()
    vectors(encoder, sounds(5000))
    assert torch.equal(torch.random.get_rng_state(), before)


WORDS = "she he laughs cries very loudly and then smiles again".split()
TEXTS = ["she laughs", "he cries very loudly and then smiles again", "very", "she smiles again"]
READS = {
    "llama": ("LlamaForCausalLM", transformers.LlamaConfig(**SMALL, vocab_size=20)),
    "untied": ("LlamaForCausalLM", transformers.LlamaConfig(**SMALL, vocab_size=20, tie_word_embeddings=False)),
    "gpt2": ("GPT2LMHeadModel", transformers.GPT2Config(n_embd=8, n_layer=3, n_head=2, vocab_size=20)),
    "bert": ("BertForMaskedLM", transformers.BertConfig(**SMALL, vocab_size=20)),  # has no pooler
    "roberta": ("RobertaModel", transformers.RobertaConfig(**SMALL, vocab_size=20, pad_token_id=0)),
}


def saved_text(kind, folder, limit=None):
    made = Tokenizer(models.WordLevel({word: n for n, word in enumerate(["<pad>", "<unk>", "<s>", *WORDS])}, "<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 2)])
    named = {"unk_token": "<unk>", "bos_token": "<s>"} | ({"model_max_length": limit} if limit else {})
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=made, **named)
    tokenizer.save_pretrained(folder)
    name, config = READS[kind]
    torch.manual_seed(0)
    model = getattr(transformers, name)(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    model.save_pretrained(folder)
    return model, tokenizer


@pytest.mark.parametrize("kind", READS)
def test_texts_of_any_length_in_one_batch(kind, tmp_path):
    model, tokenizer = saved_text(kind, tmp_path)
    encoder = TextEncoder(EncoderSettings(str(tmp_path), layers=3, device="cpu"))
    found = vectors(encoder, [encoder.tokens(text).value for text in TEXTS])
    for vector, text in zip(found, TEXTS, strict=True):
        ids = tokenizer(text, return_tensors="pt").input_ids
        assert ids[0, 0] == 2 and ids.shape[1] == len(text.split()) + 1
        with torch.no_grad():
            states = model(ids, output_hidden_states=True).hidden_states
        assert len(states) == 4
        torch.testing.assert_close(vector, (states[1] + states[2] + states[3])[0].mean(0), rtol=1e-5, atol=1e-5)


def test_a_text_beyond_the_limit_is_cut_and_said(tmp_path):
    saved_text("llama", tmp_path / "a", limit=4)
    given = TextEncoder(EncoderSettings(str(tmp_path / "a"))).tokens(TEXTS[1])
    assert len(given.value) == 4 and given.value[0] == 2
    assert given.problems == ("its words give 9 tokens, of which the model reads the first 4.",)
    saved_text("bert", tmp_path / "b")  # its tokenizer names no limit, its 512 positions do
    given = TextEncoder(EncoderSettings(str(tmp_path / "b"))).tokens("she " * 600)
    assert len(given.value) == 512 and "601 tokens" in given.problems[0]


def pictures(*frames):
    draw = np.random.default_rng(0)
    return [torch.from_numpy(draw.integers(0, 256, (n, 3, tiny.SIDE, tiny.SIDE), np.uint8)) for n in frames]


SEES = {
    "clip": lambda: tiny.clip(),
    "clip tower": lambda: transformers.CLIPVisionModel(tiny.clip().config.vision_config),
    "siglip": lambda: transformers.SiglipModel(
        transformers.SiglipConfig(
            text_config={**SMALL, "vocab_size": 20, "bos_token_id": 1, "eos_token_id": 2},
            vision_config={**SMALL, "image_size": tiny.SIDE, "patch_size": 16},
        )
    ),
    "dinov2": lambda: transformers.Dinov2Model(
        transformers.Dinov2Config(image_size=tiny.SIDE, patch_size=16, **{**SMALL, "intermediate_size": None})
    ),
}


@pytest.mark.parametrize("kind", SEES)
def test_pictures_are_averaged(kind, tmp_path):
    torch.manual_seed(0)
    model = SEES[kind]().eval()
    model.save_pretrained(tmp_path)
    tiny.image_processor().save_pretrained(tmp_path)
    encoder = VideoEncoder(EncoderSettings(str(tmp_path), device="cpu"))
    given = pictures(3, 1, 2)
    found = vectors(encoder, given)
    for vector, pixels in zip(found, given, strict=True):
        frames = [frame.permute(1, 2, 0).numpy() for frame in pixels]
        values = tiny.image_processor()(images=frames, return_tensors="pt").pixel_values
        see = getattr(model, "get_image_features", model)
        with torch.no_grad():
            wanted = see(pixel_values=values).pooler_output.mean(0)
        torch.testing.assert_close(vector, wanted, rtol=1e-5, atol=1e-5)
    assert encoder.width == found.shape[1] == {"clip": 10, "clip tower": 16}.get(kind, 8)


def test_an_input_that_is_absent_has_no_vector(tmp_path):
    saved_audio("hubert", tmp_path)
    encoder = AudioEncoder(EncoderSettings(str(tmp_path), layers=1, device="cpu"))
    assert encoder.encode([Given(None)]) == [{"vector": None}] and encoder._model is None  # nothing was loaded
    one, none = encoder.encode([Given(sounds(5000)[0]), Given(None)])
    assert one["vector"].shape == (8,) and none["vector"] is None


def test_the_identity_names_weights_layers_and_precision(tmp_path):
    saved_audio("hubert", tmp_path)

    def identity(**more):
        return AudioEncoder(EncoderSettings(str(tmp_path), device="cpu", **more)).identity

    before = identity()
    assert len({before, identity(layers=2), identity(dtype="bfloat16")}) == 3 and identity(batch_size=2) == before
    weights = load_file(tmp_path / "model.safetensors")
    save_file({name: tensor + 1 for name, tensor in weights.items()}, tmp_path / "model.safetensors", {"format": "pt"})
    assert identity() != before


def test_half_precision_gives_nearly_the_same(tmp_path):
    saved_audio("wavlm", tmp_path / "audio")
    saved_text("llama", tmp_path / "text")
    tiny.save(tmp_path / "video")
    given = {AudioEncoder: sounds(5000, 8000), TextEncoder: [[2, 3, 4], [2, 5]], VideoEncoder: pictures(2, 1)}
    for kind, values in given.items():
        exact, rough = (
            vectors(kind(EncoderSettings(str(tmp_path / kind.modality), layers=2, device="cpu", dtype=dtype)), values)
            for dtype in ("float32", "bfloat16")
        )
        assert rough.dtype == torch.float32 and not torch.equal(exact, rough)
        assert (exact - rough).norm() < 0.05 * exact.norm()


def refusal(kind, path, **more):
    """The sentence with which an encoder refuses a checkpoint."""
    with pytest.raises(InputError) as caught:
        encoder = kind(EncoderSettings(str(path), device="cpu", **more))
        encoder.tokens("a") if kind is TextEncoder else None
        encoder.load()
    said = str(caught.value)
    assert "\n" not in said and said.endswith(".")
    return said


def test_a_checkpoint_of_another_kind_is_one_sentence(tmp_path):
    saved_audio("hubert", tmp_path / "hubert")
    saved_text("llama", tmp_path / "llama")
    tiny.save(tmp_path / "clip")
    for kind, path, told in (
        (AudioEncoder, tmp_path / "llama", "cannot be used as an audio encoder"),
        (AudioEncoder, tmp_path / "clip", "an audio encoder that takes samples"),
        (VideoEncoder, tmp_path / "hubert", "a vision encoder"),
        (VideoEncoder, tmp_path / "llama", "cannot be used as a vision encoder"),
        (TextEncoder, tmp_path / "clip", "cannot be used as a language model"),
        (TextEncoder, tmp_path / "hubert", "a language model"),
        (TextEncoder, tmp_path / "nowhere", "no model there"),
        (TextEncoder, "", "discriminative.text names no model"),
    ):
        assert told in refusal(kind, path)
    assert refusal(AudioEncoder, tmp_path / "hubert", layers=4).endswith(
        "hubert: has 3 hidden layers, and the last 4 are asked for; set discriminative.audio.layers=3."
    )


def test_weights_that_do_not_fit_the_configuration_are_refused(tmp_path):
    saved_audio("hubert", tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    part = {name: tensor for name, tensor in weights.items() if "encoder.layers.1." not in name}
    save_file(part, tmp_path / "model.safetensors", {"format": "pt"})
    assert "it lacks 16 tensors (encoder.layers.1." in refusal(AudioEncoder, tmp_path, layers=1)
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 2}))
    assert "without a place for them, 16 tensors (encoder.layers.2." in refusal(AudioEncoder, tmp_path, layers=1)
    (tmp_path / "config.json").write_text(json.dumps(config | {"hidden_size": 12}))
    assert "cannot be used as an audio encoder" in refusal(AudioEncoder, tmp_path, layers=1)
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(b"torn")
    assert "cannot be used as an audio encoder" in refusal(AudioEncoder, tmp_path, layers=1)


def test_heads_beside_the_model_are_no_concern(tmp_path):
    saved_audio("wav2vec2", tmp_path)
    model = transformers.Wav2Vec2Model.from_pretrained(tmp_path)
    tuned = transformers.Wav2Vec2ForCTC(model.config)
    tuned.wav2vec2.load_state_dict(model.state_dict())
    tuned.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights.pop("wav2vec2.masked_spec_embed", None)  # published ones lack it
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    assert "lm_head.weight" in weights
    encoder = AudioEncoder(EncoderSettings(str(tmp_path), layers=1, device="cpu"))
    encoder.load()
    assert torch.equal(
        encoder._model.encoder.layers[2].final_layer_norm.weight, model.encoder.layers[2].final_layer_norm.weight
    )
