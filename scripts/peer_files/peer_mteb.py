"""MTEB evaluates the task that we wrote with a search that knows the answers, and writes a task of its own as it
publishes one: here into a folder, laid out as the Hub does it."""

import sys
from importlib import import_module
from pathlib import Path

import datasets
import mteb

from sample import DOCS, QRELS, QUERIES, right


class Knowing:
    """Finds the right passages of each query, by the texts that MTEB hands it."""

    mteb_model_meta = mteb.models.ModelMeta.create_empty({"name": "sample/knowing", "revision": "1"})

    def index(self, corpus, **_):
        self.ids = {(row["title"], row["text"]): row["id"] for row in corpus}

    def search(self, queries, **_):
        asked = {text: query_id for query_id, text in QUERIES.items()}
        answers = {row["id"]: right(asked[row["text"]]) for row in queries}
        return {row: {self.ids[DOCS[doc]]: 1.0 for doc in docs} for row, docs in answers.items()}


def load(folder):
    sys.path.insert(0, str(folder / "sample"))
    task = import_module("sample_task").Sample()
    task.load_data()
    found = task.dataset["default"]["train"]
    corpus = {row["id"]: (row["title"], row["text"]) for row in found["corpus"]}
    assert {name: corpus[name] for name in DOCS} == DOCS, corpus
    assert {row["id"]: row["text"] for row in found["queries"]} == QUERIES
    assert found["relevant_docs"] == QRELS
    (result,) = mteb.evaluate(Knowing(), task, cache=None, show_progress_bar=False).task_results
    scores = result.scores["train"][0]
    assert (scores["ndcg_at_10"], scores["recall_at_1"]) == (1.0, 1.0), scores


class Theirs(mteb.abstasks.AbsTaskRetrieval):
    """The sample as a task."""

    metadata = mteb.TaskMetadata(
        name="Theirs",
        description="The sample",
        type="Retrieval",
        main_score="ndcg_at_10",
        eval_langs=["eng-Latn"],
        dataset={"path": "local/theirs", "revision": "1"},
    )

    def load_data(self, *_, **__):
        docs = [{"id": name, "title": title, "text": text} for name, (title, text) in DOCS.items()]
        split = {
            "corpus": datasets.Dataset.from_list(docs),
            "queries": datasets.Dataset.from_list([{"id": name, "text": text} for name, text in QUERIES.items()]),
            "relevant_docs": QRELS,
            "top_ranked": None,
        }
        self.dataset, self.data_loaded = {"default": {"test": split}}, True


def write(folder):
    def put(splits, repository, config, **_):
        home = folder / repository / config
        home.mkdir(parents=True)
        for split, rows in splits.items():
            rows.to_parquet(str(home / f"{split}-00000-of-00001.parquet"))

    datasets.DatasetDict.push_to_hub = put  # the upload alone is ours
    task = Theirs()
    task.load_data()
    task._push_dataset_to_hub("sample")


{"load": load, "write": write}[sys.argv[1]](Path(sys.argv[2]))
