"""Plain attention: the fused kernel's numbers, masks, groups and gradients."""

from typing import Any

import pytest
import torch
from torch.nn import functional
from transformers import BertConfig, BertModel, MPNetConfig, MPNetModel, Qwen3Config, Qwen3Model

from lexitune.models.attention import PLAIN_UP_TO, encoding, packed_attention, plain_attention, use_attention

MODULE = torch.nn.Identity()


def heads(count: int, tokens: int, seed: int) -> torch.Tensor:
    return torch.randn(2, count, tokens, 8, generator=torch.Generator().manual_seed(seed), requires_grad=True)


@pytest.mark.parametrize("tokens", [5, 512, 513])
@pytest.mark.parametrize("masked", [False, True])
def test_values_and_gradients_are_those_of_the_fused_kernel(tokens: int, masked: bool) -> None:
    query, key, value = (heads(2, tokens, seed) for seed in range(3))
    mask = None
    if masked:
        mask = torch.ones(2, 1, tokens, tokens, dtype=torch.bool)
        mask[1, :, :, 3:] = False

    ours, _ = plain_attention(MODULE, query, key, value, mask)
    theirs = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(1, 2)

    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    for one, two in zip(
        torch.autograd.grad(ours.square().sum(), (query, key, value)),
        torch.autograd.grad(theirs.square().sum(), (query, key, value)),
        strict=True,
    ):
        torch.testing.assert_close(one, two, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [1.0, 40.0], ids=["small scores", "scores whose powers would overflow"])
@pytest.mark.parametrize("masked", [False, True])
def test_without_a_backward_pass_the_values_are_the_same(size: float, masked: bool) -> None:
    query, key, value = (heads(2, 7, seed).detach() for seed in range(3))
    query = query * size
    mask = None
    if masked:
        mask = torch.ones(2, 1, 7, 7, dtype=torch.bool)
        mask[1, :, :, 3:] = False
    theirs = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(1, 2)

    for precision, near in ((torch.bfloat16, 2e-2), (torch.float32, 1e-5)):
        asked, known, told = (part.to(precision) for part in (query, key, value))
        fast_math = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("medium")  # plain products in fp32 too
        try:
            with encoding():
                ours, _ = plain_attention(MODULE, asked, known, told, mask)
        finally:
            torch.set_float32_matmul_precision(fast_math)
        assert float((ours.float() - theirs).norm() / theirs.norm()) < near * size


def test_a_token_that_may_look_nowhere_gives_a_number() -> None:
    # A padded place of a model with windows: its hidden state goes on to the next layer.
    query, key, value = (heads(2, 4, seed).detach().bfloat16() for seed in range(3))
    mask = torch.ones(2, 1, 4, 4, dtype=torch.bool)
    mask[1, :, 3] = False

    with encoding():
        ours, _ = plain_attention(MODULE, query, key, value, mask)

    assert torch.isfinite(ours).all()


def test_grouped_heads_share_their_keys() -> None:
    query, key, value = heads(4, 6, 0), heads(2, 6, 1), heads(2, 6, 2)

    ours, _ = plain_attention(MODULE, query, key, value, None)
    theirs = functional.scaled_dot_product_attention(query, key, value, enable_gqa=True).transpose(1, 2)

    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_dropout_is_honoured_when_it_is_asked_for() -> None:
    query, key, value = (heads(2, 6, seed) for seed in range(3))

    dropped, _ = plain_attention(MODULE, query, key, value, None, dropout=0.999999)

    assert float(dropped.detach().abs().max()) == 0.0


def test_packed_attention_refuses_the_dropout_that_it_does_not_have() -> None:
    query, key, value = (heads(2, 6, seed)[:1] for seed in range(3))
    starts = torch.tensor([0, 6], dtype=torch.int32)

    with pytest.raises(ValueError, match="no dropout"):
        packed_attention(MODULE, query, key, value, None, dropout=0.1, cu_seq_lens_q=starts, max_length_q=6)


SMALL: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("kind", ["both ways (BERT)", "causal (Qwen3)"])
def test_a_model_gives_the_hidden_states_it_gave_before(kind: str, padded: bool) -> None:
    torch.manual_seed(0)
    if kind.startswith("causal"):
        model: torch.nn.Module = Qwen3Model(Qwen3Config(**SMALL, num_key_value_heads=2, head_dim=8, use_cache=False))
    else:
        model = BertModel(BertConfig(**SMALL))
    model.eval()
    ids = torch.arange(1, 13).reshape(2, 6)
    mask = torch.ones_like(ids)
    if padded:
        mask[1, 4:] = 0
    given = mask if padded else None
    with torch.no_grad():
        before = model(input_ids=ids, attention_mask=given).last_hidden_state
        assert use_attention(model)
        after = model(input_ids=ids, attention_mask=given).last_hidden_state

    torch.testing.assert_close(after[mask.bool()], before[mask.bool()], atol=1e-5, rtol=1e-5)


def test_a_model_outside_the_interface_keeps_its_own_attention() -> None:
    model = MPNetModel(MPNetConfig(**SMALL))
    before = model.config._attn_implementation

    assert not use_attention(model)
    assert model.config._attn_implementation == before


def test_the_table_decides_between_plain_products_and_the_fused_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    query, key, value = (heads(2, 6, seed).detach() for seed in range(3))
    fused: list[int] = []
    kernel = functional.scaled_dot_product_attention

    def counting(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, **settings: Any) -> torch.Tensor:
        fused.append(query.shape[2])
        return kernel(query, key, value, **settings)

    monkeypatch.setattr(functional, "scaled_dot_product_attention", counting)
    training, _ = plain_attention(MODULE, query, key, value, None)
    with encoding():
        monkeypatch.setitem(PLAIN_UP_TO, ("fp32", False, False), 5)
        fast, _ = plain_attention(MODULE, query, key, value, None)
        monkeypatch.setitem(PLAIN_UP_TO, ("fp32", False, False), 6)
        plain_attention(MODULE, query, key, value, None)

    assert fused == [6]
    torch.testing.assert_close(fast, training, atol=1e-6, rtol=1e-5)
