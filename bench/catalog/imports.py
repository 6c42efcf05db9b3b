"""The import path: plugins of the working folder are importable, and its other folders are no packages.

A folder `datasets/` or `registry/` without code is a namespace package for Python as soon as the folder above
it is on the import path. Libraries then take it for the package of that name.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from bench.errors import UsageError
from bench.types import Spec


class FolderFinder(MetaPathFinder):
    """Finds the modules and packages of one folder that hold code."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a top-level module of the folder; None for a folder without code."""
        spec = PathFinder.find_spec(fullname, [self.folder]) if path is None else None
        return spec if spec and _holds_code(spec) else None


def _holds_code(spec: ModuleSpec) -> bool:
    """Return whether a spec is a file, or a folder with Python files."""
    folders = spec.submodule_search_locations or ()
    return spec.origin is not None or any(any(Path(folder).glob("*.py")) for folder in folders)


def allow(folder: str) -> None:
    """Make the modules of a folder importable, after all installed ones."""
    if not any(isinstance(finder, FolderFinder) and finder.folder == folder for finder in sys.meta_path):
        sys.meta_path.append(FolderFinder(folder))


@contextmanager
def libraries_only(*folders: Path) -> Iterator[None]:
    """Take the working folder, and some others, off the import path."""
    hidden = {Path.cwd(), *folders}
    before = list(sys.path)
    sys.path[:] = [entry for entry in before if entry and Path(entry).absolute() not in hidden]
    try:
        yield
    finally:
        sys.path[:] = before


def factory_of(spec: Spec) -> tuple[str, str]:
    """Return the module and attribute of a spec's factory; make the module importable from the spec's folder.

    Raises
    ------
    UsageError
        If the factory is not ``module:attribute``.
    """
    module, _, attribute = spec.factory.partition(":")
    if not (module and attribute):
        raise UsageError(
            f"{spec.source}: '{spec.name}': factory is '{spec.factory}'; expected 'module:attribute'"
        )
    if spec.root:
        allow(spec.root)
    return module, attribute
