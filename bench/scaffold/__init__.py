"""`bench new`: the package of a plugin, ready to install."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2

from bench.errors import UsageError

REQUIREMENTS: Mapping[str, Sequence[str]] = {
    "extractor": ("numpy",),
    "head": ("scikit-learn",),
    "dataset": ("pandas", "soundfile"),
}
"""Kind of plugin -> distributions that its package requires."""

DISTRIBUTION_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def create(kind: str, name: str, folder: Path) -> list[Path]:
    """Write a package with one plugin, its tests and a README, and return its files.

    Parameters
    ----------
    kind : str
        A key of `REQUIREMENTS`.
    name : str
        Name of the distribution, such as ``my-features``.
    folder : Path
        The parent folder of the package.

    Raises
    ------
    UsageError
        If the name is invalid, or the package's folder exists.
    """
    if not DISTRIBUTION_NAME.fullmatch(name):
        raise UsageError(f"{name}: not a name for a distribution; expected lower-case letters, digits and -")
    root = folder / name
    if root.exists():
        raise UsageError(f"{root}: already exists; choose another name, or remove it")
    module = name.replace("-", "_")
    context = {
        "kind": kind,
        "name": name,
        "module": module,
        "class_name": "".join(part.capitalize() for part in name.split("-")),
        "requires": REQUIREMENTS[kind],
    }
    loader = jinja2.PackageLoader("bench.scaffold", ".")
    # The templates are Python, TOML and Markdown; the name in them was checked above.
    environment = jinja2.Environment(loader=loader, keep_trailing_newline=True, autoescape=False)  # noqa: S701
    templates = {
        root / "pyproject.toml": "pyproject.toml.j2",
        root / "README.md": "README.md.j2",
        root / module / "__init__.py": f"{kind}.py.j2",
        root / "tests" / f"test_{module}.py": f"test_{kind}.py.j2",
    }
    for path, template in templates.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(environment.get_template(template).render(context), encoding="utf-8")
    return list(templates)
