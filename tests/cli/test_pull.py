"""`lexitune pull`: a table that serves becomes a corpus file."""

from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from lexitune.cli.main import main
from lexitune.io.beir import read_docs
from lexitune.io.quarantine import Quarantine
from lexitune.types import Doc

pytestmark = pytest.mark.usefixtures("empty")


def pull(*args: str) -> Result:
    return CliRunner().invoke(main, ["pull", *args])


@pytest.fixture
def spec(postgres: str) -> str:
    with psycopg.connect(postgres, autocommit=True) as db:
        db.execute("CREATE EXTENSION IF NOT EXISTS vector")
        db.execute("DROP TABLE IF EXISTS pulled")
        db.execute("CREATE TABLE pulled (id int, body text, v vector(2), about jsonb)")
        db.execute("INSERT INTO pulled VALUES (1, 'one', '[1,0]', '{\"tenant\": \"a\"}'), (2, 'two', NULL, NULL)")
    return f"pgvector:{postgres},table=pulled"


def test_passages_with_their_metadata_and_what_was_left_out(spec: str) -> None:
    result = pull(spec, "corpus.jsonl")

    assert result.exit_code == 0, result.stderr
    assert read_docs(Path("corpus.jsonl"), Quarantine()) == [Doc("1", "one", metadata={"tenant": "a"})]
    assert result.stdout.splitlines() == [
        "1 passages of pulled in corpus.jsonl",
        "1 rows without text or vector were left out",
    ]
    assert result.stderr.splitlines()[-1] == "next: lexitune tune PAIRS.csv --corpus corpus.jsonl"


def test_a_file_that_is_there_is_kept(spec: str) -> None:
    Path("corpus.jsonl").write_text("mine", encoding="utf-8")

    result = pull(spec, "corpus.jsonl")

    assert (result.exit_code, Path("corpus.jsonl").read_text(encoding="utf-8")) == (2, "mine")


def test_a_column_that_cannot_be_told(postgres: str) -> None:
    result = pull(f"pgvector:{postgres},table=pulled,text=words", "corpus.jsonl")

    assert result.exit_code == 2
    assert "no column 'words'" in result.stderr
    assert not Path("corpus.jsonl").exists()
