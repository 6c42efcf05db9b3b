"""Tasks of a request: those that it names, those that fit the data, and whether they can be run."""

from collections.abc import Mapping, Sequence

from bench import catalog
from bench.catalog import Registry
from bench.datasets.columns import ORIGINS, strict_groups, suggest_target
from bench.datasets.index import Source
from bench.errors import UsageError, shortlist
from bench.metrics import METRICS
from bench.request import Request
from bench.types import Dataset, Task

TARGET_METRICS = ("accuracy", "balanced_accuracy", "f1_macro")
"""Metrics of a task made of a label column."""


def requested_tasks(request: Request, declared: Registry) -> list[Task]:
    """Return the tasks named in a request, and the one made of its target and groups."""
    tasks = [catalog.task(name, declared) for name in dict.fromkeys(request.tasks)]
    target, groups = request.task_target, tuple(request.task_groups)
    if target in request.tasks:
        raise UsageError(f"--task-target {target}: is also in --tasks; give one of them")
    if groups and not target:
        raise UsageError(f"--task-group {','.join(groups)}: needs --task-target")
    if target:
        tasks.append(Task(target, target, groups or strict_groups(target), TARGET_METRICS))
    return tasks


def offered_tasks(sources: Mapping[str, Source], declared: Registry) -> list[Task]:
    """Return the declared tasks whose target is a label of some dataset."""
    targets = {label for source in sources.values() for label in source.dataset.labels}
    return [task for task in declared.tasks.values() if task.target in targets]


def check_tasks(tasks: Sequence[Task], sources: Mapping[str, Source]) -> None:
    """Raise UsageError for a task that is incomplete or fits no dataset, and for no task at all."""
    _refuse_no_labels(tasks, [source.dataset for source in sources.values()])
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


def _refuse_no_labels(tasks: Sequence[Task], datasets: Sequence[Dataset]) -> None:
    """Raise UsageError for datasets without labels, unless a task predicts a column that they have."""
    columns = {label for dataset in datasets for label in dataset.labels}
    if columns <= ORIGINS and not columns & {task.target for task in tasks}:
        names = shortlist([dataset.source for dataset in datasets])
        raise UsageError(
            f"{names}: no labels to predict; expected a folder per class (CLASS/*.wav) or a table with a "
            "column of labels; `bench explore` and `bench embed` need none"
        )
