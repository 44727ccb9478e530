"""The house: who may import whom, what `--help` may load, and the limits that keep files readable."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import lexitune
from lexitune.errors import CODES

SRC = Path(__file__).resolve().parents[1] / "src"
FILES = sorted((SRC / "lexitune").rglob("*.py"))

# Imports go strictly down. Rooms on one floor are strangers, and so are the stages.
FLOORS = (
    {"errors", "types"},
    {"fingerprint", "registry", "settings"},
    {"io"},
    {"metrics", "text"},
    {"models", "search", "splits"},
    {"report", "sources", "stores"},
    {"stages"},
    {"pipeline"},
    {"demo", "testing"},
    {"__main__", "cli"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
# `python -m lexitune` is the command; a registry names the nearest known name in its errors, and settings knows how.
NEIGHBOURS = {("__main__", "cli"), ("registry", "settings")}

# Each an extra, which most who use lexitune do not install.
CLIENTS = {"duckdb", "lancedb", "pgvector", "psycopg", "qdrant_client", "ray"}
HEAVY = {"accelerate", "datasets", "sentence_transformers", "torch", "transformers"} | CLIENTS
LEAVES = {
    "models/adapter.py": {"sentence_transformers", "torch"},
    "models/attention.py": {"torch", "transformers"},
    "models/embedder.py": {"sentence_transformers", "torch"},
    "models/folder.py": {"sentence_transformers"},
    "models/learning.py": {"torch"},
    "models/load.py": {"sentence_transformers", "torch"},
    "models/lower.py": {"torch"},
    "models/network.py": {"sentence_transformers", "torch"},
    "models/precision.py": {"torch"},
    "models/quiet.py": {"transformers"},
    "models/reranker.py": {"sentence_transformers", "torch"},
    "search/device.py": {"torch"},
    "stages/train/adapter.py": {"torch"},
    "stages/train/checkpoint.py": {"torch"},
    "stages/train/gradients.py": {"torch"},
    "stages/train/loop.py": {"accelerate", "torch"},
    "stages/train/losses/batch.py": {"torch"},
    "stages/train/losses/distill.py": {"torch"},
    "stages/train/losses/guide.py": {"torch"},
    "stages/train/losses/infonce.py": {"torch"},
    "stages/train/losses/matryoshka.py": {"torch"},
    "stages/train/losses/rows.py": {"torch"},
    "stages/train/losses/tiled.py": {"torch"},
    "stages/train/mixture.py": {"torch"},
    "stages/train/mnrl.py": {"datasets", "sentence_transformers", "transformers"},
    "stages/train/step.py": {"torch"},
    "stores/lance.py": {"lancedb"},
    "stores/pgvector.py": {"pgvector", "psycopg"},
    "stores/pgvector_table.py": {"psycopg"},
    "stores/postgres.py": {"pgvector", "psycopg"},
    "stores/qdrant.py": {"qdrant_client"},
}
"""Files that wrap a heavy package, and so may import it at top level. Everything else reaches them in a function."""

# Functions whose signature another library prescribes: click, transformers' attention and its trainer's callbacks.
HOOKS = {
    "cli/main.py main",
    "models/attention.py no_mask",
    "models/attention.py packed_attention",
    "models/attention.py plain_attention",
    "models/attention.py plain_mask",
    "stages/train/mnrl.py on_log",
    "stages/train/mnrl.py on_save",
    "stages/train/mnrl.py on_step_end",
}

NOT_FOR_HELP = HEAVY | {"numpy", "pandas", "pyarrow", "scipy", "sklearn"}
MOST_LINES, MOST_LINES_OF_A_FUNCTION = 400, 60
HELP_S = 0.3


def name_of(file: Path) -> str:
    parts = file.relative_to(SRC).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(file): file for file in FILES}
PACKAGES = {name for name, file in MODULES.items() if file.name == "__init__.py"}


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def imports_in(node: ast.AST) -> Iterator[tuple[str, str]]:
    """(module, name or "") of every import below a node."""
    for child in ast.walk(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name, "") for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"relative import of {child.module}: write the full path"
            yield from ((child.module or "", alias.name) for alias in child.names)


def top_level_imports(file: Path) -> Iterator[str]:
    """Packages that importing the file imports: not those in functions or under TYPE_CHECKING."""
    waiting: list[ast.AST] = list(tree_of(file).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (module.partition(".")[0] for module, _ in imports_in(node))
        else:
            waiting += ast.iter_child_nodes(node)


def own_imports(file: Path) -> set[str]:
    """Modules of ours that a file imports anywhere."""
    found = set()
    for module, name in imports_in(tree_of(file)):
        if module.partition(".")[0] == "lexitune":
            found.add(f"{module}.{name}" if f"{module}.{name}" in MODULES else module)
    return found


def room(module: str) -> str:
    return module.split(".")[1]


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for file in FILES:
        for node in ast.walk(tree_of(file)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{file.relative_to(SRC / 'lexitune')} {node.name}", node


def test_every_room_stands_on_a_floor() -> None:
    assert {room(module) for module in MODULES if module != "lexitune"} <= FLOOR.keys()


def test_imports_go_strictly_down() -> None:
    wrong = []
    for module, file in MODULES.items():
        if module == "lexitune":  # the face: it loads public names when they are asked for
            continue
        for other in own_imports(file) - {"lexitune"}:
            here, there = room(module), room(other)
            strangers = here == there == "stages" and module.split(".")[2:3] != other.split(".")[2:3]
            upwards = here != there and FLOOR[there] >= FLOOR[here] and (here, there) not in NEIGHBOURS
            if strangers or upwards:
                wrong.append(f"{module} (floor {FLOOR[here]}) imports {other} (floor {FLOOR[there]})")

    assert wrong == []


def test_no_two_modules_import_each_other() -> None:
    # Raises CycleError, with the cycle, where there is one.
    graph = {module: own_imports(file) - {module} for module, file in MODULES.items() if module != "lexitune"}

    assert list(TopologicalSorter(graph).static_order())


def test_names_are_imported_from_the_module_that_defines_them() -> None:
    wrong = [
        f"{file.relative_to(SRC)}: from {module} import {name}"
        for file in FILES
        for module, name in imports_in(tree_of(file))
        if module in PACKAGES and f"{module}.{name}" not in MODULES and (module, name) != ("lexitune", "__version__")
    ]

    assert wrong == []


def test_packages_have_no_face_but_the_first() -> None:
    for package in PACKAGES - {"lexitune"}:
        body = tree_of(MODULES[package]).body
        assert len(body) == 1, f"{package}: a docstring and nothing else"
        assert isinstance(body[0], ast.Expr), package


def test_heavy_packages_are_imported_at_top_level_by_their_leaves_only() -> None:
    found = {
        str(file.relative_to(SRC / "lexitune")): heavy
        for file in FILES
        if (heavy := set(top_level_imports(file)) & HEAVY)
    }

    assert found == LEAVES


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    project = tomllib.loads((SRC.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = ("docs", "lora", "lancedb", "logs", "pgvector", "qdrant", "ray", "xlsx")
    extras = [line for extra in names for line in project["optional-dependencies"][extra]]
    declared = {re.split(r"[\[<>=]", line)[0].lower() for line in [*project["dependencies"], *extras]}
    packages = {module.partition(".")[0] for file in FILES for module, _ in imports_in(tree_of(file))}
    owners = packages_distributions()

    imported = {owners.get(package, [package])[0] for package in packages - sys.stdlib_module_names - {"lexitune"}}
    assert {name.lower().replace("_", "-") for name in imported} == declared


def test_options_import_the_standard_library_only() -> None:
    for file in FILES:
        if file.name == "options.py" and file.parent.name != "cli":
            assert {module.partition(".")[0] for module, _ in imports_in(tree_of(file))} <= sys.stdlib_module_names, (
                file
            )


def test_files_and_functions_stay_short() -> None:
    long = [
        f"{file.relative_to(SRC)}: {count} lines"
        for file in FILES
        if (count := len(file.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    ]
    long += [
        f"{place}: {count} lines"
        for place, node in functions()
        if (count := (node.end_lineno or 0) - node.lineno + 1) > MOST_LINES_OF_A_FUNCTION
    ]

    assert long == []


@pytest.mark.parametrize("module", sorted(MODULES.keys() - PACKAGES))
def test_all_is_sorted_and_resolves(module: str) -> None:
    assert module.endswith("__main__") or "__all__" in MODULES[module].read_text(encoding="utf-8")
    if module.endswith("__main__"):  # importing it would run the command
        return
    loaded = importlib.import_module(module)

    # Constants, then classes, then functions: the order that ruff sorts into.
    kinds = [(0 if name.isupper() else 1 if name[0].isupper() else 2, name) for name in loaded.__all__]
    assert kinds == sorted(kinds)
    assert [name for name in loaded.__all__ if not hasattr(loaded, name)] == []


def test_nothing_prints() -> None:
    calls = [
        f"{file.relative_to(SRC)}:{node.lineno}"
        for file in FILES
        for node in ast.walk(tree_of(file))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]

    assert calls == []


def test_public_functions_name_their_keywords() -> None:
    open_ended = {place for place, node in functions() if not node.name.startswith("_") and node.args.kwarg}

    assert open_ended == HOOKS


def test_no_module_bears_the_name_of_a_public_function() -> None:
    # `import lexitune.read` would put the module where the function was.
    assert {module.split(".")[1] for module in MODULES if "." in module} & lexitune.PUBLIC.keys() == set()


@pytest.mark.parametrize("name", sorted(lexitune.PUBLIC))
def test_a_public_function_is_one_before_and_after_its_module_is_imported(name: str) -> None:
    source = f"""
import importlib, lexitune
before = lexitune.{name}
importlib.import_module(lexitune.PUBLIC["{name}"].partition(":")[0])
assert callable(before) and lexitune.{name} is before
"""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_importing_lexitune_loads_none_of_it() -> None:
    source = "import lexitune, sys; sys.exit(' '.join(m for m in sys.modules if m.startswith('lexitune.')))"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)

    assert done.stderr.strip() == ""


def test_help_of_every_command_loads_nothing_heavy() -> None:
    source = f"""
import sys
from click.testing import CliRunner
from lexitune.cli.main import COMMANDS, main
for command in [[], *([name] for name in COMMANDS)]:
    result = CliRunner().invoke(main, [*command, "--help"])
    assert result.exit_code == 0 and "Usage" in result.output, (command, result.output)
sys.exit(" ".join(sorted({NOT_FOR_HELP!r} & sys.modules.keys())))
"""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)

    assert done.stderr.strip() == ""


def test_help_is_there_at_once() -> None:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "lexitune", "--help"], capture_output=True, check=True)
        times.append(time.perf_counter() - start)

    assert min(times) < HELP_S


def test_every_code_is_written_once_in_order_and_ranged_by_exit_code() -> None:
    table = next(
        node.value
        for node in tree_of(MODULES["lexitune.errors"]).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CODES"
    )
    assert isinstance(table, ast.Dict)
    codes = [ast.literal_eval(key) for key in table.keys if key is not None]

    assert [code for code, count in Counter(codes).items() if count > 1] == []
    assert codes == sorted(codes)
    assert [code for code in codes if not re.fullmatch(r"E[1-5]\d{3}", code)] == []


def test_every_code_is_raised_and_every_raised_code_is_in_the_table() -> None:
    raised = {
        code
        for module, file in MODULES.items()
        if module != "lexitune.errors"
        for code in re.findall(r'"(E\d{4})"', file.read_text(encoding="utf-8"))
    }

    assert sorted(raised - CODES.keys()) == []
    assert sorted(CODES.keys() - raised) == []
