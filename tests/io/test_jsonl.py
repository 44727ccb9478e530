"""Lines and JSON lines: what is read, what is set aside with file and line, and what is refused by name."""

import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexitune.errors import DataError
from lexitune.io.jsonl import open_lines, read_jsonl, write_jsonl
from lexitune.io.quarantine import Quarantine

TWO = [(1, {"a": "1"}), (2, {"a": "2"})]


def rows(path: Path, quarantine: Quarantine | None = None) -> list[tuple[int, dict[str, Any]]]:
    return list(read_jsonl(path, quarantine or Quarantine()))


@pytest.mark.parametrize(
    ("case", "data"),
    [
        ("plain", b'{"a": "1"}\n{"a": "2"}\n'),
        ("no final newline", b'{"a": "1"}\n{"a": "2"}'),
        ("byte order mark", b'\xef\xbb\xbf{"a": "1"}\n{"a": "2"}\n'),
        ("Windows line ends", b'{"a": "1"}\r\n{"a": "2"}\r\n'),
        ("old Macintosh line ends", b'{"a": "1"}\r{"a": "2"}\r'),
        ("gz, whatever its name", gzip.compress(b'{"a": "1"}\n{"a": "2"}\n')),
        ("gz with a byte order mark", gzip.compress(b'\xef\xbb\xbf{"a": "1"}\r\n{"a": "2"}')),
    ],
)
def test_one_record_a_line_however_the_file_was_saved(tmp_path: Path, case: str, data: bytes) -> None:
    (tmp_path / "a.jsonl").write_bytes(data)

    assert rows(tmp_path / "a.jsonl") == TWO, case


def test_blank_lines_are_no_records_and_do_not_shift_line_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('\n{"a": "1"}\n\n  \n{"a": "2"}\n\n')

    assert [number for number, _ in rows(tmp_path / "a.jsonl")] == [2, 5]


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_only_line_feed_and_carriage_return_end_a_line(tmp_path: Path, character: str) -> None:
    (tmp_path / "a.txt").write_text(f"one{character}line\nnext", encoding="utf-8")

    assert list(open_lines(tmp_path / "a.txt", Quarantine())) == [(1, f"one{character}line"), (2, "next")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": "1', "broken JSON: unterminated string starting at column 7"),
        (b"[1]", "not an object: [1]"),
        (b'"x"', 'not an object: "x"'),
        (b"null", "not an object: null"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b'{"a": 1e999}', "1e999 is too large for a number"),
        (b'{"a": 1, "a": 2}', "the key 'a' stands twice"),
        (b'{"a": {"b": 1, "b": 1}}', "the key 'b' stands twice"),
        (b'{"a": "\\ud800"}', "half of a surrogate pair: no character"),
        (b'{"a": "caf\xe9"}', "not UTF-8: byte 0xe9 at column 11"),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8: byte 0xed at column 8"),
        (b"[" * 100_000, "nested too deeply"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_one_broken_line_is_set_aside_with_its_number_and_reason(tmp_path: Path, line: bytes, reason: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": "1"}\n' + line + b'\n{"a": "2"}\n')
    quarantine = Quarantine()

    assert rows(path, quarantine) == [(1, {"a": "1"}), (3, {"a": "2"})]
    assert [(row.file, row.line, row.reason) for row in quarantine.rows] == [(str(path), 2, reason)]
    assert quarantine.rows[0].raw.encode("utf-8")  # fit to be written, whatever the bytes were


def test_a_last_line_cut_by_a_killed_writer_is_called_truncated(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": "1"}\n{"a": "2')
    quarantine = Quarantine()

    assert rows(tmp_path / "a.jsonl", quarantine) == TWO[:1]
    assert quarantine.rows[0].reason.startswith("truncated: broken JSON")


def test_a_whole_pair_of_surrogates_is_a_character(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": "\\ud83d\\ude00"}\n')

    assert rows(tmp_path / "a.jsonl") == [(1, {"a": "😀"})]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"PK\x03\x04 and so on", "an Excel workbook or zip archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook"),
        (b"%PDF-1.7", "a PDF"),
        (b"PAR1....", "a Parquet file"),
        (b"\x28\xb5\x2f\xfd....", "compressed with zstd"),
        ('{"a": 1}'.encode("utf-16"), "UTF-16"),
        ('{"a": 1}'.encode("utf-16-be"), "UTF-16"),
        ('{"a": 1}'.encode("utf-16-le"), "UTF-16"),
        (gzip.compress(b"%PDF-1.7"), "a PDF"),
        (b"\0\0\0\0\0\0\0\0", "binary"),
        (b"\0", "UTF-16"),
    ],
)
def test_a_file_of_another_kind_is_refused_by_what_was_seen(tmp_path: Path, data: bytes, kind: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(data)

    with pytest.raises(DataError) as caught:
        rows(tmp_path / "a.jsonl")

    assert caught.value.code == "E3002"
    assert f"a.jsonl is {kind};" in caught.value.problem
    assert caught.value.fix


@pytest.mark.parametrize(
    ("text", "taken"),
    [('[\n  {"a": "1"}\n]', ".[]"), ('[{"a": "1"}, {"a": "2"}]', ".[]"), ('{\n  "a": "1"\n}', ".")],
)
def test_one_json_document_in_place_of_lines_is_refused_with_the_command_that_mends_it(
    tmp_path: Path, text: str, taken: str
) -> None:
    (tmp_path / "a.json").write_text(text)

    with pytest.raises(DataError) as caught:
        rows(tmp_path / "a.json")

    assert caught.value.code == "E3002"
    assert caught.value.fix.startswith(f"jq -c '{taken}' ")


@pytest.mark.parametrize("cut", [20, 40])
def test_a_gz_file_cut_short_is_refused(tmp_path: Path, cut: int) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b'{"a": "1"}\n' * 1000)[:cut])

    with pytest.raises(DataError) as caught:
        rows(tmp_path / "a.gz")

    assert caught.value.code == "E3008"


def test_a_missing_file_is_refused_with_what_is_beside_it(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").touch()

    with pytest.raises(DataError) as caught:
        rows(tmp_path / "pair.csv")

    assert caught.value.code == "E3001"
    assert caught.value.fix == f"did you mean '{tmp_path / 'pairs.csv'}'?"


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder"):
        rows(tmp_path)


def test_line_ends_of_other_readers_are_escaped_on_writing(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", [{"a": "x\u2028y\u2029z\x85"}])

    assert (tmp_path / "a.jsonl").read_text(encoding="utf-8") == '{"a": "x\\u2028y\\u2029z\\u0085"}\n'


def test_half_a_surrogate_pair_is_refused_by_id_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'d7'"):
        write_jsonl(tmp_path / "a.jsonl", [{"_id": "d6", "text": "x"}, {"_id": "d7", "text": "\ud800"}])

    assert list(tmp_path.iterdir()) == []


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.dictionaries(TEXTS, VALUES, max_size=4), max_size=5))
def test_write_then_read_is_the_identity(objects: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_jsonl(Path(folder) / "a.jsonl", objects)
        quarantine = Quarantine()

        assert [row for _, row in read_jsonl(Path(folder) / "a.jsonl", quarantine)] == objects
        assert quarantine.count == 0
        with (Path(folder) / "a.jsonl").open(encoding="utf-8") as file:
            assert [json.loads(line) for line in file] == objects
