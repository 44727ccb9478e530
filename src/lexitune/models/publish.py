"""Upload of a folder to the Hugging Face Hub: private unless it is said otherwise, and one commit or none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import HfApi, constants, get_token
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from lexitune.errors import StageFailed, UsageError

__all__ = ["check_destination", "upload"]

NAME = re.compile(r"(?!.*(--|\.\.))[A-Za-z0-9_][\w.-]*/[A-Za-z0-9_][\w.-]*", re.ASCII)
LONGEST = 96

LOGIN = "hf auth login, or set HF_TOKEN"

OURS = ["*.safetensors", "query_adapter/*"]
"""What a model before this one may have left in the repository, and would be taken for a part of this one."""


def check_destination(repo_id: str, *, public: bool) -> str:
    """The repository that is there already: `private`, `public`, or empty where there is none.

    To be called before anything is written, or a person asked.

    Raises:
        UsageError: No `owner/name`, nobody is logged in, or everybody reads the repository and `public` is not said.
        StageFailed: The Hub cannot be reached, or refuses.
    """
    check_name(repo_id)
    if constants.HF_HUB_OFFLINE:
        raise StageFailed("E1106", "HF_HUB_OFFLINE forbids an upload", fix="unset HF_HUB_OFFLINE, or --dry-run")
    if get_token() is None:
        raise UsageError("E2146", "nobody is logged in at the Hub", fix=LOGIN)
    hub = HfApi(endpoint=constants.ENDPOINT)
    with _hub_errors(repo_id):
        hub.whoami()
        try:
            found = hub.repo_info(repo_id)
        except RepositoryNotFoundError:
            return ""
    if found.private:
        return "private"
    if not public:
        problem = f"{repo_id} is there already, and public: everybody would read what is uploaded"
        raise UsageError("E2147", problem, fix="--public, or another name with --to")
    return "public"


def check_name(repo_id: str) -> None:
    """Refuse what is no name of a repository.

    Raises:
        UsageError: It has no owner, or a character or length that the Hub refuses.

    Example:
        >>> check_name("acme/law-search")
    """
    if not NAME.fullmatch(repo_id) or len(repo_id) > LONGEST:
        raise UsageError("E2012", f"--to {repo_id!r} is no name that the Hub takes", fix="--to owner/name")


def upload(folder: Path, repo_id: str, *, public: bool, message: str) -> str:
    """Make the repository where there is none, and commit every file of the folder at once.

    Weights and query adapters of an earlier model go in the same commit.

    Returns:
        The address of the model's page.

    Raises:
        StageFailed: The Hub cannot be reached or refuses. Nothing, or at most an empty repository, is left there.
    """
    from lexitune.models.quiet import quiet

    hub = HfApi(endpoint=constants.ENDPOINT)
    with quiet(), _hub_errors(repo_id):
        where = hub.create_repo(repo_id, private=not public, exist_ok=True)
        hub.upload_folder(repo_id=repo_id, folder_path=folder, commit_message=message, delete_patterns=OURS)
    return str(where)


@contextmanager
def _hub_errors(repo_id: str) -> Iterator[None]:
    """The Hub's refusals in our words."""
    try:
        yield
    except Exception as error:  # a connection fails with the types of the Hub's own HTTP client
        status = error.response.status_code if isinstance(error, HfHubHTTPError) and error.response is not None else 0
        if status == 401:
            raise UsageError("E2146", "the Hub does not know this token", fix=LOGIN) from error
        if status == 403:
            problem = f"this token may not write to {repo_id}"
            raise UsageError("E2146", problem, fix="hf auth login with one that may, or another --to") from error
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        problem = f"{constants.ENDPOINT} did not take {repo_id}: {reason}"
        raise StageFailed("E1106", problem, fix="the same command again") from error
