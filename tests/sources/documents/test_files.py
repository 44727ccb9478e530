"""Files of a folder: what is looked at, what is passed over or set aside, and what each is."""

import errno
import gzip
import os
import zipfile
from pathlib import Path

import pytest
from benchmarks.made_files import docx, pdf

from lexitune.errors import DataError
from lexitune.io.ids import check_id
from lexitune.sources.documents.document import Unreadable
from lexitune.sources.documents.files import Aside, find_files, form_of, name_of

MOST = 1_000_000


def test_a_folder_is_walked_in_one_order_without_hidden_files_and_those_to_skip(tmp_path: Path) -> None:
    for name in ("b.md", "a/z.txt", "a/.git/x", ".hidden", "a/old/y.txt", "c.log"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    aside: list[Aside] = []

    found = [name for name, _ in find_files(tmp_path, skip=("*.log", "a/old*"), aside=aside)]

    assert found == ["b.md", "a/z.txt"]
    assert aside == []


def test_links_are_never_followed_and_are_told(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.mkdir()
    folder.mkdir()
    (outside / "secret.txt").write_text("secret")
    (folder / "a.txt").write_text("a")
    (folder / "again.txt").symlink_to(folder / "a.txt")
    (folder / "leak.txt").symlink_to(outside / "secret.txt")
    (folder / "tree").symlink_to(outside)
    (folder / "up.txt").symlink_to("../outside/secret.txt")
    aside: list[Aside] = []

    assert [name for name, _ in find_files(folder, aside=aside)] == ["a.txt"]
    assert sorted(aside) == [
        ("again.txt", "a link into the folder"),
        ("leak.txt", "a link that leads out of the folder"),
        ("tree", "a link that leads out of the folder"),
        ("up.txt", "a link that leads out of the folder"),
    ]


def test_a_workspace_among_the_documents_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "corpus.jsonl").write_text("{}")
    (tmp_path / "a.txt").write_text("a")

    assert [name for name, _ in find_files(tmp_path, avoid=tmp_path / "work", aside=[])] == ["a.txt"]


def test_a_folder_that_may_not_be_listed_is_told_unless_it_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.txt", "shut/b.txt", "old/c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    aside: list[Aside] = []
    real = os.scandir

    def scandir(path: str) -> object:
        if Path(path).name in ("shut", "old"):  # root, who may run the tests, could list them
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", scandir)
        found = [name for name, _ in find_files(tmp_path, skip=("old",), aside=aside)]

    assert found == ["a.txt"]
    assert aside == [("shut", "the system does not let the folder be listed: Permission denied")]


@pytest.mark.parametrize("name", ["none", "file"])
def test_what_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")

    with pytest.raises(DataError, match="folder") as caught:
        list(find_files(tmp_path / name, aside=[]))

    assert caught.value.code == "E3001"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/b.md", "a/b.md"),
        ("my notes/50% done#1.md", "my%20notes/50%25%20done%231.md"),
        ("tab\there", "tab%09here"),
        ("..trick/x", "..trick/x"),
        ("cafe\u0301.txt", "caf\u00e9.txt"),
        (os.fsdecode(b"latin\xe9.txt"), "latin\\xe9.txt"),
    ],
)
def test_a_name_is_fit_for_an_id(path: str, name: str) -> None:
    assert name_of(Path(path)) == name
    assert check_id(f"{name}#0-10") == f"{name}#0-10"


def test_two_names_that_differ_in_the_form_of_a_letter_are_one_document(tmp_path: Path) -> None:
    for name in ("caf\u00e9.txt", "cafe\u0301.txt"):
        (tmp_path / name).write_text(name)
    aside: list[Aside] = []
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("this file system knows one form only")

    assert len(list(find_files(tmp_path, aside=aside))) == 1
    assert aside == [("caf\u00e9.txt", "two files have this name but for the form of its letters")]


@pytest.mark.parametrize(
    ("name", "content", "form"),
    [
        ("a.txt", pdf([["x"]]), "pdf"),
        ("a.pdf", docx([(0, "x")]), "docx"),
        ("a.docx", b"plain words", "text"),
        ("a.md", b"\xef\xbb\xbf<!DOCTYPE html><p>x", "html"),
        ("b.md", b"<!-- said --> <html><body>x", "html"),
        ("c.html", b"a < b, in words", "text"),
    ],
)
def test_a_file_is_told_by_its_content(tmp_path: Path, name: str, content: bytes, form: str) -> None:
    (tmp_path / name).write_bytes(content)

    assert form_of(tmp_path / name, most_bytes=MOST) == form


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"x" * (MOST + 1), "larger than 1 MB"),
        (b"\x89PNG\r\n\x1a\n\0\0", "binary"),
        (gzip.compress(b"text"), "packed with gz: unpack it first"),
        (b"\x28\xb5\x2f\xfd....", "packed with zstd: unpack it first"),
        ("text".encode("utf-16"), "UTF-16: save it as UTF-8"),
        (b"\xd0\xcf\x11\xe0\xa1", "an old Office file, or one with a password: save it as docx without one"),
        (b"PK\x03\x04 and no more", "a damaged zip archive: File is not a zip file"),
    ],
)
def test_a_file_of_another_kind_is_set_aside_with_its_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a.txt").write_bytes(content)

    with pytest.raises(Unreadable) as caught:
        form_of(tmp_path / "a.txt", most_bytes=MOST)

    assert str(caught.value) == reason


def test_an_archive_that_unpacks_to_too_much_is_not_unpacked(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.docx"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("word/document.xml", b"0" * 5_000_000)
    assert bomb.stat().st_size < 10_000

    with pytest.raises(Unreadable, match="unpacks to more than 1 MB"):
        form_of(bomb, most_bytes=MOST)
