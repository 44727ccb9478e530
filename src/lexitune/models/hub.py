"""The Hugging Face Hub: a model id to a folder on this machine, and a quick answer when there is no way to it."""

from __future__ import annotations

import threading
from pathlib import Path

from huggingface_hub import constants, get_session, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from lexitune.errors import DataError
from lexitune.models.spec import KNOWN
from lexitune.settings import did_you_mean
from lexitune.types import Silent, Talk

__all__ = ["cached_folder", "fetch", "hub_answers"]

# Weights as safetensors only: a pickle is never even downloaded.
FILES = ["*.json", "*.safetensors", "*.txt", "*.model", "README.md"]
EXPORTS = ["onnx/*", "openvino/*", "*/onnx/*", "*/openvino/*"]

ANSWER_S = 3.0


def fetch(model_id: str, *, revision: str | None = None, code: bool = False, talk: Talk | None = None) -> Path:
    """Folder of a Hub model: the copy in the local cache, or else a download.

    A cached copy is taken as it is, without asking the Hub for a newer one: the same command gives
    the same model tomorrow, and needs no network.

    Args:
        revision: Branch, tag or commit.
        code: Fetch the model's Python files too.

    Raises:
        DataError: The model is not here and cannot be fetched; the message says why.
    """
    if folder := cached_folder(model_id, revision=revision, code=code):
        return folder
    if constants.HF_HUB_OFFLINE:
        raise _missing(f"'{model_id}' is not on this machine, and HF_HUB_OFFLINE forbids fetching it")
    if not hub_answers():
        raise _missing(f"'{model_id}' is not on this machine, and {constants.ENDPOINT} cannot be reached")
    (talk or Silent()).say(f"fetching {model_id} from {constants.ENDPOINT}")
    try:
        folder = Path(
            snapshot_download(model_id, revision=revision, allow_patterns=_patterns(code), ignore_patterns=EXPORTS)
        )
    except RevisionNotFoundError as error:
        raise DataError(
            "E3202", f"'{model_id}' has no revision '{revision}'", fix="leave --revision out, or give a commit of it"
        ) from error
    except GatedRepoError as error:
        raise DataError(
            "E3202",
            f"'{model_id}' is gated: its owner wants you to accept terms",
            fix=f"accept them at {constants.ENDPOINT}/{model_id}, then: hf auth login",
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise DataError(
            "E3202", f"the Hub shows no model '{model_id}'", fix=did_you_mean(model_id, ["minilm", *KNOWN])
        ) from error
    except Exception as error:  # whatever else goes wrong on the way has the types of the Hub's own HTTP client
        reason = str(error).strip().partition("\n")[0]
        raise _missing(f"'{model_id}' could not be fetched: {reason}") from error
    if not any(folder.glob("*.safetensors")):
        raise DataError(
            "E3204",
            f"'{model_id}' has no safetensors weights: a pickle can run code when it is read",
            fix="take a --revision of the model with model.safetensors, or another model",
        )
    return folder


def cached_folder(model_id: str, *, revision: str | None = None, code: bool = False) -> Path | None:
    """Folder of a Hub model in the local cache, or None where it is absent or incomplete."""
    try:
        found = snapshot_download(
            model_id,
            revision=revision,
            local_files_only=True,
            allow_patterns=_patterns(code),
            ignore_patterns=EXPORTS,
        )
    except (LocalEntryNotFoundError, HFValidationError):
        return None
    folder = Path(found)
    return folder if (folder / "config.json").is_file() and any(folder.glob("*.safetensors")) else None


def hub_answers(*, timeout_s: float = ANSWER_S) -> bool:
    """Whether anything answers at the Hub's address within `timeout_s`, proxies of the environment included."""
    url = constants.ENDPOINT
    answers: list[int] = []

    def ask() -> None:
        try:
            answers.append(get_session().head(url, timeout=timeout_s).status_code)
        except Exception:  # any failure is a no, and its type is that of the Hub's own HTTP client
            return

    # A thread, because looking up a name knows no timeout.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(timeout_s)
    return bool(answers)


def _patterns(code: bool) -> list[str]:
    return [*FILES, "*.py"] if code else FILES


def _missing(problem: str) -> DataError:
    return DataError(
        "E3202", problem, fix="take the built-in --model minilm or a model folder, or connect to the network"
    )
