"""Output: the folder that answers are written to, one by one, so that an end in the middle loses none."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.errors import UsageError, readable, reason
from bench.files import indented_json, parse_json, replace_text, sync
from bench.inference import subtitles, timelines, writing
from bench.inference.answers import Answer, Failure
from bench.types import Clip
from bench.validation import convert

LINES, TABLE, ABOUT = "predictions.jsonl", "predictions.csv", "predictions.json"
"""Names of the files of all answers, and of what they were made by."""


class Output:
    """A folder of answers.

    ``predictions.jsonl`` gets a line as soon as an answer is there. ``NAME.json`` and the other files of a
    recording are below it, in folders as those of the recordings. ``predictions.csv`` is made of the lines at
    the end.

    Parameters
    ----------
    about : Mapping[str, Any]
        What the answers depend on: the model and the options.
    resume : bool
        Whether to go on with the answers that are there.
    top : int | None
        See `writing.fields`.

    Raises
    ------
    UsageError
        If the folder holds answers and `resume` is False, holds those of another model or other options, or
        other files, or cannot be written.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any], *, resume: bool, top: int | None) -> None:
        self.folder = folder
        self._top = top
        self._names = {Path(name).stem: "" for name in (LINES, TABLE, ABOUT)}  # taken
        lines = folder / LINES
        if lines.exists() and not resume:
            raise UsageError(
                f"--out {folder}: holds answers; add --resume to go on, or choose a folder that is free"
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not (lines.exists() or (folder / ABOUT).exists()) and any(folder.iterdir()):
                raise UsageError(
                    f"--out {folder}: holds other files, which answers could replace; choose a folder that "
                    "is free"
                )
            if lines.exists():
                _check_about(folder / ABOUT, about)
                _cut_torn(lines)
            else:
                replace_text(folder / ABOUT, indented_json(about))
                lines.touch()
        except OSError as error:
            raise UsageError(f"--out {folder}: cannot be written ({reason(error)})") from error

    def lacking(self, clips: Sequence[Clip], root: Path) -> list[Clip]:
        """Return the recordings without an answer; those that failed are tried again.

        Every recording gets the names of its files here, so that they do not depend on what is lacking.
        """
        for clip in clips:
            self.place(clip.id, root)
        answered = {line["file"] for line in self.lines() if "error" not in line}
        return [clip for clip in clips if readable(clip.id) not in answered]

    def lines(self) -> list[dict[str, Any]]:
        """Return the fields of the last line of every recording.

        Raises
        ------
        UsageError
            If a line is damaged.
        """
        path = self.folder / LINES
        by_file: dict[str, dict[str, Any]] = {}
        for number, text in enumerate(path.read_text(encoding="utf-8").split("\n")[:-1], start=1):
            where = f"{path}:{number}"
            try:
                line = convert(parse_json(text), dict[str, Any], where)
            except ValueError as error:
                raise UsageError(f"{where}: no JSON ({error}); delete this line, and add --resume") from error
            by_file[str(line.get("file"))] = line
        return list(by_file.values())

    def place(self, name: str, root: Path) -> Path:
        """Return the start of the names of a recording's files: its path below a root, without the suffix.

        A recording whose name is taken keeps its suffix, and gets a number if that is taken too.
        """
        path = absolute(name)
        below = path.relative_to(root) if path.is_relative_to(root) else Path(path.name)
        short = below.with_suffix("").as_posix()
        whole = below.as_posix()
        texts = itertools.chain((short, whole), (f"{whole}-{number}" for number in itertools.count(2)))
        return self.folder / next(text for text in texts if self._names.setdefault(text, name) == name)

    def add(self, answer: Answer | Failure, root: Path) -> None:
        """Write an answer.

        Raises
        ------
        UsageError
            If it cannot be written; the answers before it stay.
        """
        place = self.place(answer.file, root)
        try:
            if isinstance(answer, Answer):
                place.parent.mkdir(parents=True, exist_ok=True)
                for suffix, text in _texts(answer, self._top).items():
                    place.with_name(f"{place.name}{suffix}").write_text(text, encoding="utf-8")
            with (self.folder / LINES).open("a", encoding="utf-8") as file:  # the last one: it says "done"
                file.write(writing.line(writing.fields(answer, self._top)) + "\n")
        except OSError as error:
            raise UsageError(
                f"--out {self.folder}: cannot be written ({reason(error)}); the answers before "
                f"{answer.file} are there, and --resume goes on"
            ) from error

    def finish(self) -> None:
        """Write the table of all answers."""
        try:
            sync(self.folder / LINES)
            replace_text(self.folder / TABLE, writing.table(self.lines()))
        except OSError as error:
            raise UsageError(f"{self.folder / TABLE}: cannot be written ({reason(error)})") from error


def root_of(clips: Iterable[Clip]) -> Path:
    """Return the folder that holds all recordings."""
    folders = {absolute(clip.id).parent for clip in clips}
    return Path(os.path.commonpath(folders)) if folders else Path.cwd()


def absolute(name: str) -> Path:
    """Return the absolute path of a name, without ``..`` and with its links."""
    return Path(os.path.abspath(name))  # noqa: PTH100  # Path.resolve follows links


def _texts(answer: Answer, top: int | None) -> dict[str, str]:
    """Return end of a file's name -> its text, of all texts of one recording."""
    texts = {".json": indented_json(writing.fields(answer, top))}
    if answer.transcript:
        texts |= {".txt": answer.transcript.text + "\n"}
        texts |= {".srt": subtitles.srt(answer.transcript), ".vtt": subtitles.vtt(answer.transcript)}
    if answer.segments:
        texts |= {"_segments.csv": timelines.csv(answer), "_audacity.txt": timelines.audacity(answer)}
        texts |= {".rttm": timelines.rttm(answer)}
    return texts


def _check_about(path: Path, about: Mapping[str, Any]) -> None:
    """Refuse answers that another model or other options made."""
    try:
        before = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read ({error}); choose another --out") from error
    if before != msgspec.to_builtins(about):
        raise UsageError(f"{path}: is of another model or other options; choose another --out")


def _cut_torn(path: Path) -> None:
    """Cut off a line that an end in the middle left torn."""
    with path.open("rb+") as file:
        file.truncate(file.read().rfind(b"\n") + 1)
