"""Specs -> extractors, heads and reducers."""

import importlib
from typing import Any

from bench.catalog import imports
from bench.catalog.declarations import packaged_root
from bench.catalog.requirements import missing
from bench.errors import PluginError, UnavailableError, one_line
from bench.types import Spec


def build(spec: Spec, seed: int | None = None, device: str = "auto") -> Any:
    """Call the factory of a spec with its parameters.

    Parameters
    ----------
    seed, device : int | None, str
        The estimator's `random_state` and `device`, unless the spec sets them; None and ``auto`` leave the
        estimator's defaults.

    Raises
    ------
    UnavailableError
        If a distribution or module is not installed; the message has the command to run.
    PluginError
        If the factory cannot be imported or raises.
    """
    command = missing(spec)
    if command:
        raise UnavailableError(f"{spec.kind} '{spec.name}' is not installed; run: {command}")
    module, attribute = imports.factory_of(spec)
    try:
        with imports.libraries_only(packaged_root()):
            component = getattr(importlib.import_module(module), attribute)(**spec.params)
        return _configured(component, spec, seed, device)
    except PluginError as error:
        raise PluginError(f"{spec.kind} '{spec.name}': {error}") from error
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and not f"{module}.".startswith(f"{error.name}."):
            package = str(error.name).partition(".")[0]
            raise UnavailableError(
                f"{spec.kind} '{spec.name}' needs the module '{error.name}'; run: pip install {package}"
            ) from error
        raise PluginError(f"{spec.source}: {spec.kind} '{spec.name}': {one_line(error)}") from error


def _configured(component: Any, spec: Spec, seed: int | None, device: str) -> Any:
    """Return an estimator with the seed and device that its spec leaves open; anything else unchanged."""
    if not hasattr(component, "get_params"):
        return component
    values = {"random_state": seed, "device": None if device == "auto" else device}
    open_names = component.get_params().keys() - spec.params.keys()
    params = {name: value for name, value in values.items() if value is not None and name in open_names}
    return component.set_params(**params) if params else component
