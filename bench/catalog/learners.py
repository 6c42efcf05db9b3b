"""Names and options -> extractors and heads, with the digest of everything that changes its output."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench import audio, catalog, preprocess
from bench.catalog import Registry, devices, families, layer_counts, names, plugin_files, weights
from bench.errors import PluginError, UnavailableError, UsageError
from bench.keys import digest
from bench.request import Request
from bench.types import BASELINE, CellObstacle, Layer, Spec, Status, View

JOIN = "+"
"""Separator of reducers and the head behind them, in a name."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why cells cannot be computed, and their status."""

    status: Status
    why: CellObstacle


@dataclass(frozen=True, slots=True)
class Learner:
    """An extractor or head with the digest of everything that changes its output.

    Parameters
    ----------
    digest : str
        Digest of the identity; empty with an obstacle.
    obstacle : Obstacle | None
        Why it cannot run; None if it can.
    steps : tuple[Spec, ...]
        Reducers before a head.
    identity : Mapping[str, Any]
        Everything that changes the output; empty with an obstacle.
    """

    spec: Spec
    digest: str = ""
    obstacle: Obstacle | None = None
    steps: tuple[Spec, ...] = ()
    identity: Mapping[str, Any] = field(default_factory=dict)


def extractors(
    request: Request, declared: Registry, parse_view: Callable[[str], View]
) -> list[tuple[Learner, View]]:
    """Return the extractors of a request with their views; by default all offered ones that can run here.

    Raises
    ------
    UsageError
        If a name, a view or a preprocessing step is unknown.
    """
    texts = request.extractors or [name for name, spec in declared.extractors.items() if spec.offered]
    for text in texts:
        if text.endswith("@"):
            raise UsageError(f"--extractors {text}: ends in @; expected @layer=N or @pool=NAME behind it")
    parts = [text.partition("@") for text in texts]
    views = [parse_view(view) for _, _, view in parts]
    names = dict.fromkeys(name for name, _, _ in parts)
    sha256 = functools.cache(weights.digest)  # several extractors may share weights
    learners = {name: _learner(_extractor(name, request, declared), request, sha256) for name in names}
    _refuse_equal_names("--extractors", {name: learner.spec for name, learner in learners.items()})
    points = {
        (name, view): None
        for (name, _, text), parsed in zip(parts, views, strict=True)
        if request.extractors or not learners[name].obstacle
        for pooled in [_pooled(parsed, text, learners[name].spec, parse_view)]
        for view in _views(learners[name], pooled, text, declared)
    }
    return [(learners[name], view) for name, view in points]


def extractor(spec: Spec, request: Request, declared: Registry, place: str = "") -> Learner:
    """Return the extractor that an earlier one was, as it is here and now.

    Parameters
    ----------
    spec : Spec
        The earlier one: its name and its preprocessing count. Its factory does not, since it may come from
        anybody; what the name stands for here does.
    request : Request
        Its device, precision and runtime count.
    place : str
        Folder or file of its weights; empty for where the name says.

    Raises
    ------
    UsageError
        If the name is unknown.
    """
    prefix, _, rest = spec.name.partition(":")
    is_declared = spec.name in declared.extractors or prefix not in names.PREFIXES
    text = spec.name if is_declared else f"{prefix}:{place or rest}"
    here = catalog.resolve("extractor", text, declared.extractors)
    return _learner(replace(here, preprocess=spec.preprocess, weights=place or here.weights), request)


def _extractor(name: str, request: Request, declared: Registry) -> Spec:
    """Return the spec of an extractor with the steps that the request adds."""
    spec = catalog.resolve("extractor", name, declared.extractors)
    try:
        preprocess.parse(spec.preprocess)
    except UsageError as error:
        raise UsageError(f"{spec.source}: '{name}': preprocess: {error}") from error
    return replace(spec, preprocess=spec.preprocess + tuple(request.preprocess))


def _pooled(view: View, text: str, spec: Spec, parse_view: Callable[[str], View]) -> View:
    """Return a view with the pooling that the extractor declares, unless the user's text names one."""
    if not spec.pool or "pool=" in text:
        return view
    try:
        return replace(view, pool=parse_view(f"pool={spec.pool}").pool)
    except UsageError as error:
        raise UsageError(f"{spec.source}: '{spec.name}': pool is '{spec.pool}'; {error}") from error


def _views(learner: Learner, view: View, text: str, declared: Registry) -> list[View]:
    """Return a view per layer that a user's text stands for; an obstacle leaves the layers unknown."""
    if learner.obstacle:
        return [view]
    layers: Sequence[Layer] = [view.layer]
    if view.layer == "all":
        layers = range(layer_counts.n_layers(learner.spec))
    elif "layer=" not in text:
        layers = families.default_layers(learner.spec, declared)
    return [replace(view, layer=layer) for layer in layers]


def heads(request: Request, declared: Registry) -> list[Learner]:
    """Return the heads of a request and the baseline; with `tune`, those with a grid once more.

    Raises
    ------
    UsageError
        If a name is unknown, or a reducer stands before a head that sees layers.
    """
    offered = [name for name, head in declared.heads.items() if head.offered]
    by_name = {name: _head(name, declared) for name in [*(request.heads or offered), BASELINE]}
    _refuse_equal_names("--heads", by_name)
    specs = list(by_name.values())
    plain = [replace(head, grid={}) for head in specs]
    tuned = [head for head in specs if head.grid and request.tune]
    return [_with_steps(head, request, declared) for head in (*plain, *tuned)]


def _head(name: str, declared: Registry) -> Spec:
    """Return the spec of ``HEAD`` or ``REDUCER+HEAD``."""
    *reducers, last = name.split(JOIN)
    head = catalog.resolve("head", last, declared.heads)
    steps = (*reducers, *head.steps)
    if steps and head.unit == "layers":
        raise UsageError(f"{head.source}: head '{name}' sees layers, which no reducer takes")
    return replace(head, name=JOIN.join([*reducers, head.name]), steps=steps)


def _refuse_equal_names(option: str, specs: Mapping[str, Spec]) -> None:
    """Raise UsageError if two texts name different things alike, such as one file in two folders."""
    texts: dict[str, str] = {}
    for text, spec in specs.items():
        first = texts.setdefault(spec.name, text)
        if first != text:
            raise UsageError(f"{option}: {first} and {text} are both called '{spec.name}'; rename one")


def _with_steps(head: Spec, request: Request, declared: Registry) -> Learner:
    """Return the learner of a head; the identities of its reducers are part of its identity."""
    steps = [_learner(catalog.find("reducer", name, declared.reducers), request) for name in head.steps]
    learner = _learner(head, request)
    limit = {"limit": head.limit} if head.limit else {}
    options = {"unit": head.unit, "scale": head.scale, **limit, "grid": head.grid}
    reducers = {"steps": {step.spec.name: step.identity for step in steps}} if steps else {}
    return replace(
        learner,
        digest=digest(
            [learner.digest, head.scale, *limit.values(), head.grid, [step.digest for step in steps]]
        ),
        obstacle=next((part.obstacle for part in (*steps, learner) if part.obstacle), None),
        steps=tuple(step.spec for step in steps),
        identity={**learner.identity, **options, **reducers},
    )


def _learner(spec: Spec, request: Request, sha256: Callable[[Path], str] = weights.digest) -> Learner:
    """Return the learner of a spec; weights add their path, device and precision to its parameters."""
    command = catalog.missing(spec)
    if command:
        why = CellObstacle("not installed", (spec.kind, spec.name), commands=(command,))
        return Learner(spec, obstacle=Obstacle(Status.SKIPPED, why))
    try:
        spec, identity = _weighted(spec, request, sha256) if spec.weights else (spec, catalog.identity(spec))
        files = {} if spec.weights else plugin_files.identity(spec)
    except PluginError as error:
        return Learner(spec, obstacle=Obstacle(Status.FAILED, CellObstacle("error", message=str(error))))
    except UnavailableError as error:
        commands = (f"bench fetch {spec.name}",)
        why = CellObstacle("no weights", (spec.name,), commands=commands, message=str(error))
        return Learner(spec, obstacle=Obstacle(Status.SKIPPED, why))
    if spec.kind == "extractor":
        steps = preprocess.identity(preprocess.parse(spec.preprocess))
        identity = {**identity, "audio": {**audio.identity(), **steps}}
    identity = {**identity, **files}
    return Learner(spec, catalog.key(identity), identity=identity)


def _weighted(spec: Spec, request: Request, sha256: Callable[[Path], str]) -> tuple[Spec, Mapping[str, Any]]:
    """Return an extractor with its weights' path, device and precision, and its identity.

    The identity has the digest of the weights, and neither their path nor the device.
    """
    path = weights.of_extractor(spec)
    device, precision = devices.resolve(request.device, request.precision)
    if "runtime" in spec.params:
        spec = _with_runtime(spec, request.runtime, device)
    identity = catalog.identity(spec)
    identity = {**identity, "weights": sha256(path), "precision": precision}
    params = {"checkpoint": str(path), "device": device, "precision": precision}
    return replace(spec, params={**spec.params, **params}), identity


def _with_runtime(spec: Spec, option: str, device: str) -> Spec:
    """Return an extractor with the runtime of its entry; if that is ``auto``, of the option."""
    name = str(spec.params["runtime"])
    runtime = devices.runtime(option if name == "auto" else name, device)
    requires = (*spec.requires, *(["openvino"] if runtime == "openvino" else []))
    return replace(spec, params={**spec.params, "runtime": runtime}, requires=requires)
