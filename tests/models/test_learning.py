"""Which weights learn, and that a network is itself again afterwards."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from lexitune.errors import UsageError
from lexitune.models.learning import add_lora, checkpoint_layers, freeze, learning, merge_lora, thaw
from lexitune.models.lower import LowerLayers, state_bytes, write_states
from lexitune.models.network import Network
from lexitune.models.tokens import TokenIds, tokenise

TEXTS = ["the cat sat on the mat", "a dog", "the mat", "on"]
ROWS = np.array([2, 0, 3, 1])


def fresh(folder: Path, precision: str = "fp32") -> tuple[Network, TokenIds]:
    model = SentenceTransformer(str(folder), device="cpu")
    return Network(model, precision=precision), tokenise(model.tokenizer, TEXTS, max_length=16)


def vectors(network: Network, tokens: TokenIds) -> torch.Tensor:
    with torch.no_grad():
        return network.embed(tokens, ROWS)


def take_step(network: Network, tokens: TokenIds) -> None:
    optimizer = torch.optim.SGD(learning(network), lr=1.0)
    network.embed(tokens, ROWS)[:, :3].square().sum().backward()  # type: ignore[no-untyped-call]
    network.gather_grads()
    optimizer.step()
    optimizer.zero_grad()
    network.refresh()


def changed(network: Network, before: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, one in network.trunk.named_parameters() if not torch.equal(before[name], one)}


def copy_of(network: Network) -> dict[str, torch.Tensor]:
    return {name: one.detach().clone() for name, one in network.trunk.named_parameters()}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_frozen_lower_layers_and_what_comes_before_them_do_not_learn(tiny_folder: Path, precision: str) -> None:
    network, tokens = fresh(tiny_folder, precision)
    before = copy_of(network)

    freeze(network, layers=1)
    take_step(network, tokens)

    assert {name.partition("layer.")[2][:1] for name in changed(network, before)} == {"1"}
    assert all(".layer.1." in name for name in changed(network, before))


def test_a_frozen_table_keeps_word_vectors_and_lets_the_rest_learn(tiny_folder: Path) -> None:
    network, tokens = fresh(tiny_folder)
    before = copy_of(network)

    freeze(network, table=True)
    take_step(network, tokens)

    still = before.keys() - changed(network, before)
    assert {name for name in still if "pooler" not in name} == {"embeddings.word_embeddings.weight"}


def test_to_freeze_every_layer_is_refused(tiny_folder: Path) -> None:
    network, _ = fresh(tiny_folder)

    with pytest.raises(UsageError) as caught:
        freeze(network, layers=2)

    assert caught.value.code == "E2123"


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_lora_starts_as_the_stock_model_and_merges_into_what_it_learnt(tiny_folder: Path, precision: str) -> None:
    network, tokens = fresh(tiny_folder, precision)
    names = [name for name, _ in network.trunk.named_parameters()]
    stock = vectors(network, tokens)

    add_lora(network, rank=2, seed=1)
    assert torch.equal(vectors(network, tokens), stock)
    for _ in range(3):
        take_step(network, tokens)
    learnt = vectors(network, tokens)
    merge_lora(network)

    assert not torch.allclose(learnt, stock, atol=1e-3)
    torch.testing.assert_close(vectors(network, tokens), learnt, rtol=0, atol=1e-6 if precision == "fp32" else 2e-2)
    assert [name for name, _ in network.trunk.named_parameters()] == names


def test_lora_learns_little_and_above_the_frozen_layers_only(tiny_folder: Path) -> None:
    network, _ = fresh(tiny_folder)
    whole = sum(one.numel() for one in network.parameters())

    freeze(network, layers=1)
    add_lora(network, rank=1, seed=1, layers=1)

    names = [name for name, one in network.trunk.named_parameters() if one.requires_grad]
    assert all(".layer.1." in name and ".lora_" in name for name in names)
    assert sum(one.numel() for one in learning(network)) < 0.1 * whole


def test_thawed_it_is_what_it_was(tiny_folder: Path) -> None:
    network, tokens = fresh(tiny_folder)
    stock = vectors(network, tokens)

    freeze(network, layers=1, table=True)
    add_lora(network, rank=2, seed=1)
    checkpoint_layers(network)
    thaw(network)

    assert torch.equal(vectors(network, tokens), stock)
    assert all(one.requires_grad for one in network.parameters())
    assert not network.training


def test_layers_computed_again_give_the_same_gradient(tiny_folder: Path) -> None:
    plain, tokens = fresh(tiny_folder)
    plain.embed(tokens, ROWS)[:, :3].square().sum().backward()  # type: ignore[no-untyped-call]
    network, _ = fresh(tiny_folder)

    checkpoint_layers(network)
    network.embed(tokens, ROWS)[:, :3].square().sum().backward()  # type: ignore[no-untyped-call]

    for one, other in zip(plain.parameters(), network.parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None)
        assert one.grad is None or torch.allclose(one.grad, other.grad, atol=1e-7)  # type: ignore[arg-type]


def keep(network: Network, tokens: TokenIds, path: Path) -> None:
    freeze(network, layers=1)
    write_states(network, tokens, count=1, path=path, token_budget=12)
    network.lower = LowerLayers(network, tokens, count=1, path=path)


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-6), ("bf16", 1e-2)])
def test_kept_lower_states_change_nothing_but_rounding(
    tiny_folder: Path, tmp_path: Path, precision: str, tolerance: float
) -> None:
    network, tokens = fresh(tiny_folder, precision)
    expected = vectors(network, tokens)

    keep(network, tokens, tmp_path / "lower.npy")

    torch.testing.assert_close(vectors(network, tokens), expected, rtol=0, atol=tolerance)
    assert (tmp_path / "lower.npy").stat().st_size >= state_bytes(network, tokens)


def test_kept_lower_states_serve_packed_texts(tiny_folder: Path, tmp_path: Path) -> None:
    network, tokens = fresh(tiny_folder)
    assert network.use_packed()
    expected = vectors(network, tokens)

    keep(network, tokens, tmp_path / "lower.npy")

    torch.testing.assert_close(vectors(network, tokens), expected, rtol=0, atol=1e-6)


def test_kept_states_stand_in_for_the_layers_below(tiny_folder: Path, tmp_path: Path) -> None:
    network, tokens = fresh(tiny_folder)
    keep(network, tokens, tmp_path / "lower.npy")
    calls: list[int] = []
    attention = network.layers[0].get_submodule("attention")
    attention.register_forward_hook(lambda *_: calls.append(1))

    vectors(network, tokens)
    assert len(calls) == 0

    # Another pool's texts are computed as ever.
    _, other = fresh(tiny_folder)
    vectors(network, other)
    assert len(calls) == 1


def test_gradients_above_kept_states_are_those_of_a_whole_pass(tiny_folder: Path, tmp_path: Path) -> None:
    plain, tokens = fresh(tiny_folder)
    freeze(plain, layers=1)
    plain.embed(tokens, ROWS)[:, :3].square().sum().backward()  # type: ignore[no-untyped-call]
    network, _ = fresh(tiny_folder)
    keep(network, tokens, tmp_path / "lower.npy")

    network.embed(tokens, ROWS)[:, :3].square().sum().backward()  # type: ignore[no-untyped-call]

    for one, other in zip(learning(plain), learning(network), strict=True):
        assert one.grad is None or torch.allclose(one.grad, other.grad, atol=1e-6)  # type: ignore[arg-type]
