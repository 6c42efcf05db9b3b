"""Texts of why groups cannot be kept apart and cells not be computed."""

from collections.abc import Callable, Mapping

from bench.display.notes import note
from bench.errors import listing
from bench.types import CellObstacle, GroupObstacle, Result

ONE_GROUP = "all clips are in one group"


def obstacle(obstacle: GroupObstacle) -> str:
    """Return why groups are not kept apart, behind the names of their columns.

    Examples
    --------
    >>> obstacle(GroupObstacle(("session",), "absent"))
    'session: there is no such column'
    >>> obstacle(GroupObstacle(("speaker", "session"), "few groups", 1, 2))
    'speaker with session: all clips are in one group'
    """
    columns = " with ".join(obstacle.columns)
    text = reason(obstacle)
    if obstacle.kind == "leak":
        text = f"{_examples(obstacle)} on both sides of fold '{obstacle.fold}' of split '{obstacle.protocol}'"
    return ": ".join(filter(None, [columns, text]))


def reason(obstacle: GroupObstacle) -> str:
    """Return why groups are not kept apart, without the names of their columns.

    Examples
    --------
    >>> reason(GroupObstacle(("speaker",), "single group", 7, 9, ("a", "b")))
    '7 of 9 classes have a single speaker (a, b and 5 more)'
    """
    column = obstacle.columns[0] if obstacle.columns else ""
    names = _examples(obstacle)
    count, total, place = obstacle.count, obstacle.total, f"split '{obstacle.protocol}'"
    fold = f"fold '{obstacle.fold}'"
    texts: Mapping[str, str] = {
        "absent": "there is no such column",
        "incomplete": f"{count} of {total} clips have none",
        "few groups": f"{count} groups are fewer than {total} folds" if count > 1 else ONE_GROUP,
        "single group": f"{count} of {total} classes have a single {column} ({names})",
        "few clips": f"no class has more than {count} clips, fewer than {total} folds",
        "no test": f"{place} tests no clip; expected the folds train and test, or two or more folds",
        "untrained class": f"{place} tests classes in {fold} that it never trains on: {names}",
        "leak": f"{place} leaks: {column} {names} on both sides of {fold}; put every {column} into one fold",
        "text": names,
    }
    return texts[obstacle.kind]


def _examples(obstacle: GroupObstacle) -> str:
    """Return the names that an obstacle holds, and the number of the others."""
    return listing(obstacle.examples, obstacle.count)


def cause(result: Result) -> str:
    """Return why a cell has no result, or what failed beside it; empty if nothing did."""
    return cell_obstacle(result.obstacle) if result.obstacle else result.reason


def cell_obstacle(cell: CellObstacle) -> str:
    """Return why a planned cell cannot be computed, and what to do.

    Examples
    --------
    >>> cell_obstacle(CellObstacle("not installed", ("head", "gbdt"), commands=("pip install lightgbm",)))
    "head 'gbdt' is not installed; run: pip install lightgbm"
    """
    text = TEXTS[cell.kind](cell)
    if cell.unlabelled:
        count, total = cell.unlabelled
        text += f" ({count} of {total} clips have no {cell.names[-1]})"
    if cell.kind in {"split", "listed split", "no group"} and cell.commands:
        text += f"; or choose what to keep apart: {', or '.join(cell.commands)}"
    return "; ".join([text, *map(note, cell.spellings)])


def _split(cell: CellObstacle) -> str:
    task, source, protocol, _ = cell.names
    reasons = "; ".join(map(obstacle, cell.groups))
    fix = "add clips or a group column, drop these classes, or ask for fewer folds"
    return f"task '{task}' cannot be split on {source} by {protocol}: {reasons}; {fix}"


def _listed_split(cell: CellObstacle) -> str:
    text = "; ".join(map(reason, cell.groups))
    if not cell.counts:
        return text
    (n_near,) = cell.counts
    return f"{text}, or, if the {n_near} clips that count as near copies are none: --near-copies off"


def _one_class(cell: CellObstacle) -> str:
    source, column, *classes = cell.names
    (n_unlabelled,) = cell.counts
    others = f" but {n_unlabelled} without one" if n_unlabelled else ""
    problem = f"no clip has a {column}"
    if classes:
        problem = f"every clip{others} has the {column} '{classes[0]}'"
    return f"{source}: {problem}; expected two classes or more"


def _no_group(cell: CellObstacle) -> str:
    place, column, *others = cell.names
    expected = f"; expected one of {listing(others, cell.counts[0])}" if others else ""
    return f"{place}: column '{column}' is empty{expected}"


def _few_assignments(cell: CellObstacle) -> str:
    n_repeats, n_groups, n_assignments = cell.counts
    return (
        f"--repeats {n_repeats}: {n_groups} groups have {n_assignments} assignments to the folds of "
        f"{cell.names[0]}; ask for fewer repeats or other folds"
    )


def _no_weights(cell: CellObstacle) -> str:
    return f"extractor '{cell.names[0]}': {cell.message}; run: {cell.commands[0]}"


POOLED: Mapping[str, str] = {
    "--normalise": "--normalise changes pooled vectors; run it without",
    "@layer=best": "@layer=best chooses among pooled vectors; name a layer",
}
"""Option that is about pooled vectors -> what it does, and what to do."""

TEXTS: Mapping[str, Callable[[CellObstacle], str]] = {
    "not installed": lambda cell: (
        f"{cell.names[0]} '{cell.names[1]}' is not installed; run: {cell.commands[0]}"
    ),
    "no weights": _no_weights,
    "sees frames": lambda cell: f"head '{cell.names[0]}' sees frames, and {POOLED[cell.names[1]]}",
    "sees vectors": lambda cell: f"head '{cell.names[0]}' needs pooled vectors; remove @pool={cell.names[1]}",
    "no target": lambda cell: f"{cell.names[0]} has no column '{cell.names[1]}'",
    "one class": _one_class,
    "no group": _no_group,
    "split": _split,
    "listed split": _listed_split,
    "single assignment": lambda cell: (
        f"--repeats {cell.counts[0]}: split '{cell.names[0]}' has a single assignment of groups to folds; "
        "expected --split cv:K, holdout:F or random"
    ),
    "few assignments": _few_assignments,
    "class as group": lambda cell: (
        f"--normalise {cell.names[0]}: its groups are the classes of '{cell.names[1]}'; "
        "expected another column"
    ),
    "error": lambda cell: cell.message,
}
"""Kind of an obstacle -> its text."""
