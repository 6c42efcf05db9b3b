"""Names and paths -> datasets, each with what is known of its clips' audio."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import audio, augment, datasets, registry
from bench.errors import ClipError, UsageError
from bench.registry import Registry
from bench.runner.request import Request
from bench.types import Dataset, digest

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
        return datasets.from_card(registry.card(path), home)
    if path.exists() or path.suffix or len(path.parts) > 1:
        return datasets.from_path(path, label)
    return datasets.from_card(registry.find("data set", text, declared.cards), home)


def _source(dataset: Dataset, request: Request) -> Source:
    clips, contents, unreadable = dataset.clips(), [], {}
    # Many clips may be windows of one file.
    sha256, header = functools.cache(audio.sha256), functools.cache(audio.header)
    for clip in clips:
        try:
            contents.append(audio.content(clip, sha256))
        except ClipError as error:
            contents.append("")
            unreadable[clip.id] = str(error)
    changes = [*request.augment, augment.identity()]
    copies = [
        [content and digest([content, changes, copy]) for content in contents]
        for copy in range(request.copies if request.augment else 0)
    ]
    seconds = [audio.seconds(clip, header) for clip in clips]
    return Source(dataset, contents, audio.heard(clips, header), seconds, unreadable, copies)
