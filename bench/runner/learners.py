"""Names -> extractors and heads, each with the digest of all that changes what it makes."""

from dataclasses import dataclass, replace

import bench
from bench import audio, devices, preprocess, registry, weights
from bench.errors import PluginError, UnavailableError, UsageError
from bench.registry import Registry
from bench.runner.request import Request
from bench.types import BASELINE, Spec, Status, View, digest

UNITS = ("clip", "frame")
"""What a head may see so far."""


@dataclass(frozen=True, slots=True)
class Learner:
    """An extractor or a head with the digest of all that changes what it makes, or with why it cannot run."""

    spec: Spec
    digest: str = ""
    obstacle: tuple[Status, str] | None = None


def extractors(request: Request, declared: Registry) -> list[tuple[Learner, View]]:
    """Return the extractors asked for as NAME or NAME@VIEW, or all that are offered and can run here."""
    texts = request.extractors or [name for name, spec in declared.extractors.items() if spec.offered]
    asked = [text.partition("@") for text in texts]
    names = dict.fromkeys(name for name, _, _ in asked)
    learners = {name: _learner(_extractor(name, request, declared), request) for name in names}
    points: dict[tuple[str, View], None] = {}
    for name, _, view in asked:
        if request.extractors or not learners[name].obstacle:
            points |= dict.fromkeys((name, each) for each in _views(learners[name], View.parse(view)))
    return [(learners[name], view) for name, view in points]


def _extractor(name: str, request: Request, declared: Registry) -> Spec:
    """Return the spec of an extractor with the steps that the request adds."""
    spec = registry.undeclared(name) or registry.find("extractor", name, declared.extractors)
    return replace(spec, preprocess=spec.preprocess + tuple(request.preprocess))


def _views(learner: Learner, view: View) -> list[View]:
    """Return a view, or for all layers one of each; an extractor that cannot run has none to count."""
    if view.layer != "all" or learner.obstacle:
        return [view]
    n_layers = getattr(registry.build(learner.spec), "n_layers", 1)
    return [replace(view, layer=number) for number in range(n_layers)]


def heads(request: Request, declared: Registry) -> list[Learner]:
    """Return the heads asked for, the baseline always among them."""
    offered = [name for name, head in declared.heads.items() if head.offered]
    names = dict.fromkeys([*(request.heads or offered), BASELINE])
    found = [registry.find("head", name, declared.heads) for name in names]
    for head in found:
        if head.preprocess:
            raise UsageError(f"{head.place}: head '{head.name}' has preprocess; only extractors hear audio")
        if head.unit not in UNITS:
            units = " or ".join(UNITS)
            raise UsageError(f"{head.place}: head '{head.name}' has unit '{head.unit}'; expected {units}")
    return [_learner(head, request) for head in found]


def _learner(spec: Spec, request: Request) -> Learner:
    """Return a spec with its identity, and with its weights and where they run if it has any."""
    command = registry.missing(spec)
    if command:
        reason = f"{spec.kind} '{spec.name}' is not installed; run: {command}"
        return Learner(spec, obstacle=(Status.SKIPPED, reason))
    try:
        if "runtime" in spec.params:
            spec = _running(spec, request)
        identity = registry.identity(spec)
        if spec.weights:
            path = weights.locate(spec.weights)
            device, precision = devices.resolve(request.device, request.precision)
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
    return Learner(spec, digest({**identity, "bench": bench.__version__}))


def _running(spec: Spec, request: Request) -> Spec:
    """Return a spec with what its network is run by, where that is left to the request."""
    asked = str(spec.params["runtime"])
    device, _ = devices.resolve(request.device, request.precision)
    runtime = devices.runtime(request.runtime if asked == "auto" else asked, device)
    requires = (*spec.requires, *(["openvino"] if runtime == "openvino" else []))
    return replace(spec, params={**spec.params, "runtime": runtime}, requires=requires)
