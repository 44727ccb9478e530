"""MTEB: a task of one's own, written as a small module beside its data. It is only written."""

from __future__ import annotations

import json
import re
from pathlib import Path

from lexitune.fingerprint import hash_json, sha256_files
from lexitune.io.atomic import replace_text
from lexitune.io.formats.beir_folder import write_beir
from lexitune.io.formats.records import Format, Labelled

__all__ = ["MTEB"]

MODULE = '''"""{name}: a retrieval task for MTEB. Written by lexitune; the data lie beside this file.

    from {module} import {name}
    mteb.evaluate(model, {name}(), cache=None)
"""

import csv
import json
from pathlib import Path

import mteb
from datasets import Dataset

HERE = Path(__file__).resolve().parent
SPLIT = {split}


def rows(name):
    with (HERE / name).open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


class {name}(mteb.abstasks.AbsTaskRetrieval):
    metadata = mteb.TaskMetadata(
        name="{name}",
        description="Retrieval on a corpus of one's own",
        type="Retrieval",
        main_score="ndcg_at_10",
        eval_langs=["eng-Latn"],  # set it to the language of the texts
        eval_splits=[SPLIT],
        dataset={{"path": "local/{name}", "revision": {revision}}},
    )

    def load_data(self, *args, **kwargs):
        if self.data_loaded:
            return
        corpus = rows("corpus.jsonl")
        docs = [{{"id": row["_id"], "title": row.get("title", ""), "text": row["text"]}} for row in corpus]
        relevant = {{}}
        with (HERE / "qrels" / f"{{SPLIT}}.tsv").open(encoding="utf-8", newline="") as file:
            for query_id, doc_id, grade in list(csv.reader(file, delimiter="\\t", quoting=csv.QUOTE_NONE))[1:]:
                relevant.setdefault(query_id, {{}})[doc_id] = int(grade)
        queries = [{{"id": row["_id"], "text": row["text"]}} for row in rows("queries.jsonl") if row["_id"] in relevant]
        self.dataset = {{
            "default": {{
                SPLIT: {{
                    "corpus": Dataset.from_list(docs),
                    "queries": Dataset.from_list(queries),
                    "relevant_docs": relevant,
                    "top_ranked": None,
                }}
            }}
        }}
        self.data_loaded = True
'''


def _write(path: Path, labelled: Labelled, *, split: str) -> list[str]:
    notes = write_beir(path, labelled, split=split)
    words = re.findall(r"[a-z0-9]+", path.name.lower())
    name = "".join(word.capitalize() for word in words)
    name = name if name[:1].isalpha() else f"Task{name}"
    module = f"{'_'.join(words) or 'task'}_task"
    module = module if module[0].isalpha() else f"task_{module}"
    text = MODULE.format(
        name=name,
        module=module,
        split=json.dumps(split),
        revision=json.dumps(hash_json(sha256_files(path))),
    )
    replace_text(path / f"{module}.py", text)
    return [*notes, f"import {name} from {path / f'{module}.py'}; set the language of the texts in it"]


MTEB = Format(lambda look: False, None, _write)
