"""Markdown: its headings and words are kept, its marks are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexitune.sources.documents.document import Document, sections
from lexitune.sources.documents.markdown import is_markdown, read_markdown

GUIDE = """---
title: "Pump guide"
date: 2026
---
# Pump guide

Read [this](x.md) **first**. A \\*star\\*, an ![image](a.png "t").

Fitting
-------
Turn it.

```sh
# no heading
**kept**
```

### Tools #

| a | b |
|---|---|
| 1 | 2 |

***

## Care ##
`a*b*c` <https://x.org/y>
<!-- hidden
words -->
"""


def test_headings_are_lines_of_the_text_at_their_places() -> None:
    title, text, headings = read_markdown(GUIDE)

    assert title == "Pump guide"
    assert [(one.level, one.text) for one in headings] == [
        (1, "Pump guide"),
        (2, "Fitting"),
        (3, "Tools"),
        (2, "Care"),
    ]
    assert all(text[one.start : one.end] == one.text for one in headings)


def test_what_a_reader_sees_is_kept_and_marks_are_not() -> None:
    text = read_markdown(GUIDE)[1]

    assert "Read this first. A *star*, an image." in text
    assert "# no heading\n**kept**" in text
    assert "| 1 | 2 |" in text
    assert "a*b*c https://x.org/y" in text
    assert all(gone not in text for gone in ("date: 2026", "---", "***", "hidden", "```", "x.md"))


def test_a_comment_goes_and_one_in_code_is_code() -> None:
    text = read_markdown("Write `<!-- a -->`.<!-- b -->\n\n~~~html\n<!-- c -->\n~~~\n\n<!-- d\n```\n-->done")[1]

    assert text == "Write <!-- a -->.\n\n<!-- c -->\n\ndone"


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("# Title\n\nwords", True),
        ("---\ntitle: x\n---\nwords", True),
        ("words\n\n## Part\n\n[a](b)", True),
        ("#!/bin/sh\n# a comment\necho", False),
        ("a letter\n--------\nwith a line under its subject", False),
        ("plain words", False),
    ],
)
def test_markdown_is_told_by_its_marks(text: str, is_one: bool) -> None:
    assert is_markdown(text) is is_one


def test_sections_end_at_headings_of_the_first_two_levels_and_know_those_above() -> None:
    title, text, headings = read_markdown(
        "# Guide\n\nintro\n\n## A\n\none\n\n### deep\n\ntwo\n\n## B\n\n## C\n\nthree\n\n# Other\n\nfour"
    )
    document = Document("g.md", "md", "Guide", text, headings)

    found = sections(document)

    assert title == ""  # two headings of the first level: neither is the title
    assert [(one.path, text[one.start : one.end].split()) for one in found] == [
        (("Guide",), ["intro"]),
        (("Guide", "A"), ["one", "deep", "two"]),
        (("Guide", "C"), ["three"]),
        (("Guide", "Other"), ["four"]),
    ]
    assert found[1].headings_at(found[1].start) == ["Guide", "A"]
    assert found[1].headings_at(text.index("two")) == ["Guide", "A", "deep"]


@given(st.text(alphabet="# -=`*[]()|\\\nab.~<>!", max_size=200))
def test_any_text_is_read_and_its_headings_are_where_they_are_said_to_be(source: str) -> None:
    _, text, headings = read_markdown(source)

    assert all(text[one.start : one.end].split() == one.text.split() for one in headings)
    assert [one.start for one in headings] == sorted({one.start for one in headings})
