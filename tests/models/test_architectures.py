"""Every architecture that people tune: vectors and gradients are sentence-transformers' own, and memory is known.

Random weights in published configurations cut in size: see `architectures`.
"""

import math
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from tests.models.architectures import ARCHITECTURES, TEXTS, build
from torch import Tensor
from transformers import AutoModel

from lexitune.models.load import load, open_model
from lexitune.models.network import Network
from lexitune.models.options import ModelOptions
from lexitune.models.tokens import TokenIds, tokenise
from lexitune.stages.train.gradients import GraphCost, backpropagate

OPTIONS = ModelOptions(precision="fp32", device="cpu")
EVERY = np.arange(len(TEXTS))
Build = Callable[[str], Path]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The folder of an architecture, made once."""

    @cache
    def folder(name: str) -> Path:
        return build(ARCHITECTURES[name], tmp_path_factory.mktemp(name))

    return folder


@pytest.fixture(params=ARCHITECTURES)
def name(request: pytest.FixtureRequest) -> str:
    """One architecture after another."""
    return str(request.param)


def least_cosine(one: NDArray[Any], other: NDArray[Any]) -> float:
    """The cosine of the two rows that agree least."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    return float(((a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min())


def contrast(vectors: Tensor) -> Tensor:
    """Each of the first three texts belongs to one of the last three."""
    unit = torch.nn.functional.normalize(vectors, dim=1)
    return torch.nn.functional.cross_entropy(unit[:3] @ unit[3:].T / 0.05, torch.arange(3))


def fresh(folder: Path, precision: str = "fp32") -> tuple[Network, TokenIds]:
    model = open_model(folder)
    return Network(model, precision=precision), tokenise(model.tokenizer, TEXTS, max_length=40)


def gradient(parameters: Iterator[torch.nn.Parameter]) -> Tensor:
    return torch.cat([p.grad.flatten().double() for p in parameters if p.grad is not None])


def test_what_is_saved_gives_the_same_vectors_here_and_in_sentence_transformers(
    published: Build, name: str, tmp_path: Path
) -> None:
    architecture = ARCHITECTURES[name]
    stock = load(str(published(name)), options=OPTIONS)
    queries, docs = stock.encode_queries(TEXTS), stock.encode_docs(TEXTS)
    stock.save(tmp_path / "saved")

    again = load(str(tmp_path / "saved"), options=OPTIONS)
    served = SentenceTransformer(str(tmp_path / "saved"), device="cpu")

    assert again.fingerprint == stock.fingerprint
    assert np.array_equal(again.encode_queries(TEXTS), queries)
    assert np.array_equal(again.encode_docs(TEXTS), docs)
    assert (again.spec.query_prompt, again.spec.doc_prompt) == architecture.prompts
    assert (again.spec.pooling, again.spec.normalise) == (architecture.pooling, architecture.normalise)
    assert least_cosine(served.encode_query(TEXTS), queries) > 1 - 1e-6
    assert least_cosine(served.encode_document(TEXTS), docs) > 1 - 1e-6
    assert served.tokenizer.padding_side == architecture.tokens.side


def test_a_vector_is_pooled_from_the_hidden_states_that_it_should_be(published: Build, name: str) -> None:
    architecture, folder = ARCHITECTURES[name], published(name)
    model = load(str(folder), options=OPTIONS)
    plain = AutoModel.from_pretrained(folder).eval()
    ids = model.model.tokenizer(architecture.prompts[1] + TEXTS[0])["input_ids"]
    with torch.no_grad():
        hidden = plain(input_ids=torch.tensor([ids])).last_hidden_state[0]

    vector = {"cls": hidden[0], "lasttoken": hidden[-1], "mean": hidden.mean(dim=0)}[architecture.pooling]
    for dense in [module for module in model.model if type(module).__name__ == "Dense"]:
        vector = dense.linear.weight.detach() @ vector  # type: ignore[union-attr,operator]
    if architecture.normalise:
        vector = vector / vector.norm()

    assert least_cosine(model.encode_docs(TEXTS[:1]), vector.numpy()[None]) > 1 - 1e-6


def test_a_batch_gives_what_its_texts_give_one_by_one(published: Build, name: str) -> None:
    model = load(str(published(name)), options=OPTIONS)

    alone = np.concatenate([model.encode_queries([text]) for text in TEXTS])

    assert least_cosine(model.encode_queries(TEXTS), alone) > 1 - 1e-6


def test_texts_without_padding_give_the_padded_vectors_where_a_model_takes_them(published: Build, name: str) -> None:
    network, tokens = fresh(published(name))
    with torch.no_grad():
        padded = network.embed(tokens, EVERY)

        assert network.use_packed() == ARCHITECTURES[name].packs
        assert least_cosine(network.embed(tokens, EVERY).numpy(), padded.numpy()) > 1 - 1e-6


@pytest.mark.parametrize("memory", [0, math.inf])
def test_a_steps_gradient_is_that_of_sentence_transformers_own_pass(published: Build, name: str, memory: float) -> None:
    theirs = SentenceTransformer(str(published(name)), device="cpu").eval()
    value = contrast(theirs(theirs.preprocess(TEXTS))["sentence_embedding"])
    torch.autograd.backward(value)
    network, tokens = fresh(published(name))

    found = backpropagate(network, tokens, EVERY, loss=contrast, token_budget=60, memory=memory)

    assert found.item() == pytest.approx(value.item(), rel=1e-5)
    ours, plain = gradient(network.parameters()), gradient(theirs.parameters())
    assert torch.nn.functional.cosine_similarity(ours, plain, dim=0) > 1 - 1e-9
    assert float(ours.norm() / plain.norm()) == pytest.approx(1, rel=1e-4)


def test_half_precisions_gradient_points_where_that_of_fp32_does(published: Build, name: str) -> None:
    found = {}
    for precision in ("fp32", "bf16"):
        network, tokens = fresh(published(name), precision)
        backpropagate(network, tokens, EVERY, loss=contrast, token_budget=4096)
        found[precision] = gradient(network.parameters())

    assert torch.nn.functional.cosine_similarity(found["fp32"], found["bf16"], dim=0) > 0.999


def kept_bytes(network: Network, length: int) -> int:
    """Bytes of all that the graph of one text keeps beside the weights."""
    text = TokenIds(np.arange(length, dtype=np.int32) % 20 + 5, np.array([0, length], np.int64))
    own = {one.untyped_storage().data_ptr() for one in [*network.computing.parameters(), *network.computing.buffers()]}
    own |= {one.untyped_storage().data_ptr() for one in network.parameters()}
    found: dict[int, Tensor] = {}  # the tensors live, so that no address is used twice

    def keep(tensor: Tensor) -> Tensor:
        if (place := tensor.untyped_storage().data_ptr()) not in own:
            found[place] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network.embed(text, np.array([0]))
    return sum(tensor.untyped_storage().nbytes() for tensor in found.values())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_a_graph_costs_is_known_within_a_factor_of_two(published: Build, name: str, precision: str) -> None:
    network, _ = fresh(published(name), precision)
    for packed in (False, ARCHITECTURES[name].packs):
        if packed:
            assert network.use_packed()

        for length in (8, 40):
            assert 0.5 < GraphCost.of(network).bytes(length) / kept_bytes(network, length) < 2


def test_what_dropout_keeps_is_counted(published: Build) -> None:
    network, _ = fresh(published("bge-large"))
    network.train(True)

    for length in (8, 40):
        assert 0.5 < GraphCost.of(network).bytes(length) / kept_bytes(network, length) < 2


def test_at_full_size_a_configuration_has_the_published_number_of_parameters(name: str) -> None:
    with torch.device("meta"):
        trunk = AutoModel.from_config(ARCHITECTURES[name].full())  # type: ignore[no-untyped-call]

    assert round(sum(one.numel() for one in trunk.parameters()) / 1e6) == ARCHITECTURES[name].million
