"""The network: a sentence-transformers model as one differentiable function from token ids to vectors.

The transformer (the trunk) computes in fp32 or, through a bf16 copy, in bf16. Pooling, later layers
and normalising are always fp32: in bf16 the length of a "unit" vector is off by up to 0.35 %.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules.dense import Dense
from sentence_transformers.base.modules.normalize import Normalize
from sentence_transformers.base.modules.transformer import Transformer
from sentence_transformers.sentence_transformer.modules.pooling import Pooling

from lexitune.errors import DataError
from lexitune.models.attention import use_plain_attention
from lexitune.models.precision import fast_math, tune_allocator
from lexitune.models.tokens import TokenIds

__all__ = ["Network"]


class Network:
    """Token ids to vectors, with gradients.

    Weights have one truth, the fp32 masters (`parameters()`), which an optimiser changes and saving
    reads. In bf16 a second copy of the trunk computes; a training step is then::

        with network.compute():
            vectors = network.embed(tokens, rows)     # the copy computes
            loss(vectors).backward()                  # gradients lie in the copy
            network.gather_grads()                    # ... and are added to the masters', in fp32
            optimizer.step()
            network.refresh()                         # the copy takes the new weights

    In fp32 the masters compute themselves, and `gather_grads` and `refresh` do nothing.

    Args:
        model: Modules transformer, pooling, then any of Dense and Normalize, weights in fp32. Its
            attention becomes plain matrix products on a CPU.
        precision: `fp32` or `bf16`.

    Raises:
        DataError: The model has a module or a setting that would not be honoured here.
    """

    def __init__(self, model: SentenceTransformer, *, precision: str) -> None:
        first, pooling, self._tail = split_modules(model)
        self.precision = precision
        self.pooling = "+".join(modes) if not isinstance(modes := pooling.pooling_mode, str) else modes
        self.normalise = any(isinstance(module, Normalize) for module in self._tail)
        self.dimension = int(model.get_embedding_dimension() or 0)
        self._pooling = pooling
        self._pad_id = int(getattr(first.tokenizer, "pad_token_id", None) or 0)  # masked: without one, any id will do
        self.trunk = first.auto_model
        if self.device.type == "cpu":
            use_plain_attention(self.trunk)
        self._computing = self.trunk if precision == "fp32" else _bf16_copy(self.trunk)
        self.train(False)

    @property
    def device(self) -> torch.device:
        return next(self.trunk.parameters()).device

    @property
    def training(self) -> bool:
        return self.trunk.training

    def parameters(self) -> Iterator[torch.nn.Parameter]:
        """The fp32 masters: trunk first, then the layers after pooling."""
        yield from self.trunk.parameters()
        yield from self._tail.parameters()

    def embed(self, tokens: TokenIds, rows: NDArray[np.int64]) -> torch.Tensor:
        """Vectors of `rows`: float32 (len(rows), dimension), of unit length where the model says so.

        All rows go through at once, padded to the longest: cut them with `budget_batches` first.
        """
        ids, real = tokens.padded(rows, pad_id=self._pad_id)
        # Without padding there is nothing to mask, and attention skips a pass over its scores.
        mask = None if real.all() else self._to_device(real.astype(np.int64))
        hidden = self._computing(input_ids=self._to_device(ids), attention_mask=mask).last_hidden_state
        features = {"sentence_embedding": self._pool(hidden, mask, real.sum(axis=1))}
        for module in self._tail:
            features = module(features)
        return features["sentence_embedding"]

    def _pool(self, hidden: torch.Tensor, mask: torch.Tensor | None, lengths: NDArray[np.int64]) -> torch.Tensor:
        if self.pooling == "cls":
            return hidden[:, 0].float()
        if self.pooling == "lasttoken":
            return hidden[torch.arange(len(hidden)), torch.from_numpy(lengths - 1)].float()
        if self.pooling == "mean":
            real = hidden if mask is None else hidden * mask.unsqueeze(-1).to(hidden.dtype)
            total = real.sum(dim=1, dtype=torch.float32)
            return total / self._to_device(lengths[:, None].astype(np.float32))
        if mask is None:
            mask = torch.ones(hidden.shape[:2], dtype=torch.int64, device=hidden.device)
        features = self._pooling({"token_embeddings": hidden.float(), "attention_mask": mask})
        return features["sentence_embedding"]  # type: ignore[no-any-return]

    def gather_grads(self) -> None:
        """Add the copy's gradients to the masters' and clear them. In fp32 they are the masters' own already.

        Called after each backward pass, sums over several passes are fp32 sums.
        """
        if self._computing is self.trunk:
            return
        for master, shadow in zip(self.trunk.parameters(), self._computing.parameters(), strict=True):
            if shadow.grad is None:
                continue
            if master.grad is None:
                master.grad = shadow.grad.float()
            else:
                master.grad.add_(shadow.grad)
            shadow.grad = None

    def refresh(self) -> None:
        """Let the computing copy take the masters' weights: after an optimiser's step, or after loading weights."""
        if self._computing is self.trunk:
            return
        with torch.no_grad():
            for master, shadow in zip(self.trunk.parameters(), self._computing.parameters(), strict=True):
                shadow.copy_(master)

    def train(self, mode: bool = True) -> None:
        """Dropout on or off, as in `torch.nn.Module.train`."""
        for module in (self.trunk, self._computing, self._tail):
            module.train(mode)

    def set_dropout(self, p: float) -> None:
        """Give every dropout of the trunk the probability `p`; the saved configuration keeps its own."""
        for trunk in (self.trunk, self._computing):
            for module in trunk.modules():
                if isinstance(module, torch.nn.Dropout):
                    module.p = p
                for name in ("attention_dropout", "dropout_prob"):  # where attention reads a number, not a module
                    if isinstance(getattr(module, name, None), float):
                        setattr(module, name, p)

    @contextmanager
    def compute(self) -> Iterator[None]:
        """The process settings under which this network computes fastest; put it around a loop."""
        tune_allocator()
        with fast_math(self.device):
            yield

    def _to_device(self, array: NDArray[Any]) -> torch.Tensor:
        tensor = torch.from_numpy(array)
        if self.device.type == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor


def split_modules(model: SentenceTransformer) -> tuple[Transformer, Pooling, torch.nn.ModuleList]:
    """Transformer, pooling, and what follows them.

    Raises:
        DataError: A module that we cannot run, or a setting that would be silently ignored.
    """
    modules = list(model)
    kinds = [type(module).__name__ for module in modules]
    if len(modules) < 2 or not isinstance(modules[0], Transformer) or not isinstance(modules[1], Pooling):
        raise _unfit(f"its modules are {', '.join(kinds)}; they must begin with Transformer, Pooling")
    first, pooling, tail = modules[0], modules[1], modules[2:]
    for module in tail:
        if not isinstance(module, Dense | Normalize):
            raise _unfit(f"its module {type(module).__name__} is neither Dense nor Normalize")
        if (module.module_input_name, module.module_output_name) != ("sentence_embedding", "sentence_embedding"):
            raise _unfit(f"its module {type(module).__name__} works on {module.module_input_name}")
    if not pooling.include_prompt:
        raise _unfit("its pooling leaves out the prompt (include_prompt is false)")
    if first.tokenizer is None or not first.tokenizer.is_fast:
        raise _unfit("it has no fast tokenizer (tokenizer.json)")
    if "text" not in first.modality_config or "message" in first.modality_config:
        raise _unfit("its texts go through a chat template")
    if first.query_expansion or first.query_length or first.document_length:
        raise _unfit("it pads or cuts queries and documents in its own way")
    return first, pooling, torch.nn.ModuleList(tail)


def _unfit(reason: str) -> DataError:
    return DataError(
        "E3203",
        f"this model cannot be computed here: {reason}",
        fix="take a model of transformer, pooling and normalising, for example BAAI/bge-small-en-v1.5",
    )


def _bf16_copy(trunk: torch.nn.Module) -> torch.nn.Module:
    """Only parameters change type: buffers such as rotary frequencies lose positions in bf16."""
    shadow = copy.deepcopy(trunk)
    for parameter in shadow.parameters():
        parameter.data = parameter.data.to(torch.bfloat16)
    return shadow
