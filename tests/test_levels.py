"""The order of imports, read from the code and held against docs/architecture.md."""

import ast
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import bench

PACKAGE = Path(bench.__file__).parent
ARCHITECTURE = Path(__file__).parent.parent / "docs" / "architecture.md"
PLUGINS = {"extractors", "heads"}


def levels() -> dict[str, int]:
    rows = re.findall(r"^\| (\d) \| `(\w+)` \|", ARCHITECTURE.read_text(encoding="utf-8"), re.MULTILINE)
    return {module: int(level) for level, module in rows}


def top(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imports() -> list[tuple[str, str]]:
    """Return (importing module, imported module) of this package, wherever in a file the import stands."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(("bench", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found += [(name, alias.name) for alias in node.names if alias.name.startswith("bench.")]
            elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "bench":
                parts = [f"{node.module}.{alias.name}" for alias in node.names]
                found += [(name, part) for part in parts if part.count(".") > 1 or top(part) in levels()]
    return found


def test_every_module_has_a_level():
    modules = {path.stem for path in PACKAGE.glob("*.py")} | {
        path.parent.name for path in PACKAGE.glob("*/__init__.py")
    }
    assert modules - {"__init__", "__main__"} == set(levels()) | PLUGINS


@pytest.mark.parametrize(("importer", "imported"), imports())
def test_a_module_imports_only_from_lower_levels(importer: str, imported: str):
    here, there = top(importer), top(imported)
    if importer in {"bench", "bench.__main__"} or here == there:
        return
    assert there not in PLUGINS, "the registry names plugins; nothing imports them"
    if here in PLUGINS:
        assert there in {"types", "errors"}
    else:
        assert levels()[there] < levels()[here]


@pytest.mark.parametrize(
    ("command", "heavy"),
    [
        ("--help", {"torch", "sklearn", "librosa", "pandas", "numpy", "scipy"}),
        ("list", {"torch", "sklearn", "librosa", "pandas", "xgboost"}),
    ],
)
def test_a_light_command_loads_no_heavy_library(command: str, heavy: set[str]):
    code = (
        "import sys; from click.testing import CliRunner; from bench import cli;"
        f"assert CliRunner().invoke(cli.main, ['{command}']).exit_code == 0;"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.xdist_group("clock")
def test_help_starts_in_half_a_second():
    best = min(_seconds([sys.executable, "-m", "bench", "--help"]) for _ in range(5))
    assert best < 0.5


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    return time.perf_counter() - start
