"""The interpreter's own library as a retrieval set: what is asked, what is hidden, what is left out."""

from pathlib import Path

import pytest

from lexitune.pipeline.pylib import as_dataset_parts, documented_functions, library_folder

MODULE = '''
class Shelf:
    def add_book(self, book):
        """Put a book on the shelf.

        More about it.
        """
        self.books.append(book)
        return self.add_book

    def size(self):
        """size() -> int. Count the books."""
        return len(self.books)

    def empty(self):
        """Return nothing at all, ever."""
'''


@pytest.fixture
def library(tmp_path: Path) -> Path:
    for place in ("shelf.py", "test/test_shelf.py", "site-packages/other.py"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text(MODULE)
    (tmp_path / "broken.py").write_text("def (:")
    return tmp_path


def test_the_question_is_the_first_sentence_and_the_answer_has_neither_docstring_nor_name(library: Path) -> None:
    [function] = documented_functions(library)

    assert function.file == "shelf.py"
    assert function.sentence == "Put a book on the shelf."
    assert function.masked == "def f(self, book):\n    self.books.append(book)\n    return self.f"
    assert function.source == "def add_book(self, book):\n    self.books.append(book)\n    return self.add_book"


def test_a_sentence_shared_by_many_functions_asks_for_none_of_them(tmp_path: Path) -> None:
    shared = [f'def name{i}(x):\n    """Return the value asked for."""\n    return x + {i}\n' for i in range(4)]
    (tmp_path / "many.py").write_text("\n".join(shared))

    assert documented_functions(tmp_path) == []


def test_a_sentence_that_stands_in_two_files_would_tie_them_together_and_is_left_out(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(f'def {name}(x):\n    """Return the value asked for."""\n    return x\n')

    assert documented_functions(tmp_path) == []


def test_the_unmasked_docs_keep_their_ids_so_that_one_split_serves_both(library: Path) -> None:
    functions = documented_functions(library)

    masked, _, qrels = as_dataset_parts(functions)
    unmasked, _, same = as_dataset_parts(functions, masked=False)

    assert [doc.doc_id for doc in masked] == [doc.doc_id for doc in unmasked]
    assert qrels == same
    assert "add_book" not in masked[0].text
    assert "add_book" in unmasked[0].text


def test_this_interpreter_has_thousands_of_documented_functions_and_no_tests_among_them() -> None:
    functions = documented_functions(library_folder())

    assert len(functions) > 3000
    assert not [f.file for f in functions if "test" in f.file.split("/")[:-1]]
