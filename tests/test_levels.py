"""The order of imports, checked by import-linter and held against docs/architecture.md."""

import re
import subprocess
import sys
import time
import tomllib
from itertools import compress
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def rooms() -> list[set[str]]:
    """Return the rooms of every level in pyproject.toml, the highest first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    return [set(level.split(" | ")) for level in settings["contracts"][0]["layers"]]


def test_the_levels_of_the_architecture_page_are_the_tested_ones():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", page, re.MULTILINE)
    assert [{name for number, name in rows if int(number) == level} for level in range(len(rooms()))] == [
        *reversed(rooms())
    ]


def test_the_places_of_the_architecture_page_exist():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = page.partition("## Where a change goes")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| a")]
    assert len(rows) >= 25
    for row in rows:
        place = row.split("|")[2]
        names = re.findall(r"`([A-Z]+)`", place)
        paths = [path for path in re.findall(r"`([\w/.]+)`", place) if "/" in path or "." in path]
        files = [base / path for path in paths for base in (ROOT, ROOT / "bench") if (base / path).exists()]
        assert len(files) == len([path for path in paths if "NAME" not in path]), row
        modules = [file / "__init__.py" if file.is_dir() else file for file in files]
        is_code = [module.suffix == ".py" and module.exists() for module in modules]
        code = "".join(module.read_text(encoding="utf-8") for module in compress(modules, is_code))
        assert all(re.search(rf"^{name}\b", code, re.MULTILINE) for name in names), row


def test_a_room_imports_only_from_the_rooms_below_it():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


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


def test_computing_a_run_loads_only_what_a_run_needs():
    unneeded = {
        "audiomentations",
        "bench.exploration",
        "bench.inference",
        "matplotlib",
        "scipy.signal",
        "torch",
    }
    code = f"import sys, bench.compute; print(sorted({unneeded} & set(sys.modules)))"
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
