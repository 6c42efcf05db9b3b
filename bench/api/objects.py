"""Functions, extractors and estimators of a program as specs, identified by source and parameters."""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench import catalog
from bench.catalog import attributes, plugin_files
from bench.errors import UsageError, shortlist
from bench.keys import digest
from bench.types import Audio, Frames, Kind, Spec, Traits

SAMPLE_RATE = 16_000
"""Sample rate of the audio that a function gets, in Hz."""

Function = Callable[[Audio, int], Any]
"""A function from one clip's samples and their rate to a vector, shape=(dim,), or frames, (n_frames, dim)."""

_objects: dict[str, Any] = {}
"""Functions, extractors and their classes of this process by the digest of their source and state."""


def spec_of(kind: Kind, thing: Any) -> Spec:
    """Return the spec of an object.

    Raises
    ------
    UsageError
        If the object cannot be identified by its source, its parameters or its state.
    """
    return _estimator_spec(thing) if kind == "head" else _extractor_spec(thing)


def named(kind: Kind, things: Sequence[Any]) -> tuple[tuple[str, ...], list[Spec]]:
    """Return the names of things, of which some are names already, and the specs of the objects.

    Raises
    ------
    UsageError
        As of `spec_of`.
    """
    specs = {id(thing): spec_of(kind, thing) for thing in things if not isinstance(thing, str)}
    names = tuple(thing if isinstance(thing, str) else specs[id(thing)].name for thing in things)
    return names, list(specs.values())


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
    """Return the spec of a function, of an extractor or of its class, by its source, state and weights."""
    is_function = inspect.isfunction(thing)
    code = thing if is_function or inspect.isclass(thing) else type(thing)
    weights = None if is_function else attributes.weights_of(code)
    try:
        params = {"source": _source(code), "state": {}}
    except (OSError, TypeError) as error:
        raise UsageError(f"extractors: {code.__name__}: its source is unknown; put it into a file") from error
    try:
        params["state"] = {} if code is thing else _state(thing, has_weights=weights is not None)
        key = digest(params)
    except TypeError as error:
        why = "its state is more than numbers, text, arrays and networks of torch"
        raise UsageError(
            f"extractors: {code.__name__}: {why}; name their file in `weights`, or put it into a file"
        ) from error
    if outside := _outside(thing) if is_function else []:
        why = f"uses {shortlist(outside)} from outside, so that a change there would go unnoticed"
        raise UsageError(f"extractors: {code.__name__}: {why}; put that inside, or everything into a file")
    if weights:
        names = plugin_files.names_below(weights)
        if not names:
            raise UsageError(f"extractors: {code.__name__}: weights {weights}: no such file or folder")
        params["files"] = plugin_files.digests(names)
    _objects[key] = thing
    return Spec("extractor", code.__name__, "bench.api.objects:Object", params=params, source="extractors")


def _state(thing: Any, *, has_weights: bool) -> dict[str, Any]:
    """Return the attributes of an object, and the tensors of one that is a network of torch itself.

    Raises
    ------
    TypeError
        As `_value` does.
    """
    values = {**vars(thing), **({"": thing} if hasattr(thing, "state_dict") else {})}
    return {name: _value(value, has_weights=has_weights) for name, value in values.items()}


def _value(value: Any, *, has_weights: bool) -> Any:
    """Return numbers and text as they are, and digests of arrays and of networks of torch, also in lists.

    With weights, anything else, such as a session of ONNX, stands for their file by the name of its type.

    Raises
    ------
    TypeError
        If it is anything else, and the class names no weights.
    """
    if hasattr(value, "state_dict"):
        return {name: _array(tensor) for name, tensor in value.state_dict().items()}
    if isinstance(value, np.ndarray):
        return _array(value)
    try:
        digest(value)
    except TypeError:
        if isinstance(value, Mapping):
            return {str(name): _value(part, has_weights=has_weights) for name, part in value.items()}
        if isinstance(value, list | tuple):
            return [_value(part, has_weights=has_weights) for part in value]
        if has_weights:
            return type(value).__qualname__
        raise
    return value


def _array(values: Any) -> str:
    """Return a digest of an array or a tensor."""
    array = np.asarray(values.detach().cpu().double() if hasattr(values, "detach") else values)
    if array.dtype.hasobject:
        raise TypeError("an array of objects")
    return digest([str(array.dtype), list(array.shape), hashlib.sha256(array.tobytes()).hexdigest()])


def _source(code: Any) -> str:
    """Return the source of a function or a class.

    Raises
    ------
    OSError, TypeError
        If it is unknown.
    """
    try:
        return inspect.getsource(code)
    except (OSError, TypeError):  # a class of a notebook has no file, but its functions have the cell
        functions = [value for value in vars(code).values() if inspect.isfunction(value)]
        if not functions:
            raise
        lines = "".join(inspect.findsource(functions[0])[0])
        trees = [node for node in ast.walk(ast.parse(lines)) if isinstance(node, ast.ClassDef)]
        sources = [ast.get_source_segment(lines, node) for node in trees if node.name == code.__name__]
        if not sources or not sources[-1]:
            raise
        return sources[-1]


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
        Attributes of the object; none of a function or a class.
    files : Sequence[str]
        Names and SHA-256 of the weights.
    """

    def __init__(self, source: str, state: Mapping[str, Any], files: Sequence[str] = ()) -> None:
        thing: Any = _objects.get(digest({"source": source, "state": state}))
        if thing is None:
            raise UsageError("an object of another process; put it into a file")
        if inspect.isclass(thing):
            thing = thing()
        self._thing = thing
        if inspect.isfunction(thing):
            self._embed: Any = self._call
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
