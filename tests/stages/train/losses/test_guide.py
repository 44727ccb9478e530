"""The guide's mask: which cells it takes out, and equality with sentence-transformers' GISTEmbedLoss."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import GISTEmbedLoss
from torch import Tensor

from lexitune.stages.train.losses import rows
from lexitune.stages.train.losses.batch import Batch
from lexitune.stages.train.losses.guide import guided_out
from lexitune.stages.train.losses.infonce import infonce

BatchOf = Callable[..., Batch]

# Docs at cosines 1, 0.8, 0.6 and 0 to the one direction of the queries.
DOCS = torch.tensor([[0.6, 0.8], [1.0, 0.0], [1.6, 1.2], [0.0, 3.0]])
TEXTS = [
    ["w1 w2", "w3", "w4 w5 w6", "w7", "w8 w9"],
    ["w1 w9", "w3 w10 w11", "w5", "w12 w7", "w20 w21"],
    ["w2 w8", "w13", "w6 w14", "w7 w15 w16", "w9"],
]


@pytest.mark.parametrize(
    ("case", "margin", "out"),
    [
        # Query 0 scores its own doc 0.6, query 1 scores its own 1.
        ("above the own pair", 0.0, [[False, True, True, False], [False, False, False, False]]),
        ("within the margin below", 0.3, [[False, True, True, False], [False, False, True, False]]),
        ("all, but never the own", 2.0, [[False, True, True, True], [True, False, True, True]]),
    ],
)
def test_which_cells_are_taken_out(case: str, margin: float, out: list[list[bool]]) -> None:
    queries = torch.tensor([[2.0, 0.0], [1.0, 0.0]])

    assert guided_out(queries, DOCS, margin=margin).tolist() == out


def test_a_doc_like_the_own_one_stays() -> None:
    same = torch.tensor([[0.3, 0.4], [0.3, 0.4]])

    assert not guided_out(torch.tensor([[1.0, 0.2], [0.1, 1.0]]), same).any()


def test_tiles_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    seed = torch.Generator().manual_seed(2)
    queries, docs = torch.randn(9, 4, generator=seed), torch.randn(15, 4, generator=seed)
    whole = guided_out(queries, docs, margin=0.1)
    monkeypatch.setattr(rows, "CELLS", 2 * 15)

    assert 0 < whole.sum() < whole.numel()
    assert torch.equal(guided_out(queries, docs, margin=0.1), whole)


@pytest.mark.parametrize("columns", [2, 3], ids=["pairs", "with a negative each"])
@pytest.mark.parametrize("margin", [0.0, 0.1])
def test_infonce_under_a_guide_is_sentence_transformers_gist(
    columns: int, margin: float, tiny_folder: Path, batch_of: BatchOf
) -> None:
    model, guide = (SentenceTransformer(str(tiny_folder), device="cpu").double().train() for _ in range(2))
    torch.manual_seed(5)
    for parameter in guide.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    # In float64, because they round cosines in another order. Their further directions, query to query and doc to
    # doc, are not ours.
    theirs = GISTEmbedLoss(
        model, guide, temperature=0.05, margin=margin, contrast_anchors=False, contrast_positives=False
    )
    features = [model.preprocess(list(column)) for column in TEXTS[:columns]]
    expected = theirs([dict(column) for column in features], torch.empty(0))
    expected.backward()
    wanted = flat_gradient(model)
    model.zero_grad()

    seen = [guide(dict(column))["sentence_embedding"].detach() for column in features]
    out = guided_out(seen[0], torch.cat(seen[1:]), margin=margin)
    queries, positives, *more = (model(dict(column))["sentence_embedding"] for column in features)
    relevant = torch.eye(5, out.shape[1], dtype=torch.bool) | out
    value = infonce(
        batch_of(queries, positives, negatives=more[0] if more else None, relevant=relevant), temperature=0.05
    )
    value.backward()  # type: ignore[no-untyped-call]

    assert out.any()
    assert value.item() == pytest.approx(expected.item(), rel=1e-12)
    assert ((flat_gradient(model) - wanted).norm() / wanted.norm()).item() < 1e-12


def flat_gradient(model: SentenceTransformer) -> Tensor:
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
