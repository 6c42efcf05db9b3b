"""What was asked -> the cells of the matrix, each with the key of everything that changes its result."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import bench
from bench import audio, augment, datasets, devices, preprocess, registry, weights
from bench.datasets import splits
from bench.errors import ClipError, LabelError, PluginError, SplitError, UnavailableError, UsageError
from bench.metrics import METRICS
from bench.registry import Registry
from bench.types import (
    BASELINE,
    UNPOOLED,
    Cell,
    Dataset,
    Labels,
    Result,
    Spec,
    Split,
    Status,
    Task,
    View,
    digest,
)

if TYPE_CHECKING:
    import pandas as pd

UNITS = ("clip", "frame")
"""What a head may see so far."""

FOLDER_LABEL = "class"
"""What a folder's classes are, unless one single task says what they are."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asks for; an empty list of names asks for everything that fits the data.

    Parameters
    ----------
    home : Path
        The folder for corpora that are made or downloaded, and for the cache.
    allow_bad : float
        The share of a dataset's clips that may be undecodable, in [0, 1].
    command : str
        The command line, for run.json.
    task_target : str
        A label column to predict besides, as a task of its name.
    task_groups : Sequence[str]
        The columns that this task keeps apart, from strict to lenient; the recording if there are none.
    preprocess : Sequence[str]
        What `bench.preprocess` does to every clip, after what an extractor's own entry asks for.
    augment : Sequence[str]
        What `bench.augment` does to copies of the training clips.
    copies : int
        Of each training clip, if they are augmented.
    device, precision : str
        As `devices.resolve` takes them.
    """

    datasets: Sequence[str]
    home: Path
    tasks: Sequence[str] = ()
    extractors: Sequence[str] = ()
    heads: Sequence[str] = ()
    split: str = ""
    seeds: Sequence[int] = (0,)
    allow_bad: float = 0.05
    command: str = ""
    task_target: str = ""
    task_groups: Sequence[str] = ()
    preprocess: Sequence[str] = ()
    augment: Sequence[str] = ()
    copies: int = 1
    device: str = "auto"
    precision: str = "fp32"

    @property
    def augmented(self) -> str:
        """Return in words what is done to copies of the training clips; empty if there are none."""
        times = f"{self.copies} copies" if self.copies > 1 else "1 copy"
        return f"{times} of each: {', '.join(self.augment)}" if self.augment else ""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A dataset with what is known of its clips' audio.

    Parameters
    ----------
    contents : Sequence[str]
        The digest of every clip's content, empty where it is unreadable.
    heard : Sequence[str]
        What is the same of clips that hold the same samples.
    unreadable : Mapping[str, str]
        Clip -> why it is unreadable.
    copies : Sequence[Sequence[str]]
        The same as `contents` of every augmented copy.
    """

    dataset: Dataset
    contents: Sequence[str]
    heard: Sequence[str]
    unreadable: Mapping[str, str]
    copies: Sequence[Sequence[str]] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A task over a dataset: the labels, the split, and for segments the clips that they are of."""

    task: Task
    y: Labels
    split: Split
    parent: Labels | None


@dataclass(frozen=True, slots=True)
class Learner:
    """An extractor or a head with the digest of all that changes what it makes, or with why it cannot run."""

    spec: Spec
    digest: str = ""
    obstacle: tuple[Status, str] | None = None


Point = tuple[tuple[Learner, View], Learner, int]
"""What a cell adds to a dataset and a task: extractor with view, head, seed."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The cells to compute, and the results that are known without computing: skipped and failed ones.

    Parameters
    ----------
    sources : Mapping[str, Source]
        By the dataset's name.
    problems : Mapping[tuple[str, str], Problem]
        By the names of dataset and task.
    digests : Mapping[str, str]
        By the extractor's name: what the cache keeps its embeddings under.
    """

    sources: Mapping[str, Source]
    problems: Mapping[tuple[str, str], Problem]
    digests: Mapping[str, str]
    cells: Sequence[Cell]
    rejected: Sequence[Result]


def plan(request: Request, declared: Registry) -> Plan:
    """Return the matrix that a request spans.

    Raises
    ------
    UsageError
        If a name is unknown, a dataset cannot be opened, or a task fits none of the datasets.
    """
    augment.parse(request.augment)
    extractors = chosen(request, declared)
    heads = _heads(request, declared)
    asked = _asked(request, declared)
    label = asked[0].target if len(asked) == 1 else FOLDER_LABEL
    sources = opened(request, declared, label)
    tasks = asked or _offered(sources, declared)
    _refuse_hopeless(tasks, sources)

    matrix = list(itertools.product(extractors, heads, request.seeds))
    problems: dict[tuple[str, str], Problem] = {}
    cells: list[Cell] = []
    rejected: list[Result] = []
    for source, task in itertools.product(sources.values(), tasks):
        dataset = source.dataset
        if task.target not in dataset.labels:
            reason = f"{dataset.source} has no column '{task.target}'"
            rejected += [_reject(dataset, task, point, Status.SKIPPED, reason) for point in matrix]
            continue
        try:
            split = splits.make(dataset, task, request.split, source.heard)
        except (SplitError, LabelError) as error:
            if asked and isinstance(error, LabelError):
                raise
            status = Status.FAILED if asked else Status.SKIPPED  # nobody asked for what the data merely offer
            rejected += [_reject(dataset, task, point, status, str(error)) for point in matrix]
            continue
        parent = dataset.table["parent"].to_numpy(str) if "parent" in dataset.labels else None
        problem = Problem(task, splits.target(dataset, task), split, parent)
        problems[dataset.name, task.name] = problem
        points = [point for point in matrix if not _obstacle(point)]
        cells += _cells(source, problem, points, request.augmented)
        rejected += [_reject(dataset, task, point, *o) for point in matrix if (o := _obstacle(point))]
    digests = {extractor.spec.name: extractor.digest for extractor, _ in extractors}
    return Plan(sources, problems, digests, cells, rejected)


def _asked(request: Request, declared: Registry) -> list[Task]:
    """Return the tasks asked for by name, and the one made of a target and its groups."""
    tasks = [registry.find("task", name, declared.tasks) for name in dict.fromkeys(request.tasks)]
    target, groups = request.task_target, tuple(request.task_groups)
    if target in request.tasks:
        raise UsageError(f"--task-target {target}: is a task in --tasks too; ask for one of them")
    if groups and not target:
        raise UsageError(f"--task-group {','.join(groups)}: of which task? give --task-target too")
    if target:
        tasks.append(Task(target, target, groups or ("recording",), tuple(METRICS)))
    return tasks


def chosen(request: Request, declared: Registry) -> list[tuple[Learner, View]]:
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


def _heads(request: Request, declared: Registry) -> list[Learner]:
    """Return the heads asked for, the baseline always among them."""
    offered = [name for name, head in declared.heads.items() if head.offered]
    names = dict.fromkeys([*(request.heads or offered), BASELINE])
    heads = [registry.find("head", name, declared.heads) for name in names]
    for head in heads:
        if head.preprocess:
            raise UsageError(f"{head.place}: head '{head.name}' has preprocess; only extractors hear audio")
        if head.unit not in UNITS:
            units = " or ".join(UNITS)
            raise UsageError(f"{head.place}: head '{head.name}' has unit '{head.unit}'; expected {units}")
    return [_learner(head, request) for head in heads]


def _learner(spec: Spec, request: Request) -> Learner:
    """Return a spec with its identity, and with its weights and where they run if it has any."""
    command = registry.missing(spec)
    if command:
        reason = f"{spec.kind} '{spec.name}' is not installed; run: {command}"
        return Learner(spec, obstacle=(Status.SKIPPED, reason))
    try:
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


def opened(request: Request, declared: Registry, label: str = FOLDER_LABEL) -> dict[str, Source]:
    """Return the sources of a request by their datasets' names.

    Raises
    ------
    UsageError
        If a dataset cannot be opened, or two of them have one name.
    """
    sources: dict[str, Source] = {}
    for text in request.datasets:
        source = _source(open_dataset(text, declared, request.home, label), request)
        name = source.dataset.name
        if name in sources:
            known = sources[name].dataset.source
            raise UsageError(f"--datasets: {known} and {text} are both called '{name}'; rename one")
        sources[name] = source
    return sources


def open_dataset(text: str, declared: Registry, home: Path, label: str = FOLDER_LABEL) -> Dataset:
    """Return the dataset that a name or a path gives.

    Parameters
    ----------
    home : Path
        The folder for corpora that are made or downloaded.
    label : str
        The label column that a folder's classes go into.

    Raises
    ------
    UsageError
        If it is neither or both, or cannot be opened.
    """
    path = Path(text)
    if text in declared.cards and path.is_dir():
        raise UsageError(f"--datasets {text}: is a data set and a folder here; write ./{text} for the folder")
    if path.suffix == ".toml":
        return datasets.from_card(registry.card(path), home)
    if path.exists() or path.suffix or len(path.parts) > 1:
        return datasets.from_path(path, label)
    return datasets.from_card(registry.find("data set", text, declared.cards), home)


def split_table(dataset: Dataset, task: Task, how: str, column: str) -> pd.DataFrame:
    """Return the split that a run would use, as `splits.listed` lists it.

    Raises
    ------
    UsageError
        If the split or the column does not fit the dataset.
    """
    split = splits.make(dataset, task, how, audio.heard(dataset.clips()))
    return splits.listed(split, dataset, column)


def _source(dataset: Dataset, request: Request) -> Source:
    clips, contents, unreadable = dataset.clips(), [], {}
    sha256 = functools.cache(audio.sha256)  # many clips may be windows of one file
    for clip in clips:
        try:
            contents.append(audio.content(clip, sha256))
        except ClipError as error:
            contents.append("")
            unreadable[clip.id] = str(error)
    changes = [*request.augment, augment.identity()]
    copies = [
        [content and digest([content, changes, copy]) for content in contents]
        for copy in range(request.copies if request.augment else 0)
    ]
    return Source(dataset, contents, audio.heard(clips), unreadable, copies)


def _offered(sources: Mapping[str, Source], declared: Registry) -> list[Task]:
    """Return the tasks whose target some dataset has."""
    targets = {label for source in sources.values() for label in source.dataset.labels}
    return [task for task in declared.tasks.values() if task.target in targets]


def _refuse_hopeless(tasks: Sequence[Task], sources: Mapping[str, Source]) -> None:
    """Raise UsageError for a task that is incomplete or fits no dataset, and if there is no task at all."""
    described = "; ".join(f"{s.dataset.source} has {', '.join(s.dataset.labels)}" for s in sources.values())
    for task in tasks:
        if not (task.metrics and task.groups):
            raise UsageError(
                f"{task.place}: task '{task.name}' has no metrics or no groups; expected one or more"
            )
        for metric in task.metrics:
            registry.find("metric", metric, METRICS)
        if not any(task.target in source.dataset.labels for source in sources.values()):
            raise UsageError(f"task '{task.name}' predicts the column '{task.target}', but {described}")
    if not tasks:
        raise UsageError(f"no task fits the data: {described}; add one to registry/tasks.toml")


def _obstacle(point: Point) -> tuple[Status, str] | None:
    (extractor, view), head, _ = point
    if view.pool == UNPOOLED and head.spec.unit == "clip":
        return Status.SKIPPED, f"head '{head.spec.name}' sees one vector per clip, and @pool=none makes none"
    return extractor.obstacle or head.obstacle


def _cells(source: Source, problem: Problem, matrix: Sequence[Point], augmented: str) -> list[Cell]:
    """Return the cell of every point."""
    dataset, task, split = source.dataset, problem.task, problem.split
    columns = (dataset.table["clip"].tolist(), source.contents, problem.y.tolist(), split.fold.tolist())
    shared = {
        "dataset": [dataset.name, dataset.version],
        "task": [task.name, task.target, task.metrics],
        "split": split.label,
        "clips": digest(list(zip(*columns, strict=True))),
    }
    if source.copies:
        shared["copies"] = digest(source.copies)
    cells = []
    for (extractor, asked), head, seed in matrix:
        view = replace(asked, pool=UNPOOLED) if head.spec.unit == "frame" else asked
        point = {"extractor": extractor.digest, "view": asdict(view), "head": head.digest, "seed": seed}
        key = digest({**shared, **point})
        specs = (extractor.spec, view, head.spec)
        names = (dataset.name, dataset.synthetic, task)
        cells.append(Cell(*names, *specs, seed, split.label, key, augmented))
    return cells


def _reject(dataset: Dataset, task: Task, point: Point, status: Status, reason: str) -> Result:
    """Return the result of a point that cannot be computed; its key is that of no cell."""
    (extractor, view), head, seed = point
    names = (dataset.name, task.name, extractor.spec.name, str(view), head.spec.name)
    key = digest(["not computed", *names, seed])
    return Result(key, *names, seed, "", status, dataset.synthetic, reason=reason)
