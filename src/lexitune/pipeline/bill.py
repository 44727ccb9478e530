"""What a plan is made of: the subject, memory by part, costs, and the bill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from lexitune.models.hardware import CPU, Hardware
from lexitune.models.shape import Shape
from lexitune.pipeline.workload import Workload
from lexitune.stages.train.recipe import Recipe

__all__ = ["Bill", "Cost", "Gain", "Memory", "Plan", "Span", "Subject"]


@dataclass(frozen=True, slots=True)
class Span:
    """A least and a most."""

    low: float
    high: float

    def __add__(self, other: Span) -> Span:
        return Span(self.low + other.low, self.high + other.high)

    def times(self, factor: float) -> Span:
        """Both, multiplied."""
        return Span(self.low * factor, self.high * factor)

    def as_time(self) -> str:
        """Of seconds, such as `2.3 to 4.1 min`."""
        factor, unit = next((f, u) for f, u in ((1, "s"), (60, "min"), (3600, "h")) if self.high < 120 * f or u == "h")
        few, many = (f"{one:,.0f}" if one >= 99.5 else f"{one:.2g}" for one in (self.low / factor, self.high / factor))
        return f"{few if few == many else f'{few} to {many}'} {unit}"

    def as_pounds(self) -> str:
        """Such as `0.31 to 0.52`: less than ten pence to a tenth of a penny, a thousand and more without pence."""
        low, high = (
            f"{one:,.0f}" if one >= 1000 else f"{one:.2f}" if one >= 0.1 else f"{one:.3f}"
            for one in (self.low, self.high)
        )
        return low if low == high else f"{low} to {high}"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is planned: a model on a device, with a workload."""

    model: str
    shape: Shape
    max_length: int
    dimension: int
    device: str
    hardware: Hardware
    half: bool
    workload: Workload

    @property
    def on_cpu(self) -> bool:
        """Whether the device is a processor."""
        return self.device == CPU

    @property
    def peak(self) -> float:
        """Operations a second at the peak of the number format that ours computes in."""
        return 1e12 * (self.hardware.bf16_tflops if self.half else self.hardware.fp32_tflops)


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that a training holds, by part, and what fits.

    Args:
        batch: Tokens whose graphs are kept at once.
        largest_tokens: The most that would fit; `largest_pairs` of the mean length.
        again: Layers keep their inputs alone and are computed again in the backward pass, for a text is that long.
    """

    parts: Mapping[str, float]
    batch: float
    fits: bool
    largest_tokens: int
    largest_pairs: int
    again: bool = False

    @property
    def total(self) -> float:
        """Of all parts."""
        return sum(self.parts.values())


@dataclass(frozen=True, slots=True)
class Cost:
    """One piece of work: its operations, and the seconds and pounds that it takes, from the least to the most."""

    what: str
    flops: float
    seconds: Span
    pounds: Span

    def plus(self, other: Cost, *, what: str) -> Cost:
        """Both, one after the other."""
        return Cost(what, self.flops + other.flops, self.seconds + other.seconds, self.pounds + other.pounds)


@dataclass(frozen=True, slots=True)
class Gain:
    """Points of R@10, and where they come from."""

    points: float
    source: str


@dataclass(frozen=True, slots=True)
class Bill:
    """Everything that is paid for."""

    machine: Cost
    label_hours: float
    label_pounds: float
    llm_pounds: float
    gain: Gain | None

    @property
    def pounds(self) -> Span:
        """All of it."""
        fixed = self.label_pounds + self.llm_pounds
        return self.machine.pounds + Span(fixed, fixed)

    @property
    def hours(self) -> Span:
        """Of machine and people."""
        return self.machine.seconds.times(1 / 3600) + Span(self.label_hours, self.label_hours)

    @property
    def point_share(self) -> float | None:
        """The share of it that a point of R@10 takes; None where no gain is known, or nothing was gained."""
        return 1 / self.gain.points if self.gain is not None and self.gain.points > 0 else None

    def to_json(self) -> dict[str, Any]:
        """With the sums, and what a point costs."""
        share, per = self.point_share, None
        if share is not None:
            per = {"pounds": asdict(self.pounds.times(share)), "hours": asdict(self.hours.times(share))}
        return {**asdict(self), "pounds": asdict(self.pounds), "hours": asdict(self.hours), "per_point": per}


@dataclass(frozen=True)
class Plan:
    """All of it.

    Args:
        memory: `classic` and `ours`.
        training: `classic`, `ours` and `minimum`.
        reembedding: None where the index stays.
        serving: Bytes by part, and the operations and least seconds of one query.
        settings: Recipes behind the figures.
        warnings: What would not fit.
    """

    subject: Subject
    memory: Mapping[str, Memory]
    training: Mapping[str, Cost]
    reembedding: Cost | None
    reembedding_memory: Mapping[str, float]
    serving: Mapping[str, float]
    bill: Bill
    settings: Mapping[str, Recipe]
    warnings: Sequence[str] = field(default_factory=tuple)

    def to_json(self) -> dict[str, Any]:
        """A plain dict that `json.dumps` takes."""
        subject, work = self.subject, self.subject.workload
        means = {"query_tokens": work.queries, "doc_tokens": work.passages, "corpus_tokens": work.corpus}
        return {
            "model": {"name": subject.model, **asdict(subject.shape)},
            "device": {"name": subject.device, "bf16": subject.half, **asdict(subject.hardware)},
            "data": {
                **{name: getattr(work, name) for name in ("pairs", "docs", "dev_queries", "how")},
                **{name: float(np.mean(lengths)) for name, lengths in means.items()},
            },
            "memory": {name: {**asdict(one), "total": one.total} for name, one in self.memory.items()},
            "training": {name: asdict(one) for name, one in self.training.items()},
            "reembedding": None if self.reembedding is None else asdict(self.reembedding),
            "reembedding_memory": dict(self.reembedding_memory),
            "serving": dict(self.serving),
            "bill": self.bill.to_json(),
            "settings": {name: asdict(one) for name, one in self.settings.items()},
            "warnings": list(self.warnings),
        }
