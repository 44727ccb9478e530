"""Reading: each kind gives its text, title and headings; what cannot be read says why."""

import builtins
import io
from pathlib import Path
from typing import Any

import pypdf
import pytest
from benchmarks.made_files import docx, pdf

from lexitune.errors import UsageError
from lexitune.sources.documents.document import Document, Unreadable
from lexitune.sources.documents.reading import read_document

HTML = """<!doctype html><html><head><title>Valves &amp; pumps</title><style>p {color: red}</style></head>
<body><h1>Valves</h1><p>A <b>valve</b> opens.</p><script>evil()</script><h2>Sizes</h2><ul><li>small</li></ul></body>
"""


def read(folder: Path, content: bytes, name: str = "a.x") -> Document:
    (folder / name).write_bytes(content)
    return read_document(folder / name, name=name, most_bytes=10_000_000)


def shown(document: Document) -> list[tuple[int, str]]:
    assert all(document.text[one.start : one.end].split() == one.text.split() for one in document.headings)
    return [(one.level, one.text) for one in document.headings]


def test_plain_text_takes_its_title_from_a_line_of_its_own(tmp_path: Path) -> None:
    assert read(tmp_path, b"The pump\n\nIt turns.\r\nAnd stops.\n") == Document(
        "a.x", "txt", "The pump", "The pump\n\nIt turns.\nAnd stops."
    )
    assert read(tmp_path, b"It turns.\n\nAnd stops.").title == ""


def test_html_gives_what_a_reader_sees(tmp_path: Path) -> None:
    found = read(tmp_path, HTML.encode())

    assert (found.form, found.title) == ("html", "Valves & pumps")
    assert shown(found) == [(1, "Valves"), (2, "Sizes")]
    assert "A valve opens." in found.text
    assert "small" in found.text
    assert "evil" not in found.text
    assert "color" not in found.text


def test_html_is_read_in_the_encoding_that_it_names(tmp_path: Path) -> None:
    page = '<html><head><meta charset="windows-1252"></head><body><p>na\u00efve caf\u00e9</p></body></html>'

    assert "na\u00efve caf\u00e9" in read(tmp_path, page.encode("cp1252")).text


def test_docx_gives_headings_text_and_the_title_of_its_properties(tmp_path: Path) -> None:
    found = read(tmp_path, docx([(1, "Care"), (0, "Oil it (5 < 6)."), (2, "Tools"), (0, "A key.")], title="Pumps & co"))

    assert (found.form, found.title) == ("docx", "Pumps & co")
    assert shown(found) == [(1, "Care"), (2, "Tools")]
    assert "Oil it (5 < 6)." in found.text


def test_pdf_gives_its_pages_and_headings_by_its_table_of_contents(tmp_path: Path) -> None:
    made = pdf(
        [["1 Care", "Oil the pump."], ["It runs.", "2 Tools", "A key."], []],
        contents=[("Care", 0), ("Tools", 1)],
        title="Pumps",
    )

    found = read(tmp_path, made)

    assert (found.form, found.title, found.blank_pages) == ("pdf", "Pumps", 1)
    assert shown(found) == [(1, "1 Care"), (1, "2 Tools")]
    assert "Oil the pump." in found.text


def test_a_pdf_with_a_password_is_set_aside_and_one_without_need_of_it_is_read(tmp_path: Path) -> None:
    def locked(password: str) -> bytes:
        writer, made = pypdf.PdfWriter(clone_from=io.BytesIO(pdf([["Oil the pump."]]))), io.BytesIO()
        writer.encrypt(password, owner_password="owner", algorithm="RC4-128")
        writer.write(made)
        return made.getvalue()

    with pytest.raises(Unreadable, match="encrypted"):
        read(tmp_path, locked("secret"))
    assert "Oil the pump." in read(tmp_path, locked("")).text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (pdf([[], []]), "a PDF without text, such as a scan"),
        (b"%PDF-1.4\ntrash", "damaged: "),
        (pdf([["x"]])[:200], "damaged: "),
        (b" \n -- \n", "no text in it"),
        ("na\u00efve".encode("cp1252"), "not UTF-8 (byte 0xef at 2), probably Windows-1252: save it as UTF-8"),
        (b"a" * 9000 + b"\0", "binary"),
        (docx([(0, "")]), "no text in it"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read(tmp_path, content)

    assert str(caught.value).startswith(reason)


def test_a_damaged_docx_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="damaged: "):
        read(tmp_path, docx([(0, "x")]).replace(b"word/document.xml", b"word/documentx.xml", 1))


@pytest.mark.parametrize(
    ("package", "content"), [("markitdown", HTML.encode()), ("markitdown", docx([(0, "x")])), ("pypdf", pdf([["x"]]))]
)
def test_a_package_that_is_missing_is_an_error_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, content: bytes
) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any) -> Any:
        if name.partition(".")[0] == package:
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=package) as caught:
        read(tmp_path, content)

    assert caught.value.code == "E2005"
    assert caught.value.fix == "pip install 'lexitune[docs]'"
    assert read(tmp_path, b"# words\n\nneed no package").form == "md"
