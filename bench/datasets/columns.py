"""Names of columns: the declared ones, their other spellings, and near misses."""

import dataclasses
import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

import pandas as pd

from bench.datasets.folds import canonical
from bench.errors import UsageError
from bench.types import Dataset, Note

PATHS = (
    "path",
    "file",
    "file_name",
    "file_path",
    "audio",
    "audio_path",
    "audio_file",
    "audio_filename",
    "wav",
    "wav_path",
    "wav_file",
)
"""Spellings of the column of the files; the first one in a table is used."""

LABELS: Mapping[str, tuple[str, ...]] = {
    "fold": ("split",),
    "class": ("class_name", "label", "category", "target"),
    "speaker": (
        *("speaker_id", "spk", "spk_id", "client_id", "subject", "subject_id"),
        *("talker", "participant", "participant_id", "patient", "patient_id"),
    ),
    "session": ("session_id",),
    "recording": ("recording_id",),
    "gender": ("sex",),
    "emotion": (),
    "keyword": (),
    "phrase": (),
    "noise": (),
    "noise_kind": (),
    "noise_or_voice": (),
    "source": (),
}
"""Label column that tasks and splits name -> other spellings; the first one in a table is used.

Upper case, spaces, hyphens and underscores make no difference.
"""

STRICT = ("speaker", "session", "recording")
"""Label columns whose values a split should keep apart, from strict to lenient."""

ORIGINS = frozenset({"fold", "parent", "recording"})
"""Label columns that say where a clip is from and how it is used, and nothing of what it holds."""

OTHERS = ("clip", "start", "end")
"""Columns that have no other spelling, but near misses."""

NEAR = 0.85
"""Least similarity of a near miss, as `difflib` measures it."""


def plain(name: str) -> str:
    """Return a column's name in small letters without spaces, hyphens and underscores.

    Examples
    --------
    >>> plain("Speaker ID")
    'speakerid'
    """
    return re.sub(r"[\s_-]+", "", name).lower()


def spelling(name: str, others: Iterable[str], columns: Collection[str]) -> str | None:
    """Return the column that is spelled like a declared one; None if there is none.

    Examples
    --------
    >>> spelling("speaker", ("client_id",), ["path", "Client-ID"])
    'Client-ID'
    """
    if name in columns:
        return name
    by_plain = {plain(str(column)): str(column) for column in reversed(list(columns))}
    return next((by_plain[plain(word)] for word in (name, *others) if plain(word) in by_plain), None)


def path_column(columns: Collection[str]) -> str | None:
    """Return the column of the files; None if there is none."""
    exact = next((name for name in PATHS if name in columns), None)
    return exact or spelling(PATHS[0], PATHS[1:], columns)


def near(name: str, declared: Collection[str]) -> str | None:
    """Return the declared column that a name is a near miss of; None if there is none.

    Examples
    --------
    >>> near("speakr", ["gender", "speaker"])
    'speaker'
    """
    return next(iter(difflib.get_close_matches(plain(name), declared, n=1, cutoff=NEAR)), None)


def recognise(dataset: Dataset) -> Dataset:
    """Return a dataset that has the declared label columns also where they are spelled otherwise.

    The columns stay under their own names too. Notes name them, and near misses.

    Raises
    ------
    UsageError
        If the columns `fold` and `split` differ.
    """
    table, labels = dataset.table, dataset.labels
    _refuse_two_splits(dataset)
    sources: dict[str, str] = {}
    for name, others in LABELS.items():
        source = spelling(name, others, labels)
        # A table that is one side of a split has no folds.
        if source not in {None, name} and (name != "fold" or _has_sides(table[source])):
            sources[name] = str(source)
    known = {*sources.values(), *labels} & {*LABELS, *sources.values()}
    absent = [name for name in (*LABELS, *OTHERS) if name not in {*table.columns, *sources}]
    misses = {label: miss for label in labels if label not in known and (miss := near(label, absent))}
    notes = [Note("near name", pair) for pair in misses.items()]
    if sources:
        pairs = [text for name, source in sources.items() for text in (source, name)]
        notes.insert(0, Note("columns", tuple(pairs)))
    columns = {name: table[source] for name, source in sources.items()}
    return dataclasses.replace(
        dataset, table=table.assign(**columns), notes=tuple(dict.fromkeys((*dataset.notes, *notes)))
    )


def _has_sides(column: "pd.Series[str]") -> bool:
    return bool((column != column.iloc[0]).any())


def _refuse_two_splits(dataset: Dataset) -> None:
    """Raise UsageError if a table has a column `fold` and another one `split`."""
    folds, split = (spelling(name, (), dataset.labels) for name in ("fold", "split"))
    if folds is None or split is None or not _has_sides(dataset.table[split]):
        return
    texts = [dataset.table[column].to_numpy(str) for column in (folds, split)]
    if (texts[0] == texts[1]).all():
        return
    one, other = (canonical(text, dataset.source) for text in texts)
    if (one != other).any():
        row = int((one != other).argmax())
        raise UsageError(
            f"{dataset.location(row)}: column '{folds}' is '{texts[0][row]}' and column '{split}' is "
            f"'{texts[1][row]}'; remove or rename one of them"
        )


def suggest_path(table: pd.DataFrame, suffixes: Collection[str]) -> str:
    """Return how a table gets a column path; empty if none of its columns seems to be it."""
    for name in map(str, table.columns):
        if name.lower().endswith(tuple(suffixes)):
            return "its first line is a file, not a header: write path above it, or pipe the paths to -"
        values = table[name].astype(str).str.lower()
        if near(name, [plain(path) for path in PATHS]) or (
            len(values) and values.str.endswith(tuple(suffixes)).all()
        ):
            return f"rename '{name}' to path, or say so in a card: rename = {{ {name} = \"path\" }}"
    return ""


def suggest_target(datasets: Sequence[Dataset], target: str = "") -> str:
    """Return how to predict a column of one of the datasets; empty if none seems to hold classes.

    Parameters
    ----------
    target : str
        Column that is asked for; the one most like it is named, without one the first that holds classes.
    """
    columns = [name for dataset in datasets for name in dataset.labels if _holds_classes(dataset, name)]
    names = difflib.get_close_matches(target, columns, n=1) if target else columns[:1]
    return f"; predict a column so: --task-target {names[0]}" if names else ""


def strict_groups(target: str) -> tuple[str, ...]:
    """Return the columns that the task of a label column keeps apart unless a user chooses them.

    Examples
    --------
    >>> strict_groups("phrase"), strict_groups("Speaker ID")
    (('speaker', 'session', 'recording'), ('session', 'recording'))
    """
    return tuple(name for name in STRICT if plain(target) not in map(plain, (name, *LABELS[name])))


def suggest_groups(dataset: Dataset, target: str, *, leaks: bool) -> tuple[str, ...]:
    """Return the options to choose from where a task cannot keep its strictest groups apart.

    Parameters
    ----------
    leaks : bool
        Whether listed folds have a group on both sides; otherwise clips have no group.
    """
    first, *others = (name for name in strict_groups(target) if name in dataset.labels)
    option = f"--task-target {target} --task-group"
    commands = [f"{option} {first} --split cv:5"] if leaks else []
    commands += [f"{option} {others[-1]}"] if others else []
    return tuple(commands)


def _holds_classes(dataset: Dataset, column: str) -> bool:
    """Return whether a label column has two values or more, of two clips each on average."""
    is_label = column not in {"fold", "parent", "recording", *LABELS["fold"]}
    return is_label and 2 <= dataset.table[column].nunique() <= len(dataset.table) // 2
