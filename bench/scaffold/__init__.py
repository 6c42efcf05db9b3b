"""A plugin's package, ready to install: `bench new`."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2

from bench.errors import UsageError

KINDS: Mapping[str, Sequence[str]] = {
    "extractor": ("numpy",),
    "head": ("scikit-learn",),
    "dataset": ("pandas", "soundfile"),
}
"""What can be made, and what its package needs besides this one."""


def create(kind: str, name: str, folder: Path) -> list[Path]:
    """Write a package that has one plugin, its tests and a README; return the files.

    Parameters
    ----------
    kind : str
        Of `KINDS`.
    name : str
        Of the distribution, such as ``my-features``.

    Raises
    ------
    UsageError
        If the name is none, or the folder is there already.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise UsageError(f"{name}: is no name for a distribution; expected small letters, digits and -")
    root = folder / name
    if root.exists():
        raise UsageError(f"{root}: is there already; choose another name, or remove it")
    module = name.replace("-", "_")
    facts = {
        "kind": kind,
        "name": name,
        "module": module,
        "made": "".join(part.capitalize() for part in name.split("-")),
        "requires": KINDS[kind],
    }
    loader = jinja2.PackageLoader("bench.scaffold", ".")
    # The templates are Python, TOML and Markdown of names that were checked above.
    environment = jinja2.Environment(loader=loader, keep_trailing_newline=True, autoescape=False)  # noqa: S701
    written = {
        root / "pyproject.toml": "pyproject.toml.j2",
        root / "README.md": "README.md.j2",
        root / module / "__init__.py": f"{kind}.py.j2",
        root / "tests" / f"test_{module}.py": f"test_{kind}.py.j2",
    }
    for path, template in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(environment.get_template(template).render(facts), encoding="utf-8")
    return list(written)
