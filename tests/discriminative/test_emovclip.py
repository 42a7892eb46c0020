"""EmoVCLIP on a tiny real CLIP: the published mechanism, what learns, and a CLIP that stays as it was."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from emolab.corpora.clip import SIX_WAY
from emolab.discriminative.emovclip import EmoVCLIP, class_questions

HERE = Path(__file__).parent
plain = SimpleNamespace(**runpy.run_path(str(HERE / "plain_vita_clip.py")))
tiny = SimpleNamespace(**runpy.run_path(str(HERE / "tiny_clip.py")))
FRAMES = 3


@pytest.fixture(scope="module")
def tuned():
    """In float64, with weights so large that every part matters."""
    clip, tokenizer = tiny.clip(), tiny.tokenizer()
    torch.manual_seed(1)
    made = EmoVCLIP(clip, class_questions(tokenizer, 4), FRAMES, global_prompts=2, context=4).double()
    clip.double()
    with torch.no_grad():
        for each in made.trainable().values():
            if each.dim():
                each.normal_(std=0.5)
    return made


@pytest.fixture(scope="module")
def pixels():
    return torch.randn(2, FRAMES, 3, 32, 32, generator=torch.Generator().manual_seed(0)).double()


def test_video_features_are_vita_clips(tuned, pixels):
    with torch.no_grad():
        assert torch.allclose(tuned.video_features(pixels), plain.video_features(tuned, pixels), rtol=0, atol=1e-9)


def test_every_part_matters(tuned, pixels):
    gradients = torch.autograd.grad(tuned(pixels).square().sum(), list(tuned.trainable().values()))
    for name, gradient in zip(tuned.trainable(), gradients, strict=True):
        # the key's bias shifts all scores of a query alike
        assert gradient.abs().max() > 1e-6 or "bias" in name, name


def test_a_frame_knows_of_the_others(tuned, pixels):
    other = pixels.clone()
    other[:, 2] += 1
    with torch.no_grad(), tuned._prompted():
        first, second = (
            tuned.clip.get_image_features(pixel_values=each.flatten(0, 1)).pooler_output for each in (pixels, other)
        )
    assert not torch.allclose(first[0], second[0])  # frame 0 of clip 0, whose own pixels are the same


def test_only_the_named_parts_learn():
    clip, tokenizer = tiny.clip(), tiny.tokenizer()
    per_layer = [
        "cls_proj.weight", "cls_proj.bias", "local_prompts", "summary_ln.weight", "summary_ln.bias",
        "summary_attn.in_proj_weight", "summary_attn.in_proj_bias", "summary_attn.out_proj.weight",
        "summary_attn.out_proj.bias",
    ]  # fmt: skip
    names = {f"layers.{layer}.{name}" for layer in range(2) for name in per_layer}
    names |= {"time_embed", "global_prompts", "context", "logit_scale"}
    made = EmoVCLIP(clip, class_questions(tokenizer, 4), FRAMES, context=4)
    assert set(made.trainable()) == names
    frozen = EmoVCLIP(clip, class_questions(tokenizer, 4), FRAMES, context=4, freeze_cls_proj=True)
    assert set(frozen.trainable()) == {name for name in names if "cls_proj" not in name}
    assert set(frozen.state_dict()) == set(made.state_dict()) == names  # the frozen start is part of what was learned
    assert not any(each.requires_grad for each in clip.parameters())


def test_clip_stays_as_it_was(pixels):
    clip, tokenizer = tiny.clip(), tiny.tokenizer()
    state = {name: each.clone() for name, each in clip.state_dict().items()}
    frames = pixels.float().flatten(0, 1)
    before = clip.get_image_features(pixel_values=frames).pooler_output
    made = EmoVCLIP(clip, class_questions(tokenizer, 4), FRAMES, context=4).train()
    optimiser = torch.optim.SGD(made.parameters(), lr=0.1)
    made(pixels.float()).logsumexp(1).sum().backward()
    optimiser.step()
    assert not clip.training
    assert all(torch.equal(each, state[name]) for name, each in clip.state_dict().items())
    assert torch.equal(clip.get_image_features(pixel_values=frames).pooler_output, before)


def test_hooks_go_where_a_pass_fails(tuned, pixels):
    with pytest.raises(ValueError):
        tuned.video_features(pixels[..., :16, :])  # not the size that CLIP wants
    with torch.no_grad():
        unprompted = tuned.clip.get_image_features(pixel_values=pixels.flatten(0, 1)).pooler_output
    assert unprompted.shape[0] == 2 * FRAMES  # no hook is left that would ask for whole clips
    assert not any(block._forward_hooks or block._forward_pre_hooks for block in tuned.clip.vision_model.encoder.layers)


def test_another_number_of_frames_is_refused(tuned, pixels):
    with pytest.raises(ValueError, match="made for 3 frames and is given 2"):
        tuned.video_features(pixels[:, :2])


def test_the_context_is_read_before_each_class_name(tuned):
    tokenizer = tiny.tokenizer()
    questions = class_questions(tokenizer, 4)
    assert len(questions) == len(SIX_WAY)
    for row, name in zip(questions.tolist(), SIX_WAY, strict=True):
        words = tokenizer(name, add_special_tokens=False).input_ids
        assert row[0] == tokenizer.bos_token_id and row[5 : 5 + len(words)] == words
        assert set(row[5 + len(words) :]) == {tokenizer.eos_token_id}
    with torch.no_grad():
        before = tuned.class_features()
        kept = tuned.context[0].clone()
        tuned.context[0] = kept.flip(0)  # the context of one class alone
        after = tuned.class_features()
        tuned.context[0] = kept
    changed = (before - after).abs().amax(1) > 1e-9
    assert changed.tolist() == [True] + [False] * 5


def test_openais_old_configuration_reads_the_same_end():
    """Official CLIP checkpoints name end token 2, and the text tower then reads at the highest id."""
    clip, tokenizer = tiny.clip(), tiny.tokenizer()
    made = EmoVCLIP(clip, class_questions(tokenizer, 4), FRAMES, context=4)
    highest = tokenizer.eos_token_id == max(tokenizer.get_vocab().values())
    expected = made.class_features()
    clip.text_model.eos_token_id = 2
    assert highest and torch.equal(made.class_features(), expected)
