"""lexitune models: what was trained here, from what, and what may go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lexitune.cli.command import Call, Command, Result, ask
from lexitune.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lexitune.io.workspace import Workspace
    from lexitune.pipeline.models import ModelEntry

__all__ = ["command", "table"]

NONE = "No tuned model is here."
LONGEST_ID = 27
WORDS = ("show", "push", "rm")
FLAGS = {
    "docs": ("show",),
    "snippet": ("show",),
    "to": ("push",),
    "public": ("push",),
    "dry_run": ("push",),
    "anyway": ("rm",),
    "yes": ("rm", "push"),
}
"""Flag -> the words that it goes with."""

SNIPPETS = "sentence-transformers, langchain, llamaindex or haystack"


def run(call: Call) -> Result:
    """List the models of this workspace, show, push or remove one.

    As much of a MODEL_ID as no other begins with is enough.

    \b
    lexitune models                        all of them, the newest first
    lexitune models show minilm-35         what made it, what became of it
    lexitune models show minilm-35 --docs  ids of all passages it learnt from
    lexitune models show minilm-35 --snippet langchain
                                           code that uses it
    lexitune models --trained-on DOC_ID    who learnt from a passage or query
    lexitune models push minilm-35 --to owner/name
                                           to the Hugging Face Hub, private
    lexitune models rm minilm-35           refused where something needs it
    """
    word, given = call.params["word"], call.params["model_id"]
    _check(call.params)
    workspace = call.workspace()
    from lexitune.stages.promote.driver import recover

    recover(workspace, reading=True, talk=call.talk)
    if word == "rm":
        return _remove(call, workspace, given)
    if word == "push":
        return _push(call, workspace, given)
    if word == "show":
        if call.params["snippet"] is not None:
            return _snippet(workspace, given, call.params["snippet"])
        return _show(workspace, given, docs=call.params["docs"])
    if call.params["trained_on"] is not None:
        return _trained_on(workspace, call.params["trained_on"])
    return _list(workspace)


def _check(params: Mapping[str, Any]) -> None:
    """Refuse words and flags that do not belong together.

    Raises:
        UsageError: They do not.
    """
    word, given = params["word"], params["model_id"]
    if word not in (None, *WORDS):
        meant = f"lexitune models show {word}" if given is None else "lexitune models --help"
        raise UsageError("E2012", f"models knows show, push and rm, not '{word}'", fix=meant)
    if word is not None and given is None:
        raise UsageError("E2012", f"models {word} needs a model's id", fix="lexitune models lists them")
    for flag, owners in FLAGS.items():
        if params[flag] and word not in owners:
            typed = f"--{flag.replace('_', '-')}"
            fix = f"lexitune models {owners[0]} MODEL_ID {typed}"
            raise UsageError("E2012", f"{typed} goes with models {' and '.join(owners)}", fix=fix)
    if word == "push" and params["to"] is None:
        raise UsageError("E2012", "where to?", fix=f"lexitune models push {given} --to owner/name")
    if params["trained_on"] is not None and word is not None:
        raise UsageError("E2012", "--trained-on asks all models", fix="lexitune models --trained-on DOC_ID")


def _list(workspace: Workspace) -> Result:
    from lexitune.pipeline.models import list_models
    from lexitune.pipeline.status import status

    found = list_models(workspace)
    data = {"models": [entry.to_json() for entry in found]}
    newest = next((entry for entry in found if not entry.is_stock), None)
    if newest is None:
        return Result([NONE, *(table(found) if found else ())], data, status(workspace).next_command)
    return Result(table(found), data, f"lexitune models show {newest.model_id}")


def table(found: Sequence[ModelEntry]) -> list[str]:
    """A line of figures for each model, and below it what it gained and what it is needed for."""
    from lexitune.pipeline.outcome import fold

    width = min(LONGEST_ID, max(5, *(len(entry.model_id) for entry in found)))
    lines = [f"{'model':<{width}}  {'trained':<10}  {'recipe':<7}  {'pairs':>7}  {'dev gain':>8}  {'on disk':>10}"]
    for entry in found:
        pairs = "" if entry.pairs is None else f"{entry.pairs:,}"
        dev = "" if entry.dev_gain is None else f"{100 * entry.dev_gain:+.1f}"
        recipe = "stock" if entry.is_stock else entry.recipe
        figures = f"{entry.trained_at[:10]:<10}  {recipe:<7}  {pairs:>7}  {dev:>8}  {megabytes(entry.size_bytes):>10}"
        if len(entry.model_id) > width:
            lines.append(entry.model_id)
        lines.append(f"{entry.model_id if len(entry.model_id) <= width else '':<{width}}  {figures}")
        lines += fold(", ".join(_remarks(entry)), indent=2).splitlines()
    return lines


def _remarks(entry: ModelEntry) -> Iterator[str]:
    from lexitune.pipeline.model_lines import gain_text

    yield from entry.uses
    if not entry.is_stock:
        yield gain_text(entry.gain) if entry.gain else "not evaluated"
    if entry.verdict:
        yield f"gate: {entry.verdict}"
    yield "has vectors" if entry.vectors else "no vectors of its own"
    yield from (f"index {index} in a store" for index in entry.indexes)


def _show(workspace: Workspace, given: str, *, docs: bool) -> Result:
    from lexitune.pipeline.model_lines import record_lines
    from lexitune.pipeline.model_record import docs_of, read_model
    from lexitune.pipeline.models import find_model

    model_id = find_model(workspace, given)
    if docs:
        ids = docs_of(workspace, model_id)
        return Result(ids, {"model_id": model_id, "docs": ids})
    found = read_model(workspace, model_id)
    following = f"lexitune models show {model_id} --docs" if found.learnt else "lexitune models"
    return Result(record_lines(found), found.to_json(), following)


def _snippet(workspace: Workspace, given: str, library: str) -> Result:
    from lexitune.pipeline.models import find_model
    from lexitune.pipeline.use import snippet_of

    model_id = find_model(workspace, given)
    code = snippet_of(workspace, model_id, library)
    return Result(code.splitlines(), {"model_id": model_id, "library": library, "code": code})


def _trained_on(workspace: Workspace, wanted: str) -> Result:
    from lexitune.io.ids import read_id
    from lexitune.pipeline.lineage import YES, is_here, models_trained_on
    from lexitune.pipeline.outcome import fold

    try:
        doc_id = read_id(wanted)
    except ValueError as error:
        raise UsageError("E2002", f"--trained-on: {error}", fix="give the id of a passage or query") from error
    found, here = models_trained_on(workspace, doc_id), is_here(workspace, doc_id)
    data = {"id": doc_id, "here": here, "models": [one.to_json() for one in found]}
    lines: list[str] = []
    if here is False and not any(one.answer == YES for one in found):
        told = f"'{doc_id}' is no passage or query of this workspace, and no record names it: is it spelt so?"
        lines += fold(told).splitlines()
    for one in found:
        lines += fold(f"{one.model_id}: {one.answer}" + f" ({one.how})" * bool(one.how)).splitlines()
    return Result(lines or [NONE], data, "lexitune models")


def _remove(call: Call, workspace: Workspace, given: str) -> Result:
    from lexitune.pipeline.removal import plan_removal, remove_model

    anyway = call.params["anyway"]
    planned = plan_removal(workspace, given, anyway=anyway)
    for path in planned.paths:
        call.talk.say(f"goes: {path.relative_to(workspace.root)}")
    again = f"models rm {planned.model_id}" + " --anyway" * anyway
    question = f"Remove {planned.model_id} for good?"
    if not ask(question, yes=call.params["yes"], command=again, before="it removes a model"):
        return Result(["nothing was changed"], {"removed": None}, "lexitune models")
    done = remove_model(workspace, planned.model_id, anyway=anyway, talk=call.talk)
    lines = [f"{done.model_id} is removed, {megabytes(done.freed_bytes)} of disk are free again", *done.lost]
    if (workspace.reports / f"{done.model_id}.json").exists():
        lines.append("its report and the gate's verdict stay in reports/ and verdicts/")
    paths = [path.relative_to(workspace.root).as_posix() for path in done.paths]
    data = {"removed": done.model_id, "paths": paths, "freed_bytes": done.freed_bytes, "lost": list(done.lost)}
    return Result(lines, data, "lexitune models")


def _push(call: Call, workspace: Workspace, given: str) -> Result:
    import shutil

    from lexitune.models.publish import check_destination, check_name, upload
    from lexitune.pipeline.models import find_model
    from lexitune.pipeline.outcome import shown_path
    from lexitune.pipeline.push import write_package

    model_id, to, public = find_model(workspace, given), call.params["to"], call.params["public"]
    check_name(to)
    there = "" if call.params["dry_run"] else check_destination(to, public=public)
    seen = there or ("public" if public else "private")
    package = write_package(workspace, model_id, to)
    lines = [f"{size:>13,}  {name}" for name, size in package.sizes.items()]
    data = {"model_id": model_id, "to": to, "visibility": seen, "files": dict(package.sizes), "url": None}
    again = f"models push {model_id} --to {to}" + " --public" * public
    if call.params["dry_run"]:
        told = [*lines, "this would be uploaded, and lies in", f"  {shown_path(package.folder)}"]
        return Result(told, {**data, "folder": str(package.folder)}, f"lexitune {again}")
    try:
        for line in lines:
            call.talk.say(line)
        total, replaced = megabytes(sum(package.sizes.values())), ", which is there already" * bool(there)
        question = f"Upload {total} to {to}, {seen}{replaced}?"
        if not ask(question, yes=call.params["yes"], command=again, before="anything leaves this machine"):
            return Result(["nothing was uploaded"], data, f"lexitune models show {model_id}")
        call.talk.say(f"uploading {total}")
        url = upload(package.folder, to, public=public, message="A model made by lexitune, with its measurements")
    finally:
        shutil.rmtree(package.folder)
    return Result([f"{model_id} is at {url}, {seen}"], {**data, "url": url}, f"lexitune models show {model_id}")


def megabytes(count: int) -> str:
    """
    >>> megabytes(98_765_432), megabytes(4_000)
    ('98.8 MB', '0.0 MB')
    """
    return f"{count / 1e6:,.1f} MB"


command = Command(
    "models",
    run,
    params=[
        click.Argument(["word"], required=False, metavar="[show|push|rm]"),
        click.Argument(["model_id"], required=False),
        click.Option(["--docs"], is_flag=True, help="With show: the ids of all passages it learnt from, one a line"),
        click.Option(["--snippet"], metavar="LIBRARY", help=f"With show: code that uses it, for {SNIPPETS}"),
        click.Option(["--trained-on"], metavar="ID", help="Which models learnt from this passage or query"),
        click.Option(["--anyway"], is_flag=True, help="With rm: also what is staged, or still kept for a rollback"),
        click.Option(["--to"], metavar="OWNER/NAME", help="With push: the repository on the Hugging Face Hub"),
        click.Option(["--public"], is_flag=True, help="With push: everybody may read it; private otherwise"),
        click.Option(["--dry-run"], is_flag=True, help="With push: only write the folder that would be uploaded"),
        click.Option(["--yes"], is_flag=True, help="With rm and push: do not ask"),
    ],
    has_json=True,
)
