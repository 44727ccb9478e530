"""Gradients: cut into parts, kept or encoded again, they are those of one plain pass."""

import math
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from lexitune.models.learning import checkpoint_layers, freeze
from lexitune.models.network import Network
from lexitune.models.tokens import TokenIds, tokenise
from lexitune.stages.train.gradients import GraphCost, backpropagate, graph_memory, tell_room
from lexitune.types import Silent

TEXTS = ["w1 w2 w3 w4", "w5", "w6 w7", "w8 w9 w10 w11 w12", "w1 w3", "w5 w2"]
ROWS = np.array([3, 0, 5, 1, 2, 4])


def contrast(vectors: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(vectors[:3] @ vectors[3:].T / 0.05, torch.arange(3))


def fresh(folder: Path, precision: str = "fp32") -> tuple[Network, TokenIds]:
    model = SentenceTransformer(str(folder), device="cpu")
    return Network(model, precision=precision), tokenise(model.tokenizer, TEXTS, max_length=64)


def gradients(network: Network) -> Tensor:
    return torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])


@pytest.mark.parametrize(("case", "budget"), [("one part", 4096), ("parts of two texts", 12), ("one text a part", 1)])
def test_any_budget_gives_the_gradient_of_a_plain_pass(tiny_folder: Path, case: str, budget: int) -> None:
    plain, tokens = fresh(tiny_folder)
    expected = contrast(plain.embed(tokens, ROWS))
    expected.backward()  # type: ignore[no-untyped-call]
    network, _ = fresh(tiny_folder)

    value = backpropagate(network, tokens, ROWS, loss=contrast, token_budget=budget)

    assert value.item() == pytest.approx(expected.item(), abs=1e-5)  # cosines are divided by 0.05
    error = (gradients(network) - gradients(plain)).norm() / gradients(plain).norm()
    assert error < 1e-6  # fp32 sums in another order


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("memory", [0, 40_000, 80_000])
def test_keeping_fewer_graphs_changes_no_bit(tiny_folder: Path, precision: str, memory: int) -> None:
    network, tokens = fresh(tiny_folder, precision)
    backpropagate(network, tokens, ROWS, loss=contrast, token_budget=12, memory=math.inf)
    expected = gradients(network).clone()
    network, _ = fresh(tiny_folder, precision)

    backpropagate(network, tokens, ROWS, loss=contrast, token_budget=12, memory=memory)

    assert torch.equal(gradients(network), expected)


def test_gradients_that_were_there_are_dropped(tiny_folder: Path) -> None:
    network, tokens = fresh(tiny_folder)
    backpropagate(network, tokens, ROWS, loss=contrast, token_budget=12)
    once = gradients(network).clone()

    backpropagate(network, tokens, ROWS, loss=contrast, token_budget=12)

    assert torch.equal(gradients(network), once)


def test_half_precisions_gradient_points_where_that_of_fp32_does(tiny_folder: Path) -> None:
    exact, tokens = fresh(tiny_folder)
    backpropagate(exact, tokens, ROWS, loss=contrast, token_budget=4096)
    half, _ = fresh(tiny_folder, "bf16")

    backpropagate(half, tokens, ROWS, loss=contrast, token_budget=4096)

    assert torch.nn.functional.cosine_similarity(gradients(exact), gradients(half), dim=0) > 0.999


def test_what_is_scaled_for_fp16_is_that_many_times_the_gradient(tiny_folder: Path) -> None:
    network, tokens = fresh(tiny_folder)
    backpropagate(network, tokens, ROWS, loss=contrast, token_budget=12)
    once = gradients(network).clone()

    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    backpropagate(network, tokens, ROWS, loss=contrast, token_budget=12, scaler=scaler)

    assert torch.equal(gradients(network), 8 * once)


@pytest.mark.parametrize("memory", [0, 80_000])
def test_with_dropout_a_text_encoded_again_loses_the_same_numbers(tiny_folder: Path, memory: int) -> None:
    network, tokens = fresh(tiny_folder)
    network.set_dropout(0.3)
    network.train(True)
    torch.manual_seed(7)
    backpropagate(network, tokens, ROWS, loss=contrast, token_budget=12, memory=math.inf)
    expected = gradients(network).clone()

    torch.manual_seed(7)
    backpropagate(network, tokens, ROWS, loss=contrast, token_budget=12, memory=memory)

    assert torch.equal(gradients(network), expected)
    torch.manual_seed(8)
    backpropagate(network, tokens, ROWS, loss=contrast, token_budget=12, memory=memory)
    assert not torch.equal(gradients(network), expected)


class Small:
    """Stands for a device on which passes of more than `tokens` padded tokens do not fit, from call `first` on."""

    def __init__(self, network: Network, tokens: int, first: int = 0) -> None:
        self.embed, self.tokens, self.first, self.calls = network.embed, tokens, first, 0

    def __call__(self, tokens: TokenIds, rows: npt.NDArray[np.int64]) -> Tensor:
        self.calls += 1
        if self.calls > self.first and len(rows) * int(tokens.lengths_of(rows).max()) > self.tokens:
            raise torch.OutOfMemoryError
        return self.embed(tokens, rows)


@pytest.mark.parametrize(
    ("case", "memory", "first"), [("in the first pass", math.inf, 0), ("when texts are encoded again", 0, 2)]
)
def test_where_memory_runs_out_passes_are_halved_and_the_gradient_stays(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, case: str, memory: float, first: int
) -> None:
    network, tokens = fresh(tiny_folder)
    backpropagate(network, tokens, ROWS, loss=contrast, token_budget=4096)
    expected = gradients(network).clone()
    monkeypatch.setattr(network, "embed", Small(network, 14, first))  # 36 tokens in two passes of 32 and 4
    halved: list[int] = []

    backpropagate(network, tokens, ROWS, loss=contrast, token_budget=32, memory=memory, halved=halved.append)

    assert halved == [16, 8]
    torch.testing.assert_close(gradients(network), expected, rtol=1e-4, atol=1e-6)


class Full:
    """Stands for a device that holds graphs of no more than so many padded tokens at once."""

    def __init__(self, network: Network, tokens: int) -> None:
        self.embed, self.tokens = network.embed, tokens
        self.graphs: list[tuple[weakref.ref[Tensor], int]] = []

    def __call__(self, tokens: TokenIds, rows: npt.NDArray[np.int64]) -> Tensor:
        more = len(rows) * int(tokens.lengths_of(rows).max()) if torch.is_grad_enabled() else 0
        if sum(size for graph, size in self.graphs if graph() is not None) + more > self.tokens:
            raise torch.OutOfMemoryError
        vectors = self.embed(tokens, rows)
        self.graphs.append((weakref.ref(vectors), more))
        return vectors


# Passes of at most 32 or 16 tokens are 14 and 16 tokens; of 8, these are 7, 6, 8 and 8; texts one by one are 28.
@pytest.mark.parametrize(
    ("case", "memory", "sizes"),
    [
        ("smaller passes, of which the first two are kept", 4 * 2**16, [16, 8]),  # 2**16 bytes are 15 tokens
        ("none is kept", math.inf, [16, 8, 4]),
    ],
)
def test_where_kept_graphs_fill_the_memory_fewer_are_kept_and_the_gradient_stays(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, case: str, memory: float, sizes: list[int]
) -> None:
    network, tokens = fresh(tiny_folder)
    backpropagate(network, tokens, ROWS, loss=contrast, token_budget=4096)
    expected = gradients(network).clone()
    monkeypatch.setattr(network, "embed", Full(network, 20))
    halved: list[int] = []

    backpropagate(network, tokens, ROWS, loss=contrast, token_budget=32, memory=memory, halved=halved.append)

    assert halved == sizes
    torch.testing.assert_close(gradients(network), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_a_failed_backward_pass_has_left_is_not_added(tiny_folder: Path, precision: str) -> None:
    def along(vectors: Tensor) -> Tensor:  # sends the same back, whatever the vectors are
        return (vectors * torch.linspace(-1, 1, vectors.shape[1])).sum()

    network, tokens = fresh(tiny_folder, precision)
    backpropagate(network, tokens, ROWS, loss=along, token_budget=16)
    expected = gradients(network).clone()
    network, _ = fresh(tiny_folder, precision)
    failures = iter([torch.OutOfMemoryError])

    def fail_once(_: Tensor) -> None:
        for failure in failures:
            raise failure

    # Of the lower layer: the upper one has its gradient by then.
    next(network.layers[0].parameters()).register_hook(fail_once)  # type: ignore[no-untyped-call]
    backpropagate(network, tokens, ROWS, loss=along, token_budget=32, halved=lambda _: None)

    assert list(failures) == []
    assert torch.equal(gradients(network), expected)


def test_where_one_text_does_not_fit_the_error_is_the_devices(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, tokens = fresh(tiny_folder)
    monkeypatch.setattr(network, "embed", Small(network, 3))

    with pytest.raises(torch.OutOfMemoryError):
        backpropagate(network, tokens, ROWS, loss=contrast, token_budget=32, halved=lambda _: None)


CHILD = """
import os, sys
sys.path.insert(0, sys.argv[3])
import torch
from pathlib import Path
from test_gradients import ROWS, contrast, fresh, gradients
from lexitune.io.processes import processes
from lexitune.stages.train.gradients import backpropagate

network, tokens = fresh(Path(sys.argv[1]))
for rows in (ROWS, ROWS[:1]):  # of one text, the second process has none
    loss = contrast if len(rows) > 1 else lambda vectors: vectors.sum()
    value = backpropagate(network, tokens, rows, loss=loss, token_budget=12, memory=0, group=processes())
    found = {"loss": value, "gradients": gradients(network)}
    torch.save(found, f"{sys.argv[2]}/{len(rows)}-{os.environ['RANK']}.pt")
"""


def test_two_processes_make_the_gradient_of_one_with_the_whole_batch(tiny_folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    here = str(Path(__file__).parent)
    subprocess.run([*launch, str(tiny_folder), str(tmp_path), here], check=True, capture_output=True)

    network, tokens = fresh(tiny_folder)
    value = backpropagate(network, tokens, ROWS, loss=contrast, token_budget=4096)
    for rank in (0, 1):
        found = torch.load(tmp_path / f"6-{rank}.pt")
        error = (found["gradients"] - gradients(network)).norm() / gradients(network).norm()
        assert found["loss"].item() == pytest.approx(value.item(), abs=1e-6)
        assert error < 1e-6
    backpropagate(network, tokens, ROWS[:1], loss=torch.Tensor.sum, token_budget=4096)
    for rank in (0, 1):
        torch.testing.assert_close(torch.load(tmp_path / f"1-{rank}.pt")["gradients"], gradients(network))


def test_a_graph_costs_what_its_layers_keep(tiny_folder: Path) -> None:
    network, _ = fresh(tiny_folder)
    maps = 4 * (32 + 32) + 2 * (32 + 64)  # of attention, and of the feed-forward: what goes in and comes out
    cost = GraphCost.of(network)

    assert (cost.token_bytes, cost.pair_bytes) == (2 * (maps + 2 * 32) * 4, 2 * 2 * 4)  # 2 layers, norms, heads
    assert cost.bytes(6) == 6 * (4096 + 6 * 16)


def test_a_frozen_layer_and_a_checkpointed_one_cost_less(tiny_folder: Path) -> None:
    network, _ = fresh(tiny_folder)
    freeze(network, layers=1)

    assert GraphCost.of(network).bytes(6) == 6 * (2048 + 6 * 8)
    checkpoint_layers(network)
    assert GraphCost.of(network).bytes(6) == 6 * 32 * 4


@pytest.mark.parametrize(("spare", "told"), [(0, False), (-1, True)])
def test_a_training_whose_fixed_parts_do_not_fit_is_told_before_its_first_step(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, spare: int, told: bool
) -> None:
    network, _ = fresh(tiny_folder)
    weights = sum(parameter.nbytes for parameter in network.parameters())
    monkeypatch.setattr("lexitune.stages.train.gradients._free_memory", lambda _: 3 * weights + spare)
    heard: list[str] = []

    class Heard(Silent):
        def say(self, line: str) -> None:
            heard.append(line)

    tell_room(network, copies=3, talk=Heard())

    assert [line.partition(":")[0] for line in heard] == ["this will not fit"] * told


def test_graphs_may_take_a_quarter_of_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lexitune.stages.train.gradients._free_memory", lambda _: 1000)

    assert graph_memory(torch.device("cpu")) == 250
