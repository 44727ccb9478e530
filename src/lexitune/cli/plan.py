"""lexitune plan: what it will take, before anything is spent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lexitune.cli.command import Call, Command, Result
from lexitune.io.options import DataOptions
from lexitune.models.options import ModelOptions
from lexitune.pipeline.options import PlanOptions
from lexitune.stages.train.options import TrainOptions

if TYPE_CHECKING:
    from lexitune.pipeline.bill import Bill, Cost, Plan
    from lexitune.pipeline.probe import Prediction

__all__ = ["command", "lines"]

GB, PETA = 1e9, 1e15
PARTS = {
    "weights": "weights",
    "gradients": "gradients",
    "optimiser": "AdamW's moments",
    "copies": "copies of the weights",
    "activations": "activations",
    "loss": "loss",
    "pass": "one pass",
}
"""What the memory of a training consists of, as it is called on the screen."""


def run(call: Call) -> Result:
    """Tell memory, hours and pounds before anything is spent.

    DATA is a BEIR folder or a file of pairs; left out, the workspace's own data, or as many pairs as --pairs says.
    Nothing is trained, but with --probe: 20 steps and a sample of passages on this machine, whose weights are thrown
    away.
    """
    source, workspace = call.params["data"], call.workspace_if_any()
    sections = call.sections(workspace)
    from lexitune.pipeline.outcome import fold
    from lexitune.pipeline.plan import plan

    found = plan(workspace, source, sections=sections)
    told, data = lines(found), found.to_json()
    next_command = "lexitune tune" if workspace and not source else f"lexitune tune {source or 'DATA'}"
    if call.params["probe"]:
        from lexitune.pipeline.probe import predict

        prediction = predict(workspace, source, sections=sections, talk=call.talk)
        told += ["", *_probe(prediction)]
        data["probe"] = prediction.to_json()
    return Result([*told, fold(_per_point(found.bill))], data, next_command)


def lines(found: Plan) -> list[str]:
    """The plan for a person, in 80 columns."""
    from lexitune.pipeline.outcome import fold

    return [
        *map(fold, _subject(found)),
        "",
        *_memory(found),
        *(fold(f"DOES NOT FIT: {warning}") for warning in found.warnings),
        "",
        *_training(found),
        "",
        *map(fold, _afterwards(found)),
        "",
        *_bill(found.bill),
    ]


def _subject(found: Plan) -> list[str]:
    subject, work = found.subject, found.subject.workload
    row, shape = subject.hardware, subject.shape
    query, doc = work.queries.mean(), work.passages.mean()
    rate = f"£{row.pounds_per_hour:.2f} an hour ({', '.join(filter(None, (row.rate_source, row.rate_date)))})"
    peaks = f"{row.fp32_tflops:.3g} TFLOP/s in fp32"
    if subject.half:
        peaks = f"{row.bf16_tflops:.4g} TFLOP/s in bf16 and {row.fp32_tflops:.4g} in fp32"
    return [
        f"model   {subject.model}: {shape.parameters / 1e6:.1f} M weights, {shape.layers} layers of {shape.width}",
        f"device  {subject.device}: {row.memory_gb:g} GB, {peaks}, {rate}",
        f"data    {work.pairs:,} pairs of {query:.0f} + {doc:.0f} tokens ({work.how}), {work.docs:,} passages",
    ]


def _memory(found: Plan) -> list[str]:
    classic, ours = found.memory["classic"], found.memory["ours"]
    recipes = found.settings
    head = [f"{recipes[side].recipe}, batch {recipes[side].batch_size}" for side in ("classic", "ours")]
    rows = [("memory, GB", *head)]
    for key, name in PARTS.items():
        if key in classic.parts or key in ours.parts:
            rows.append((f"  {name}", *(f"{one.parts.get(key, 0.0) / GB:.2f}" for one in (classic, ours))))
    rows.append(("  together", *(f"{one.total / GB:.2f}" for one in (classic, ours))))
    rows.append(("  fits", *("yes" if one.fits else "NO" for one in (classic, ours))))
    micro = [f"{one.largest_tokens:,} tokens" if one.largest_tokens else "-" for one in (classic, ours)]
    pairs = [f"{one.largest_pairs:,} pairs" if one.largest_tokens else "-" for one in (classic, ours)]
    return [f"{a:<28}{b:>22}{c:>22}" for a, b, c in [*rows, ("  largest micro-batch", *micro), ("", *pairs)]]


def _training(found: Plan) -> list[str]:
    from lexitune.pipeline.outcome import fold

    rows = [f"{'training':<10}{'':<20}{'PFLOP':>9}  {'time':>18}  {'£':>16}"]
    for name, cost in found.training.items():
        rows.append(f"  {name:<8}{cost.what:<20}{_cost(cost)}")
    return [*rows, *map(fold, _arithmetic(found))]


def _arithmetic(found: Plan) -> list[str]:
    subject, least = found.subject, found.training["minimum"]
    row, pairs, epochs = subject.hardware, subject.workload.pairs, found.settings["classic"].epochs
    each = least.flops / pairs / epochs
    return [
        f"  minimum: {pairs:,} pairs x {epochs} epochs x {each / 1e9:.0f} GFLOP (three forward passes, no padding) "
        f"at 100 % of {subject.peak / 1e12:.3g} TFLOP/s",
        f"  ours at {100 * row.share_low:.0f} to {100 * row.share_high:.0f} % of it, the classic at "
        f"{100 * row.classic_low:.0f} to {100 * row.classic_high:.0f} % of fp32 with its padding: {row.share_source}",
    ]


def _afterwards(found: Plan) -> list[str]:
    serving, work = found.serving, found.subject.workload
    least = serving["query_least_s"] * 1e3
    if found.reembedding is None:
        told = "re-embedding  none: the index stays"
    else:
        cost, memory = found.reembedding, sum(found.reembedding_memory.values()) / GB
        told = (
            f"re-embedding  {work.docs:,} passages: {cost.flops / PETA:.3g} PFLOP, {cost.seconds.as_time()}, "
            f"£{cost.pounds.as_pounds()}, {memory:.2f} GB"
        )
    return [
        told,
        f"serving       {serving['weights'] / GB:.2f} GB of weights, {serving['index'] / GB:.3g} GB of index; a query "
        f"is {serving['query_flops'] / 1e9:.3g} GFLOP, {least:.2g} ms at the peak",
    ]


def _bill(bill: Bill) -> list[str]:
    machine = bill.machine
    label = f"{bill.label_hours:.1f} h" if bill.label_hours else "-"
    wage = f"{bill.label_pounds:,.2f}" if bill.label_pounds else "no wage given" if bill.label_hours else "-"
    llm = f"{bill.llm_pounds:,.2f}" if bill.llm_pounds else "-"
    rows = [
        ("bill", "time", "£"),
        ("  machine: training, re-embedding", machine.seconds.as_time(), machine.pounds.as_pounds()),
        ("  people: labelling", label, wage),
        ("  language model", "", llm),
        ("  together", bill.hours.times(3600).as_time(), bill.pounds.as_pounds()),
    ]
    return [f"{a:<36}{b:>21}{c:>22}" for a, b, c in rows]


def _probe(found: Prediction) -> list[str]:
    """What was timed, what it predicts, and of which parts."""
    from lexitune.pipeline.outcome import fold

    train = found.train
    names = {"steps": f"{train.of:,} steps", "average": "choose the share"}
    parts = ", ".join(
        f"{names.get(name, name)} {seconds:.3g}" for name, seconds in train.seconds.items() if seconds >= 0.05
    )
    return [
        f"probe   {train.steps} steps and a sample of passages on this {found.device}, in {found.precision}",
        fold(f"  training will take {_seconds(train.total)}: {parts}"),
        f"  re-embedding will take {_seconds(found.reembed_s)}",
    ]


def _per_point(bill: Bill) -> str:
    share = bill.point_share
    if bill.gain is None:
        return "a point of R@10: no gain is known here; lexitune assess foretells one, --gain POINTS assumes one"
    if share is None:
        return f"a point of R@10: nothing was gained, {bill.gain.points:+.1f} points {bill.gain.source}"
    return (
        f"a point of R@10: £{bill.pounds.times(share).as_pounds()} and {bill.hours.times(3600 * share).as_time()}, "
        f"with {bill.gain.points:+.1f} points {bill.gain.source}"
    )


def _cost(cost: Cost) -> str:
    return f"{cost.flops / PETA:>9.3g}  {cost.seconds.as_time():>18}  {cost.pounds.as_pounds():>16}"


def _seconds(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds >= 99.5 else f"{seconds:.2g} s"


command = Command(
    "plan",
    run,
    sections=(PlanOptions, ModelOptions, DataOptions, TrainOptions),
    params=[
        click.Argument(["data"], required=False, type=click.Path(path_type=Path)),
        click.Option(["--probe"], is_flag=True, help="Time 20 steps and some passages here, and predict this run"),
    ],
    has_json=True,
)
