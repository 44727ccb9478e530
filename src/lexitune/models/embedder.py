"""The embedder: texts to vectors."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from lexitune.errors import StageFailed
from lexitune.fingerprint import hash_json, hash_texts
from lexitune.models.adapter import adapt, hash_matrix
from lexitune.models.attention import encoding
from lexitune.models.folder import write_folder
from lexitune.models.memory import UNLIMITED, Limits, anonymous_bytes, fit_limits, pass_bytes
from lexitune.models.network import Network
from lexitune.models.quiet import quiet
from lexitune.models.spec import ModelSpec
from lexitune.models.tokens import TokenIds, cut_words, tokenise
from lexitune.types import Silent, Talk

__all__ = ["Embedder", "hash_tokenizer", "hash_weights"]


Matrix = NDArray[np.float32]


class Embedder:
    """A model with its prompts, ready to encode. `lexitune.load` makes one.

    Args:
        model: The sentence-transformers model, weights in fp32. The embedder owns it from now on: it
            sets the model's prompts and maximum length to those of `spec`.
        spec: Prompts and limits; pooling, normalisation and dimension are read from the model itself.
        precision: `fp32`, `bf16` or `fp16`: what the transformer computes in.
        max_memory: GB that encoding may bring this process to; None: no limit.
        base: Where the weights come from (name, source, revision, weights); empty: from here.
        query_map: float32 (dimension, dimension) that query vectors go through, or None. It may be set later.

    Raises:
        DataError: The model has parts that cannot be computed here.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        spec: ModelSpec,
        *,
        precision: str,
        max_memory: float | None = None,
        base: Mapping[str, str] | None = None,
        query_map: Matrix | None = None,
    ) -> None:
        model.prompts = {"query": spec.query_prompt, "document": spec.doc_prompt}
        model.default_prompt_name = None  # it may name one of the prompts that stood there
        model.max_seq_length = spec.max_length
        self.model, self.spec, self.precision, self.max_memory = model, spec, precision, max_memory
        self.query_map = query_map
        self.network = Network(model, precision=precision)
        self.limits = _limits(self.network, spec, max_memory)
        self.token_budget = self.limits.token_budget
        self._tokenizer_hash = hash_tokenizer(model.tokenizer)
        self.base: Mapping[str, str] = base or {
            "name": spec.name,
            "source": spec.source,
            "revision": spec.revision,
            "weights": hash_weights(model),
        }

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self.network.dimension

    @property
    def fingerprint(self) -> str:
        """Hash of all that decides a vector, of a query or a passage. Two models of one fingerprint are one.

        Taken from the weights as they are now, at each call: training changes them.
        """
        if self.query_map is None:
            return self.doc_fingerprint
        return hash_json({"docs": self.doc_fingerprint, "query_map": hash_matrix(self.query_map)})

    @property
    def doc_fingerprint(self) -> str:
        """Hash of all that decides a passage's vector: what vectors of passages are known by.

        Weights, tokenizer, prompts, pooling, length, normalising and precision, but not the query map: a model with one
        reads the index of the model that it was made from.
        """
        spec, side = self.spec, self.model.tokenizer.truncation_side
        # Nearly every model cuts off a text's end: only another side is told, so that fingerprints of old hold.
        cut = {} if side == "right" else {"truncation_side": side}
        return hash_json(
            {
                "weights": hash_weights(self.model),
                "tokenizer": self._tokenizer_hash,
                "prompts": [spec.query_prompt, spec.doc_prompt],
                "pooling": self.network.pooling,
                "normalise": self.network.normalise,
                "max_length": spec.max_length,
                "precision": self.precision,
                **cut,
            }
        )

    @property
    def token_key(self) -> str:
        """Hash of all that decides a passage's token ids: tokenizer, prompt and maximum length; not the weights."""
        side = self.model.tokenizer.truncation_side
        return hash_json([self._tokenizer_hash, self.spec.doc_prompt, self.spec.max_length, side])

    def tokenise_queries(self, texts: Sequence[str]) -> TokenIds:
        """Token ids of queries, prompt included; for `encode_tokens` and for training."""
        return self._tokenise(texts, self.spec.query_prompt)

    def tokenise_docs(self, texts: Sequence[str]) -> TokenIds:
        """Token ids of passages, prompt included."""
        return self._tokenise(texts, self.spec.doc_prompt)

    def cut_words(self, words: Sequence[str]) -> list[tuple[str, ...]]:
        """The tokenizer's pieces of each word, as it is cut in the middle of a text.

        Example:
            all-MiniLM-L6-v2 has no word of its own for a drug: `("ri", "##tu", "##xi", "##ma", "##b")`.
        """
        return cut_words(self.model.tokenizer, words)

    def filled(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """Whether each passage fills the model's length, prompt included, and so loses what follows, if anything."""
        return self.tokenise_docs(texts).lengths >= self.spec.max_length

    def encode_queries(
        self, texts: Sequence[str], *, talk: Talk | None = None, stage: str = "", bare: bool = False
    ) -> Matrix:
        """Vectors of queries: float32 (n, dimension), in the order given; equal texts are computed once.

        They go through the query map where the model has one; `encode_tokens` knows no side, and leaves it out.

        Args:
            bare: Without the model's prompt: what a search gets that forgets it.

        Raises:
            StageFailed: A text encodes to NaN or infinity, or does not fit the device's memory.
        """
        vectors = self._encode(texts, "" if bare else self.spec.query_prompt, talk, stage)
        if self.query_map is None:
            return vectors
        return adapt(vectors, self.query_map, normalise=self.network.normalise)

    def encode_docs(self, texts: Sequence[str], *, talk: Talk | None = None, stage: str = "") -> Matrix:
        """Vectors of passages: float32 (n, dimension), in the order given; equal texts are computed once.

        Raises:
            StageFailed: A text encodes to NaN or infinity, or does not fit the device's memory.
        """
        return self._encode(texts, self.spec.doc_prompt, talk, stage)

    def encode_tokens(
        self, tokens: TokenIds, *, names: Sequence[str] | None = None, talk: Talk | None = None, stage: str = ""
    ) -> Matrix:
        """Vectors of texts that are tokenised already: float32 (n, dimension).

        Args:
            names: What an error calls each text; by default its number, from 0.
            talk: Hears of progress in tokens, under the name `stage`.

        Raises:
            StageFailed: A text encodes to NaN or infinity, or does not fit the device's memory.
        """
        matrix = torch.empty((len(tokens), self.dimension), device=self.network.device)
        done, total = 0, len(tokens.ids)
        training = self.network.training
        self.network.train(False)
        try:
            with self.network.compute(keep_memory=self.max_memory is None), encoding():
                for rows, vectors in self._embed_all(tokens):
                    # The device's results stay there until all are done: each copy would stop its queue.
                    matrix[self.network.to_device(rows)] = vectors
                    done += int(tokens.lengths_of(rows).sum())
                    if talk is not None:
                        talk.progress(stage, done, total)
        finally:
            self.network.train(training)
        found: Matrix = matrix.cpu().numpy()
        self._refuse_nan(found, names)
        return found

    def _embed_all(self, tokens: TokenIds) -> Iterator[tuple[NDArray[np.int64], torch.Tensor]]:
        """Batches and their vectors. Where one is too much for the device, the rest is cut anew by half its tokens."""
        waiting = deque(self.network.cut(tokens.lengths, self.token_budget))
        while waiting:
            rows = waiting.popleft()
            try:
                yield rows, self.network.embed(tokens, rows)
            except torch.OutOfMemoryError as error:
                longest = int(tokens.lengths_of(rows[:1])[0])
                if len(rows) == 1:
                    raise StageFailed(
                        "E1005",
                        f"the device has too little memory for one text of {longest} tokens",
                        fix="give a smaller --max-length, or --device cpu",
                    ) from error
                self.token_budget = len(rows) * longest // 2
                left = np.concatenate([rows, *waiting])
                waiting = deque(left[cut] for cut in self.network.cut(tokens.lengths_of(left), self.token_budget))

    def save(self, folder: Path, *, notes: Mapping[str, Any] | None = None) -> None:
        """Write a sentence-transformers folder, prompts included, and `lexitune.json`: whole, or not at all.

        `SentenceTransformer(folder).encode_query(text)` then gives the vectors that `encode_queries` gives; where there
        is a query map, before it: the folder holds it apart, and its README says how to apply it.

        Args:
            notes: JSON values to keep with the model: how it was trained, on what, with which result.
        """
        hashes = {
            "weights": hash_weights(self.model),
            "tokenizer": self._tokenizer_hash,
            "fingerprint": self.fingerprint,
        }
        with quiet():
            write_folder(
                self.model,
                folder,
                spec=self.spec,
                base=self.base,
                hashes=hashes,
                notes=notes or {},
                query_map=self.query_map,
            )

    def _tokenise(self, texts: Sequence[str], prompt: str) -> TokenIds:
        if prompt:
            texts = [prompt + text for text in texts]
        return tokenise(self.model.tokenizer, texts, max_length=self.spec.max_length)

    def _encode(self, texts: Sequence[str], prompt: str, talk: Talk | None, stage: str) -> Matrix:
        number: dict[str, int] = {}
        which = np.fromiter((number.setdefault(text, len(number)) for text in texts), np.int64, len(texts))
        first = np.unique(which, return_index=True)[1]
        tokens = self._tokenise(list(number), prompt)
        matrix = self.encode_tokens(tokens, names=[str(i) for i in first], talk=talk or Silent(), stage=stage)
        return matrix if len(number) == len(texts) else matrix[which]

    def _refuse_nan(self, matrix: Matrix, names: Sequence[str] | None) -> None:
        bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
        if len(bad):
            name = names[bad[0]] if names is not None else str(bad[0])
            raise StageFailed(
                "E1101",
                f"{len(bad)} of {len(matrix)} texts encode to vectors that are not numbers, the first is text {name}",
                fix="compute with --precision fp32; if it stays, the weights are damaged: take another model",
            )


def hash_weights(model: SentenceTransformer) -> str:
    """Hash of every weight by name, type and shape: equal before saving and after loading."""
    parts = []
    for name, tensor in sorted(model.state_dict().items()):
        data = tensor.detach().cpu().contiguous()
        digest = hashlib.blake2b(data.flatten().view(torch.uint8).numpy(), digest_size=16).hexdigest()
        parts.append(f"{name} {data.dtype} {tuple(data.shape)} {digest}")
    return hash_texts(parts)


def hash_tokenizer(tokenizer: Any) -> str:
    """Hash of what the tokenizer does to a text, without the padding and truncation of its last caller."""
    rules = json.loads(tokenizer.backend_tokenizer.to_str())
    return hash_json({key: value for key, value in rules.items() if key not in ("padding", "truncation")})


def _limits(network: Network, spec: ModelSpec, max_memory: float | None) -> Limits:
    device = network.device.type
    if max_memory is None:
        return UNLIMITED.get(device, UNLIMITED["cpu"])
    item_bytes = 4 if network.precision == "fp32" else 2
    return fit_limits(
        device,
        text_bytes=pass_bytes(network.trunk.config, length=spec.max_length, item_bytes=item_bytes),
        max_length=spec.max_length,
        row_bytes=4 * network.dimension,
        max_memory=max_memory,
        taken=anonymous_bytes(),
    )
