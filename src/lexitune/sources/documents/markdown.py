"""Markdown to plain text: what a reader would see, its headings by place."""

from __future__ import annotations

import re

from lexitune.sources.documents.document import Heading, plain, told_title

__all__ = ["is_markdown", "read_markdown"]

CODE = -1  # in the place of a level
ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*")
UNDERLINE = re.compile(r" {0,3}(=+|-{2,})[ \t]*")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
FRONT = re.compile(r"---[ \t]*\n(.*?\n)?(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
TITLE = re.compile(r"(?m)^title:[ \t]*(?P<quote>['\"]?)(?P<title>.+?)(?P=quote)[ \t]*$")
# Below the head of a table, or a line across the page.
RULE = re.compile(
    r"\s*(?:\|?(?:\s*:?-{3,}:?\s*\|)+(?:\s*:?-{3,}:?\s*)?|(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})"
)
TARGET = r"\((?:[^()\s]|\([^()]*\))*(?:\s+(?:\"[^\"]*\"|'[^']*'))?\)"
IMAGE_OR_LINK = re.compile(rf"!?\[((?:[^\[\]\\]|\\.)*)\](?:{TARGET}|\[[^\]]*\])")
ADDRESS = re.compile(r"<((?:https?|mailto):[^>\s]+)>")
STRONG = re.compile(r"(\*\*\*|\*\*|___|__)(?=\S)(.+?)(?<=\S)\1")
ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
# Or code, from a fence to its end or in a line, which is taken first: in it a comment is none.
COMMENT = re.compile(
    r"(?ms)(?P<code>^ {0,3}(?P<fence>(?P<mark>[`~])(?P=mark){2,}).*?(?:^ {0,3}(?P=fence)(?P=mark)*[ \t]*$|\Z)"
    r"|(?<!`)`+[^`\n]+`+)|<!--.*?-->"
)
MARKS = (
    re.compile(r"(?m)^#{2,6} \S"),
    re.compile(r"(?m)^(```|~~~)"),
    re.compile(r"\[[^\]\n]+\]\([^)\n]+\)"),
    re.compile(r"\*\*[^*\n]+\*\*"),
    re.compile(r"(?m)^\S.*\n(=|-){3,}[ \t]*$"),
    re.compile(r"(?m)^\|.*\|[ \t]*\n\|[ :|-]+\|"),
)


def is_markdown(text: str) -> bool:
    """Whether a text is written in Markdown: it opens with a title, or bears two kinds of its marks.

    One kind alone is no proof: a script has lines that begin with a #, and a letter may underline its subject.

    Example:
        >>> is_markdown("# How to start"), is_markdown("#!/bin/sh"), is_markdown("Dear Ann")
        (True, False, False)
    """
    opens = FRONT.match(text) or re.match(r"\s*# \S.*(\n\s*\n|\Z)", text)
    return bool(opens) or sum(bool(mark.search(text)) for mark in MARKS) >= 2


def read_markdown(source: str, *, title: str | None = None) -> tuple[str, str, tuple[Heading, ...]]:
    """Title, text and headings of a text in Markdown.

    Code stays as it is; elsewhere links and pictures become their words, and the marks of emphasis, rules and comments
    go. A heading is a line of its own words.

    Args:
        title: What the file itself names as its title; None: what the text names.

    Example:
        >>> read_markdown("# Bolts\\n\\nSee **[sizes](a.html)**.")
        ('Bolts', 'Bolts\\n\\nSee sizes.', (Heading(level=1, text='Bolts', start=0, end=5),))
    """
    source = plain(source)
    front = FRONT.match(source)
    if front:
        named = TITLE.search(front[1] or "")
        title = title or (named["title"] if named else None)
        source = source[front.end() :]
    lines, headings, place = list[str](), list[Heading](), 0
    for level, line in _lines(COMMENT.sub(lambda found: found["code"] or "", source)):
        if not level and line.strip() and RULE.fullmatch(line):
            continue
        shown = line if level == CODE else _shown(line)
        if not shown.strip() and (not lines or not lines[-1].strip()):
            continue  # one blank line is enough
        if level > 0 and shown:
            headings.append(Heading(level, " ".join(shown.split()), place, place + len(shown)))
        lines.append(shown)
        place += len(shown) + 1
    text = "\n".join(lines)
    return told_title(title, headings), text, tuple(headings)


def _lines(source: str) -> list[tuple[int, str]]:
    """Each line with the level of heading that it is, 0 or CODE; fences and underlines of headings are gone."""
    found, fence = list[tuple[int, str]](), ""
    for line in source.split("\n"):
        mark = FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not line.replace(fence[0], "").strip():
                fence = ""
            else:
                found.append((CODE, line.rstrip()))
        elif mark:
            fence = mark[1]
        elif atx := ATX.fullmatch(line):
            found.append((len(atx[1]) if atx[2] else 0, (atx[2] or "").strip()))
        elif found and (under := UNDERLINE.fullmatch(line)) and _may_head(found):
            found[-1] = (1 if under[1][0] == "=" else 2, found[-1][1].strip())
        else:
            found.append((0, line.rstrip()))
    return found


def _may_head(found: list[tuple[int, str]]) -> bool:
    """Whether the last line may be an underlined heading: a line alone that is no list, quotation or table."""
    level, line = found[-1]
    alone = len(found) == 1 or not found[-2][1].strip() or found[-2][0] > 0
    return alone and not level and bool(line.strip()) and not re.match(r"\s*([-*+>|]|\d+[.)]\s|```|~~~)", line)


def _shown(line: str) -> str:
    """A line without the marks of Markdown; code keeps its stars and brackets."""
    parts = re.split(r"(`+[^`]+`+)", line)
    return "".join(part.strip("`") if place % 2 else _bare(part) for place, part in enumerate(parts))


def _bare(text: str) -> str:
    for _ in range(3):  # a picture in a link in bold type
        text = IMAGE_OR_LINK.sub(r"\1", text)
    text = STRONG.sub(r"\2", ADDRESS.sub(r"\1", text))
    return ESCAPE.sub(r"\1", text)
