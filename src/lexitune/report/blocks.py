"""Blocks: what a stage hands to a report. Plain numbers and texts; nothing here knows how it will look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "BarPlot",
    "BarRow",
    "Block",
    "Cell",
    "Chapter",
    "CurvePlot",
    "DeltaPlot",
    "Estimate",
    "Facts",
    "IntervalPlot",
    "IntervalRow",
    "Number",
    "Panel",
    "Paragraph",
    "Series",
    "Table",
    "TextItem",
    "TextRow",
    "Texts",
    "Tone",
    "Verdict",
]

Tone = Literal["good", "neutral", "bad"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer first: one word ("BETTER", "NOT SHOWN", "WORSE") and the sentence that carries its numbers."""

    word: str
    sentence: str
    tone: Tone = "neutral"


@dataclass(frozen=True, slots=True)
class Chapter:
    """A question that all blocks up to the next chapter answer. The page begins with links to its chapters."""

    title: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Prose. An empty line in `text` starts a new paragraph; `points` follow as a list, `more` as a folded one."""

    text: str
    heading: str = ""
    points: Sequence[str] = ()
    more: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Number:
    """A table cell that is written as `form` (a format specification) says: `+.1f`, `.0%`, `,d`."""

    value: float
    form: str = ".3f"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A table cell with its interval: the mean, and `[low, high]` in smaller print below it."""

    mean: float
    low: float
    high: float
    form: str = ".3f"


Cell = str | int | float | Number | Estimate | None
"""None, and a number that is not finite, print as a dash."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under named columns. The first cell of a row names the row.

    `caption` is a few words; what explains them stands in `note`, in smaller print.
    `align` has "left" or "right" for each column. Left out: a column that holds no text goes right.

    Raises:
        ValueError: A row, or `align`, has not one entry for each column.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    align: Sequence[str] = ()
    note: str = ""

    def __post_init__(self) -> None:
        for row in [*self.rows, *([self.align] if self.align else [])]:
            if len(row) != len(self.columns):
                raise ValueError(f"{len(self.columns)} columns, but a row of {len(row)}: {row!r}")


IntervalRow = tuple[str, float, float, float, bool]
"""label, mean, low, high, emphasis. A bound that is not finite is unknown: the row gets its dot alone."""


@dataclass(frozen=True, slots=True)
class IntervalPlot:
    """A dot and its interval for each system, all on one axis, in the order given.

    `reference` draws a dashed line across all rows, named by `reference_label` (a threshold, say).
    """

    title: str
    rows: Sequence[IntervalRow]
    label: str = ""
    reference: float | None = None
    reference_label: str = ""
    form: str = ".3f"
    note: str = ""


BarRow = tuple[str, float, str]
"""label, value from 0 up, and words that stand beside the value."""


@dataclass(frozen=True, slots=True)
class BarPlot:
    """A bar for each row, from zero, in the order given; no more rows than can be read.

    Raises:
        ValueError: A value is below 0 or not finite, so it has no bar.
    """

    title: str
    rows: Sequence[BarRow]
    label: str = ""
    form: str = ",.0f"
    note: str = ""

    def __post_init__(self) -> None:
        for label, value, _ in self.rows:
            if not 0 <= value < math.inf:
                raise ValueError(f"no bar of {value} for {label!r}")


@dataclass(frozen=True, slots=True)
class DeltaPlot:
    """What each query gained, after minus before: how many were won and lost, and by how much.

    Raises:
        ValueError: A delta is not finite, so the query was neither won nor lost nor unchanged.
    """

    title: str
    deltas: Sequence[float]
    label: str = "gain"

    def __post_init__(self) -> None:
        for position, delta in enumerate(self.deltas):
            if not math.isfinite(delta):
                raise ValueError(f"the delta at position {position} is {delta}")


Series = tuple[str, Sequence[tuple[float, float]]]
"""label, points (x, y) by ascending x. A y that is not finite leaves a gap."""


@dataclass(frozen=True, slots=True)
class Panel:
    """A further pair of axes beside a curve plot's first."""

    series: Sequence[Series]
    y_label: str


@dataclass(frozen=True, slots=True)
class CurvePlot:
    """Lines over steps: training loss, and in the `second` panel held-out recall over the same steps.

    `mark` is the x of the state that was kept; it gets a dashed line named `mark_label` in every panel. A panel of one
    line also tells its last value, unless `last` is False.
    """

    title: str
    series: Sequence[Series]
    x_label: str = "step"
    y_label: str = ""
    second: Panel | None = None
    mark: float | None = None
    mark_label: str = "kept"
    last: bool = True
    note: str = ""


TextRow = tuple[str, str, int | None, int | None]
"""label, passage, rank before, rank after; ranks count from 1, and None was not found."""


@dataclass(frozen=True, slots=True)
class TextItem:
    """One query with the passages that explain its delta."""

    query: str
    delta: float
    rows: Sequence[TextRow]


@dataclass(frozen=True, slots=True)
class Texts:
    """Queries with their passages, in full: what people read first. `before` and `after` name the two systems."""

    title: str
    items: Sequence[TextItem]
    before: str = "stock"
    after: str = "tuned"
    label: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values (versions, hashes, options), and the commands that make the same thing again.

    `more` is folded: what is needed to make the same thing again, and by nobody who only reads.
    """

    title: str
    rows: Sequence[tuple[str, str]]
    commands: Sequence[str] = ()
    more: Sequence[tuple[str, str]] = ()


Block = Verdict | Chapter | Paragraph | Table | IntervalPlot | BarPlot | DeltaPlot | CurvePlot | Texts | Facts
