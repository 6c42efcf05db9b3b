"""Request -> the cells of the matrix, each with the digest of everything that changes its result."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from bench import augment, catalog, preprocess, splits
from bench.catalog import Registry, learners
from bench.catalog.learners import Learner, Obstacle
from bench.datasets import spelling
from bench.datasets.columns import suggest_target
from bench.datasets.index import FOLDER_LABEL, Source, copies, sources_of
from bench.embed import pooling
from bench.errors import LabelError, SplitError, UsageError
from bench.keys import digest
from bench.keys.fingerprints import fingerprint
from bench.metrics import METRICS
from bench.request import Request
from bench.types import (
    UNPOOLED,
    Augmentation,
    Cell,
    Change,
    Dataset,
    Labels,
    Layer,
    Result,
    Spec,
    Split,
    SplitId,
    Status,
    Step,
    Task,
    TaskId,
    View,
)

GROUP_PREFIX = "group "
"""Prefix of the columns of a split's table that hold groups."""

FRAMED = ("frame", "sequence")
"""Units of heads that see frames."""

TARGET_METRICS = ("accuracy", "balanced_accuracy", "f1_macro")
"""Metrics of a task made of a label column."""


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A task over a dataset: labels and split.

    Parameters
    ----------
    parent : Labels | None
        The clip that each segment is a part of; None where clips are no segments.
    fingerprint : str
        Digest of every clip's content, label, fold and groups.
    """

    task: Task
    y: Labels
    split: Split
    split_id: SplitId
    parent: Labels | None
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Point:
    """What a cell adds to a dataset and a task."""

    extractor: Learner
    view: View
    head: Learner
    seed: int
    train_size: float

    @property
    def obstacle(self) -> Obstacle | None:
        """Return why the point cannot be computed on any data; None if it can."""
        if self.view.pool == UNPOOLED and self.head.spec.unit in {"clip", "layers"}:
            head = self.head.spec.name
            return Obstacle(Status.SKIPPED, f"head '{head}' needs pooled vectors; remove @pool={UNPOOLED}")
        return self.extractor.obstacle or self.head.obstacle


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The cells to compute, and the results of those that cannot be computed.

    Parameters
    ----------
    sources : Mapping[str, Source]
        By the dataset's name.
    problems : Mapping[tuple[str, str], Problem]
        By the names of dataset and task.
    digests : Mapping[str, str]
        Extractor's name -> the digest that the cache keeps its embeddings under.
    identities : Mapping[str, Mapping[str, Any]]
        Name of an extractor or head -> everything that changes what it computes.
    """

    sources: Mapping[str, Source]
    problems: Mapping[tuple[str, str], Problem]
    digests: Mapping[str, str]
    identities: Mapping[str, Mapping[str, Any]]
    cells: Sequence[Cell]
    rejected: Sequence[Result]


def plan(request: Request, declared: Registry) -> Plan:
    """Return the matrix that a request spans.

    Raises
    ------
    UsageError
        If a name is unknown, a dataset cannot be opened, or a task fits none of the datasets.
    """
    augmentation = augmentation_of(request)
    extractors = learners.extractors(request, declared, pooling.parse)
    heads = learners.heads(request, declared)
    requested = _requested_tasks(request, declared)
    label = requested[0].target if len(requested) == 1 else FOLDER_LABEL
    sources = sources_of(request, declared, label)
    tasks = requested or _offered_tasks(sources, declared)
    _check_tasks(tasks, sources)

    axes = itertools.product(extractors, heads, request.seeds, request.train_sizes)
    points = [
        Point(extractor, view, head, seed, train_size) for (extractor, view), head, seed, train_size in axes
    ]
    possible = [point for point in points if point.obstacle is None]
    impossible = [(point, obstacle) for point in points if (obstacle := point.obstacle)]
    problems: dict[tuple[str, str], Problem] = {}
    cells: list[Cell] = []
    rejected: list[Result] = []
    for source, task in itertools.product(sources.values(), tasks):
        problem = _problem(source, task, request, is_requested=bool(requested))
        if isinstance(problem, Obstacle):
            rejected += [_rejected(source.dataset, task, point, problem) for point in points]
            continue
        problems[source.dataset.name, task.name] = problem
        cells += _cells(source, problem, possible, augmentation)
        rejected += [_rejected(source.dataset, task, point, obstacle) for point, obstacle in impossible]
    everything = [*(extractor for extractor, _ in extractors), *heads]
    return Plan(
        sources=sources,
        problems=problems,
        digests={extractor.spec.name: extractor.digest for extractor, _ in extractors},
        identities={learner.spec.name: learner.identity for learner in everything},
        cells=list({cell.key: cell for cell in cells}.values()),  # views that differ in pooling share frames
        rejected=rejected,
    )


def augmentation_of(request: Request) -> Augmentation | None:
    """Return the changed copies of training clips that a request asks for.

    Raises
    ------
    UsageError
        If a change is unknown or beyond its range.
    """
    changes = augment.parse(request.augment)
    return Augmentation(tuple(Change(*change) for change in changes), request.copies) if changes else None


def steps_of(spec: Spec) -> tuple[Step, ...]:
    """Return the preprocessing steps of an extractor."""
    steps = preprocess.parse(spec.preprocess)
    default = preprocess.parse(()).quality
    quality = () if steps.quality == default else (Step(preprocess.RESAMPLE, steps.quality),)
    return (*(Step(name, value) for name, value in steps.steps), *quality)


def fold_table(source: Source, y: Labels, split: Split) -> pd.DataFrame:
    """Return the content, label, fold and groups of every clip."""
    columns = {
        "clip": source.dataset.table["clip"].to_numpy(),
        "content": source.contents,
        "y": y,
        "fold": split.fold,
    }
    groups = {f"{GROUP_PREFIX}{name}": group for name, group in split.groups.items()}
    return pd.DataFrame({**columns, **groups}, dtype=object)


def layers(cell: Cell) -> set[Layer]:
    """Return the layers whose frames a cell's head sees."""
    return {cell.view.layer} if cell.head.unit in FRAMED else set()


def split_table(dataset: Dataset, task: Task, how: str, column: str) -> pd.DataFrame:
    """Return the split that a run would use, as `splits.listing` lists it.

    Raises
    ------
    UsageError
        If the split or the column does not fit the dataset.
    """
    split = splits.make(dataset, task, how, copies(dataset))
    return splits.listing(split, dataset, column)


def _requested_tasks(request: Request, declared: Registry) -> list[Task]:
    """Return the tasks named in a request, and the one made of its target and groups."""
    tasks = [catalog.task(name, declared) for name in dict.fromkeys(request.tasks)]
    target, groups = request.task_target, tuple(request.task_groups)
    if target in request.tasks:
        raise UsageError(f"--task-target {target}: is also in --tasks; give one of them")
    if groups and not target:
        raise UsageError(f"--task-group {','.join(groups)}: needs --task-target")
    if target:
        tasks.append(Task(target, target, groups or ("recording",), TARGET_METRICS))
    return tasks


def _offered_tasks(sources: Mapping[str, Source], declared: Registry) -> list[Task]:
    """Return the declared tasks whose target is a label of some dataset."""
    targets = {label for source in sources.values() for label in source.dataset.labels}
    return [task for task in declared.tasks.values() if task.target in targets]


def _check_tasks(tasks: Sequence[Task], sources: Mapping[str, Source]) -> None:
    """Raise UsageError for a task that is incomplete or fits no dataset, and for no task at all."""
    columns = "; ".join(f"{s.dataset.source} has {', '.join(s.dataset.labels)}" for s in sources.values())
    for task in tasks:
        where = f"{task.source}: task '{task.name}'"
        if not (task.metrics and task.groups):
            raise UsageError(f"{where}: expected one metric or more, and one group or more")
        for metric in task.metrics:
            catalog.find("metric", metric, METRICS)
        if METRICS[task.metrics[0]].needs != "labels":
            raise UsageError(
                f"{where}: '{task.metrics[0]}' cannot rank, since some heads do not give it; put a metric of "
                "labels first, such as accuracy"
            )
        if not any(task.target in source.dataset.labels for source in sources.values()):
            fix = suggest_target([source.dataset for source in sources.values()], task.target)
            raise UsageError(f"task '{task.name}': no column '{task.target}'; {columns}{fix}")
    if not tasks:
        fix = suggest_target([source.dataset for source in sources.values()])
        raise UsageError(f"no task fits the data: {columns}{fix or '; add one to registry/tasks.toml'}")


def _problem(source: Source, task: Task, request: Request, *, is_requested: bool) -> Problem | Obstacle:
    """Return a task over a dataset, or why there is none.

    Raises
    ------
    LabelError
        If the labels do not allow a task that was requested by name.
    """
    dataset = source.dataset
    if task.target not in dataset.labels:
        return Obstacle(Status.SKIPPED, f"{dataset.source} has no column '{task.target}'")
    try:
        split = splits.make(dataset, task, request.split, source.fingerprints)
    except LabelError as error:
        if is_requested:
            raise
        return Obstacle(Status.SKIPPED, str(error))
    except SplitError as error:
        columns = {task.target, *task.groups} & {*dataset.labels}
        reason = "; ".join([str(error), *spelling.remarks(dataset, sorted(columns))])
        return Obstacle(Status.FAILED if is_requested else Status.SKIPPED, reason)
    y = splits.target(dataset, task)
    if request.permute_labels:
        y = splits.permute_labels(y, split)
    return Problem(
        task=task,
        y=y,
        split=split,
        split_id=SplitId(split.name, split.group, split.leaky, request.permute_labels),
        parent=dataset.table["parent"].to_numpy(str) if "parent" in dataset.labels else None,
        fingerprint=fingerprint(fold_table(source, y, split)),
    )


def _cells(
    source: Source, problem: Problem, points: Sequence[Point], augmentation: Augmentation | None
) -> Iterator[Cell]:
    """Yield the cell of every point."""
    dataset, task, split = source.dataset, problem.task, problem.split_id
    shared = digest(
        {
            "dataset": [dataset.name, dataset.version],
            "task": [task.name, task.target, [[name, METRICS[name].origin] for name in task.metrics]],
            "split": [split.protocol, split.group, split.leaky, split.permuted],
            "clips": problem.fingerprint,
            "copies": digest(source.copies),
        }
    )
    for point in points:
        view = _view_of_unit(point.view, point.head.spec)
        digests = [shared, point.extractor.digest, view.layer, view.pool, point.head.digest]
        yield Cell(
            key=digest([*digests, point.seed, point.train_size]),
            dataset=dataset.name,
            synthetic=dataset.synthetic,
            task=task,
            extractor=point.extractor.spec,
            view=view,
            head=point.head.spec,
            seed=point.seed,
            split=split,
            steps=point.head.steps,
            preprocess=steps_of(point.extractor.spec),
            augmentation=augmentation,
            train_size=point.train_size,
        )


def _view_of_unit(view: View, head: Spec) -> View:
    """Return the part of a view that a head's unit depends on."""
    if head.unit in FRAMED:
        return replace(view, pool=UNPOOLED)
    return replace(view, layer="all") if head.unit == "layers" else view


def _rejected(dataset: Dataset, task: Task, point: Point, obstacle: Obstacle) -> Result:
    """Return the result of a point that cannot be computed; no cell shares its key."""
    extractor, head, view = point.extractor.spec, point.head.spec, point.view
    names = [dataset.name, task.name, extractor.name, [view.layer, view.pool], head.name]
    return Result(
        key=digest(["not computed", names, point.seed, point.train_size]),
        dataset=dataset.name,
        task=TaskId(task.name),
        extractor=extractor.name,
        view=view,
        head=head.name,
        seed=point.seed,
        split=None,
        status=obstacle.status,
        synthetic=dataset.synthetic,
        reason=obstacle.reason,
        train_size=point.train_size,
    )
