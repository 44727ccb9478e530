"""Label Studio's SDK: its labelling interface checks and makes annotations; its server exports by its converter."""

import json
import sys
from pathlib import Path

from label_studio_sdk.converter import Converter
from label_studio_sdk.label_interface import LabelInterface
from label_studio_sdk.label_interface.objects import AnnotationValue, TaskValue

from sample import DOCS, QRELS, QUERIES

CONFIG = """<View>
  <Text name="query" value="$query"/>
  <Text name="text" value="$text"/>
  <Choices name="relevance" toName="text"><Choice value="0"/><Choice value="1"/></Choices>
</View>"""


def load(folder):
    interface, file = LabelInterface(CONFIG), folder / "export.json"
    for task in json.loads(file.read_text(encoding="utf-8")):
        assert interface.validate_task({"data": task["data"]}), task
        for annotation in task["annotations"]:
            # Of a prediction it also says what is wrong; both have the same rules.
            assert interface.validate_prediction(annotation, return_errors=True) == []
    # JSON_MIN brings each answer beside its task's data; its JSON is a copy of the file.
    out = folder / "converted"
    Converter(CONFIG, project_dir=str(folder)).convert_to_json_min(str(file), str(out), is_dir=False)
    found = json.loads((out / "result.json").read_text(encoding="utf-8"))
    said = {(row["query"], row["title"], row["text"]): int(row["relevance"]) for row in found}
    assert len(said) == len(found)
    assert said == {
        (QUERIES[query], *DOCS[doc]): grade for query, grades in QRELS.items() for doc, grade in grades.items()
    }, found


def write(folder):
    interface, tasks = LabelInterface(CONFIG), []
    for query_id, row in QRELS.items():
        for doc_id, grade in row.items():
            title, text = DOCS[doc_id]
            regions = interface.create_regions({"relevance": str(grade)})
            done = AnnotationValue(completed_by=1, result=regions, result_count=1)
            task = TaskValue(data={"query": QUERIES[query_id], "title": title, "text": text}, annotations=[done])
            tasks.append({"id": len(tasks), **task.model_dump()})
    (folder / "export.json").write_text(json.dumps(tasks))


{"load": load, "write": write}[sys.argv[1]](Path(sys.argv[2]))
