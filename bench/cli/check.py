"""`bench check`: conformance of a plugin."""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench import paths
from bench.errors import PluginError, UnavailableError

if TYPE_CHECKING:
    from bench.testing import Check


@click.command("check")
@click.argument("name")
def command(name: str) -> None:
    """Check that the extractor, head, data set or task NAME keeps the rules of its kind."""
    import time

    from tabulate import tabulate

    rows, n_broken = [], 0
    for rule in _rules(name):
        start, why = time.perf_counter(), ""
        try:
            rule()
        except AssertionError as error:
            if isinstance(error.__cause__, PluginError | UnavailableError):  # by all rules
                raise error.__cause__ from error
            why = str(error)
            n_broken += 1
        rows.append(
            [rule.name, "broken" if why else "kept", f"{time.perf_counter() - start:.2f}", why or rule.rule]
        )
    click.echo(tabulate(rows, ["check", "", "s", "rule"], maxcolwidths=[None, None, None, 80]))
    click.echo(f"{name}: {f'{n_broken} of {len(rows)} rules broken' if n_broken else 'keeps every rule'}")
    sys.exit(1 if n_broken else 0)


def _rules(name: str) -> Sequence["Check"]:
    """Return the checks of what a name stands for."""
    from bench import catalog, runner, testing
    from bench.catalog import weights

    declared = catalog.load()
    if name in declared.tasks or name in declared.plugins.get("tasks", {}):
        return testing.check_task(catalog.task(name, declared))
    if name in declared.cards or Path(name).exists():
        return testing.check_dataset(lambda: runner.open_dataset(name, declared, paths.home()))
    if name in declared.heads or (name not in declared.extractors and _is_head(name)):
        head = catalog.resolve("head", name, declared.heads)
        return testing.check_head(lambda: catalog.build(head))
    spec = catalog.resolve("extractor", name, declared.extractors)
    if spec.weights:
        checkpoint = str(weights.of_extractor(spec))
        spec = dataclasses.replace(spec, params={**spec.params, "checkpoint": checkpoint})
    return testing.check_extractor(lambda: catalog.build(spec))


def _is_head(name: str) -> bool:
    """Return whether what a file or an import path names has `fit`."""
    import importlib

    from bench import catalog

    spec = catalog.undeclared("head", name)
    if spec is None:
        return False
    catalog.identity(spec)  # makes it importable, or says why it is not
    module, _, attribute = spec.factory.partition(":")
    return hasattr(getattr(importlib.import_module(module), attribute, None), "fit")
