"""Names and paths -> datasets, each with what is known of its clips' audio."""

import functools
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench import audio, augment, catalog, datasets
from bench.catalog import Registry
from bench.errors import ClipError, UsageError
from bench.keys import digest
from bench.keys.fingerprints import fingerprint
from bench.request import Request
from bench.types import AUDIO_COLUMNS, Dataset

FORMAT = "sources-v1"

FOLDER_LABEL = "class"
"""What a folder's classes are, unless one single task says what they are."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A dataset with what is known of its clips' audio.

    Parameters
    ----------
    contents : Sequence[str]
        The digest of every clip's content, empty where it is unreadable.
    heard : Sequence[str]
        What is the same of clips that hold the same samples.
    seconds : Sequence[float]
        About how long every clip is, in s.
    unreadable : Mapping[str, str]
        Clip -> why it is unreadable.
    copies : Sequence[Sequence[str]]
        The same as `contents` of every augmented copy.
    """

    dataset: Dataset
    contents: Sequence[str]
    heard: Sequence[str]
    seconds: Sequence[float]
    unreadable: Mapping[str, str]
    copies: Sequence[Sequence[str]] = ()

    def bad(self, reasons: Mapping[str, str]) -> Mapping[str, str]:
        """Return clip -> why there is no audio of it, given content -> why it cannot be decoded."""
        pairs = zip(self.dataset.table["clip"], self.contents, strict=True)
        undecodable = {clip: reasons[content] for clip, content in pairs if content in reasons}
        return {**self.unreadable, **undecodable}


def sources_of(request: Request, declared: Registry, label: str = FOLDER_LABEL) -> dict[str, Source]:
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
        return datasets.from_card(catalog.card(path), home)
    if text not in declared.cards and (path.exists() or path.suffix or len(path.parts) > 1):
        return datasets.from_path(path, label)
    return datasets.from_card(catalog.find("data set", text, declared.cards), home)


def _source(dataset: Dataset, request: Request) -> Source:
    """Return a dataset with what its audio holds, as it was found before if no file has changed since."""
    path = _remembered(dataset, request.home)
    if request.reread or path is None or not path.is_file():
        known, unreadable = _looked(dataset)
        if path and not unreadable:
            with suppress(OSError):  # what cannot be kept is looked for again
                path.parent.mkdir(parents=True, exist_ok=True)
                part = path.with_suffix(f".{os.getpid()}")
                known.to_parquet(part, index=False)
                part.replace(path)
    else:
        known, unreadable = pd.read_parquet(path), {}
    contents = known["content"].tolist()
    changes = [*request.augment, augment.identity()]
    copies = [
        [content and digest([content, changes, copy]) for content in contents]
        for copy in range(request.copies if request.augment else 0)
    ]
    return Source(dataset, contents, known["heard"].tolist(), known["seconds"].tolist(), unreadable, copies)


def _looked(dataset: Dataset) -> tuple[pd.DataFrame, Mapping[str, str]]:
    """Return the content, what is heard and the seconds of every clip, and clip -> why it is unreadable."""
    clips, contents, unreadable = dataset.clips(), [], {}
    # Many clips may be windows of one file.
    sha256, header = functools.cache(audio.sha256), functools.cache(audio.header)
    for clip in clips:
        try:
            contents.append(audio.content(clip, sha256))
        except ClipError as error:
            contents.append("")
            unreadable[clip.id] = str(error)
    seconds = [audio.seconds(clip, header) for clip in clips]
    return pd.DataFrame(
        {"content": contents, "heard": audio.heard(clips, header), "seconds": seconds}
    ), unreadable


def _remembered(dataset: Dataset, home: Path) -> Path | None:
    """Return where what a dataset's audio holds is kept: by its table, and its files' sizes and times.

    A file that is changed gets another time of change, whatever its time of modification is set to. None if a
    file is missing.
    """
    columns = [name for name in ("path", *AUDIO_COLUMNS) if name in dataset.table]
    named = [name for name in ("path", "noise_path") if name in dataset.table]
    files = {str(path) for name in named for path in dataset.table[name].dropna().unique()} - {""}
    try:
        found = {path: Path(path).stat() for path in sorted(files)}
    except OSError:
        return None
    stamps = pd.DataFrame(
        [(path, each.st_size, each.st_mtime_ns, each.st_ctime_ns) for path, each in found.items()]
    )
    key = digest([audio.identity(), audio.MIXER, fingerprint(dataset.table[columns]), fingerprint(stamps)])
    return home / FORMAT / f"{key}.parquet"
