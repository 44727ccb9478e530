"""The network: a sentence-transformers model as one differentiable function from token ids to vectors.

The transformer (the trunk) computes in fp32 or, through a copy, in bf16 or fp16. Pooling, later layers
and normalising are always fp32: in bf16 the length of a "unit" vector is off by up to 0.35 %.

On a CUDA device in half precision texts go through packed, one after another in one row without padding, where the
model gives the same vectors that way: that is tried on the model itself before it is believed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules.dense import Dense
from sentence_transformers.base.modules.normalize import Normalize
from sentence_transformers.base.modules.transformer import Transformer
from sentence_transformers.sentence_transformer.modules.layer_norm import LayerNorm
from sentence_transformers.sentence_transformer.modules.pooling import Pooling

from lexitune.errors import DataError
from lexitune.models.attention import use_attention
from lexitune.models.precision import copy_in, fast_math, spare_memory, tune_allocator
from lexitune.models.tokens import TokenIds, budget_batches, cheapest_batches

__all__ = ["SHIFTED_POSITIONS", "Network"]

Lengths = NDArray[np.int64]

SHIFTED_POSITIONS = {"camembert", "mpnet", "roberta", "xlm-roberta", "xlm-roberta-xl", "xmod"}
"""Position tables of these families start after the padding id, so they hold fewer tokens than rows."""

PLAIN_TEXT = {"method": "forward", "method_output_name": "last_hidden_state"}
HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}
PROBE = np.array([3, 4, 5, 6, 3, 7, 4], np.int32), np.array([0, 4, 7], np.int64)  # two texts for `use_packed`
SAME = 0.999  # cosine: half precision keeps it far above, another position or a look into the other text does not


class LowerStates(Protocol):
    """Outputs of frozen lower layers that are kept for the texts of one pool: see `lower.py`."""

    tokens: TokenIds

    def standing_in(self, rows: Lengths, real: NDArray[np.bool_] | None) -> AbstractContextManager[None]: ...


class Network:
    """Token ids to vectors, with gradients.

    Weights have one truth, the fp32 masters (`parameters()`), which an optimiser changes and saving
    reads. In half precision a second copy of the trunk computes; a training step is then::

        with network.compute():
            vectors = network.embed(tokens, rows)     # the copy computes
            loss(vectors).backward()                  # gradients lie in the copy
            network.gather_grads()                    # ... and are added to the masters', in fp32
            optimizer.step()
            network.refresh()                         # the copy takes the new weights

    In fp32 the masters compute themselves, and `gather_grads` and `refresh` do nothing.

    Args:
        model: Modules transformer, pooling, then any of Dense, LayerNorm and Normalize, weights in fp32. Its
            attention becomes ours where that is faster.
        precision: `fp32`, `bf16` or `fp16`.

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
        config = first.auto_model.config
        shifted = config.model_type in SHIFTED_POSITIONS
        self._first_position = (config.pad_token_id or 0) + 1 if shifted else 0
        self.trunk = first.auto_model
        if self.device.type == "cpu":
            use_attention(self.trunk)
        self._computing: Any = self.trunk if precision == "fp32" else copy_in(HALF[precision], self.trunk)
        self.learns = False  # whether the copy keeps the sums that gradients need in fp32; then `rebuild`
        self._weights = self._pair_weights()
        self.train(False)
        self.lower: LowerStates | None = None
        self.packed = False
        self.padded_because = ""
        self.pack_if_able()

    @property
    def device(self) -> torch.device:
        return next(self.trunk.parameters()).device

    @property
    def weight_count(self) -> int:
        """How many numbers the model consists of."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def training(self) -> bool:
        return self.trunk.training

    @property
    def computing(self) -> Any:
        """The trunk that computes: the trunk itself, or its copy in half precision."""
        return self._computing

    @property
    def dtype(self) -> torch.dtype:
        """What the trunk computes in."""
        return HALF.get(self.precision, torch.float32)

    @property
    def width(self) -> int:
        """Numbers in the hidden state of a token."""
        return int(self.trunk.config.hidden_size)

    @property
    def layers(self) -> torch.nn.ModuleList:
        """The computing trunk's layers, the lowest first."""
        return self.layers_of(self._computing)

    @property
    def layer_count(self) -> int:
        """Layers that can be frozen one by one; 1 where they share their weights."""
        try:
            return len(self.layers)
        except DataError:
            return 1

    def layers_of(self, trunk: torch.nn.Module) -> torch.nn.ModuleList:
        """The layers of a trunk.

        Raises:
            DataError: They cannot be told from its other parts.
        """
        count = self.trunk.config.num_hidden_layers
        for module in trunk.modules():
            if isinstance(module, torch.nn.ModuleList) and len(module) == count:
                return module
        raise _unfit("its layers stand in no list of their own, so that none can be frozen or cached")

    def rebuild(self) -> None:
        """Make the computing copy anew, after modules of the trunk were replaced or frozen."""
        if self._computing is not self.trunk:
            training = self.training
            self._computing = copy_in(HALF[self.precision], self.trunk, learns=self.learns)
            self._weights = self._pair_weights()
            if self.packed:
                use_attention(self._computing, packed=True)
            self.train(training)

    def _pair_weights(self) -> list[tuple[torch.nn.Parameter, torch.nn.Parameter]]:
        """Each master with its copy. Kept, because walking the modules takes longer than some steps on a GPU."""
        return list(zip(self.trunk.parameters(), self._computing.parameters(), strict=True))

    def parameters(self) -> Iterator[torch.nn.Parameter]:
        """The fp32 masters: trunk first, then the layers after pooling."""
        yield from self.trunk.parameters()
        yield from self._tail.parameters()

    def cut(self, lengths: Lengths, budget: int) -> list[Lengths]:
        """Texts of these lengths in passes of at most `budget` tokens, padding included, the longest first."""
        return budget_batches(lengths, budget) if self.packed else cheapest_batches(lengths, budget)

    def embed(self, tokens: TokenIds, rows: NDArray[np.int64]) -> torch.Tensor:
        """Vectors of `rows`: float32 (len(rows), dimension), of unit length where the model says so.

        All rows go through at once, packed or padded to the longest: `cut` them first.
        """
        hidden, mask, lengths = self._packed(tokens, rows) if self.packed else self._padded(tokens, rows)
        features = {"sentence_embedding": self._pool(hidden, mask, lengths)}
        for module in self._tail:
            features = module(features)
        return features["sentence_embedding"]

    def pack_if_able(self) -> None:
        """Let texts go through packed from now on where that is faster, and gives this model's vectors.

        Where it does not, `padded_because` says why.
        """
        if self.device.type == "cuda" and self.precision in HALF and not self.packed:
            self.use_packed()

    def use_packed(self) -> bool:
        """Let texts go through packed from now on if that gives this model's vectors; whether it does.

        Families number their positions, look around and drop arguments each in their own way, so two texts are computed
        both ways and compared.
        """
        tokens = TokenIds(*PROBE)
        rows = np.arange(len(tokens), dtype=np.int64)
        training, kept = self.training, self._computing.config._attn_implementation
        self.train(False)
        self.packed, self.padded_because = False, ""
        with torch.no_grad():
            padded = torch.nn.functional.normalize(self.embed(tokens, rows), dim=1)
            self.packed = use_attention(self._computing, packed=True)
            try:
                packed = torch.nn.functional.normalize(self.embed(tokens, rows), dim=1)
                if not self.packed:
                    self.padded_because = "it computes attention in its own way"
                elif not bool(((padded * packed).sum(dim=1) > SAME).all()):
                    self.padded_because = "its vectors would differ"
            except (TypeError, ValueError, RuntimeError, IndexError) as error:  # it takes no such arguments
                self.padded_because = str(error).strip().partition("\n")[0] or type(error).__name__
        self.packed = not self.padded_because
        if not self.packed:
            self._computing.set_attn_implementation(kept)
        self.train(training)
        return self.packed

    def use_padded(self) -> None:
        """Pad texts from now on: packed attention drops nothing at random."""
        if self.packed:
            self._computing.set_attn_implementation(self.trunk.config._attn_implementation)
            self.packed = False

    def _packed(self, tokens: TokenIds, rows: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor | None, Lengths]:
        """Hidden states (texts, longest, width) as `_padded` gives them, computed without the padding."""
        lengths = tokens.lengths_of(rows)
        part = tokens.take(rows)
        places = np.arange(len(part.ids)) - np.repeat(part.offsets[:-1], lengths)
        starts = self.to_device(part.offsets.astype(np.int32))
        longest = int(lengths.max(initial=0))
        with self._below(tokens, rows, None):
            hidden = self._computing(
                input_ids=self.to_device(part.ids.astype(np.int64))[None],
                position_ids=self.to_device(places + self._first_position)[None],
                cu_seq_lens_q=starts,
                cu_seq_lens_k=starts,
                max_length_q=longest,
                max_length_k=longest,
            ).last_hidden_state[0]
        real = np.arange(longest) < lengths[:, None]
        if real.all():
            return hidden.view(len(rows), longest, -1), None, lengths
        # Pooling wants a row a text; only this matrix of hidden states is padded, nothing was computed on it.
        return self.spread(hidden, real), self.to_device(real.astype(np.int64)), lengths

    def spread(self, hidden: torch.Tensor, real: NDArray[np.bool_]) -> torch.Tensor:
        """Hidden states of the real tokens, one text's after another, as (texts, longest, width); zeros elsewhere."""
        spread = hidden.new_zeros(real.size, hidden.shape[-1])
        spread = spread.index_copy(0, self.to_device(np.flatnonzero(real)), hidden)
        return spread.view(*real.shape, -1)

    def _padded(self, tokens: TokenIds, rows: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor | None, Lengths]:
        ids, real = tokens.padded(rows, pad_id=self._pad_id)
        # Without padding there is nothing to mask, and attention skips a pass over its scores.
        mask = None if real.all() else self.to_device(real.astype(np.int64))
        with self._below(tokens, rows, real):
            hidden = self._computing(input_ids=self.to_device(ids), attention_mask=mask).last_hidden_state
        return hidden, mask, real.sum(axis=1)

    def _below(self, tokens: TokenIds, rows: Lengths, real: NDArray[np.bool_] | None) -> AbstractContextManager[None]:
        """Where lower layers are frozen and these are the texts whose states are kept, they are not computed again."""
        if self.lower is None or self.lower.tokens is not tokens:
            return nullcontext()
        return self.lower.standing_in(rows, real)

    def _pool(self, hidden: torch.Tensor, mask: torch.Tensor | None, lengths: NDArray[np.int64]) -> torch.Tensor:
        if self.pooling == "cls":
            return hidden[:, 0].float()
        if self.pooling == "lasttoken":
            last = self.to_device(lengths - 1)
            return hidden[torch.arange(len(hidden), device=hidden.device), last].float()
        if self.pooling == "mean":
            real = hidden if mask is None else hidden * mask.unsqueeze(-1).to(hidden.dtype)
            total = real.sum(dim=1, dtype=torch.float32)
            return total / self.to_device(lengths[:, None].astype(np.float32))
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
        into, more = [], []
        for master, shadow in self._weights:
            if shadow.grad is None:
                continue
            if shadow.grad.is_sparse:  # the table of words, of which a batch has few
                if master.grad is None:
                    master.grad = torch.zeros_like(master)
                words, rows = shadow.grad._indices()[0], shadow.grad._values()
                master.grad.index_add_(0, words, rows.float())
            elif master.grad is None:
                master.grad = shadow.grad.float()
            else:
                into.append(master.grad)
                more.append(shadow.grad)
            shadow.grad = None
        if into:
            torch._foreach_add_(into, more)

    def clear_grads(self) -> None:
        """Drop all gradients, also what a backward pass that failed has left in the copy."""
        for parameter in (*self.parameters(), *(shadow for _, shadow in self._weights)):
            parameter.grad = None

    def refresh(self) -> None:
        """Let the computing copy take the masters' weights: after an optimiser's step, or after loading weights."""
        if self._computing is self.trunk:
            return
        with torch.no_grad():
            torch._foreach_copy_([shadow for _, shadow in self._weights], [master for master, _ in self._weights])

    def train(self, mode: bool = True) -> None:
        """Dropout on or off, as in `torch.nn.Module.train`."""
        for module in (self.trunk, self._computing, self._tail):
            module.train(mode)

    def set_dropout(self, p: float) -> None:
        """Give every dropout of the trunk the probability `p`; the saved configuration keeps its own."""
        for trunk in (self.trunk, self._computing):
            set_dropout(trunk, p)

    @contextmanager
    def compute(self, *, keep_memory: bool = True) -> Iterator[None]:
        """The process settings under which this network computes fastest; put it around a loop.

        Args:
            keep_memory: Freed memory stays with the process, which saves time and costs space.
        """
        if keep_memory:
            tune_allocator()
        else:
            spare_memory()
        with fast_math(self.device):
            yield

    def to_device(self, array: NDArray[Any]) -> torch.Tensor:
        """The array on this network's device, through pinned memory: an ordinary copy waits until the GPU is idle."""
        tensor = torch.from_numpy(array)
        if self.device.type == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor


def set_dropout(trunk: torch.nn.Module, p: float) -> None:
    """Give every dropout of a transformers model the probability `p`, those inside attention included."""
    for module in trunk.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = p
        for name in ("attention_dropout", "dropout_prob"):  # where attention reads a number, not a module
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, p)


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
        if isinstance(module, LayerNorm):
            continue
        if not isinstance(module, Dense | Normalize):
            raise _unfit(f"its module {type(module).__name__} is neither Dense, LayerNorm nor Normalize")
        if (module.module_input_name, module.module_output_name) != ("sentence_embedding", "sentence_embedding"):
            raise _unfit(f"its module {type(module).__name__} works on {module.module_input_name}")
    if not pooling.include_prompt and pooling.pooling_mode != "lasttoken":  # the last token is never the prompt's
        raise _unfit("its pooling leaves out the prompt (include_prompt is false)")
    if first.tokenizer is None or not first.tokenizer.is_fast:
        raise _unfit("it has no fast tokenizer (tokenizer.json)")
    if "text" not in first.modality_config or "message" in first.modality_config:
        raise _unfit("its texts go through a chat template")
    if first.modality_config["text"] != PLAIN_TEXT or first.module_output_name != "token_embeddings":
        raise _unfit(f"its transformer hands on {first.module_output_name}, not the last hidden state of each token")
    if first.query_expansion or first.query_length or first.document_length:
        raise _unfit("it pads or cuts queries and documents in its own way")
    return first, pooling, torch.nn.ModuleList(tail)


def _unfit(reason: str) -> DataError:
    return DataError(
        "E3203",
        f"this model cannot be computed here: {reason}",
        fix="take a model of transformer, pooling and normalising, for example BAAI/bge-small-en-v1.5",
    )
