"""Names and paths -> datasets, with an index of the content of their audio."""

import functools
import hashlib
import io
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import pandas as pd

from bench import audio, augment, catalog, datasets, display
from bench.catalog import Registry
from bench.datasets import recordings, suggestions
from bench.datasets.layouts.files import STREAM
from bench.datasets.tables import SUFFIXES
from bench.errors import ClipError, UsageError, shortlist
from bench.files import replacing
from bench.keys import digest
from bench.keys.fingerprints import fingerprint
from bench.paths import path_of, path_text
from bench.request import Request
from bench.types import AUDIO_COLUMNS, NOISE_PATH, Clip, Dataset, Note, Planned
from bench.validation import convert

log = logging.getLogger(__name__)

LEFTOVERS = "leftovers"
"""Attribute of an index: the fields of notes of the files that its dataset leaves out."""

NEAR = "near-2"
"""Column of the index with the names that near copies share; absent if they were not looked for.

A new name for another search.
"""

FORMAT = "sources-v5"
"""Folder of the index files; a new name for a new format."""

NEAR_CLIPS, NEAR_SECONDS = 5000, 18_000.0
"""Largest number of clips, and of seconds of audio, that are searched for near copies by default.

5,000 clips of half a second take about a minute on one core, and so do five hours of sentences; the saved
index keeps what was found.
"""

NO_FOLDERS: Mapping[str, Path] = {}

FOLDER_LABEL = "class"
"""Label column for the classes of a folder, unless a single task gives another one."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A dataset with facts of its audio.

    Parameters
    ----------
    contents : Sequence[str]
        Digest of every clip's content; '' for an unreadable clip.
    fingerprints : Sequence[str]
        Fingerprint of every clip's samples; '' if no other clip shares them, or is a near copy.
    seconds : Sequence[float]
        Length of every clip from its header, in s.
    unreadable : Mapping[str, str]
        Clip -> reason.
    copies : Sequence[Sequence[str]]
        For every augmented copy, the digests of all clips' content.
    stamps : Mapping[str, str]
        File -> what changes when it does, taken before it was read.
    n_near : int | None
        Number of clips that are near copies of others; None if they were not looked for.
    samples : Sequence[str]
        Fingerprint of every clip's samples; '' if no other clip shares them, whatever near copies there are.
    """

    dataset: Dataset
    contents: Sequence[str]
    fingerprints: Sequence[str]
    seconds: Sequence[float]
    unreadable: Mapping[str, str]
    copies: Sequence[Sequence[str]] = ()
    stamps: Mapping[str, str] = field(default_factory=dict)
    n_near: int | None = None
    samples: Sequence[str] = ()

    @property
    def durations(self) -> Mapping[str, float]:
        """Return content -> length in s of the readable clips; those that hold the same audio are one."""
        pairs = zip(self.contents, self.seconds, strict=True)
        return {content: seconds for content, seconds in pairs if content}

    @property
    def n_same_audio(self) -> int:
        """Return the number of clips that hold the audio of one before them; they share its embedding."""
        return sum(map(bool, self.contents)) - len(set(filter(None, self.contents)))

    def bad(self, reasons: Mapping[str, str]) -> Mapping[str, str]:
        """Return clip -> reason of all bad clips, for the undecodable contents' reasons."""
        pairs = zip(self.dataset.table["clip"], self.contents, strict=True)
        undecodable = {clip: reasons[content] for clip, content in pairs if content in reasons}
        return {**self.unreadable, **undecodable}

    def planned(self, clip: Clip, content: str) -> Clip:
        """Return a clip that is refused when it is read if it does not hold its content any more."""
        stamps = tuple(self.stamps.get(path_text(path), "") for path in clip.files)
        return replace(clip, planned=Planned(content, stamps))


def sources_of(request: Request, declared: Registry, label: str = FOLDER_LABEL) -> dict[str, Source]:
    """Return the sources of a request by the names of their datasets.

    Parameters
    ----------
    label : str
        Label column for the classes of a folder.

    Raises
    ------
    UsageError
        If a dataset cannot be opened, or two datasets have one name.
    """
    sources: dict[str, Source] = {}
    for text, dataset in zip(request.datasets, datasets_of(request, declared, label), strict=True):
        source = _source(dataset, request)
        name = source.dataset.name
        if name in sources:
            first = sources[name].dataset.source
            raise UsageError(f"--datasets: {first} and {text} are both called '{name}'; rename one")
        sources[name] = source
    return sources


def datasets_of(request: Request, declared: Registry, label: str = FOLDER_LABEL) -> Iterator[Dataset]:
    """Yield the datasets of a request as its options say, without a look at their audio.

    Raises
    ------
    UsageError
        As of `sources_of`.
    """
    folders = audio_folders(request.audio)
    unused = folders.keys() - {"", *map(_key, request.datasets)}
    if unused:
        names = shortlist(list(map(_key, request.datasets)))
        raise UsageError(f"--audio {shortlist(unused)}=...: is no data set of this run ({names})")
    for text in request.datasets:
        dataset = open_dataset(text, declared, request.home, label, folders)
        pattern = request.parent_pattern
        yield recordings.by_pattern(dataset, pattern) if pattern else dataset


def audio_folders(texts: Sequence[str]) -> Mapping[str, Path]:
    """Return name of a dataset, '' for all others -> folder of its audio, from FOLDER or NAME=FOLDER.

    Raises
    ------
    UsageError
        If there is no such folder, or two are for the same data.
    """
    folders: dict[str, Path] = {}
    for text in texts:
        name, _, folder = ("", "=", text) if Path(text).is_dir() else text.partition("=")
        if not folder or not Path(folder).is_dir():
            raise UsageError(f"--audio {text}: is no folder; expected FOLDER or NAME=FOLDER")
        if name in folders:
            problem = f"{folders[name]} is for the same data"
            raise UsageError(f"--audio {text}: {problem}; expected NAME=FOLDER of each")
        folders[name] = Path(folder)
    return folders


def open_dataset(
    text: str,
    declared: Registry,
    home: Path,
    label: str = FOLDER_LABEL,
    folders: Mapping[str, Path] = NO_FOLDERS,
) -> Dataset:
    """Return the dataset of a name or a path, or of the paths on standard input for ``-``.

    Parameters
    ----------
    home : Path
        Folder for downloads and synthetic audio.
    label : str
        Label column for the classes of a folder.
    folders : Mapping[str, Path]
        Name of a dataset, or '' for all others -> folder of its audio.

    Raises
    ------
    UsageError
        If the text is neither a name nor a path, or both, or the dataset cannot be opened.
    """
    path = Path(text)
    if text in declared.cards and path.is_dir():
        raise UsageError(f"--datasets {text}: is a data set and a folder here; write ./{text} for the folder")
    folder = folders.get(_key(text), folders.get(""))
    if text == STREAM:
        return datasets.from_stream(folder)
    if path.suffix == ".toml":
        return datasets.from_card(catalog.card(path), home, folder)
    if text not in declared.cards and (path.exists() or path.suffix or len(path.parts) > 1):
        dataset = datasets.from_path(path, label, folder)
        return suggestions.noted(dataset, path, declared.cards) if path.is_dir() else dataset
    return datasets.from_card(catalog.find("data set", text, declared.cards), home, folder)


def _key(text: str) -> str:
    """Return the name of a dataset in --audio: that of a card, or of a file or folder without its suffix."""
    return Path(text).stem if Path(text).suffix in {".toml", *SUFFIXES} else Path(text).name or text


def _source(dataset: Dataset, request: Request) -> Source:
    """Return a dataset with its index: the saved one, unless a file has changed since."""
    stamps = _stamps(dataset)
    if not any(stamps.values()):
        first = dataset.table["path"].iloc[0]
        raise UsageError(
            f"{dataset.source}: none of its files is there, such as {first}; where are they? --audio FOLDER"
        )
    path = _index_path(dataset, stamps, request.home)
    unreadable: Mapping[str, str] = {}
    index = _saved(path) if path and not request.reread else None
    n_columns = 0 if index is None else len(index.columns)
    is_new = index is None
    if index is None:
        index, unreadable = _index(dataset)
    notes = (*dataset.notes, *(convert(fields, Note, str(path)) for fields in index.attrs[LEFTOVERS]))
    if is_new:
        for note in notes:
            log.warning("%s: %s", dataset.name, display.note(note))
    index = _with_near(index, dataset, request.near_copies)
    if path and not unreadable and len(index.columns) > n_columns:
        _save(index, path)
    is_used = _is_searched(index, dataset, request.near_copies)  # whatever another run has saved
    contents = index["content"].tolist()
    changes = [*request.augment, augment.identity()]
    copies = [
        [content and digest([content, changes, copy]) for content in contents]
        for copy in range(request.copies if request.augment else 0)
    ]
    return Source(
        dataset=replace(dataset, notes=notes, leftovers=None),
        contents=contents,
        fingerprints=_fingerprints(index) if is_used else index["fingerprint"].tolist(),
        seconds=index["seconds"].tolist(),
        unreadable=unreadable,
        copies=copies,
        stamps=stamps,
        n_near=int((index[NEAR] != "").sum()) if is_used else None,
        samples=index["fingerprint"].tolist(),
    )


def copies(dataset: Dataset, request: Request) -> list[str]:
    """Return a name for each clip that its copies share, or '' without copies, as a run does by default."""
    return list(_source(dataset, request).fingerprints)


def _with_near(index: pd.DataFrame, dataset: Dataset, choice: str) -> pd.DataFrame:
    """Return an index with the column `NEAR`, if that is wanted."""
    if NEAR in index or not _is_searched(index, dataset, choice):
        return index
    return index.assign(**{NEAR: audio.near_copies(dataset.clips(), index["fingerprint"].tolist())})


def _is_searched(index: pd.DataFrame, dataset: Dataset, choice: str) -> bool:
    """Return whether near copies are wanted: by default in recordings of which they take about a minute."""
    is_small = len(index) <= NEAR_CLIPS and index["seconds"].sum() <= NEAR_SECONDS
    return choice == "on" or (choice == "auto" and not dataset.synthetic and bool(is_small))


def _fingerprints(index: pd.DataFrame) -> list[str]:
    """Return the name that near copies share, or else the fingerprint."""
    if NEAR not in index:
        return index["fingerprint"].tolist()
    return index[NEAR].where(index[NEAR] != "", index["fingerprint"]).tolist()


def _index(dataset: Dataset) -> tuple[pd.DataFrame, Mapping[str, str]]:
    """Return the content, fingerprint and seconds of every clip, and unreadable clip -> reason.

    The attribute `LEFTOVERS` of the table holds what the files beside the clips are.
    """
    clips, contents, unreadable = dataset.clips(), [], {}
    # Several clips may be windows of one file.
    sha256, header = functools.cache(audio.sha256), functools.cache(audio.header)
    for clip in clips:
        try:
            contents.append(audio.content(clip, sha256))
        except ClipError as error:
            contents.append("")
            unreadable[clip.id] = str(error)
    columns = {
        "content": contents,
        "fingerprint": audio.duplicate_fingerprints(clips, header),
        "seconds": [audio.seconds(clip, header) for clip in clips],
    }
    index = pd.DataFrame(columns)
    index.attrs[LEFTOVERS] = [asdict(note) for note in dataset.leftovers()] if dataset.leftovers else []
    return index, unreadable


def _save(index: pd.DataFrame, path: Path) -> None:
    """Write an index file; an index that cannot be saved is computed again by the next run."""
    table = index.to_parquet(index=False)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            part.write_bytes(hashlib.sha256(table).digest() + table)


def _saved(path: Path) -> pd.DataFrame | None:
    """Return the index in a file; None if there is none, or if it is damaged."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    sha256, table = data[:32], data[32:]
    return pd.read_parquet(io.BytesIO(table)) if hashlib.sha256(table).digest() == sha256 else None


def _stamps(dataset: Dataset) -> Mapping[str, str]:
    """Return file -> stamp; '' for a missing file."""
    columns = [dataset.table[name].dropna() for name in ("path", NOISE_PATH) if name in dataset.table]
    stamps = {}
    for name in set(pd.concat(columns)) - {""}:
        path = path_of(name)
        try:
            stamps[path_text(path)] = audio.stamp(path)
        except ClipError:
            stamps[path_text(path)] = ""
    return stamps


def _index_path(dataset: Dataset, stamps: Mapping[str, str], home: Path) -> Path | None:
    """Return the path of the index of a dataset; None if one of its files is missing.

    The name is a digest of the dataset's table, of its source and of its files' stamps.
    """
    if not all(stamps.values()):
        return None
    columns = [name for name in ("path", *AUDIO_COLUMNS) if name in dataset.table]
    files = pd.DataFrame(sorted(stamps.items()))
    decoders = {**audio.identity(), **audio.av_identity()}
    tables = [fingerprint(dataset.table[columns]), fingerprint(files)]
    key = digest([decoders, audio.MIXER, str(Path(dataset.source).absolute()), *tables])
    return home / FORMAT / f"{key}.parquet"
