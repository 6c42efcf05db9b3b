"""Functions, extractors and estimators of a program as specs, identified by source and parameters."""

from __future__ import annotations

import inspect
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench import catalog
from bench.errors import UsageError, shortlist
from bench.keys import digest
from bench.types import Audio, Frames, Kind, Spec, Traits

SAMPLE_RATE = 16_000
"""Sample rate of the audio that a function gets, in Hz."""

Function = Callable[[Audio, int], Any]
"""A function from one clip's samples and their rate to a vector, shape=(dim,), or frames, (n_frames, dim)."""

_objects: dict[str, Any] = {}
"""Functions and extractors of this process by the digest of their source and state."""


def spec_of(kind: Kind, thing: Any) -> Spec:
    """Return the spec of an object.

    Raises
    ------
    UsageError
        If the object cannot be identified by its source, its parameters or its state.
    """
    return _estimator_spec(thing) if kind == "head" else _extractor_spec(thing)


def _estimator_spec(estimator: Any) -> Spec:
    """Return the spec of a classifier by its class and parameters."""
    cls = type(estimator)
    if not hasattr(estimator, "get_params") or cls.__module__ == "__main__":
        raise UsageError(f"heads: {estimator!r}: expected a name, or a classifier defined in a module")
    name = " ".join(str(estimator).split()).replace("+", "")
    params = {key: value for key, value in estimator.get_params(deep=False).items() if value is not None}
    try:
        digest(params)
    except TypeError as error:
        why = "has parameters other than numbers and text; put it into a file"
        raise UsageError(f"heads: {name}: {why}") from error
    factory = f"{cls.__module__}:{cls.__qualname__}"
    spec = catalog.undeclared("head", factory) or Spec("head", name, factory)
    return replace(spec, name=name, params=params, source="heads")


def _extractor_spec(thing: Any) -> Spec:
    """Return the spec of a function or an extractor by its source and state."""
    is_function = inspect.isfunction(thing)
    code = thing if is_function else type(thing)
    try:
        params = {"source": inspect.getsource(code), "state": {} if is_function else dict(vars(thing))}
        key = digest(params)
    except (OSError, TypeError) as error:
        why = "its source is unknown, or its state is more than numbers and text"
        raise UsageError(f"extractors: {code.__name__}: {why}; put it into a file") from error
    if outside := _outside(thing) if is_function else []:
        why = f"uses {shortlist(outside)} from outside, so that a change there would go unnoticed"
        raise UsageError(f"extractors: {code.__name__}: {why}; put that inside, or everything into a file")
    _objects[key] = thing
    return Spec("extractor", code.__name__, "bench.api.objects:Object", params=params, source="extractors")


def _outside(function: Any) -> list[str]:
    """Return the names that a function uses and neither its source nor an installed module defines."""
    variables = inspect.getclosurevars(function)
    modules = {
        name: value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", "")
        for name, value in {**variables.nonlocals, **variables.globals}.items()
    }
    return [name for name, module in modules.items() if not _is_installed(str(module))]


def _is_installed(module: str) -> bool:
    """Return whether a module is part of Python or of an installed distribution."""
    path = Path(getattr(sys.modules.get(module), "__file__", None) or "")
    of_python = module in sys.builtin_module_names or path.is_relative_to(sysconfig.get_path("stdlib"))
    return of_python or catalog.is_installed(path)


class Object:
    """An extractor given as an object or a function of this process, looked up by its source.

    Parameters
    ----------
    source : str
        Source of the function, or of the object's class.
    state : Mapping[str, Any]
        Attributes of the object.
    """

    def __init__(self, source: str, state: Mapping[str, Any]) -> None:
        thing = _objects.get(digest({"source": source, "state": state}))
        if thing is None:
            raise UsageError("an object of another process; put it into a file")
        self._thing = thing
        if inspect.isfunction(thing):
            self._embed = self._call
            self.sample_rate = SAMPLE_RATE
            noise = np.random.default_rng(0).standard_normal(SAMPLE_RATE).astype(np.float32)
            self.dim = int(np.shape(thing(noise, SAMPLE_RATE))[-1])
            return
        self._embed = thing.embed
        self.sample_rate, self.dim = thing.sample_rate, thing.dim
        traits = Traits.of(thing)
        self.n_layers, self.max_seconds = traits.n_layers, traits.max_seconds

    def _call(self, audio: Sequence[Audio]) -> list[Frames]:
        return [np.asarray(self._thing(y, SAMPLE_RATE), dtype=np.float32) for y in audio]

    def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
        """Return one array per clip."""
        frames: Sequence[Frames] = self._embed(audio)
        return frames
