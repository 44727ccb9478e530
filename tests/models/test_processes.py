"""Several processes encode one corpus: each its share of the parts, together the vectors of one process alone."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from lexitune.io.processes import processes
from lexitune.io.vectors import open_vectors
from lexitune.models.corpus import encode_corpus
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.types import Doc

DOCS = [Doc(f"d{number:02}", "the cat sat " * (number % 7) + f"on mat {number}") for number in range(30)]

CHILD = """
import os, sys
from pathlib import Path
from lexitune.io.workspace import Workspace
from lexitune.models import memory
from lexitune.models.corpus import encode_corpus
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
sys.path.insert(0, sys.argv[3])
from test_processes import DOCS

# Each process by its own memory: the smaller part counts for both.
memory.UNLIMITED["cpu"] = memory.Limits(2048, 4 + int(os.environ["RANK"]), 2**20)
model = load(sys.argv[1], options=ModelOptions(precision="fp32", device="cpu"))
encode = model.encode_tokens
def counting(tokens, **rest):
    Path(sys.argv[2], f"{os.environ['RANK']}.count").open("a").write("part\\n")
    return encode(tokens, **rest)
model.encode_tokens = counting
with Workspace(Path(sys.argv[2])).lock():  # two processes, one workspace
    encode_corpus(model, DOCS, Path(sys.argv[2]) / "vectors")
"""


def test_a_process_alone_is_the_first_of_one() -> None:
    found = processes()

    assert (found.rank, found.count) == (0, 1)
    assert found.least(7) == 7
    found.wait()


def test_two_processes_share_the_parts_and_make_the_vectors_of_one(tiny_folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]

    here = str(Path(__file__).parent)
    subprocess.run([*launch, str(script), str(tiny_folder), str(tmp_path), here], check=True, capture_output=True)

    (folder,) = (path.parent for path in (tmp_path / "vectors").glob("*/manifest.json"))
    together = open_vectors(folder)
    model = load(str(tiny_folder), options=ModelOptions(precision="fp32", device="cpu"))
    alone = encode_corpus(model, DOCS, tmp_path / "alone")
    # 8 parts of 4: four each.
    assert [(tmp_path / f"{rank}.count").read_text().count("part") for rank in (0, 1)] == [4, 4]
    assert together.doc_ids == alone.doc_ids
    np.testing.assert_allclose(together.rows(np.arange(30)), alone.rows(np.arange(30)), atol=2e-6)
