"""Texts for people, made of values: never stored, compared, or part of a key."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set

from bench.display.notes import note as note
from bench.display.obstacles import cause as cause
from bench.display.obstacles import cell_obstacle as cell_obstacle
from bench.display.obstacles import obstacle as obstacle
from bench.display.obstacles import reason as reason
from bench.types import (
    BASELINE,
    TUNED,
    UNPOOLED,
    Augmentation,
    Choice,
    GroupObstacle,
    Result,
    Score,
    SplitId,
    Step,
    System,
    View,
)


def view(view: View) -> str:
    """Return the pooling, behind the layer unless that is the last one.

    Examples
    --------
    >>> view(View(9, "mean")), view(View())
    ('layer 9, mean', 'mean+std')
    """
    pool = "frames" if view.pool == UNPOOLED else view.pool
    return pool if view.layer == "last" else f"layer {view.layer}, {pool}"


def features(system: System) -> str:
    """Return the view of a system, and how its features are normalised."""
    return ", ".join(filter(None, [view(system.view), normalisation(system.normalise)]))


def split(split: SplitId | None) -> str:
    """Return a split's protocol and group; empty for None.

    Examples
    --------
    >>> split(SplitId("cv:5", "speaker"))
    'cv:5, grouped by speaker'
    """
    if split is None:
        return ""
    grouping = "LEAKY, ignores" if split.leaky else "grouped by"
    return f"{split.protocol}, {grouping} {split.group}" + (", labels permuted" if split.permuted else "")


def fewer_clips(same_audio: int, unreadable: int = 0, cached: int = 0) -> str:
    """Return why fewer clips are embedded than a dataset has; empty if none is left out.

    Examples
    --------
    >>> fewer_clips(2), fewer_clips(1, 3), fewer_clips(0)
    ('2 hold the audio of another clip', '1 holds the audio of another clip, 3 cannot be read', '')
    """
    parts = {
        f"{same_audio} {'holds' if same_audio == 1 else 'hold'} the audio of another clip": same_audio,
        f"{unreadable} cannot be read": unreadable,
        f"{cached} in the cache": cached,
    }
    return ", ".join(part for part, number in parts.items() if number)


def sampling(numbers: Sequence[tuple[str, int]]) -> str:
    """Return what was drawn for the test, and what an interval is for; empty if it is unknown.

    Parameters
    ----------
    numbers : Sequence[tuple[str, int]]
        See `bench.store.TableProtocol`.

    Examples
    --------
    >>> sampling([("recording", 3000), ("speaker", 6)])
    '3,000 recordings of 6 speakers; intervals are for new recordings of these speakers'
    >>> sampling([("speaker", 251)])
    '251 speakers; intervals are for new speakers'
    """
    if not numbers:
        return ""
    (column, number), *others = numbers
    counts = [f"{number:,} {_groups(column, number)}"]
    counts += [f"{PREPOSITIONS.get(name, 'of')} {n:,} {_groups(name, n)}" for name, n in others]
    same = [f"{PREPOSITIONS.get(name, 'of')} these {_groups(name)}" for name, _ in others]
    return f"{' '.join(counts)}; intervals are for new {' '.join([_groups(column), *same])}"


def fallback(name: str, group: str, obstacles: Sequence[GroupObstacle]) -> str:
    """Return that a table keeps weaker groups apart than its data name, and why.

    Examples
    --------
    >>> fallback("phrase on digits", "recording", [GroupObstacle(("speaker",), "few groups", 1, 2)])
    'phrase on digits: grouped by recording, since speaker: all clips are in one group'
    """
    reasons = "; ".join(map(obstacle, obstacles))
    return f"{name}: grouped by {group}, since {reasons}"


PREPOSITIONS = {"session": "in"}
"""Column -> the word before its groups in a sentence; of any other column it is "of"."""

GROUPS = {name: f"{name}s" for name in ("speaker", "session", "recording", "source")}
"""Column -> its groups in a sentence."""


def _groups(column: str, number: int = 2) -> str:
    """Return the groups of a column in a sentence."""
    if column not in GROUPS:
        return f"groups of {column}"
    return column if number == 1 else GROUPS[column]


def head(system: System | Choice) -> str:
    """Return a head's name, and whether it is tuned.

    Examples
    --------
    >>> head(System("mfcc", View(), "svm", is_tuned=True))
    'svm (tuned)'
    """
    return f"{system.head} (tuned)" if system.is_tuned else system.head


def component(name: str) -> str:
    """Return the extractor or head of an identity's name in the record of a run.

    Examples
    --------
    >>> component("svm@tuned"), component("mfcc")
    ('svm (tuned)', 'mfcc')
    """
    return f"{name.removesuffix(TUNED)} (tuned)" if name.endswith(TUNED) else name


def steps(steps: Sequence[Step]) -> str:
    """Return preprocessing steps as they are written on the command line.

    Examples
    --------
    >>> steps([Step("trim", 40.0), Step("peak", -1.0)])
    'trim=40, peak=-1'
    """
    return ", ".join(map(_step, steps))


def _step(step: Step) -> str:
    if step.value is None:
        return step.name
    return f"{step.name}={step.value}" if isinstance(step.value, str) else f"{step.name}={step.value:g}"


def augmentation(augmentation: Augmentation | None) -> str:
    """Return the number of copies and their changes; empty for None.

    Examples
    --------
    >>> from bench.types import Change
    >>> augmentation(Augmentation((Change("pitch", -2.0, 2.0),), copies=2))
    '2 copies of each: pitch=-2:2'
    """
    if augmentation is None:
        return ""
    n_copies = f"{augmentation.copies} copies" if augmentation.copies > 1 else "1 copy"
    changes = (f"{change.name}={change.low:g}:{change.high:g}" for change in augmentation.changes)
    return f"{n_copies} of each: {', '.join(changes)}"


def normalisation(column: str) -> str:
    """Return how features are normalised; empty for no column.

    Examples
    --------
    >>> normalisation("speaker")
    'z-scored per speaker'
    """
    return f"z-scored per {column}" if column else ""


def metric(score: Score) -> str:
    """Return a metric with its level, unless that is the clip or the cluster.

    Examples
    --------
    >>> metric(Score("accuracy", 0.9)), metric(Score("accuracy", 0.9, "parent-vote"))
    ('accuracy', 'accuracy[clip vote]')
    """
    level = LEVELS.get(score.level)
    return f"{score.metric}[{level}]" if level else score.metric


LEVELS: Mapping[str, str] = {
    "frame": "frame",
    "frame-mean": "mean",
    "parent-vote": "clip vote",
    "parent-mean": "clip mean",
}
"""Text of a level that stands beside a metric's name."""


def score(score: Score | None) -> str:
    """Return a score with its interval in six decimals, for comparisons; "missing" for None.

    Examples
    --------
    >>> score(Score("accuracy", 0.9, low=0.8, high=0.95))
    '0.900000 [0.800000, 0.950000]'
    """
    if score is None:
        return "missing"
    bounds = "" if score.low is None else f" [{score.low:.6f}, {score.high:.6f}]"
    return f"{score.value:.6f}{bounds}"


def table(dataset: str, task: str) -> str:
    """Return the name of a table of results."""
    return f"{task} on {dataset}"


def system(system: System, seed: int = 0, repeat: int = 0) -> str:
    """Return the full name of a system: extractor, view, head, and the settings that are not the default.

    Examples
    --------
    >>> system(System("mfcc", View(), "svm", train_size=0.5), seed=1)
    'mfcc (mean+std), svm, 0.5 of the training groups, seed 1'
    """
    parts = [
        f"{system.extractor} ({view(system.view)})" if system.extractor else "",
        head(system),
        *(text(system) for text in SETTINGS.values()),
    ]
    if seed:
        parts.append(f"seed {seed}")
    if repeat:
        parts.append(f"repeat {repeat}")
    return ", ".join(filter(None, parts))


def extractor(name: str, view_: View) -> str:
    """Return an extractor with its view.

    Examples
    --------
    >>> extractor("mfcc", View(pool="max"))
    'mfcc @ max'
    """
    return f"{name} @ {view(view_)}"


def source(system: System) -> str:
    """Return the part of a system before the head: extractor, view, preprocessing and normalisation."""
    parts = [extractor(system.extractor, system.view), steps(system.preprocess)]
    return " ".join(filter(None, [*parts, normalisation(system.normalise)]))


def names(systems: Iterable[System]) -> dict[System, str]:
    """Return the shortest names that tell systems apart, with views and settings only if they differ.

    A baseline has its head's name, since it ignores the extractor.

    Examples
    --------
    >>> list(names([System("mfcc", View(), "svm"), System("mfcc", View(pool="max"), "svm")]).values())
    ['mfcc mean+std svm', 'mfcc max svm']
    """
    unique = list(dict.fromkeys(systems))
    learners = [system for system in unique if system.head != BASELINE and system.extractor]
    varied = {part for part in ("view", *SETTINGS) if len({getattr(system, part) for system in learners}) > 1}
    return {system: _name(system, varied) for system in unique}


def model(system: System) -> str:
    """Return a short name that tells a system from those of other reports: with its view and its settings."""
    return _name(system, {"view", *SETTINGS})


def _name(system: System, parts: Set[str]) -> str:
    """Return a system's extractor and head, and some of the other parts."""
    if system.head == BASELINE or not system.extractor:
        return system.head
    name = [system.extractor, view(system.view) if "view" in parts else "", head(system)]
    settings = [text(system) for part, text in SETTINGS.items() if part in parts]
    return ", ".join(filter(None, [" ".join(filter(None, name)), *settings]))


def _share(system: System) -> str:
    return f"{system.train_size:g} of the training groups" if system.train_size < 1 else ""


SETTINGS: Mapping[str, Callable[[System], str]] = {
    "preprocess": lambda system: steps(system.preprocess),
    "augmentation": lambda system: augmentation(system.augmentation),
    "train_size": _share,
    "normalise": lambda system: normalisation(system.normalise),
}
"""Part of a system besides extractor, view and head -> its text; empty for the default."""


def cell(result: Result) -> str:
    """Return the name of a cell."""
    return f"{table(result.dataset, result.task.name)}, {system(result.system, result.seed, result.repeat)}"
