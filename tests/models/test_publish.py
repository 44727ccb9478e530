"""An upload to the Hub, over real HTTP to one on this machine: what is asked, what is refused, what is left there."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants
from tests.hub_server import TOKEN, Hub, serve_hub

from lexitune.errors import LexituneError, StageFailed, UsageError
from lexitune.models.publish import check_destination, check_name, upload

REPO = "acme/law"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serve_hub() as found:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", found.url)
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("README.md", "model.safetensors", "1_Pooling/config.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"this is {name}")
    return tmp_path


def test_a_new_repository_is_private_and_holds_every_file(hub: Hub, folder: Path) -> None:
    assert check_destination(REPO, public=False) == ""

    url = upload(folder, REPO, public=False, message="m")

    assert url == f"{hub.url}/{REPO}"
    assert hub.private == {REPO: True}
    names = {"README.md", "model.safetensors", "1_Pooling/config.json"}
    assert hub.files[REPO] == {".gitattributes": b"", **{name: f"this is {name}".encode() for name in names}}


def test_it_is_public_where_that_is_said(hub: Hub, folder: Path) -> None:
    upload(folder, REPO, public=True, message="m")

    assert hub.private == {REPO: False}


def test_what_an_earlier_model_left_goes_and_what_its_owner_added_stays(hub: Hub, folder: Path) -> None:
    hub.private[REPO] = True
    old = ("query_adapter.safetensors", "query_adapter/config.json", "model-00001-of-2.safetensors", "LICENSE")
    hub.files[REPO] = dict.fromkeys((*old, "README.md"), b"old")

    assert check_destination(REPO, public=False) == "private"
    upload(folder, REPO, public=False, message="m")

    assert set(hub.files[REPO]) == {"README.md", "model.safetensors", "1_Pooling/config.json", "LICENSE"}
    assert hub.files[REPO]["README.md"] == b"this is README.md"


def test_a_repository_that_everybody_reads_takes_a_word(hub: Hub) -> None:
    hub.private[REPO], hub.files[REPO] = False, {}

    with pytest.raises(UsageError, match="acme/law is there already, and public") as refusal:
        check_destination(REPO, public=False)

    assert refusal.value.code == "E2147"
    assert check_destination(REPO, public=True) == "public"


@pytest.mark.parametrize(
    ("path", "status", "code", "problem"),
    [
        ("/api/whoami-v2", 401, "E2146", "the Hub does not know this token"),
        ("/api/repos/create", 403, "E2146", "this token may not write to acme/law"),
        ("/api/models/acme/law/commit", 400, "E1106", "did not take acme/law"),
    ],
)
def test_a_refusal_of_the_hub_is_told_in_our_words(
    hub: Hub, folder: Path, path: str, status: int, code: str, problem: str
) -> None:
    hub.faults[path] = status

    def both() -> None:
        check_destination(REPO, public=False)
        upload(folder, REPO, public=False, message="m")

    with pytest.raises(LexituneError, match=problem) as refusal:
        both()

    assert refusal.value.code == code
    assert TOKEN not in str(refusal.value)


def test_a_hub_that_is_not_there_is_named(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")

    with pytest.raises(StageFailed, match=r"http://127\.0\.0\.1:9 did not take acme/law") as refusal:
        check_destination(REPO, public=False)

    assert refusal.value.code == "E1106"


def test_without_a_token_it_is_said_how_to_log_in_and_nothing_is_asked(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))

    with pytest.raises(UsageError, match="nobody is logged in at the Hub") as refusal:
        check_destination(REPO, public=False)

    assert (refusal.value.code, refusal.value.fix) == ("E2146", "hf auth login, or set HF_TOKEN")
    assert hub.asked == []


def test_offline_nothing_is_tried(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    with pytest.raises(StageFailed, match="HF_HUB_OFFLINE forbids"):
        check_destination(REPO, public=False)

    assert hub.asked == []


@pytest.mark.parametrize("name", ["law", "a/b/c", "acme/la--w", "acme/", "../law"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="--to") as refusal:
        check_name(name)

    assert refusal.value.code == "E2012"
