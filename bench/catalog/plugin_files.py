"""Files that a plugin opens beside its modules: its weights, those it declares, and its constructor opens.

The constructor runs once more, in a process of its own: it may hang, or end its process. What it opened is
kept on disk, and asked again when its code, one of these files, or a name beside them changes.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from bench.catalog import attributes
from bench.catalog.attributes import COMPUTED
from bench.catalog.build import build
from bench.catalog.identity import identity as code_identity
from bench.catalog.identity import is_installed, module_path
from bench.catalog.imports import factory_of
from bench.errors import BenchError, PluginError, UsageError
from bench.files import parse_json, replace_text, sha256
from bench.keys import digest
from bench.paths import home
from bench.types import Spec

EVENTS = ("open", "ctypes.dlopen", "sqlite3.connect")
"""Audit events of Python whose first argument is a file that is opened."""

SECONDS = 300
"""Longest time of a constructor, in s."""

MOST_FILES = 1000
"""Largest number of files that stand for those of a constructor that does not end well."""

CODE = (".py", ".pyc")
"""Suffixes of modules, which other parts of an identity hold."""

METADATA = (".dist-info", ".egg-info")
"""Ends of the names of folders that describe a distribution."""

LIBRARIES = {"__pycache__", "site-packages", "dist-packages"}

PACKAGE = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class OpenFiles:
    """Files that were opened: to read, and to write."""

    read: set[Path] = field(default_factory=set)
    written: set[Path] = field(default_factory=set)


@contextmanager
def recording() -> Iterator[OpenFiles]:
    """Yield the files that this process opens within the block, as far as Python sees them (PEP 578)."""
    files, is_active = OpenFiles(), True

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if is_active and event in EVENTS and isinstance(arguments[0], str | bytes):
            writes = event == "open" and bool((arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR))
            (files.written if writes else files.read).add(Path(os.fsdecode(arguments[0])).absolute())

    sys.addaudithook(hook)  # Python has no way to remove it
    try:
        yield files
    finally:
        is_active = False


def identity(spec: Spec) -> Mapping[str, Any]:
    """Return the part of an identity that is about the files of a plugin; empty if it opens none.

    It holds the name, relative to the module's folder or to a parameter, and the SHA-256 of every file of the
    attribute `weights` of its class, that the attribute `files` names, or that its constructor opens to read.
    A class with `weights` is not built for this. If the constructor does not end well, the part holds all
    files that may be opened.

    Raises
    ------
    PluginError
        If `weights` or `files` name what is not there, or the constructor does not end well and may open more
        than `MOST_FILES` files.
    """
    folders = _folders(spec)
    if spec.kind != "extractor" and not folders:  # a library's version identifies a head or a reducer
        return {}
    constants = attributes.of_class(spec)
    values = {name: constants[name].value for name in ("weights", "files") if name in constants}
    if isinstance(values.get("weights"), str) and values.get("files") is not COMPUTED:
        path = attributes.weights_path(values["weights"], constants["weights"].file.parent)
        return {"files": digests(_weights(spec, path) | _declared(spec, values.get("files", []), folders))}
    roots = {**_parameters(spec), **folders} if folders else {}
    if COMPUTED not in values.values() and not any(map(_holds_files, roots.values())):
        return {}
    answer = _saved(spec, roots)
    if answer is None and (answer := _ask(spec)):
        _save(spec, roots, answer)
    weights = Path(str(spec.params.get("weights") or os.devnull)).expanduser().resolve()
    opened = _all_files(spec, roots) if answer is None else map(Path, answer["read"])
    # The identity of a spec has the SHA-256 of these weights.
    paths = [path for path in opened if not path.is_relative_to(weights)]
    names = {name: path for path in paths if (name := name_of(path, roots))}
    if answer:
        names |= _declared(spec, answer["declared"], folders)
        names |= _weights(spec, Path(answer["weights"])) if answer["weights"] else {}
    return {"files": digests(names)} if names else {}


def digests(names: Mapping[str, Path]) -> list[str]:
    """Return the names and the SHA-256 of files."""
    return [f"{name} {sha256(path)}" for name, path in sorted(names.items())]


def names_below(path: Path) -> dict[str, Path]:
    """Return name -> path of a file, or of every file of a folder that is not hidden."""
    if path.is_file():
        return {path.name: path}
    names = {file.relative_to(path.parent).as_posix(): file for file in path.rglob("*") if file.is_file()}
    return {name: file for name, file in names.items() if "/." not in f"/{name}"}


def _weights(spec: Spec, path: Path) -> dict[str, Path]:
    """Return name -> path of the files of a class's weights.

    Raises
    ------
    PluginError
        If there are none.
    """
    names = names_below(path)
    if not names:
        raise PluginError(
            f"{spec.source}: {spec.kind} '{spec.name}': weights is {path.name}, which is no file and no "
            f"folder with files in {path.parent}; expected a path from the file of the class"
        )
    return names


def name_of(path: Path, roots: Mapping[str, Path]) -> str | None:
    """Return the name of a file below one of some files and folders; None of code, caches and libraries.

    Parameters
    ----------
    roots : Mapping[str, Path]
        Beginning of the name -> file or folder.
    """
    for start, root in roots.items():
        if path.is_relative_to(root) and path.is_file() and not _is_other(path, root):
            return "/".join(filter(None, [start, *path.relative_to(root).parts]))
    return None


def folder_of(module: str, file: Path) -> Path | None:
    """Return the folder of a module, or of the package that it is in; None if its version identifies it."""
    if file.suffix != ".py" or is_installed(file) or file.is_relative_to(PACKAGE):
        return None
    depth = module.count(".") - (file.name != "__init__.py")
    return file.resolve().parents[max(0, depth)]


def main() -> None:
    """Build the plugin whose spec standard input holds, and print what it declares and opens, as JSON."""
    output = os.dup(1)
    os.dup2(2, 1)  # what the plugin prints goes elsewhere
    spec = Spec(**json.load(sys.stdin))
    with recording() as files:
        try:
            plugin = build(spec)
        except BenchError as error:
            sys.exit(str(error))
    read, written = ({path.resolve() for path in paths} for paths in (files.read, files.written))
    answer = {
        "read": sorted(map(str, read - written)),
        "declared": getattr(type(plugin), "files", []),
        "weights": str(attributes.weights_of(type(plugin)) or ""),
    }
    os.write(output, json.dumps(answer, default=repr).encode())
    os._exit(0)  # threads of the plugin may go on


def _saved(spec: Spec, roots: Mapping[str, Path]) -> Mapping[str, Any] | None:
    """Return the answer of an earlier process about a spec; None if anything that it saw has changed."""
    try:
        saved = parse_json(_answer_path(spec).read_bytes())
        answer: Mapping[str, Any] = saved["answer"]
        return answer if saved["state"] == _state(roots, answer) else None
    except (OSError, ValueError, KeyError, TypeError, UsageError):
        return None


def _save(spec: Spec, roots: Mapping[str, Path], answer: Mapping[str, Any]) -> None:
    """Keep an answer about a spec; one that cannot be kept is asked for again."""
    with suppress(OSError, UsageError):
        replace_text(_answer_path(spec), json.dumps({"answer": answer, "state": _state(roots, answer)}))


def _answer_path(spec: Spec) -> Path:
    """Return the file of the answer about a spec."""
    code = {**code_identity(spec), "spec": [spec.kind, spec.root], "path": sys.path}
    return home() / f"plugin-{digest(code)[:32]}.json"


def _state(roots: Mapping[str, Path], answer: Mapping[str, Any]) -> list[str]:
    """Return what a constructor saw: the files that it opened below the roots, and the names beside them."""
    paths = [path for path in map(Path, answer["read"]) if name_of(path, roots)]
    folders = {root if root.is_dir() else root.parent for root in roots.values()}
    folders |= {path.parent for path in paths}
    names = [f"{folder}: {sorted(path.name for path in folder.iterdir())}" for folder in sorted(folders)]
    return [*names, *(f"{path} {sha256(path)}" for path in sorted(paths))]


def _ask(spec: Spec) -> Mapping[str, Any] | None:
    """Return what `main` prints about a spec in a process of its own; None if it does not end well."""
    call = [sys.executable, "-P", "-c", "from bench.catalog.plugin_files import main; main()"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(  # noqa: S603
            call,
            input=json.dumps(asdict(spec)),
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=True,
        )
    except subprocess.SubprocessError:  # its cells say why
        return None
    answer: Mapping[str, Any] = json.loads(done.stdout)
    return answer


def _all_files(spec: Spec, roots: Mapping[str, Path]) -> list[Path]:
    """Return every file that a plugin may open, where nothing says which ones it does.

    Raises
    ------
    PluginError
        If they are too many.
    """
    paths = (path for root in roots.values() for path in ([root] if root.is_file() else root.rglob("*")))
    files = list(islice((path for path in paths if name_of(path, roots)), MOST_FILES + 1))
    if len(files) > MOST_FILES:
        folder = next(iter(roots.values()))
        raise PluginError(
            f"{spec.source}: {spec.kind} '{spec.name}': its constructor did not end well, and may open more "
            f"than {MOST_FILES} files in {folder}; mend it, or move it to a folder with its own files alone"
        )
    return files


def _folders(spec: Spec) -> dict[str, Path]:
    """Return '' -> the folder of the module that a plugin comes from, unless that is installed."""
    module = str(spec.params.get("module") or factory_of(spec)[0])
    folder = folder_of(module, module_path(spec, module))
    return {"": folder} if folder else {}


def _parameters(spec: Spec) -> dict[str, Path]:
    """Return name -> path of every parameter that names a file or a folder."""
    values = {name: value for name, value in spec.params.items() if isinstance(value, str) and value}
    paths = {name: Path(value).expanduser() for name, value in values.items() if name != "weights"}
    return {name: path.resolve() for name, path in paths.items() if path.exists()}


def _holds_files(root: Path) -> bool:
    """Return whether a root is a file, or a folder with files that are no code."""
    return root.is_file() or any(path.is_file() and not _is_other(path, root) for path in root.rglob("*"))


def _is_other(path: Path, root: Path) -> bool:
    """Return whether a file below a root is code, hidden, in a cache, or of a library."""
    parts = path.relative_to(root).parts
    if path.suffix in CODE or any(part.startswith(".") or part.endswith(METADATA) for part in parts):
        return True
    others = [Path(sys.prefix), home()]
    is_below = any(path.is_relative_to(other) and not root.is_relative_to(other) for other in others)
    return is_below or bool(LIBRARIES.intersection(parts))


def _declared(spec: Spec, names: Any, folders: Mapping[str, Path]) -> dict[str, Path]:
    """Return name -> path of the files that a class declares.

    Raises
    ------
    PluginError
        If they are no names of files in the module's folder.
    """
    where = f"{spec.source}: {spec.kind} '{spec.name}': files"
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise PluginError(f"{where} is {names!r}; expected a list of names of files")
    paths = {name: folder / name for folder in folders.values() for name in names}
    for name, path in paths.items():
        if not path.is_file():
            raise PluginError(f"{where} names '{name}', which is no file in {path.parent}")
    return paths
