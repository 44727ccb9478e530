"""Memory, hours and pounds of training, re-embedding and serving, reckoned before anything is spent.

Arithmetic on the shape of the model, the lengths of the texts and a table of hardware; nothing is run. Three trainings
stand side by side: the classic recipe of most tutorials, ours, and the least that physics allows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from lexitune.io.general import read_general
from lexitune.models.memory import GB, GRAPH_SHARE, UNLIMITED
from lexitune.models.shape import Shape, check_frozen
from lexitune.models.sizing import (
    TRAINING_PASSES,
    encoding_memory,
    forward_flops,
    graph_bytes,
    lora_weights,
    padded_flops,
    state_memory,
)
from lexitune.pipeline.bill import Bill, Cost, Gain, Memory, Plan, Span, Subject
from lexitune.pipeline.options import PlanOptions
from lexitune.pipeline.workload import WORD_TOKENS, Lengths, Workload
from lexitune.stages.train.averaging import AFTER, ENDS, general_tokens
from lexitune.stages.train.dev import plan_dev
from lexitune.stages.train.options import TrainOptions
from lexitune.stages.train.recipe import Recipe, settle

__all__ = ["make_plan"]

RESERVE = 0.1  # of a device's memory: for its driver, and for holes between blocks of changing size
LONGEST_PLAIN = 512  # tokens, up to which a processor keeps attention's weights; `models/attention.py`
HOST_STEP_S = 0.043  # a step of the classic trainer with a toy model: tokenising, loading, waiting (one core of Zen 5)


def make_plan(
    subject: Subject, *, train: TrainOptions, options: PlanOptions, mined: bool = False, gain: Gain | None = None
) -> Plan:
    """Reckon memory, time and money.

    Args:
        train: The recipe.
        options: What people and language models cost.
        mined: Negatives are there, so each pair brings one along.
        gain: None: not known.
    """
    rate = subject.hardware.pounds_per_hour
    budget = UNLIMITED["cpu" if subject.on_cpu else "cuda"].token_budget
    shape = subject.shape
    size = {"pairs": subject.workload.pairs, "parameters": shape.parameters, "layers": shape.layers}
    given, default, classic = (
        settle(one, token_budget=budget, **size) for one in (train, TrainOptions(), TrainOptions(recipe="mnrl"))
    )
    check_frozen(given.freeze_layers, shape.layers)
    classic = given if given.recipe == "mnrl" else classic
    ours = default if given.recipe == "mnrl" else given
    ours = ours if mined or train.negatives else replace(ours, negatives=0)
    # Beside the copy that the recipe mnrl trains stands the stock model; sentence-transformers alone has no other.
    alone = _classic_memory(subject, classic, copies=int(given.recipe == "mnrl"))
    memory = {"classic": alone, "ours": _our_memory(subject, ours)}
    training = {
        "classic": _classic_cost(subject, classic, rate),
        "ours": _our_cost(subject, ours, rate, memory["ours"]),
        "minimum": _least_cost(subject, classic, rate),
    }
    again = None if ours.recipe == "adapter" else _reembedding(subject, rate)
    machine = training["classic" if given.recipe == "mnrl" else "ours"]
    if again is not None:
        machine = machine.plus(again, what="training and re-embedding")
    pairs = subject.workload.pairs
    hours = pairs * options.label_minutes / 60
    bill = Bill(machine, hours, hours * options.hourly_wage, pairs * options.llm_cost, gain)
    return Plan(
        subject,
        memory,
        training,
        again,
        _reembedding_memory(subject),
        _serving(subject),
        bill,
        {"classic": classic, "ours": ours},
        _warnings(subject, memory),
    )


def _classic_memory(subject: Subject, recipe: Recipe, *, copies: int) -> Memory:
    """sentence-transformers' trainer: the whole batch at once, in fp32, each column padded to its longest text."""
    work, most = subject.workload, subject.max_length
    query, doc = (min(most, work.spread * float(column.max())) for column in (work.queries, work.passages))
    batch = recipe.batch_size * (query + doc)
    # With dropout a processor keeps attention's weights before it, after it, and what was dropped.
    each = graph_bytes(subject.shape, length=doc, item_bytes=4, pairs=2.5 if subject.on_cpu else 0.0)
    parts = state_memory(subject.shape, half=False, copies=copies)
    parts |= {"activations": each * batch, "loss": 4.0 * 4 * recipe.batch_size**2}
    return _sum_up(subject, parts, batch, each, least=0.0, pair=query + doc)


def _our_memory(subject: Subject, recipe: Recipe) -> Memory:
    """Ours: the stock weights and the trained ones stay beside those that learn; graphs take a quarter of the rest.

    Where the graph of the longest text takes more than that, layers keep their inputs alone, and the graph of one.
    """
    work = subject.workload
    if recipe.recipe == "adapter":
        parts = dict(_reembedding_memory(subject))
        return _sum_up(subject, parts, 0.0, 0.0, least=0.0, pair=1.0)
    query, doc = float(work.queries.mean()), float(work.passages.mean())
    pair = query + (1 + recipe.negatives) * doc
    plain, item_bytes = subject.on_cpu and doc <= LONGEST_PLAIN, 2 if subject.half else 4
    layer = graph_bytes(subject.shape, length=doc, item_bytes=item_bytes, pairs=1.0 if plain else 0.0)
    layer /= subject.shape.layers
    upper = subject.shape.layers - recipe.freeze_layers
    parts = state_memory(subject.shape, half=subject.half, copies=2, learning=_learning(subject.shape, recipe))
    room = GRAPH_SHARE * max(0.0, _room(subject) - sum(parts.values()))
    longest = float(max(work.queries.max(), work.passages.max()))
    again = upper * layer * longest > room
    each, one = (upper * subject.shape.width * item_bytes, layer * longest) if again else (upper * layer, 0.0)
    batch = min(recipe.batch_size * pair, max(longest, room / each))
    parts |= {"activations": each * batch + one, "loss": 0.0}  # in tiles, whose size does not depend on the batch
    found = _sum_up(subject, parts, batch, each, least=each * longest + one, pair=pair)
    return replace(found, again=again)


def _learning(shape: Shape, recipe: Recipe) -> int:
    """Weights that learn."""
    upper = shape.layers - recipe.freeze_layers
    if recipe.lora:
        return lora_weights(shape, rank=recipe.lora, layers=upper)
    return upper * shape.layer_weights if recipe.freeze_layers or recipe.freeze_table else shape.parameters


def _room(subject: Subject) -> float:
    return (1 - RESERVE) * GB * subject.hardware.memory_gb


def _sum_up(
    subject: Subject, parts: Mapping[str, float], batch: float, each: float, *, least: float, pair: float
) -> Memory:
    """What fits beside the fixed parts. `least`: bytes of activations without which nothing goes; 0: all of them."""
    fixed = sum(parts.values()) - parts.get("activations", 0.0)
    room = _room(subject) - fixed
    largest = int(max(0.0, room) / each) if each else 0
    fits = (least or parts.get("activations", 0.0)) <= room
    return Memory(parts, batch, fits, largest, int(largest / pair))


def _classic_cost(subject: Subject, recipe: Recipe, rate: float) -> Cost:
    work, row = subject.workload, subject.hardware
    stretched = [
        np.minimum(np.ceil(work.spread * column).astype(np.int64), subject.max_length)
        for column in (work.queries, work.passages)
    ]
    one = padded_flops(subject.shape, *stretched, batch_size=recipe.batch_size) / len(work.queries)
    flops = TRAINING_PASSES * recipe.epochs * work.pairs * one
    seconds = _seconds(flops, 1e12 * row.fp32_tflops, Span(row.classic_low, row.classic_high))
    steps = recipe.epochs * math.ceil(work.pairs / recipe.batch_size)
    seconds = Span(max(seconds.low, 0.0 if subject.on_cpu else HOST_STEP_S * steps), seconds.high + HOST_STEP_S * steps)
    return _cost(f"fp32, {recipe.epochs} epochs", flops, seconds, rate)


def _our_cost(subject: Subject, recipe: Recipe, rate: float, memory: Memory) -> Cost:
    work, shape = subject.workload, subject.shape
    query, doc, corpus = (_mean_flops(subject, column) for column in (work.queries, work.passages, work.corpus))
    name = "bf16" if subject.half else "fp32"
    if recipe.recipe == "adapter":
        flops = work.pairs * query + work.docs * corpus
        return _cost(f"{name}, encoding alone", flops, _our_seconds(subject, flops), rate)
    pair = query + (1 + recipe.negatives) * doc
    tokens = recipe.batch_size * (float(work.queries.mean()) + (1 + recipe.negatives) * float(work.passages.mean()))
    again = max(0.0, 1 - memory.batch / tokens)  # the share of a batch that gradient caching encodes twice
    share = recipe.work_share(shape.layers)
    upper = 1 - recipe.freeze_layers / shape.layers
    again *= upper if recipe.keeps_states else 1
    again += upper if memory.again else 0  # layers that kept their inputs alone
    passed = recipe.epochs * (work.asked if recipe.positives == "sample" else work.pairs)
    flops = (TRAINING_PASSES * share + again) * passed * pair
    learnt = share * passed * (tokens / recipe.batch_size)
    flops += _evaluation_tokens(work, recipe, learnt) * 2 * shape.layers * shape.layer_weights
    return _cost(f"{name}, {recipe.told_epochs}, dev", flops, _our_seconds(subject, flops), rate)


def _evaluation_tokens(work: Workload, recipe: Recipe, learnt: float) -> float:
    """Tokens of all dev evaluations, and of those on dev and general text that choose the share of the weights."""
    if not work.dev_queries:
        return 0.0
    query, doc = float(work.queries.mean()), float(work.corpus.mean())
    dev = plan_dev(
        queries=work.dev_queries,
        answers=1,
        query_tokens=query,
        doc_tokens=doc,
        train_tokens=learnt,
        most_queries=recipe.dev_queries,
    )
    each = dev.queries * query + min(dev.docs, work.docs) * doc
    if recipe.blend is not None:
        return dev.evaluations * each
    docs, queries, _ = read_general()
    words = sum(len(text.split()) for text in (*(doc.text for doc in docs), *(one.text for one in queries.values())))
    general = min(general_tokens(learnt), WORD_TOKENS * words)
    return (dev.evaluations + AFTER) * each + ENDS * general


def _least_cost(subject: Subject, recipe: Recipe, rate: float) -> Cost:
    """The classic recipe's epochs without padding, at the peak: no program can be faster there."""
    work = subject.workload
    pair = _mean_flops(subject, work.queries) + _mean_flops(subject, work.passages)
    flops = TRAINING_PASSES * recipe.epochs * work.pairs * pair
    name = "bf16" if subject.half else "fp32"
    return _cost(f"{name}, {recipe.epochs} epochs", flops, _seconds(flops, subject.peak, Span(1.0, 1.0)), rate)


def _reembedding(subject: Subject, rate: float) -> Cost:
    flops = subject.workload.docs * _mean_flops(subject, subject.workload.corpus)
    return _cost("re-embedding", flops, _our_seconds(subject, flops), rate)


def _reembedding_memory(subject: Subject) -> dict[str, float]:
    """While encoding; the vectors go to the disk part by part."""
    return _encoding_memory(subject, tokens=UNLIMITED["cpu" if subject.on_cpu else "cuda"].token_budget)


def _encoding_memory(subject: Subject, *, tokens: int) -> dict[str, float]:
    length = int(subject.workload.corpus.max())
    found = encoding_memory(
        subject.shape, length=length, tokens=max(tokens, length), half=subject.half, plain=subject.on_cpu
    )
    return dict(found)


def _serving(subject: Subject) -> dict[str, float]:
    query = _mean_flops(subject, subject.workload.queries)
    weights = _reembedding_memory(subject)["weights"]
    index = 4.0 * subject.dimension * subject.workload.docs
    return {"weights": weights, "index": index, "query_flops": query, "query_least_s": query / subject.peak}


def _warnings(subject: Subject, memory: Mapping[str, Memory]) -> tuple[str, ...]:
    """What cannot be done on this device, however small its passes are."""
    there = f"GB, and {_room(subject) / GB:.1f} are there, a tenth left to the driver"
    classic, ours = memory["classic"], memory["ours"]
    least = _encoding_memory(subject, tokens=int(subject.workload.corpus.max()))
    found = []
    if not classic.fits:
        found.append(f"the classic recipe takes {classic.total / GB:.1f} {there}")
    if not ours.fits:
        found.append(f"ours takes {ours.total / GB:.1f} {there}: take --lora 16, a smaller --model or a larger --gpu")
    if sum(least.values()) > _room(subject):
        found.append(f"encoding one text takes {sum(least.values()) / GB:.1f} {there}: take a smaller --model")
    return tuple(found)


def _mean_flops(subject: Subject, lengths: Lengths) -> float:
    return forward_flops(subject.shape, lengths) / len(lengths)


def _our_seconds(subject: Subject, flops: float) -> Span:
    row = subject.hardware
    return _seconds(flops, subject.peak, Span(row.share_low, row.share_high))


def _seconds(flops: float, peak: float, share: Span) -> Span:
    return Span(flops / (peak * share.high), flops / (peak * share.low))


def _cost(what: str, flops: float, seconds: Span, rate: float) -> Cost:
    return Cost(what, flops, seconds, seconds.times(rate / 3600))
