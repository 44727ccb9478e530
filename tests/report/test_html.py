"""The page: complete, well formed, and what comes from data stays text."""

import math
import re
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from lexitune.report.blocks import (
    BarPlot,
    Block,
    Chapter,
    CurvePlot,
    DeltaPlot,
    Estimate,
    Facts,
    IntervalPlot,
    Number,
    Panel,
    Paragraph,
    Table,
    TextItem,
    Texts,
    Verdict,
)
from lexitune.report.html import KINDS, render

NASTY = "<script>alert('x')</script> & \"quotes\""

BLOCKS: list[Block] = [
    Verdict("BETTER", f"R@10 gained 9.3 points {NASTY}", "good"),
    Chapter(NASTY, NASTY),
    Paragraph(f"First.\n\nSecond {NASTY}.", heading=NASTY, points=[NASTY], more=[NASTY]),
    Table(["system", NASTY], [[NASTY, Estimate(0.5, 0.4, 0.6)], ["tuned", None]], caption=NASTY, note=NASTY),
    IntervalPlot(NASTY, [(NASTY, 0.5, 0.4, 0.6, True)], NASTY, reference=0.7, reference_label=NASTY, note=NASTY),
    BarPlot(NASTY, [(NASTY, 3, NASTY)], NASTY, note=NASTY),
    Chapter("Second"),
    DeltaPlot(NASTY, [1.0, 0.5, 0.0, -1.0], NASTY),
    CurvePlot(NASTY, [(NASTY, [(0, 1.0), (1, 0.5)])], NASTY, NASTY, Panel([(NASTY, [(1, 0.5)])], NASTY), 1, NASTY),
    Texts(NASTY, [TextItem(NASTY, 1.0, [(NASTY, "    def f():\n        " + NASTY, 34, None)])], NASTY, NASTY, NASTY),
    Facts(NASTY, [(NASTY, "sha256 https://example.org/model")], [f"lexitune demo {NASTY}"], [(NASTY, NASTY)]),
]

VOID = {"meta", "link", "br", "hr", "img"}


class Reader(HTMLParser):
    """Reads a page and notes what is not balanced, every attribute, and the texts by element."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def text_of(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]


@pytest.fixture(scope="module")
def page() -> str:
    return render(NASTY, BLOCKS, subtitle=NASTY)


def test_the_sample_holds_every_kind_of_block() -> None:
    assert {type(block) for block in BLOCKS} == set(KINDS)


def test_every_element_is_closed_in_order(page: str) -> None:
    reader = Reader(page)

    assert (reader.faults, reader.open) == ([], [])
    assert page.startswith("<!doctype html>")


def test_markup_in_the_data_is_shown_and_not_obeyed(page: str) -> None:
    reader = Reader(page)

    assert reader.all("script") == []
    assert reader.text_of("h1") == [NASTY]
    assert any(NASTY in text for text in reader.text_of("text"))
    assert any(NASTY in text for text in reader.text_of("div"))
    assert NASTY in reader.text_of("pre")[0]


def test_nothing_is_loaded_from_anywhere(page: str) -> None:
    reader = Reader(page)
    style = "".join(reader.text_of("style"))

    named = {name: value for _, attributes in reader.tags for name, value in attributes.items()}
    assert {name for name in named if name in {"src", "href", "srcset", "action", "style"}} == {"href"}
    assert [attributes["href"] for attributes in reader.all("link")] == ["data:,"]
    assert all(str(attributes["href"]).startswith("#chapter-") for attributes in reader.all("a"))
    assert "url(" not in style
    assert "@import" not in style
    assert not any(name.startswith("on") for name in named)


def test_the_browser_is_told_to_load_nothing(page: str) -> None:
    policies = [meta["content"] for meta in Reader(page).all("meta") if "http-equiv" in meta]

    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_every_drawing_says_in_words_what_it_shows(page: str) -> None:
    reader = Reader(page)
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]

    drawings = reader.all("svg")
    assert len(drawings) == 4 * 2  # four plots, for a desk and for a phone
    assert len(ids) == len(set(ids))
    for drawing in drawings:
        assert drawing["role"] == "img"
        assert set(str(drawing["aria-labelledby"]).split()) <= set(ids)
    assert len(reader.all("desc")) == len(drawings)


def test_chapters_are_linked_and_what_stands_in_them_is_one_level_below() -> None:
    blocks: list[Block] = [
        Verdict("NO", "n"),
        Paragraph("p", heading="before"),
        Chapter("One"),
        Paragraph("p", heading="in one"),
    ]
    reader = Reader(render("t", [*blocks, Chapter("Two"), Table(["a"], [["b"]], caption="in two")]))

    assert [text.strip() for text in reader.text_of("h2")] == ["NO", "before", "One", "Two"]
    assert [text.strip() for text in reader.text_of("h3")] == ["in one", "in two"]
    ids = {attributes.get("id") for _, attributes in reader.tags}
    assert [str(link["href"])[1:] in ids for link in reader.all("a")] == [True, True]


def test_a_page_of_one_chapter_needs_no_links() -> None:
    assert Reader(render("t", [Verdict("NO", "n"), Chapter("One")])).all("nav") == []


def test_a_caption_does_not_scroll_away_with_a_wide_table() -> None:
    page = render("t", [Table(["a"], [["b"]], caption="few words", note="what they mean")])

    assert page.index("few words") < page.index("what they mean") < page.index('class="scroll"')


def test_lines_between_rows_stand_above_what_stays_in_sight_on_a_phone() -> None:
    # A sticky cell paints its ground over the line below the row before it.
    style = files("lexitune.report").joinpath("page.css").read_text(encoding="utf-8")

    assert "position: sticky" in style
    assert re.search(r"tbody tr \+ tr > \* \{ border-top:", style)


def test_an_option_is_not_broken_at_its_hyphens() -> None:
    reader = Reader(render("t", [Verdict("NO", "less than 2 points (--least-gain), -0.1 below -- so <b>")]))

    assert reader.text_of("span") == ["--least-gain"]
    assert "".join(reader.text_of("p")).strip() == "less than 2 points (), -0.1 below -- so <b>"


def test_headers_of_a_table_say_what_they_head(page: str) -> None:
    assert [header["scope"] for header in Reader(page).all("th")] == ["col", "col", "row", "row"]


def test_numbers_go_right_and_words_go_left() -> None:
    table = Table(["system", "n", "R@10", "note"], [["stock", 1098, Number(-0.5, "+.1f"), "seen"]])
    reader = Reader(render("t", [table]))

    cells = [attributes["class"] for attributes in reader.all("td")]
    assert cells == ["right", "right", "left"]
    assert [text.strip() for text in reader.text_of("td")] == ["1,098", "\u22120.5", "seen"]


def test_an_estimate_shows_its_interval() -> None:
    reader = Reader(render("t", [Table(["system", "R@10"], [["stock", Estimate(0.5412, 0.51, 0.57)]])]))

    assert [text.strip() for text in reader.text_of("td")] == ["0.541"]
    assert reader.text_of("span") == ["[0.510, 0.570]"]


def test_ranks_before_and_after_are_told_in_words() -> None:
    rows = [("right", "text", 34, 2), ("wrong", "text", 1, None)]
    reader = Reader(render("t", [Texts("wins", [TextItem("query", 1.0, rows)])]))

    assert [text for text in reader.text_of("span") if "stock" in text] == [
        "stock rank 34 \u2192 tuned rank 2",
        "stock rank 1 \u2192 tuned not found",
    ]


def test_code_keeps_its_lines() -> None:
    code = "def f(x):\n    if x:\n        return 1"
    page = render("t", [Texts("wins", [TextItem("query", 1.0, [("right", code, 2, 1)])])])

    assert f'<div class="passage code">{code}</div>' in page


DEGENERATE: list[Block] = [
    Chapter(""),
    Paragraph(""),
    Table(["system"], []),
    Table(["system", "R@10"], [["stock", math.nan], ["tuned", Estimate(math.nan, -math.inf, math.inf)]]),
    IntervalPlot("none", []),
    IntervalPlot("one, of no width", [("stock", 1.0, 1.0, 1.0, False)]),
    IntervalPlot("unknown", [("stock", math.nan, math.nan, math.nan, False)]),
    BarPlot("none", []),
    BarPlot("nothing", [("word", 0.0, "")]),
    DeltaPlot("none", []),
    DeltaPlot("one", [0.0]),
    DeltaPlot("tiny", [1e-12, -1e-12]),
    CurvePlot("none", []),
    CurvePlot("one", [("loss", [(0, 0.0)])]),
    CurvePlot("broken", [("loss", [(0, math.nan), (1, math.inf)])]),
    Texts("none", []),
    Facts("none", []),
]


@pytest.mark.parametrize("block", DEGENERATE, ids=lambda block: f"{type(block).__name__} {getattr(block, 'title', '')}")
def test_a_block_with_next_to_nothing_in_it_is_drawn(block: Block) -> None:
    page = render("t", [block])
    reader = Reader(page)

    assert (reader.faults, reader.open) == ([], [])
    assert not re.search(r"\b(nan|inf|None)\b", page.partition("</style>")[2])


def test_half_a_surrogate_pair_can_be_written_to_a_file() -> None:
    assert render("t", [Paragraph("half \ud800 pair")]).encode("utf-8")


def test_equal_blocks_give_an_equal_page(page: str) -> None:
    assert render(NASTY, BLOCKS, subtitle=NASTY) == page


def colours() -> dict[str, dict[str, str]]:
    style = files("lexitune.report").joinpath("page.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root \{(.*?--bad.*?)\}", style, flags=re.DOTALL)
    return {
        theme: dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", rules))
        for theme, rules in [("light", light), ("dark", dark)]
    }


def luminance(colour: str) -> float:
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("ground", ["page", "panel"])
@pytest.mark.parametrize("ink", ["ink", "soft", "accent", "good", "bad"])
def test_text_can_be_read_on_every_ground_in_both_themes(theme: str, ground: str, ink: str) -> None:
    # WCAG 2.2, 1.4.3: 4.5 to 1 for text of any size.
    named = colours()[theme]

    assert contrast(named[ink], named[ground]) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("shape", ["mute", "accent", "good", "bad"])
def test_shapes_can_be_told_from_the_page_in_both_themes(theme: str, shape: str) -> None:
    # WCAG 2.2, 1.4.11: 3 to 1 for what must be seen to read a graphic.
    named = colours()[theme]

    assert contrast(named[shape], named["page"]) >= 3.0
