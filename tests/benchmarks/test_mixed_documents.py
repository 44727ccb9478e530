"""The folder of mixed documents: five kinds, each read back with its title and headings."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from benchmarks.mixed_documents import write_folder

from lexitune.sources.documents.reading import read_document


def test_each_kind_is_read_back_with_title_and_headings(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    made = write_folder(tmp_path, shared_data("medquad"), count=10)

    found = [read_document(path, name=path.name, most_bytes=10_000_000) for path in made]

    assert Counter(one.form for one in found) == dict.fromkeys(("md", "html", "txt", "docx", "pdf"), 2)
    assert all(one.title for one in found)
    assert all(len(one.headings) >= 2 for one in found if one.form != "txt")
