"""Names -> extractors and heads, each with the digest of all that changes what it makes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from bench import audio, catalog, preprocess
from bench.catalog import Registry, devices, weights
from bench.errors import PluginError, UnavailableError, UsageError
from bench.keys import digest
from bench.request import Request
from bench.types import BASELINE, Spec, Status, Unit, View

UNITS = get_args(Unit)
JOIN = "+"
"""Between the names of reducers and of the head behind them."""


@dataclass(frozen=True, slots=True)
class Learner:
    """An extractor or head with the digest of all that changes what it makes, or with why it cannot run.

    Parameters
    ----------
    identity : Mapping[str, Any]
        What the digest is of.
    """

    spec: Spec
    digest: str = ""
    obstacle: tuple[Status, str] | None = None
    steps: tuple[Spec, ...] = ()
    identity: Mapping[str, Any] = field(default_factory=dict)


def extractors(
    request: Request, declared: Registry, parse: Callable[[str], View]
) -> list[tuple[Learner, View]]:
    """Return the extractors asked for as NAME or NAME@VIEW, or all that are offered and can run here."""
    texts = request.extractors or [name for name, spec in declared.extractors.items() if spec.offered]
    asked = [text.partition("@") for text in texts]
    names = dict.fromkeys(name for name, _, _ in asked)
    learners = {name: _learner(_extractor(name, request, declared), request) for name in names}
    points: dict[tuple[str, View], None] = {}
    for name, _, view in asked:
        if request.extractors or not learners[name].obstacle:
            points |= dict.fromkeys((name, each) for each in _views(learners[name], parse(view)))
    return [(learners[name], view) for name, view in points]


def _extractor(name: str, request: Request, declared: Registry) -> Spec:
    """Return the spec of an extractor with the steps that the request adds."""
    spec = catalog.resolve("extractor", name, declared.extractors)
    return replace(spec, preprocess=spec.preprocess + tuple(request.preprocess))


def _views(learner: Learner, view: View) -> list[View]:
    """Return a view, or for all layers one of each; an extractor that cannot run has none to count."""
    if view.layer != "all" or learner.obstacle:
        return [view]
    n_layers = getattr(catalog.build(learner.spec), "n_layers", 1)
    return [replace(view, layer=number) for number in range(n_layers)]


def heads(request: Request, declared: Registry) -> list[Learner]:
    """Return the heads asked for, the baseline always among them."""
    offered = [name for name, head in declared.heads.items() if head.offered]
    names = dict.fromkeys([*(request.heads or offered), BASELINE])
    found = [_head(name, declared) for name in names]
    for head in found:
        if head.preprocess:
            raise UsageError(f"{head.source}: head '{head.name}' has preprocess; only extractors hear audio")
        if head.unit not in UNITS:
            units = " or ".join(UNITS)
            raise UsageError(f"{head.source}: head '{head.name}' has unit '{head.unit}'; expected {units}")
        if head.steps and head.unit == "layers":
            raise UsageError(f"{head.source}: head '{head.name}' sees layers, which no reducer takes")
    plain = [replace(head, grid={}) for head in found]
    tuned = [replace(head, name=f"{head.name} (tuned)") for head in found if head.grid and request.tune]
    return [_with_steps(head, request, declared) for head in (*plain, *tuned)]


def _head(name: str, declared: Registry) -> Spec:
    """Return the spec of a head, also of one that is asked for as REDUCER+HEAD."""
    *reducers, last = name.split(JOIN)
    head = catalog.resolve("head", last, declared.heads)
    return replace(head, name=name, steps=(*reducers, *head.steps))


def _with_steps(head: Spec, request: Request, declared: Registry) -> Learner:
    """Return a head's learner with its reducers', whose identities are part of its own."""
    steps = [_learner(catalog.find("reducer", name, declared.reducers), request) for name in head.steps]
    made = _learner(head, request)
    obstacle = next((each.obstacle for each in (*steps, made) if each.obstacle), None)
    whole = digest([made.digest, head.scale, head.grid, [step.digest for step in steps]])
    told = {"unit": head.unit, "scale": head.scale, "grid": head.grid}
    before = {step.spec.name: step.identity for step in steps}
    identity = {**made.identity, **told, **({"steps": before} if steps else {})}
    specs = tuple(step.spec for step in steps)
    return replace(made, digest=whole, obstacle=obstacle, steps=specs, identity=identity)


def _learner(spec: Spec, request: Request) -> Learner:
    """Return a spec with its identity, and with its weights and where they run if it has any."""
    command = catalog.missing(spec)
    if command:
        reason = f"{spec.kind} '{spec.name}' is not installed; run: {command}"
        return Learner(spec, obstacle=(Status.SKIPPED, reason))
    try:
        if spec.weights:
            path = weights.locate(spec.weights)
            device, precision = devices.resolve(request.device, request.precision)
            if "runtime" in spec.params:
                spec = _running(spec, request.runtime, device)
        identity = catalog.identity(spec)
        if spec.weights:
            identity = {**identity, "weights": weights.digest(path), "precision": precision}
            own = {"checkpoint": str(path), "device": device, "precision": precision}
            spec = replace(spec, params={**spec.params, **own})
    except PluginError as error:
        return Learner(spec, obstacle=(Status.FAILED, str(error)))
    except UnavailableError as error:
        reason = f"extractor '{spec.name}': {error}; run: bench fetch {spec.name}"
        return Learner(spec, obstacle=(Status.SKIPPED, reason))
    if spec.kind == "extractor":
        steps = preprocess.identity(preprocess.parse(spec.preprocess))
        identity = {**identity, "audio": {**audio.identity(), **steps}}
    return Learner(spec, catalog.key(identity), identity=identity)


def _running(spec: Spec, wanted: str, device: str) -> Spec:
    """Return a spec with what its network is run by, which is what is wanted unless it says so itself."""
    own = str(spec.params["runtime"])
    runtime = devices.runtime(wanted if own == "auto" else own, device)
    requires = (*spec.requires, *(["openvino"] if runtime == "openvino" else []))
    return replace(spec, params={**spec.params, "runtime": runtime}, requires=requires)
