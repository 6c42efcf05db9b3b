"""What can be run: TOML files -> specs, without importing any plugin; `build` makes the real thing."""

from __future__ import annotations

import ast
import difflib
import functools
import hashlib
import importlib
import importlib.metadata
import importlib.util
import re
import sysconfig
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from bench._version import __version__
from bench.catalog import entrypoints, imports
from bench.catalog.entrypoints import Plugin
from bench.errors import PluginError, UnavailableError, UsageError, one_line
from bench.keys import digest
from bench.types import Card, Checkpoint, Kind, Spec, Task

DISTRIBUTION = "audio-embedding-bench"

TOML_TYPES: Mapping[str, type] = {
    "str": str,
    "bool": bool,
    "int": int,
    "tuple[str, ...]": list,
    "tuple[Mapping[str, Any], ...]": list,
    "Mapping[str, Any]": dict,
}
"""What a field's annotation asks of TOML."""

UNDECLARED: Mapping[str, str] = {
    "hf": "bench.extractors.auto:extractor",
    "fairseq": "bench.extractors.fairseq:Fairseq",
    "hear": "bench.extractors.hear:Hear",
}
"""What makes an extractor that has no entry: the prefix of its name -> factory."""

T = TypeVar("T")
Declared = TypeVar("Declared", Spec, Task, Card, Checkpoint)


@dataclass(frozen=True, slots=True)
class Registry:
    """Everything that is declared, by name.

    Parameters
    ----------
    plugins : Mapping[str, Mapping[str, Plugin]]
        All that installed distributions bring, by kind.
    """

    extractors: Mapping[str, Spec]
    heads: Mapping[str, Spec]
    reducers: Mapping[str, Spec]
    tasks: Mapping[str, Task]
    cards: Mapping[str, Card]
    checkpoints: Mapping[str, Checkpoint]
    plugins: Mapping[str, Mapping[str, Plugin]]


def packaged_root() -> Path:
    """Return the folder that holds the packaged `registry/` and `datasets/`, in a wheel as in a checkout."""
    package = Path(__file__).parent.parent
    return package / "_data" if (package / "_data").is_dir() else package.parent


def undeclared(kind: Kind, name: str) -> Spec | None:
    """Return the extractor or head of a name that says itself where it is; None of any other.

    Parameters
    ----------
    name : str
        ``FILE.py:ATTRIBUTE`` or ``MODULE:ATTRIBUTE``; of extractors also ``hf:ID_OR_FOLDER``,
        ``fairseq:FILE`` or ``hear:MODULE``.

    Raises
    ------
    UsageError
        If there is no such file.
    """
    prefix, _, rest = name.partition(":")
    if kind == "extractor" and prefix in UNDECLARED and rest:
        made = Spec(kind, name, UNDECLARED[prefix], about=f"{rest}, without an entry.", source="--extractors")
        if prefix == "hear":
            return replace(made, params={"module": rest}, requires=("torch",), root=str(Path.cwd()))
        return replace(made, params={"runtime": "auto"}, weights=rest, requires=("torch", "transformers"))
    module, colon, attribute = name.rpartition(":")
    if not colon or not attribute.isidentifier():
        return None
    place = f"--{kind}s"
    if module.endswith(".py"):
        path = Path(module).resolve()
        if not path.is_file():
            raise UsageError(f"{place} {name}: there is no file {module}")
        return Spec(kind, name, f"{path.stem}:{attribute}", source=place, root=str(path.parent))
    if not all(part.isidentifier() for part in module.split(".")):
        return None
    provided = importlib.metadata.packages_distributions().get(module.partition(".")[0], [])
    return Spec(kind, name, name, requires=tuple(provided[:1]), source=place, root=str(Path.cwd()))


def resolve(kind: Kind, name: str, declared: Mapping[str, Spec]) -> Spec:
    """Return the extractor or head of a name: a declared one, or one that says itself where it is.

    Raises
    ------
    UsageError
        If it is neither.
    """
    return (None if name in declared else undeclared(kind, name)) or find(kind, name, declared)


def load(user_root: Path | None = None) -> Registry:
    """Return what the package declares, and then what `user_root` (default: the working folder) does.

    Raises
    ------
    UsageError
        If a file is no valid TOML, an entry lacks or adds a field, or one name is declared twice in different
        ways: the message names both places.
    """
    packaged = packaged_root()
    user = (user_root or Path.cwd()).resolve()
    roots = [packaged] if user == packaged else [packaged, user]
    specs: dict[Kind, dict[str, Spec]] = {"extractor": {}, "head": {}, "reducer": {}}
    tasks: dict[str, Task] = {}
    checkpoints: dict[str, Checkpoint] = {}
    cards: dict[str, Card] = {}
    for root in roots:
        plugin_root = "" if root == packaged else str(root)
        for kind, declared in specs.items():
            path = root / "registry" / f"{kind}s.toml"
            for name, entry in _entries(path):
                own = {"kind": kind, "name": name, "source": str(path), "root": plugin_root}
                _add(declared, _value(Spec, own, entry), path)
        path = root / "registry" / "tasks.toml"
        for name, entry in _entries(path):
            _add(tasks, _value(Task, {"name": name, "source": str(path)}, entry), path)
        path = root / "registry" / "weights.toml"
        for name, entry in _entries(path):
            _add(checkpoints, _value(Checkpoint, {"name": name, "source": str(path)}, entry), path)
        for path in sorted((root / "datasets").glob("*.toml")):
            _add(cards, card(path), path)
    installed = entrypoints.installed()
    for kind, declared in specs.items():
        for name, found in installed.get(f"{kind}s", {}).items():
            needs = (found.distribution,)
            declared[name] = Spec(
                kind,
                name,
                found.factory,
                requires=needs,
                about=found.about,
                source=found.source,
                offered=False,
            )
    for name, found in installed.get("datasets", {}).items():
        params = {"factory": found.factory}
        cards[name] = Card(name, "function", found.version, found.about, found.source, params)
    heads, reducers = specs["head"], specs["reducer"]
    return Registry(specs["extractor"], heads, reducers, tasks, cards, checkpoints, installed)


def task(name: str, declared: Registry) -> Task:
    """Return the task of a name; that of an installed distribution is imported now.

    Raises
    ------
    UsageError
        If there is none, or its fields are not those of one.
    PluginError
        If it cannot be imported.
    """
    known: Mapping[str, Task | Plugin] = {**declared.plugins.get("tasks", {}), **declared.tasks}
    found = find("task", name, known)
    if isinstance(found, Task):
        return found
    entry = found.load()
    if not isinstance(entry, Mapping):
        raise UsageError(f"{found.source}: task '{name}' is {entry!r}; expected a dict of its fields")
    return _value(Task, {"name": name, "source": found.source}, entry)


def card(path: Path) -> Card:
    """Return the card in a TOML file.

    Raises
    ------
    UsageError
        If it is no valid TOML, or lacks or adds a field.
    """
    return _value(Card, {"name": path.stem, "source": str(path)}, toml(path))


def _entries(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (name, fields) of every table in a TOML file that may be absent."""
    for name, entry in (toml(path) if path.is_file() else {}).items():
        if not isinstance(entry, dict):
            raise UsageError(f"{path}: '{name}' is no table; expected [{name}] with its fields below")
        if not re.fullmatch(r"[\w./:-]+", name):
            raise UsageError(
                f"{path}: the name '{name}' cannot be typed in a list; use letters, digits and . _ / -"
            )
        yield name, entry


def toml(path: Path) -> dict[str, Any]:
    """Return what a TOML file says.

    Raises
    ------
    UsageError
        If it is absent or none.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: no valid TOML ({error})") from error


def _value(noun: type[T], own: Mapping[str, Any], entry: Mapping[str, Any]) -> T:
    """Return the dataclass of an entry's fields and of the registry's own; lists become tuples."""
    where = f"{own['source']}: '{own['name']}'"
    expected = {f.name: str(f.type) for f in fields(noun) if f.name not in own}  # type: ignore[arg-type]
    for name, value in entry.items():
        if name not in expected:
            raise UsageError(f"{where}: unknown field '{name}'; its fields are {', '.join(expected)}")
        if not isinstance(value, TOML_TYPES.get(expected[name], object)):
            raise UsageError(f"{where}: field '{name}' is {value!r}; expected {expected[name]}")
    try:
        return noun(**own, **{name: tuple(v) if isinstance(v, list) else v for name, v in entry.items()})
    except TypeError as error:
        raise UsageError(f"{where}: {str(error).partition(' ')[2]}") from error


def _add(declared: dict[str, Declared], value: Declared, path: Path) -> None:
    """Add a value; the same declaration read twice, as in a checkout that is also installed, is one."""
    known = declared.setdefault(value.name, value)
    if _said(known) != _said(value):
        raise UsageError(
            f"'{value.name}' is declared twice: in {known.source} and in {path}; rename one of them"
        )


def _said(value: Spec | Task | Card | Checkpoint) -> Mapping[str, Any]:
    """Return the fields of a declaration without where it stands."""
    return {name: v for name, v in asdict(value).items() if name not in {"source", "root"}}


def find(kind: str, name: str, declared: Mapping[str, T]) -> T:
    """Return the entry of a name.

    Raises
    ------
    UsageError
        If there is none; the message suggests the nearest names.
    """
    if name not in declared:
        near = difflib.get_close_matches(name, declared, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(sorted(declared))}"
        raise UsageError(f"unknown {kind} '{name}'; {hint}")
    return declared[name]


def missing(spec: Spec) -> str:
    """Return the command that installs what the spec needs and this environment lacks; empty if nothing."""
    absent = [name for name in spec.requires if _version(name) is None]
    if not absent:
        return ""
    extras = {_extra(name) for name in absent}
    if "" in extras:
        return f"pip install {' '.join(absent)}"
    return f'pip install "{DISTRIBUTION}[{",".join(sorted(extras))}]"'


version = functools.cache(importlib.metadata.version)
"""Distribution -> its version, which is that of the code in this process even if another is installed now."""


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except importlib.metadata.PackageNotFoundError:  # never kept: it may be installed later
        return None


def _extra(distribution: str) -> str:
    """Return the narrowest extra of this package that brings a distribution; empty if none does."""
    for line in importlib.metadata.requires(DISTRIBUTION) or []:
        requirement = re.match(r"([\w.-]+).*extra == ['\"](\w+)['\"]", line)
        if requirement and requirement[1].lower() == distribution.lower() and requirement[2] != "all":
            return requirement[2]
    return ""


def identity(spec: Spec) -> Mapping[str, Any]:
    """Return everything of a spec that changes its numbers: factory, parameters, code and versions.

    The code is the SHA-256 of the factory's module, of the one that a parameter `module` names, and of what
    either imports from its own folder unless it is installed, so that an edited plugin is never taken for
    what it was.

    Raises
    ------
    PluginError
        If there is no such module.
    """
    module, _ = _factory(spec)
    modules = [module, *([str(spec.params["module"])] if "module" in spec.params else [])]
    return {
        "factory": spec.factory,
        "params": dict(spec.params),
        "versions": {name: _version(name) for name in spec.requires},
        "code": [digest for name in modules for digest in _code(spec, name)],
    }


def key(identity: Mapping[str, Any], version: str = __version__) -> str:
    """Return the digest of an identity, made by some version of this package."""
    return digest({**identity, "bench": version})


def _code(spec: Spec, module: str) -> list[str]:
    """Return the SHA-256 of a module's file and of those beside it that it imports; none of no Python.

    What is installed is told apart by its version, and reading all that it imports takes seconds.
    """
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise PluginError(f"{spec.source}: {spec.kind} '{spec.name}': there is no module '{module}'")
    first = Path(found.origin or "")
    own = Path(spec.root) / f"{module}.py"
    if spec.root and own.is_file() and not first.samefile(own):
        raise PluginError(f"{spec.kind} '{spec.name}': {own} is hidden by {first}; give it another name")
    package = module if first.name == "__init__.py" else module.rpartition(".")[0]
    files = [first] if first.suffix == ".py" else []
    for path in files if not is_installed(first) else ():  # it grows as imports are found
        beside = (path.with_name(f"{name}.py") for name in _imported(path, package))
        files += [each for each in beside if each.is_file() and each not in files]
    named = sorted(files, key=lambda path: path.name)
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in named]


def is_installed(path: Path) -> bool:
    """Return whether a file is of an installed distribution, which its version tells apart."""
    return any(path.is_relative_to(sysconfig.get_path(name)) for name in ("purelib", "platlib"))


def _imported(path: Path, package: str) -> list[str]:
    """Return the names, below a package, of the modules that a file imports."""
    names = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            own = f"{package}." if node.level == 1 and package else ""
            base = f"{own}{node.module or ''}".rstrip(".")
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    prefix = f"{package}." if package else ""
    below = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    return sorted({name.partition(".")[0] for name in below} - {""})


def build(spec: Spec, seed: int | None = None, device: str = "auto") -> Any:
    """Return what the spec's factory makes of its parameters.

    Parameters
    ----------
    seed, device : int | None, str
        What an estimator's `random_state` and `device` are, unless the spec says so itself; None and ``auto``
        leave them as they are.

    Raises
    ------
    UnavailableError
        If a distribution or module that it needs is not installed; the message says what to install.
    PluginError
        If the factory cannot be imported or raises.
    """
    command = missing(spec)
    if command:
        raise UnavailableError(f"{spec.kind} '{spec.name}' is not installed; run: {command}")
    module, attribute = _factory(spec)
    try:
        with nullcontext() if spec.root else imports.libraries_only(packaged_root()):
            made = getattr(importlib.import_module(module), attribute)(**spec.params)
        if not hasattr(made, "get_params"):
            return made
        wanted = {"random_state": seed, "device": None if device == "auto" else device}
        free = made.get_params().keys() - spec.params.keys()
        asked = {name: v for name, v in wanted.items() if v is not None and name in free}
        return made.set_params(**asked) if asked else made
    except PluginError as error:
        raise PluginError(f"{spec.kind} '{spec.name}': {error}") from error
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and not f"{module}.".startswith(f"{error.name}."):
            needed = str(error.name).partition(".")[0]
            raise UnavailableError(
                f"{spec.kind} '{spec.name}' needs the module '{error.name}'; run: pip install {needed}"
            ) from error
        raise PluginError(f"{spec.source}: {spec.kind} '{spec.name}': {one_line(error)}") from error


def _factory(spec: Spec) -> tuple[str, str]:
    """Return a factory's module, made importable from the spec's own folder, and its attribute."""
    module, colon, attribute = spec.factory.partition(":")
    if not (module and colon and attribute):
        raise UsageError(
            f"{spec.source}: factory '{spec.factory}' of '{spec.name}'; expected 'module:attribute'"
        )
    if spec.root:
        imports.allow(spec.root)
    return module, attribute
