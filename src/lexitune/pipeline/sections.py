"""The sections of `lexitune.toml`: every options record there is."""

from lexitune.io.options import DataOptions
from lexitune.models.options import ModelOptions
from lexitune.pipeline.options import PlanOptions, TuneOptions
from lexitune.settings import section_of
from lexitune.sources.clicks.options import LogsOptions
from lexitune.sources.documents.options import DocsOptions
from lexitune.sources.options import PairsOptions
from lexitune.sources.traces.options import TracesOptions
from lexitune.stages.assess.options import AssessOptions
from lexitune.stages.check.options import CheckOptions
from lexitune.stages.evaluate.options import EvaluateOptions
from lexitune.stages.mine.options import MineOptions
from lexitune.stages.promote.options import PromoteOptions
from lexitune.stages.reembed.options import ReembedOptions
from lexitune.stages.train.options import TrainOptions

__all__ = ["BESIDE", "SECTIONS"]

SECTIONS: dict[str, type] = {
    section_of(kind): kind
    for kind in (
        TuneOptions,
        DataOptions,
        ModelOptions,
        CheckOptions,
        LogsOptions,
        TracesOptions,
        PairsOptions,
        DocsOptions,
        AssessOptions,
        MineOptions,
        TrainOptions,
        ReembedOptions,
        EvaluateOptions,
        PromoteOptions,
        PlanOptions,
    )
}
"""Section -> options record, in the order in which help and file show them."""

BESIDE = frozenset({"check", "docs", "logs", "pairs", "plan", "traces"})
"""Sections of commands that `tune` does not run."""
