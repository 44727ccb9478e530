"""lexitune collect docs: a folder of documents to passages and weak pairs."""

from __future__ import annotations

from pathlib import Path

import click

from lexitune.cli.collecting import collected, collected_before, name_flag
from lexitune.cli.command import Call, Command, Result
from lexitune.models.options import ModelOptions
from lexitune.sources.documents.options import DocsOptions

__all__ = ["command"]


def run(call: Call) -> Result:
    """Cut a folder of documents into passages, and make weak pairs of them: headings, telling words.

    FOLDER holds txt, md, html, pdf and docx files, told by their content. Nothing leaves this machine and no language
    model is asked: what asks for a passage is made of the documents, so it is weaker than what people ask.

    \b
    lexitune collect docs handbook
    lexitune collect docs handbook --chunk-tokens 120 --pairs title,terms,crop
    """
    workspace, name = call.workspace_or_new(), call.params["name"]
    given = call.sections(workspace)
    from lexitune.sources.documents.driver import collect_docs
    from lexitune.sources.documents.told import tell

    found = collect_docs(
        workspace,
        call.params["folder_of_documents"],
        name=name,
        model=given["model"],
        options=given["docs"],
        talk=call.talk,
    )
    if found is None:
        return collected_before(call, workspace)
    data = {
        "documents": dict(found.forms),
        "aside": [{"path": path, "reason": reason} for path, reason in found.aside],
        "passages": len(found.passages),
        "alike": found.alike,
        "boilerplate": found.boilerplate.removed.total(),
        "pairs": dict(found.pairs.counts),
        "carried": len(found.carried.judgements),
        "gone": len(found.carried.gone),
    }
    return collected(call, workspace, lines=[tell(found)[-1]], data=data)


command = Command(
    "docs",
    run,
    sections=(DocsOptions, ModelOptions),
    params=[
        click.Argument(["folder_of_documents"], metavar="FOLDER", type=click.Path(path_type=Path)),
        name_flag("docs"),
    ],
    has_json=True,
)
