"""Identity of a spec: everything that changes its output, and the key of that."""

import ast
import importlib.util
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench._version import __version__
from bench.catalog.imports import factory_of
from bench.catalog.requirements import installed_version
from bench.errors import PluginError
from bench.files import sha256
from bench.keys import digest
from bench.types import Spec


def identity(spec: Spec) -> Mapping[str, Any]:
    """Return everything of a spec that changes its numbers: factory, parameters, code and versions.

    The code is the SHA-256 of the factory's module, of the module that a parameter `module` names, and of the
    modules in the same folder that either imports, unless they are installed. So an edited plugin has another
    identity, as has one whose parameter `weights` names a file with another content.

    Raises
    ------
    PluginError
        If the module does not exist.
    """
    module, _ = factory_of(spec)
    modules = [module, *([str(spec.params["module"])] if "module" in spec.params else [])]
    weights = Path(str(spec.params.get("weights") or "")).expanduser()
    return {
        "factory": spec.factory,
        "params": dict(spec.params),
        "versions": {name: installed_version(name) for name in spec.requires},
        "code": [sha256 for name in modules for sha256 in _code(spec, name)],
        **({"weights": _contents(weights)} if spec.params.get("weights") and weights.exists() else {}),
    }


def key(identity: Mapping[str, Any], version: str = __version__) -> str:
    """Return the digest of an identity and of a version of this package."""
    return digest({**identity, "bench": version})


def is_installed(path: Path) -> bool:
    """Return whether a file belongs to an installed distribution, whose version identifies it."""
    return any(path.is_relative_to(sysconfig.get_path(name)) for name in ("purelib", "platlib"))


def _contents(path: Path) -> list[str]:
    """Return the SHA-256 of a file, or of every regular file in a folder, with their names."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [f"{file.name} {sha256(file)}" for file in files if file.is_file()]


def _code(spec: Spec, module: str) -> list[str]:
    """Return the SHA-256 of a module's file and of those beside it that it imports.

    An installed module is one file: its version identifies the rest, which would take seconds to read. A
    module that is not Python has no file.
    """
    path = module_path(spec, module)
    if path.suffix != ".py":
        return []
    files = [path]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for file in [] if is_installed(path) else files:  # the list grows in the loop
        beside = (file.with_name(f"{name}.py") for name in _imported(file, package))
        files += [path for path in beside if path.is_file() and path not in files]
    return [sha256(path) for path in sorted(files, key=lambda p: p.name)]


def module_path(spec: Spec, module: str) -> Path:
    """Return the file of a module.

    Raises
    ------
    PluginError
        If the module does not exist, or an installed one hides the file in the spec's folder.
    """
    try:
        module_spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        module_spec = None
    if module_spec is None:
        raise PluginError(f"{spec.source}: {spec.kind} '{spec.name}': no module '{module}'")
    path, local = Path(module_spec.origin or ""), Path(spec.root) / f"{module}.py"
    if spec.root and local.is_file() and not path.samefile(local):
        raise PluginError(f"{spec.kind} '{spec.name}': {local} is hidden by {path}; rename it")
    return path


def _imported(path: Path, package: str) -> list[str]:
    """Return the modules of a package that a file imports, by their names in the package."""
    names = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parent = f"{package}." if node.level == 1 and package else ""
            base = f"{parent}{node.module or ''}".rstrip(".")
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    prefix = f"{package}." if package else ""
    below = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    return sorted({name.partition(".")[0] for name in below} - {""})
