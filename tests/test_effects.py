"""Which rooms open audio, write files, read the clock and print, held against CONTRIBUTING.md."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

ALLOWED = {
    "open audio": ["audio"],
    "write files": [
        "api",
        "cli",
        "datasets",
        "embed.cache",
        "embed.export",
        "exploration",
        "files",
        "inference",
        "language",
        "learn.bundle",
        "report",
        "retrieval",
        "runner.executors",
        "scaffold",
        "serving.uploads",
        "store",
    ],
    "read the clock": [
        "cli",
        "costs",
        "embed.engine",
        "embed.extraction",
        "embed.shards",
        "inference",
        "retrieval.engines.recall",
        "runner",
    ],
    "print": ["cli", "runner.progress"],
}
"""Effect -> the rooms and modules that may have it."""

WRITERS = {
    "makedirs",
    "mkdir",
    "mv",
    "new_file",
    "pipe_file",
    "savefig",
    "savez",
    "to_parquet",
    "write_bytes",
    "write_text",
}
PRINTERS = {"echo", "print", "secho"}
MODULES = {"soundfile": "open audio", "time": "read the clock", "datetime": "read the clock"}


def effects(source: str) -> set[str]:
    """Return the effects of a module's source."""
    return {effect for node in ast.walk(ast.parse(source)) for effect in _effects(node)}


def _effects(node: ast.AST) -> Iterator[str]:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        yield from (MODULES[name.split(".")[0]] for name in names if name.split(".")[0] in MODULES)
    if not isinstance(node, ast.Call):
        return
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if name in PRINTERS:
        yield "print"
    if name in WRITERS or (name == "open" and _writes(node)) or _is_rename(name, node):
        yield "write files"
    if name == "to_csv" and node.args:  # without a path it returns text
        yield "write files"


def _writes(call: ast.Call) -> bool:
    """Return whether a call of `open`, a function or a method of a path, has a mode that writes."""
    modes = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
    texts = [
        constant.value
        for mode in modes
        for constant in ast.walk(mode)
        if isinstance(constant, ast.Constant) and isinstance(constant.value, str)
    ]
    return any(re.fullmatch(r"[rwaxbt+]*[wax+][rwaxbt+]*", text) for text in texts)


def _is_rename(name: str, call: ast.Call) -> bool:
    """Return whether a call moves a path: a string's replace has two arguments, a dataclass's has names."""
    return name in {"rename", "replace"} and len(call.args) == 1 and not call.keywords


def modules() -> list[tuple[str, Path]]:
    """Return every module of the rooms, by its name below `bench`; plugins are no rooms."""
    package = ROOT / "bench"
    paths = sorted(path.relative_to(package) for path in package.rglob("*.py"))
    names = [(".".join(path.with_suffix("").parts).removesuffix(".__init__"), path) for path in paths]
    return [
        (name, package / path)
        for name, path in names
        if path.parts[0] not in {"extractors", "heads", "reducers"}
    ]


def _modules_with(effect: str) -> list[str]:
    return [name for name, path in modules() if effect in effects(path.read_text(encoding="utf-8"))]


def _within(name: str, rooms: list[str]) -> bool:
    return any(f"{name}.".startswith(f"{room}.") for room in rooms)


@pytest.mark.parametrize("effect", ALLOWED)
def test_an_effect_stays_in_the_rooms_that_may_have_it(effect: str):
    others = [name for name in _modules_with(effect) if not _within(name, ALLOWED[effect])]
    assert others == []


@pytest.mark.parametrize("effect", ALLOWED)
def test_no_room_may_have_an_effect_that_it_lacks(effect: str):
    names = _modules_with(effect)
    idle = [room for room in ALLOWED[effect] if not any(_within(name, [room]) for name in names)]
    assert idle == []


@pytest.mark.parametrize("effect", ALLOWED)
def test_the_contributing_page_names_the_same_rooms(effect: str):
    page = " ".join((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split())
    match = re.search(rf"only ([^;]*?) {effect}", page)
    assert match, effect
    assert re.findall(r"`([\w.]+)`", match[1]) == ALLOWED[effect]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import soundfile", {"open audio"}),
        ("from datetime import datetime", {"read the clock"}),
        ("import time", {"read the clock"}),
        ("path.open('ab' if more else 'wb')", {"write files"}),
        ("open(path, mode='w')", {"write files"}),
        ("part.replace(path)", {"write files"}),
        ("path.write_text('a')", {"write files"}),
        ("table.to_csv(path)", {"write files"}),
        ("click.echo('a')", {"print"}),
        ("print('a')", {"print"}),
        ("open(path)", set()),
        ("path.open('rb')", set()),
        ("table.to_csv(index=False)", set()),
        ("text.replace('a', 'b')", set()),
        ("replace(value, name=1)", set()),
    ],
)
def test_an_effect_is_seen_in_the_source(source: str, expected: set[str]):
    assert effects(source) == expected
