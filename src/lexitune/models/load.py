"""Loading a model: a name to an Embedder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer

from lexitune.errors import DataError, UsageError
from lexitune.models.adapter import read_adapter
from lexitune.models.catalog import BUILT_IN, Choice, resolve
from lexitune.models.embedder import Embedder, hash_tokenizer, hash_weights
from lexitune.models.folder import check_folder
from lexitune.models.hardware import find_device
from lexitune.models.hub import fetch
from lexitune.models.network import SHIFTED_POSITIONS, split_modules
from lexitune.models.options import ModelOptions
from lexitune.models.precision import choose_precision
from lexitune.models.quiet import quiet
from lexitune.models.record import read_record, spec_of_record
from lexitune.models.spec import ModelSpec, is_non_commercial, known_spec, licence_of
from lexitune.types import Silent, Talk

__all__ = ["load", "model_folder", "open_model"]

DEFAULT = ModelOptions()


def load(name: str = "auto", *, options: ModelOptions = DEFAULT, talk: Talk | None = None) -> Embedder:
    """Load an embedding model.

    Args:
        name: `minilm`, a model folder, a Hub id such as `BAAI/bge-small-en-v1.5`, or `auto`: what `options` says.
        options: Precision, maximum length, device, revision, remote code.
        talk: Hears why `auto` chose, and what is unusual about the model.

    Raises:
        UsageError: An unknown name, a device that is not there, remote code without a revision.
        DataError: The folder or the Hub's copy cannot be had, is damaged, or cannot be computed here.

    Example:
        >>> model = load("minilm")
        >>> model.encode_queries(["how do I sort a list?"]).shape
        (1, 384)
    """
    talk = talk or Silent()
    choice = resolve(options if name == "auto" else replace(options, model=name))
    if choice.reason:
        talk.say(f"model: {choice.name} ({choice.reason})")
    device = find_device(options.device)
    precision = choose_precision(options.precision, device=device)
    folder = model_folder(choice, options, talk)
    commit = "" if isinstance(choice.location, Path) else folder.name
    check_folder(folder)
    record = read_record(folder)
    model = open_model(folder, device=device, trust_remote_code=options.trust_remote_code)
    spec = _spec(choice, folder, commit, model, record, options, talk)
    if is_non_commercial(spec.licence):
        talk.say(f"{spec.name} is under {spec.licence}: its licence forbids commercial use, tuned or not")
    base: Mapping[str, str] | None = None
    if record is not None:
        _compare_hashes(record, model, folder)
        base = record["base"]
    query_map = read_adapter(folder, record, dimension=spec.dimension)
    embedder = Embedder(model, spec, precision=precision, max_memory=options.max_memory, base=base, query_map=query_map)
    if because := embedder.network.padded_because:
        talk.say(f"texts of {spec.name} go through padded, which is slower: {because}")
    return embedder


def open_model(
    folder: Path, *, device: torch.device | str = "cpu", trust_remote_code: bool = False
) -> SentenceTransformer:
    """The sentence-transformers model of a folder, weights in fp32 whatever the folder holds, otherwise as it comes.

    Half-precision weights would be trained in half precision, where small updates vanish.

    Raises:
        DataError: sentence-transformers cannot load it.
    """
    try:
        with quiet():
            return SentenceTransformer(
                str(folder),
                device=str(device),
                trust_remote_code=trust_remote_code,
                local_files_only=True,
                model_kwargs={"dtype": torch.float32, "use_safetensors": True},
            )
    except (OSError, ValueError, KeyError, ImportError, AttributeError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().partition("\n")[0]
        if "trust_remote_code" in str(error):
            raise DataError(
                "E3203",
                f"{folder} brings code of its own, which does not run unless you allow it",
                fix="read that code, then give --trust-remote-code --revision COMMIT",
            ) from error
        raise DataError(
            "E3201", f"{folder} cannot be loaded: {reason}", fix="fetch the model again, or take --model minilm"
        ) from error


def model_folder(choice: Choice, options: ModelOptions, talk: Talk | None = None) -> Path:
    """Where a model lies; that of the Hub is fetched, unless it is here, to a folder named for its commit.

    Raises:
        UsageError: Its own code is to run, and no revision says which.
        DataError: It cannot be had.
    """
    if isinstance(choice.location, Path):
        return choice.location
    if options.trust_remote_code and not options.revision:
        raise UsageError(
            "E2102",
            f"--trust-remote-code runs whatever code '{choice.name}' holds today",
            fix="name the commit whose code you have read: --revision COMMIT",
        )
    with quiet():
        return fetch(choice.location, revision=options.revision, code=options.trust_remote_code, talk=talk)


def _spec(
    choice: Choice,
    folder: Path,
    commit: str,
    model: SentenceTransformer,
    record: Mapping[str, Any] | None,
    options: ModelOptions,
    talk: Talk,
) -> ModelSpec:
    """Prompts, in this order: our record, what the model folder stores, what is published; the rest from the model."""
    first, pooling, tail = split_modules(model)
    known = known_spec(choice.name, folder)
    stored = _stored_prompts(model)
    if record is not None:
        spec = spec_of_record(record, folder)
        if (spec.query_prompt, spec.doc_prompt) != stored:
            raise DataError(
                "E3206",
                f"{folder}: lexitune.json and config_sentence_transformers.json name different prompts",
                fix="restore the file that was edited, or train again",
            )
    else:
        source = BUILT_IN[choice.name].published if choice.name in BUILT_IN else str(choice.location)
        spec = ModelSpec(choice.name, source, commit, licence=licence_of(folder))
        if not (folder / "modules.json").is_file():
            talk.say(f"{choice.name} does not say how it pools: the mean of its token vectors is taken")
        if any(stored):
            spec = replace(spec, query_prompt=stored[0], doc_prompt=stored[1])
        elif known:
            spec = replace(spec, query_prompt=known.query_prompt, doc_prompt=known.doc_prompt)
        else:
            talk.say(f"no prompts are known for {choice.name}: queries and passages are encoded as they stand")
        if known:
            spec = replace(spec, licence=known.licence or spec.licence)
            if known.pooling not in ("", pooling.pooling_mode):
                talk.say(f"{choice.name} pools by {pooling.pooling_mode}; it was published with {known.pooling}")
    return replace(
        spec,
        pooling=str(pooling.pooling_mode),
        normalise=any(type(module).__name__ == "Normalize" for module in tail),
        dimension=int(model.get_embedding_dimension() or 0),
        max_length=_max_length(first, record, spec, options),
        remote_code=options.trust_remote_code,
    )


def _stored_prompts(model: SentenceTransformer) -> tuple[str, str]:
    # The names that encode_query and encode_document look for; an empty "document" is the library's own default.
    prompts = model.prompts
    doc = next((prompts[name] or "" for name in ("document", "passage", "corpus") if prompts.get(name)), "")
    return prompts.get("query") or "", doc


def _max_length(first: Any, record: Mapping[str, Any] | None, spec: ModelSpec, options: ModelOptions) -> int:
    config = first.auto_model.config
    limit = getattr(config, "max_position_embeddings", None)
    if limit is not None and config.model_type in SHIFTED_POSITIONS:
        limit -= (config.pad_token_id or 0) + 1
    if options.max_length is not None:
        if limit is not None and options.max_length > limit:
            raise UsageError(
                "E2103",
                f"max_length {options.max_length} is more than {spec.name} can take ({limit})",
                fix=f"--max-length {limit}",
            )
        return options.max_length
    wanted = spec.max_length if record is not None else first.max_seq_length
    return int(min(wanted, limit or 512))


def _compare_hashes(record: Mapping[str, Any], model: SentenceTransformer, folder: Path) -> None:
    """A folder whose weights were exchanged after training would be measured and served under the wrong name."""
    for what, found in (("weights", hash_weights(model)), ("tokenizer", hash_tokenizer(model.tokenizer))):
        if record.get(what) != found:
            raise DataError(
                "E3206",
                f"{folder}: the {what} are not those that lexitune.json records",
                fix="copy the whole folder again, or remove lexitune.json to load it as a foreign model",
            )
