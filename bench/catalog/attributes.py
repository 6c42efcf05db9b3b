"""Attributes of a plugin's class, read from its source: none of its code runs, and no library is loaded."""

import ast
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench.catalog.identity import module_path
from bench.catalog.imports import factory_of
from bench.types import Spec

COMPUTED: Final = object()
"""Value of an attribute that is no constant in the source."""

MOST_STEPS = 20
"""Largest number of base classes and imports between a name and its class."""


class Attribute(NamedTuple):
    """The value of an attribute, and the file of the class that sets it."""

    value: Any
    file: Path


def of_class(spec: Spec) -> Mapping[str, Attribute]:
    """Return the attributes that the class of a spec and its base classes set in their bodies.

    Classes are looked for in the factory's module, and in those that it imports them from, in its folder or
    its package. A factory that is no such class has no attributes.

    Raises
    ------
    PluginError
        If the factory's module does not exist.
    """
    module, name = factory_of(spec)
    path = module_path(spec, module)
    return _attributes(path, name, MOST_STEPS) if path.suffix == ".py" else {}


def weights_of(code: type) -> Path | None:
    """Return the path of the attribute `weights` of a class, which is relative to the file that sets it.

    A class of a notebook has no file: its path is relative to the working folder. None for a class without
    such a path.
    """
    for base in code.__mro__:
        if "weights" in vars(base):
            value = vars(base)["weights"]
            try:
                folder = Path(inspect.getfile(base)).parent
            except (OSError, TypeError):
                folder = Path.cwd()
            return weights_path(value, folder) if value and isinstance(value, str | Path) else None
    return None


def weights_path(value: str | Path, folder: Path) -> Path:
    """Return the path of weights that a class in a folder names."""
    return (folder / Path(value).expanduser()).resolve()


def _attributes(path: Path, name: str, steps: int) -> dict[str, Attribute]:
    """Return the attributes of a class that a file defines or imports."""
    try:
        nodes = ast.parse(path.read_bytes()).body if steps else []
    except (OSError, SyntaxError, ValueError):  # whoever imports the file says why
        return {}
    for node in reversed(nodes):
        if isinstance(node, ast.ClassDef) and node.name == name:
            return _of_body(path, node, steps - 1)
        if isinstance(node, ast.ImportFrom):
            origin = next((alias.name for alias in node.names if (alias.asname or alias.name) == name), None)
            file = _file(path, node)
            if origin and file:
                return _attributes(file, origin, steps - 1)
    return {}


def _of_body(path: Path, node: ast.ClassDef, steps: int) -> dict[str, Attribute]:
    """Return the attributes of a class: those of its bases, and over them its own."""
    attributes: dict[str, Attribute] = {}
    for base in reversed(node.bases):
        if isinstance(base, ast.Name):
            attributes |= _attributes(path, base.id, steps)
    for line in node.body:
        targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
        value = getattr(line, "value", None)
        if isinstance(line, ast.Assign | ast.AnnAssign) and value is not None:
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            attributes |= dict.fromkeys(names, Attribute(_constant(value), path))
    return attributes


def _constant(node: ast.expr) -> Any:
    """Return the value of a constant expression."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError):
        return COMPUTED


def _file(path: Path, node: ast.ImportFrom) -> Path | None:
    """Return the file of the module that a file's line imports from, in the file's folder or package."""
    parts = node.module.split(".") if node.module else []
    folders = [path.parents[node.level - 1]] if node.level else path.parents
    for folder in folders:
        file = folder.joinpath(*parts)
        for candidate in (file.with_suffix(".py"), file / "__init__.py"):
            if candidate.is_file():
                return candidate
    return None
