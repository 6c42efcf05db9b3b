"""Request -> the cells of the matrix, each with the digest of everything that changes its result."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from bench import augment, display, preprocess, splits
from bench.catalog import Registry, learners
from bench.catalog.learners import Learner, Obstacle
from bench.datasets import spelling
from bench.datasets.columns import suggest_groups
from bench.datasets.index import FOLDER_LABEL, Source, sources_of
from bench.embed import pooling
from bench.errors import BenchError, LabelError, LeakError, SplitError
from bench.keys import digest
from bench.keys.fingerprints import fingerprint
from bench.metrics import METRICS
from bench.request import Request
from bench.runner.choices import Selection, selections
from bench.runner.normalisation import is_label, normalise_group
from bench.runner.tasks import check_tasks, offered_tasks, requested_tasks
from bench.types import (
    BASELINE,
    UNPOOLED,
    Augmentation,
    Cell,
    CellObstacle,
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


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A task over a dataset: labels and split.

    Parameters
    ----------
    parent : Labels | None
        The clip that each segment is a part of; None where clips are no segments.
    fingerprint : str
        Digest of every clip's content, label, fold and groups.
    repeats : Sequence[Problem]
        The same by other assignments of groups to folds, in their order.
    normalise_group : Labels | None
        Group of every clip whose features are z-scored together; None if they are not.
    """

    task: Task
    y: Labels
    split: Split
    split_id: SplitId
    parent: Labels | None
    fingerprint: str
    repeats: Sequence[Problem] = ()
    normalise_group: Labels | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """What a cell adds to a dataset and a task."""

    extractor: Learner
    view: View
    head: Learner
    seed: int
    train_size: float
    normalise: str = ""

    @property
    def obstacle(self) -> Obstacle | None:
        """Return why the point cannot be computed on any data; None if it can."""
        head = self.head.spec.name
        if self.normalise and self.head.spec.unit in FRAMED:
            return Obstacle(Status.SKIPPED, CellObstacle("sees frames", (head, "--normalise")))
        if self.view.layer == "best" and self.head.spec.unit in FRAMED:
            return Obstacle(Status.SKIPPED, CellObstacle("sees frames", (head, "@layer=best")))
        if self.view.pool == UNPOOLED and self.head.spec.unit in {"clip", "layers"}:
            return Obstacle(Status.SKIPPED, CellObstacle("sees vectors", (head, UNPOOLED)))
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
    selections: Sequence[Selection] = ()

    def problem(self, cell: Cell) -> Problem:
        """Return the problem of a cell."""
        first = self.problems[cell.dataset, cell.task.name]
        return (first, *first.repeats)[cell.split.repeat]


def plan(request: Request, declared: Registry) -> Plan:
    """Return the matrix that a request spans.

    Raises
    ------
    UsageError
        If a name is unknown, a dataset cannot be opened, or a task fits none of the datasets.
    """
    augmentation_of(request)  # refuses unknown changes before any work
    extractors = learners.extractors(request, declared, pooling.parse)
    heads = learners.heads(request, declared)
    requested = requested_tasks(request, declared)
    label = requested[0].target if len(requested) == 1 else FOLDER_LABEL
    sources = sources_of(request, declared, label)
    tasks = requested or offered_tasks(sources, declared)
    check_tasks(tasks, sources)

    axes = itertools.product(extractors, heads, request.seeds, request.train_sizes)
    points = [
        Point(extractor, view, head, seed, train_size, request.normalise)
        for (extractor, view), head, seed, train_size in axes
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
        for part in (problem, *problem.repeats):
            cells += _cells(source, part, possible, request)
        rejected += [_rejected(source.dataset, task, point, obstacle) for point, obstacle in impossible]
    everything = [*(extractor for extractor, _ in extractors), *heads]
    cells = list({cell.key: cell for cell in cells}.values())  # views that differ in pooling share frames
    return Plan(
        sources=sources,
        problems=problems,
        digests={extractor.spec.name: extractor.digest for extractor, _ in extractors},
        identities={learner.spec.identity_name: learner.identity for learner in everything},
        cells=cells,
        rejected=rejected,
        selections=selections(cells) if request.select else (),
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


def _problem(source: Source, task: Task, request: Request, *, is_requested: bool) -> Problem | Obstacle:
    """Return a task over a dataset, or why there is none.

    Raises
    ------
    LabelError
        If the labels do not allow a task that was requested by name.
    """
    dataset = source.dataset
    if task.target not in dataset.labels:
        return Obstacle(Status.SKIPPED, CellObstacle("no target", (dataset.source, task.target)))
    group = normalise_group(dataset, request)
    has_choice = task.name == request.task_target and not request.task_groups
    commands: tuple[str, ...] = ()
    try:
        y = splits.target(dataset, task)
        commands = suggest_groups(dataset, task.target, leaks=False) if has_choice else ()
        split = splits.make(dataset, task, request.split, source.fingerprints)
        parts = splits.repeats(dataset, task, split, request.repeats)
    except LabelError as error:
        why = replace(_cause(error), commands=commands)
        if is_requested:
            raise LabelError(display.cell_obstacle(why)) from error
        return Obstacle(Status.SKIPPED, why)
    except SplitError as error:
        columns = {task.target, *task.groups} & {*dataset.labels}
        can_choose = has_choice and isinstance(error, LeakError)
        commands = suggest_groups(dataset, task.target, leaks=True) if can_choose else ()
        spellings = tuple(spelling.remarks(dataset, sorted(columns)))
        why = replace(_with_near_copies(_cause(error), source), commands=commands, spellings=spellings)
        return Obstacle(Status.FAILED if is_requested else Status.SKIPPED, why)
    if group is not None and is_label(group, y):
        why = CellObstacle("class as group", (request.normalise, task.target))
        return Obstacle(Status.FAILED if is_requested else Status.SKIPPED, why)
    first, *repeats = (
        Problem(
            task=task,
            y=y,
            split=part,
            split_id=SplitId(part.name, part.group, part.leaky, repeat=number),
            parent=dataset.table["parent"].to_numpy(str) if "parent" in dataset.labels else None,
            fingerprint=fingerprint(fold_table(source, y, part)),
            normalise_group=group,
        )
        for number, part in enumerate(parts)
    )
    return replace(first, repeats=repeats)


def _cause(error: BenchError) -> CellObstacle:
    """Return what an error says as a value."""
    obstacle = error.obstacle
    return obstacle if isinstance(obstacle, CellObstacle) else CellObstacle("error", message=str(error))


def _with_near_copies(cause: CellObstacle, source: Source) -> CellObstacle:
    """Return why a listed split is refused, with the number of near copies if copies are on both sides."""
    is_of_copies = any(group.kind == "leak" and splits.COPIES in group.columns for group in cause.groups)
    return replace(cause, counts=(source.n_near,)) if is_of_copies and source.n_near else cause


def _cells(source: Source, problem: Problem, points: Sequence[Point], request: Request) -> Iterator[Cell]:
    """Yield the cell of every point."""
    n_permutations, augmentation = request.n_permutations, augmentation_of(request)
    options: dict[str, object] = {"permutations": n_permutations} if n_permutations else {}
    if problem.normalise_group is not None:
        options["normalise"] = [request.normalise, digest(problem.normalise_group.tolist())]
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
            key=digest([*digests, point.seed, point.train_size, *([options] if options else [])]),
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
            n_permutations=n_permutations,
            normalise=request.normalise,
        )


def _view_of_unit(view: View, head: Spec) -> View:
    """Return the part of a view that a head depends on; the baseline chooses no layer."""
    if head.name == BASELINE and view.layer == "best":
        return replace(view, layer="last")
    if head.unit in FRAMED:
        return replace(view, pool=UNPOOLED)
    return replace(view, layer="all") if head.unit == "layers" else view


def _rejected(dataset: Dataset, task: Task, point: Point, obstacle: Obstacle) -> Result:
    """Return the result of a point that cannot be computed; no cell shares its key."""
    extractor, head, view = point.extractor.spec, point.head.spec, point.view
    names = [dataset.name, task.name, extractor.name, [view.layer, view.pool], head.name]
    options = [*([point.normalise] if point.normalise else []), *(["tuned"] if head.is_tuned else [])]
    return Result(
        key=digest(["not computed", names, point.seed, point.train_size, *options]),
        dataset=dataset.name,
        task=TaskId(task.name),
        extractor=extractor.name,
        view=view,
        head=head.name,
        seed=point.seed,
        split=None,
        status=obstacle.status,
        synthetic=dataset.synthetic,
        obstacle=obstacle.why,
        train_size=point.train_size,
        normalise=point.normalise,
        is_tuned=head.is_tuned,
    )
