"""Fusion heads: the toolkit's forward restated, and what a missing modality does and does not do."""

import pytest
import torch
from torch.nn.functional import cross_entropy, linear, relu

from emolab.discriminative.fusion import build_fusion
from emolab.discriminative.settings import FUSIONS, MODALITIES, FusionSettings

WIDTHS = {"audio": 10, "video": 7, "text": 5}
SETTINGS = FusionSettings(hidden=16, dropout=0.4)


def made(kind, seed=0):
    torch.manual_seed(seed)
    return build_fusion(SETTINGS, kind, WIDTHS).double()


def drawn(n=9, seed=1):
    generator = torch.Generator().manual_seed(seed)
    vectors = {name: torch.randn(n, width, generator=generator, dtype=torch.float64) for name, width in WIDTHS.items()}
    return vectors, torch.ones(n, 3, dtype=torch.bool)


def holes(vectors, present, seed=2):
    """Some modalities absent, as NaN, never all of a clip's."""
    present = torch.rand(present.shape, generator=torch.Generator().manual_seed(seed)) < 0.6
    present[:, 0] |= ~present.any(1)
    assert not present.all(0).any()
    absent = {name: torch.where(present[:, k, None], vectors[name], torch.nan) for k, name in enumerate(MODALITIES)}
    return absent, present


def test_with_all_there_attention_fusion_is_the_toolkits():
    """MERTools' attention.py, restated with the head's own weights: encoders, concatenation, raw weights, sum."""
    head, (vectors, present) = made("attention").eval(), drawn()
    state = head.state_dict()

    def encoder(name, x):
        for layer in (1, 3, 5):  # 0 is the dropout, silent when not training
            x = relu(linear(x, state[f"{name}.{layer}.weight"], state[f"{name}.{layer}.bias"]))
        return x

    hidden = [encoder(f"encoders.{name}", vectors[name]) for name in MODALITIES]
    attention = encoder("weigh.0", torch.cat(hidden, dim=1))
    attention = linear(attention, state["weigh.1.weight"], state["weigh.1.bias"]).unsqueeze(2)
    fused = torch.matmul(torch.stack(hidden, dim=2), attention).squeeze(2)
    wanted = linear(fused, state["classify.weight"], state["classify.bias"])
    assert (head(vectors, present) - wanted).abs().max() < 1e-9 and wanted.std() > 1e-3


def test_the_transformers_block_is_torchs():
    torch.manual_seed(0)
    block = made("transformer").eval().blocks[0]
    theirs = torch.nn.TransformerEncoderLayer(
        16, 4, 32, 0.4, torch.nn.functional.gelu, batch_first=True, norm_first=True, dtype=torch.float64
    ).eval()
    pairs = {
        "self_attn.in_proj_": block.project, "self_attn.out_proj.": block.join, "linear1.": block.mlp[0],
        "linear2.": block.mlp[3], "norm1.": block.first, "norm2.": block.second,
    }  # fmt: skip
    theirs.load_state_dict(
        {f"{name}{each}": getattr(own, each) for name, own in pairs.items() for each in ("weight", "bias")}
    )
    tokens = torch.randn(5, 4, 16, dtype=torch.float64)
    seen = torch.tensor([[1, 1, 1, 1], [1, 0, 1, 1], [1, 0, 0, 1], [1, 1, 0, 0], [1, 0, 0, 0]]).bool()
    with torch.no_grad():
        assert (block(tokens, seen) - theirs(tokens, src_key_padding_mask=~seen)).abs().max() < 1e-9


@pytest.mark.parametrize("kind", FUSIONS)
def test_what_is_missing_leaks_nothing(kind):
    head, (vectors, present) = made(kind).train(), drawn()
    absent, present = holes(vectors, present)
    torch.manual_seed(5)
    logits = head(absent, present)
    cross_entropy(logits, torch.arange(9) % 6).backward()
    assert logits.isfinite().all() and logits.shape == (9, 6)
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in head.parameters())
    torch.manual_seed(5)
    assert torch.equal(head(vectors, present), logits)  # whatever stands in the place of what is absent


@pytest.mark.parametrize("kind", FUSIONS)
def test_a_missing_modality_is_not_one_of_zeros(kind):
    head, (vectors, present) = made(kind).eval(), drawn()
    hidden = present.clone()
    hidden[:, 1] = False
    zeros = {**vectors, "video": torch.zeros_like(vectors["video"])}
    with torch.no_grad():
        assert (head(vectors, hidden) - head(zeros, present)).abs().max() > 1e-3


def test_the_missing_vector_is_learned_and_has_no_weight():
    head, (vectors, present) = made("attention"), drawn()
    present[:4, 2] = False
    assert not head.missing.any()
    cross_entropy(head(vectors, present), torch.arange(9) % 6).backward()
    grads = head.missing.grad.abs().sum(1)
    assert grads[2] > 0 and not grads[:2].any()
    with torch.no_grad():  # the weighted sum never holds it: only through the weights of others does it count
        head.eval().weigh[1].weight.zero_()
        before = head(vectors, present)
        head.missing.fill_(7.0)
        assert torch.equal(head(vectors, present), before)


@pytest.mark.parametrize("kind", FUSIONS)
def test_inputs_are_standardised_and_the_unknown_counts_as_absent(kind):
    head, (vectors, present) = made(kind).eval(), drawn()
    with torch.no_grad():
        plain = head(vectors, present)
        head.mean_text.fill_(3.0), head.sd_text.fill_(2.0)
        moved = {**vectors, "text": vectors["text"] * 2 + 3}
        assert (head(moved, present) - plain).abs().max() < 1e-9
        hidden = present.clone()
        hidden[:, 1] = False
        wanted = head(moved, hidden)
        head.known[1] = False
        assert torch.equal(head(moved, present), wanted)
    assert {"mean_text", "sd_text", "known"} <= head.state_dict().keys()
