"""The network: sentence-transformers' vectors, fp32 masters behind a bf16 copy, and models that are refused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules.dense import Dense
from sentence_transformers.base.modules.normalize import Normalize
from sentence_transformers.base.modules.router import Router
from sentence_transformers.sentence_transformer.modules.dropout import Dropout
from sentence_transformers.sentence_transformer.modules.layer_norm import LayerNorm

from lexitune.errors import DataError
from lexitune.models.network import Network
from lexitune.models.tokens import TokenIds, tokenise

Make = Callable[..., SentenceTransformer]


def tokens_of(model: SentenceTransformer, texts: list[str]) -> TokenIds:
    return tokenise(model.tokenizer, texts, max_length=24)


def every(tokens: TokenIds) -> NDArray[np.int64]:
    return np.arange(len(tokens))


def weight_of(network: Network) -> torch.nn.Parameter:
    return dict(network.trunk.named_parameters())["encoder.layer.0.output.dense.weight"]


def grad_of(network: Network) -> torch.Tensor:
    grad = weight_of(network).grad
    assert grad is not None
    return grad.clone()


@pytest.mark.parametrize("pooling", ["cls", "mean", "lasttoken", "max", "weightedmean", ["mean", "cls"]])
@pytest.mark.parametrize("normalise", [True, False])
def test_vectors_are_those_of_sentence_transformers(
    make_model: Make, texts: list[str], pooling: str, normalise: bool
) -> None:
    model = make_model(pooling, normalise=normalise)
    theirs = model.encode(texts)
    tokens = tokens_of(model, texts)

    network = Network(model, precision="fp32")
    with torch.no_grad():
        ours = network.embed(tokens, every(tokens)).numpy()

    assert network.dimension == theirs.shape[1]
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_layers_after_pooling_are_computed_and_can_be_trained(make_model: Make, texts: list[str]) -> None:
    model = SentenceTransformer(modules=[*make_model("mean", normalise=False), Dense(32, 5), Normalize()], device="cpu")
    theirs = model.encode(texts)
    tokens = tokens_of(model, texts)

    network = Network(model, precision="fp32")
    vectors = network.embed(tokens, every(tokens))
    torch.autograd.backward(vectors[:, 0].sum())

    np.testing.assert_allclose(vectors.detach().numpy(), theirs, atol=2e-6)
    weights = list(network.parameters())[-2:]  # the Dense layer's weight and bias come last
    assert [tuple(weight.shape) for weight in weights] == [(5, 32), (5,)]
    assert all(weight.grad is not None for weight in weights)


def test_a_layer_norm_after_pooling_is_computed(make_model: Make, texts: list[str]) -> None:
    model = SentenceTransformer(modules=[*make_model("mean", normalise=False), LayerNorm(32)], device="cpu")
    theirs = model.encode(texts)
    tokens = tokens_of(model, texts)

    with torch.no_grad():
        ours = Network(model, precision="fp32").embed(tokens, every(tokens)).numpy()

    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_the_last_token_is_no_prompts_so_leaving_the_prompt_out_changes_nothing(
    make_model: Make, texts: list[str]
) -> None:
    model = make_model("lasttoken")
    model.set_pooling_include_prompt(False)
    theirs = model.encode(texts, prompt="find: ")
    tokens = tokens_of(model, [f"find: {text}" for text in texts])

    with torch.no_grad():
        ours = Network(model, precision="fp32").embed(tokens, every(tokens)).numpy()

    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_bf16_vectors_have_unit_length_to_the_last_float32_bit(make_model: Make, texts: list[str]) -> None:
    model = make_model("mean")
    tokens = tokens_of(model, texts)

    with torch.no_grad():
        vectors = Network(model, precision="bf16").embed(tokens, every(tokens))

    assert vectors.dtype == torch.float32
    np.testing.assert_allclose(vectors.norm(dim=1).numpy(), 1.0, atol=2e-7)


def test_a_full_batch_without_a_mask_gives_what_padding_gives(make_model: Make) -> None:
    model = make_model("mean")
    network = Network(model, precision="fp32")
    tokens = tokens_of(model, ["the cat", "a list", "how do i sort a list"])

    with torch.no_grad():
        full = network.embed(tokens, np.array([0, 1]))
        padded = network.embed(tokens, np.array([0, 1, 2]))

    torch.testing.assert_close(full, padded[:2], atol=1e-6, rtol=0)


def test_gradients_reach_the_masters_and_add_up_over_passes(make_model: Make, texts: list[str]) -> None:
    network = Network(model := make_model("mean"), precision="bf16")
    tokens = tokens_of(model, texts)

    def backward() -> None:
        torch.autograd.backward(network.embed(tokens, every(tokens))[:, 0].sum())
        network.gather_grads()

    backward()
    once = grad_of(network)
    backward()

    assert once.dtype == weight_of(network).dtype == torch.float32
    assert float(once.norm()) > 0
    torch.testing.assert_close(grad_of(network), 2 * once)


def test_bf16_gradients_point_where_fp32_gradients_point(make_model: Make, texts: list[str]) -> None:
    gathered = []
    for precision in ("fp32", "bf16"):
        network = Network(model := make_model("mean"), precision=precision)
        tokens = tokens_of(model, texts)
        torch.autograd.backward(network.embed(tokens, every(tokens))[:, 0].sum())
        network.gather_grads()
        gathered.append(torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None]))

    assert torch.nn.functional.cosine_similarity(gathered[0], gathered[1], dim=0) > 0.99


def test_an_optimiser_step_shows_only_after_refresh(make_model: Make, texts: list[str]) -> None:
    network = Network(model := make_model("mean"), precision="bf16")
    tokens = tokens_of(model, texts)

    def vectors() -> torch.Tensor:
        with torch.no_grad():
            return network.embed(tokens, every(tokens))

    before = vectors()
    with torch.no_grad():
        weight_of(network).add_(0.5)

    assert torch.equal(vectors(), before)
    network.refresh()
    assert not torch.equal(vectors(), before)


def test_in_fp32_the_masters_compute_themselves(make_model: Make, texts: list[str]) -> None:
    network = Network(model := make_model("mean"), precision="fp32")
    tokens = tokens_of(model, texts)
    torch.autograd.backward(network.embed(tokens, every(tokens))[:, 0].sum())
    grad = grad_of(network)

    network.gather_grads()
    network.refresh()

    assert torch.equal(grad_of(network), grad)


def test_the_table_of_words_gets_the_gradient_that_a_dense_one_gets(make_model: Make, texts: list[str]) -> None:
    grads = []
    for sparse in (True, False):
        network = Network(model := make_model("mean"), precision="bf16")
        table = network.computing.get_input_embeddings()
        assert table.sparse
        table.sparse = sparse
        tokens = tokens_of(model, texts)
        for _ in range(2):
            torch.autograd.backward(network.embed(tokens, every(tokens))[:, 0].sum())
            network.gather_grads()
        grad: Any = network.trunk.get_input_embeddings().weight.grad
        grads.append(grad)

    assert not grads[0].is_sparse
    torch.testing.assert_close(grads[0], grads[1], atol=0.02 * float(grads[1].abs().max()), rtol=0)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_without_dropout_training_gives_the_same_vectors_twice(
    make_model: Make, texts: list[str], precision: str
) -> None:
    network = Network(model := make_model("mean"), precision=precision)
    tokens = tokens_of(model, texts)
    network.train()

    def vectors() -> torch.Tensor:
        return network.embed(tokens, every(tokens)).detach()

    assert not torch.equal(vectors(), vectors())
    network.set_dropout(0.0)
    assert torch.equal(vectors(), vectors())
    assert getattr(model.config, "hidden_dropout_prob", None) == 0.1


def test_a_part_that_cannot_be_computed_is_refused_by_name(make_model: Make) -> None:
    model = SentenceTransformer(modules=[*make_model("mean", normalise=False), Dropout(0.5)], device="cpu")

    with pytest.raises(DataError, match="its module Dropout is neither Dense, LayerNorm nor Normalize") as refusal:
        Network(model, precision="fp32")

    assert refusal.value.code == "E3203"


def test_pooling_that_leaves_the_prompt_out_is_refused(make_model: Make) -> None:
    model = make_model("mean")
    model.set_pooling_include_prompt(False)

    with pytest.raises(DataError, match="include_prompt"):
        Network(model, precision="fp32")


def test_a_model_with_one_way_for_queries_and_one_for_passages_is_refused(make_model: Make) -> None:
    sides = [list(make_model("mean")) for _ in range(2)]
    router = Router.for_query_document(query_modules=sides[0], document_modules=sides[1])  # type: ignore[arg-type]

    with pytest.raises(DataError, match="its modules are Router; they must begin with Transformer, Pooling"):
        Network(SentenceTransformer(modules=[router], device="cpu"), precision="fp32")


@pytest.mark.parametrize(
    ("case", "change", "reason"),
    [
        ("a chat template", {"message": {"method": "forward", "method_output_name": "last_hidden_state"}}, "chat"),
        ("another output", {"text": {"method": "forward", "method_output_name": "pooler_output"}}, "hands on"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_texts_that_go_another_way_through_the_transformer_are_refused(
    make_model: Make, case: str, change: dict[str, dict[str, str]], reason: str
) -> None:
    model = make_model("mean")
    model[0].modality_config |= change  # type: ignore[operator]

    with pytest.raises(DataError, match=reason) as refusal:
        Network(model, precision="fp32")

    assert refusal.value.code == "E3203"
