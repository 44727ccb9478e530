"""Quarantine: one bad line in a hundred is borne, more are refused."""

import json
from pathlib import Path

import pytest

from lexitune.errors import DataError
from lexitune.io.quarantine import NOT_UTF8, Quarantine

FILE = Path("data/corpus.jsonl")


def with_bad_lines(bad: int, of: int, *, reason: str = "no 'text'", max_share: float = 0.01) -> Quarantine:
    quarantine = Quarantine(max_share=max_share)
    quarantine.seen[str(FILE)] = of
    for line in range(1, bad + 1):
        quarantine.reject(FILE, line, reason, "{}")
    return quarantine


@pytest.mark.parametrize(
    ("case", "bad", "of", "max_share", "refused"),
    [
        ("none", 0, 100, 0.01, False),
        ("exactly the share", 1, 100, 0.01, False),
        ("one more than the share", 2, 100, 0.01, True),
        ("one of few", 1, 99, 0.01, True),
        ("none is borne", 1, 1000, 0.0, True),
        ("all are borne", 5, 5, 1.0, False),
    ],
)
def test_when_a_file_is_refused(case: str, bad: int, of: int, max_share: float, refused: bool) -> None:
    quarantine = with_bad_lines(bad, of, max_share=max_share)

    if refused:
        with pytest.raises(DataError):
            quarantine.check(FILE)
    else:
        quarantine.check(FILE)


def test_the_refusal_names_the_first_lines_and_the_flag_that_bears_them() -> None:
    with pytest.raises(DataError) as caught:
        with_bad_lines(4, 150).check(FILE)

    assert caught.value.code == "E3004"
    assert caught.value.at == "data/corpus.jsonl:1"
    assert caught.value.problem == (
        "4 of 150 lines cannot be used: line 1: no 'text'; line 2: no 'text'; line 3: no 'text'; ..."
    )
    # 4 / 150 is 0.0267; the flag is rounded up, so that it works as printed.
    assert caught.value.fix == "mend these lines, or leave them out with --max-bad-share 0.03"


def test_a_file_that_is_mostly_unusable_is_not_offered_the_flag() -> None:
    with pytest.raises(DataError) as caught:
        with_bad_lines(9, 10).check(FILE)

    assert caught.value.fix == "mend these lines"


def test_where_no_bad_line_is_borne_the_flag_is_not_offered() -> None:
    with pytest.raises(DataError) as caught:
        with_bad_lines(1, 100, max_share=0.0).check(FILE)

    assert caught.value.fix == "mend these lines"


def test_a_file_in_another_encoding_is_refused_with_the_command_that_converts_it() -> None:
    with pytest.raises(DataError) as caught:
        with_bad_lines(3, 10, reason=f"{NOT_UTF8}: byte 0xe9 at column 4").check(FILE)

    assert caught.value.code == "E3002"
    assert caught.value.fix.startswith("iconv -f WINDOWS-1252 -t UTF-8 data/corpus.jsonl > corpus-utf8.jsonl")


def test_bad_lines_of_one_file_do_not_count_against_another() -> None:
    with_bad_lines(9, 10).check(Path("data/queries.jsonl"))


def test_the_summary_says_how_many_lines_of_which_file_were_left_out() -> None:
    quarantine = with_bad_lines(2, 1000)
    quarantine.note("3 lines repeat another")

    assert quarantine.summary() == [
        "3 lines repeat another",
        "2 of 1,000 lines of corpus.jsonl left out; the first is line 1: no 'text'",
    ]


def test_rejected_lines_are_written_with_what_stood_there(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "quarantine.jsonl")
    quarantine.reject(FILE, 7, "broken", "caf\udce9" + "x" * 1000)

    quarantine.close()

    found = json.loads((tmp_path / "quarantine.jsonl").read_text(encoding="utf-8"))
    assert (found["file"], found["line"], found["reason"]) == (str(FILE), 7, "broken")
    assert found["raw"].startswith("caf\\udce9xxx")
    assert len(found["raw"]) < 600


def test_without_rejected_lines_the_file_of_an_earlier_reading_goes(tmp_path: Path) -> None:
    (tmp_path / "quarantine.jsonl").write_text("{}\n")

    Quarantine(tmp_path / "quarantine.jsonl").close()

    assert list(tmp_path.iterdir()) == []
