"""Boilerplate and near duplicates: what says nothing of its own goes, and nothing else does."""

from hypothesis import given
from hypothesis import strategies as st

from lexitune.sources.documents.boilerplate import Boilerplate, LineCounts, without_lines
from lexitune.sources.documents.document import Document, Heading
from lexitune.sources.documents.passages import Passage, drop_alike

FOOTER = "Copyright 2026 Pumps Limited, page {}"


def document(name: str, lines: list[str], headings: tuple[str, ...] = ()) -> Document:
    text = "\n".join(lines)
    found = tuple(Heading(1, one, text.index(one), text.index(one) + len(one)) for one in headings)
    return Document(name, "txt", "", text, found)


def counted(documents: list[Document]) -> LineCounts:
    counts = LineCounts()
    for one in documents:
        counts.add(one)
    return counts


def passage(family: str, text: str, *path: str) -> Passage:
    return Passage(family, 0, len(text), text, path, path, "v")


def test_a_line_of_many_documents_goes_whatever_its_numbers_and_is_told() -> None:
    documents = [
        document(
            f"{n}.txt", [FOOTER.format(n), "Overview of it", f"This is text {n} alone: {'abcd'[n]}"], ("Overview",)
        )
        for n in range(4)
    ]
    found = counted(documents).boilerplate(0.5)

    clean = [without_lines(one, found) for one in documents]

    assert [one.text.split("\n")[0] for one in clean] == ["Overview of it"] * 4
    assert [one.text[h.start : h.end] for one in clean for h in one.headings] == ["Overview"] * 4
    assert found.examples(3) == [("Copyright 2026 Pumps Limited, page 0", 4)]
    assert found.removed.total() == 4


def test_two_documents_are_too_few_for_boilerplate() -> None:
    documents = [document(f"{n}.txt", ["the very same line", f"text {n}"]) for n in range(2)]

    assert counted(documents).boilerplate(0.1).lines == {}


def test_headings_and_short_lines_stay_however_often_they_repeat() -> None:
    documents = [document(f"{n}.txt", ["Summary of findings", "}", f"body number {'abcd'[n] * 9}"]) for n in range(4)]
    headed = [Document(one.path, "txt", "", one.text, (Heading(2, "Summary of findings", 0, 19),)) for one in documents]

    assert counted(headed).boilerplate(0.5).lines == {}


def test_a_line_counts_once_in_a_document() -> None:
    documents = [document("0.txt", ["the very same line"] * 9), document("1.txt", ["some other line here"])]

    assert counted(documents).boilerplate(0.1).lines == {}


@given(st.lists(st.sampled_from(["boilerplate line", "Some heading here", "own words", "", "x"]), max_size=12))
def test_headings_stay_on_their_words_when_lines_go(lines: list[str]) -> None:
    text = "\n".join(lines)
    places, start = [], 0
    for line in lines:
        if line == "Some heading here":
            places.append(Heading(1, line, start, start + len(line)))
        start += len(line) + 1
    before = Document("a", "txt", "", text, tuple(places))
    key = next(iter(counted([document("b", ["boilerplate line"])]).lines))

    after = without_lines(before, Boilerplate({key: 3}))

    assert "boilerplate line" not in after.text
    assert [after.text[one.start : one.end] for one in after.headings] == ["Some heading here"] * len(places)
    assert after.text.split("\n")[: len(lines)] == [
        one for one in lines if one != "boilerplate line"
    ] or after.text.rstrip("\n") == "\n".join(one for one in lines if one != "boilerplate line").rstrip("\n")


def test_of_passages_that_say_nearly_the_same_the_first_stays_and_counts_the_others() -> None:
    said = "The pump has to be oiled every four weeks with the oil that its maker names in the guide. " * 3
    found = drop_alike(
        [passage("a", said), passage("b", said.replace("four", "five")), passage("c", "Something else entirely.")],
        threshold=0.8,
    )

    assert [(one.family, one.alike) for one in found] == [("a", 1), ("c", 0)]
    assert found[0].doc().metadata["alike"] == 1


def test_equal_sentences_under_two_headings_are_two_passages() -> None:
    rows = [passage("a", "See the guide.", "Pump of steel"), passage("b", "See the guide.", "Valve of brass")]

    assert len(drop_alike(rows, threshold=0.9)) == 2
