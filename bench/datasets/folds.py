"""Words for the sides of a split, and numbered folds: of columns, folders, cards and lists."""

import re
from collections.abc import Collection, Sequence

import numpy as np

from bench.datasets import spelling
from bench.errors import UsageError, shortlist
from bench.types import Dataset, Labels
from bench.types.data import UNUSED

SIDES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("dev", "devel", "development", "val", "valid", "validation"), "dev"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
"""Word for a side of a split, in any case -> fold."""

NUMBERED = re.compile(r"fold[ _-]*(\d+)", re.IGNORECASE)
"""Name of a folder of a fold, such as ``fold1`` or ``Fold 01``."""


def side(word: str) -> str:
    """Return the side of a split that a word stands for; empty for any other word.

    Examples
    --------
    >>> side("Validation"), side("3")
    ('dev', '')
    """
    return SIDES.get(word.strip().lower(), "")


def number(folder: str) -> str:
    """Return the number of a fold from the name of its folder; empty for any other name.

    Examples
    --------
    >>> number("Fold_01"), number("folder1")
    ('1', '')
    """
    match = NUMBERED.fullmatch(folder.strip())
    return str(int(match[1])) if match else ""


def canonical(words: Labels, source: str) -> Labels:
    """Return the folds of a list of words, shape=(n_clips,): train, dev and test, or dev and names of folds.

    Parameters
    ----------
    source : str
        Source of the words, for the message.

    Raises
    ------
    UsageError
        If some words are train or test and others are no sides of a split, or if names of folds differ only
        in how they are spelt.

    Examples
    --------
    >>> canonical(np.array(["Training", "val", "Eval"]), "clips.csv").tolist()
    ['train', 'dev', 'test']
    >>> canonical(np.array(["1", "2", "Val"]), "clips.csv").tolist()
    ['1', '2', 'dev']
    """
    names, codes = np.unique(np.asarray(words, dtype=str), return_inverse=True)
    sides = [side(name) for name in names.tolist()]
    _refuse_spellings([name for name in names.tolist() if not side(name)], source)
    if not any(sides):
        return np.asarray(words)
    others = [name for name, its_side in zip(names.tolist(), sides, strict=True) if not its_side]
    if others and {"train", "test"} & {*sides}:
        both = f"{shortlist(set(names.tolist()) - set(others))} and {shortlist(others)}"
        raise UsageError(
            f"{source}: the folds {both} do not go together; expected train, dev and test (also "
            f"{', '.join(sorted(SIDES.keys() - set(SIDES.values())))}), or names of folds alone"
        )
    return np.array([its_side or name for name, its_side in zip(names.tolist(), sides, strict=True)])[codes]


def column_folds(dataset: Dataset) -> Labels | None:
    """Return the folds of the column `fold`, shape=(n_clips,), as `canonical`; None without such a column.

    A clip without a fold is in ``dev``, which is not used.

    Raises
    ------
    UsageError
        See `canonical`.
    """
    if "fold" not in dataset.labels:
        return None
    words = dataset.table["fold"].to_numpy(str)
    return canonical(np.where(words == "", UNUSED, words), f"{dataset.source}: column 'fold'")


def is_leak(group: Collection[str], folds: Collection[str]) -> bool:
    """Return whether clips are on both sides of a split: some are trained on when others are tested.

    Parameters
    ----------
    group : Collection[str]
        Folds of these clips, as `canonical` returns them.
    folds : Collection[str]
        Folds of all clips.

    Examples
    --------
    >>> is_leak(["train", "test"], ["train", "dev", "test"]), is_leak(["1", "2"], ["1", "2", "3"])
    (True, True)
    >>> is_leak(["train", "dev"], ["train", "dev", "test"]), is_leak(["1", "2"], ["1", "2", "train"])
    (False, False)
    """
    sides = {*group} - {UNUSED}
    return len(sides) > 1 and ("train" in sides or "train" not in folds)


def _refuse_spellings(names: Sequence[str], source: str) -> None:
    """Raise UsageError if two names of folds differ only in spelling, such as ``fold1`` and ``Fold 01``."""
    first: dict[str, str] = {}
    for name in names:
        text = number(name) or spelling.fold(name)
        other = first.setdefault(str(int(text)) if text.isdecimal() else text, name)
        if other != name:
            raise UsageError(
                f"{source}: the folds {other!r} and {name!r} differ only in spelling; write one of them"
            )
