"""What was asked -> the cells of the matrix, each with the key of everything that changes its result."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from bench import audio, augment, catalog, splits
from bench.catalog import Registry, learners
from bench.catalog.learners import Learner
from bench.datasets.index import FOLDER_LABEL, Source, sources_of
from bench.embed import pooling
from bench.errors import LabelError, SplitError, UsageError
from bench.keys import digest
from bench.keys.fingerprints import fingerprint
from bench.metrics import METRICS
from bench.request import Request
from bench.types import UNPOOLED, Cell, Dataset, Labels, Layer, Result, Spec, Split, Status, Task, View


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A task over a dataset: the labels, the split, and for segments the clips that they are of.

    Parameters
    ----------
    protocol : str
        The split in words, and whether groups have exchanged their labels.
    fingerprint : str
        Of every clip's content, label, fold and groups.
    """

    task: Task
    y: Labels
    split: Split
    parent: Labels | None
    protocol: str
    fingerprint: str


GROUP_PREFIX = "group "
"""Of the columns of a split's table that hold groups."""

FRAMED = ("frame", "sequence")
"""The units that see frames."""

TARGET_METRICS = ("accuracy", "balanced_accuracy", "f1_macro")
"""Of a task that is made of a label column."""


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


Point = tuple[tuple[Learner, View], Learner, int, float]
"""What a cell adds to a dataset and a task: extractor with view, head, seed, share of the training groups."""


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
    identities : Mapping[str, Mapping[str, Any]]
        By the names of extractors and heads: all that changes what they make.
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
    augment.parse(request.augment)
    extractors = learners.extractors(request, declared, pooling.parse)
    heads = learners.heads(request, declared)
    asked = _asked(request, declared)
    label = asked[0].target if len(asked) == 1 else FOLDER_LABEL
    sources = sources_of(request, declared, label)
    tasks = asked or _offered(sources, declared)
    _refuse_hopeless(tasks, sources)

    matrix = list(itertools.product(extractors, heads, request.seeds, request.train_sizes))
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
        y, protocol = splits.target(dataset, task), split.label
        if request.permute_labels:
            y, protocol = splits.permuted(y, split), f"{protocol}, labels permuted"
        folds = fingerprint(fold_table(source, y, split))
        problem = Problem(task, y, split, parent, protocol, folds)
        problems[dataset.name, task.name] = problem
        points = [point for point in matrix if not _obstacle(point)]
        cells += _cells(source, problem, points, request.augmented)
        rejected += [_reject(dataset, task, point, *o) for point in matrix if (o := _obstacle(point))]
    cells = list({cell.key: cell for cell in cells}.values())  # frames have no pooling, and so on
    digests = {extractor.spec.name: extractor.digest for extractor, _ in extractors}
    learnt = [*(extractor for extractor, _ in extractors), *heads]
    identities = {learner.spec.name: learner.identity for learner in learnt}
    return Plan(sources, problems, digests, identities, cells, rejected)


def layers(cell: Cell) -> set[Layer]:
    """Return the layers of which a cell sees frames."""
    return {cell.view.layer} if cell.head.unit in FRAMED else set()


def _asked(request: Request, declared: Registry) -> list[Task]:
    """Return the tasks asked for by name, and the one made of a target and its groups."""
    tasks = [catalog.task(name, declared) for name in dict.fromkeys(request.tasks)]
    target, groups = request.task_target, tuple(request.task_groups)
    if target in request.tasks:
        raise UsageError(f"--task-target {target}: is a task in --tasks too; ask for one of them")
    if groups and not target:
        raise UsageError(f"--task-group {','.join(groups)}: of which task? give --task-target too")
    if target:
        tasks.append(Task(target, target, groups or ("recording",), TARGET_METRICS))
    return tasks


def split_table(dataset: Dataset, task: Task, how: str, column: str) -> pd.DataFrame:
    """Return the split that a run would use, as `splits.listed` lists it.

    Raises
    ------
    UsageError
        If the split or the column does not fit the dataset.
    """
    split = splits.make(dataset, task, how, audio.heard(dataset.clips()))
    return splits.listed(split, dataset, column)


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
                f"{task.source}: task '{task.name}' has no metrics or no groups; expected one or more"
            )
        for metric in task.metrics:
            catalog.find("metric", metric, METRICS)
        if METRICS[task.metrics[0]].needs != "labels":
            raise UsageError(
                f"{task.source}: task '{task.name}' ranks by '{task.metrics[0]}', which not every head gives; "
                "put a metric of labels first, such as accuracy"
            )
        if not any(task.target in source.dataset.labels for source in sources.values()):
            raise UsageError(f"task '{task.name}' predicts the column '{task.target}', but {described}")
    if not tasks:
        raise UsageError(f"no task fits the data: {described}; add one to registry/tasks.toml")


def _obstacle(point: Point) -> tuple[Status, str] | None:
    (extractor, view), head, *_ = point
    if view.pool == UNPOOLED and head.spec.unit in {"clip", "layers"}:
        return Status.SKIPPED, f"head '{head.spec.name}' sees pooled vectors, and @pool=none makes none"
    return extractor.obstacle or head.obstacle


def _cells(source: Source, problem: Problem, matrix: Sequence[Point], augmented: str) -> list[Cell]:
    """Return the cell of every point."""
    dataset, task = source.dataset, problem.task
    shared = digest(
        {
            "dataset": [dataset.name, dataset.version],
            "task": [task.name, task.target, [f"{name}{METRICS[name].origin}" for name in task.metrics]],
            "split": problem.protocol,
            "clips": problem.fingerprint,
            "copies": digest(source.copies),
        }
    )
    cells = []
    for (extractor, asked), head, seed, train_size in matrix:
        view = _seen(asked, head.spec)
        key = digest([shared, extractor.digest, view.layer, view.pool, head.digest, seed, train_size])
        specs = (extractor.spec, view, head.spec)
        names = (dataset.name, dataset.synthetic, task)
        cells.append(Cell(*names, *specs, seed, problem.protocol, key, head.steps, augmented, train_size))
    return cells


def _seen(view: View, head: Spec) -> View:
    """Return the view that a head of some unit sees of the one asked for."""
    if head.unit in FRAMED:
        return replace(view, pool=UNPOOLED)
    return replace(view, layer="all") if head.unit == "layers" else view


def _reject(dataset: Dataset, task: Task, point: Point, status: Status, reason: str) -> Result:
    """Return the result of a point that cannot be computed; its key is that of no cell."""
    (extractor, view), head, seed, train_size = point
    names = (dataset.name, task.name, extractor.spec.name, str(view), head.spec.name)
    key = digest(["not computed", *names, seed, train_size])
    return Result(key, *names, seed, "", status, dataset.synthetic, reason=reason, train_size=train_size)
