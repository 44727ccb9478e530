"""The documents: every command and Python block of the README runs, and every option is described."""

import re
import shlex
from pathlib import Path

import pytest

from lexitune.cli.main import main
from lexitune.io.jsonl import write_jsonl
from lexitune.pipeline.pylib import Function, documented_functions, library_folder
from lexitune.pipeline.sections import SECTIONS
from lexitune.settings import write_toml

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
COMMANDS = [
    line.split("#")[0].strip()
    for language, block in BLOCKS
    for line in block.splitlines()
    if language == "bash" and line.startswith("lexitune ")
]

# A field so small that a tune takes seconds, with bars so low that it always gets as far as serving.
TINY = """
[tune]
anyway = true
[model]
model = "minilm"
max_length = 32
[train]
batch_size = 32
[evaluate]
resamples = 200
[promote]
min_gain = -1.0
guard = "off"
min_queries = 5
"""


@pytest.fixture(scope="module")
def functions() -> list[Function]:
    return documented_functions(library_folder())[:300]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, functions: list[Function]) -> Path:
    """A folder with what the README's user has: pairs.csv, docs.jsonl."""
    folder = tmp_path_factory.mktemp("desk")
    rows = ["query,passage", *(f'"{_quoted(f.sentence)}","{_quoted(f.masked)}"' for f in functions)]
    (folder / "pairs.csv").write_text("\n".join(rows), encoding="utf-8")
    texts = dict.fromkeys(function.masked for function in functions)
    write_jsonl(folder / "docs.jsonl", ({"_id": str(i), "text": text} for i, text in enumerate(texts)))
    (folder / "lexitune-work").mkdir()
    (folder / "lexitune-work" / "lexitune.toml").write_text(TINY)
    return folder


def _quoted(text: str) -> str:
    return text.replace('"', '""')


@pytest.fixture(scope="module")
def tuned(desk: Path) -> Path:
    """The desk after the README's tune."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(desk)
        assert call(next(c for c in COMMANDS if c.startswith("lexitune tune"))) == 0
    return desk


def call(command: str) -> int:
    """The exit code of a command line."""
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(command)[1:])
    return int(ended.value.code or 0)


def test_the_readme_shows_the_commands_that_people_start_with() -> None:
    names = [shlex.split(command)[1] for command in COMMANDS]

    assert names == ["demo", "check", "tune", "status", "search", "rollback"]


@pytest.mark.parametrize("block", [block for language, block in BLOCKS if language == "python"])
def test_a_python_block_of_the_readme_runs(block: str, tuned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tuned)

    exec(compile(block, "README.md", "exec"), {})


@pytest.mark.parametrize("command", [c for c in COMMANDS if shlex.split(c)[1] not in ("demo", "tune")])
def test_a_command_of_the_readme_runs(command: str, tuned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # In the README's order, in the folder that holds lexitune-work. The rollback comes last: after it, stock serves.
    monkeypatch.chdir(tuned)

    assert call(command) == 0


def test_the_demo_runs_on_any_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Some files of a real library are a library too; too small a one to tune on, and the demo says so.
    for name in ("argparse.py", "calendar.py", "fractions.py", "shutil.py", "tarfile.py", "zipfile.py"):
        (tmp_path / name).write_text((library_folder() / name).read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr("lexitune.demo.library_folder", lambda: tmp_path)
    monkeypatch.chdir(tmp_path)

    assert call("lexitune demo") == 0

    assert "Cannot tell yet" in capsys.readouterr().out


def test_the_page_of_options_is_what_the_options_say() -> None:
    page = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")

    assert write_toml(SECTIONS) in page, "write_toml(SECTIONS) is the new one"


def test_every_command_is_in_the_documents() -> None:
    from lexitune.cli.main import COMMANDS as KNOWN

    told = README + "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md"))

    assert [name for name in KNOWN if f"lexitune {name}" not in told] == []


def test_links_between_the_documents_lead_somewhere() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    broken = [
        (page.name, target)
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]

    assert broken == []
