"""Reports published in a folder that is kept in git, among files of its owner."""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from bench.errors import UsageError, shortlist
from bench.files import parse_json, replace_text
from bench.report.sections import overview
from bench.report.writing import Report, compose
from bench.store import Store, baseline
from bench.types import Status

MANIFEST = "publication.json"
"""File that lists the files of the publication beside it: only these are replaced or removed."""

BASELINE = f"baseline{baseline.SUFFIX}"

BASELINE_FILES = (BASELINE, "baseline.parquet")


def publish(*stores: Store, folder: Path, formats: Sequence[str] = ("md",), **options: Any) -> Report:
    """Write a report into a folder that is kept in git, with README.md as a forge displays it.

    README.md is the leaderboard, leaderboard.csv holds its numbers, and `bench compare` holds later runs
    against baseline.jsonl, which is written once and then stays. Files that an earlier publication wrote and
    this one does not are removed; other files are never touched.

    Parameters
    ----------
    options
        As of `write`.

    Raises
    ------
    UsageError
        As of `write`; if a file of a name to be written is there that no publication wrote; or if the scored
        predictions of a cell cannot be read.
    """
    earlier = _published(folder)
    for store in stores:
        for result in store.planned():
            if result.status == Status.OK:
                store.scored_predictions(result)
    report = compose(*stores, formats=["md", "csv", *formats], **options)
    report = replace(report, files={**report.files, "md": "README.md"})
    has_baseline = (folder / BASELINE).exists()
    paths = [*report.paths, *(() if has_baseline else BASELINE_FILES)]
    _refuse_others(folder, paths, earlier)
    stale = earlier - set(paths) - set(BASELINE_FILES)
    folder.mkdir(parents=True, exist_ok=True)
    _write_manifest(folder, {*earlier, *paths})  # a kill from here on leaves nothing that it does not list
    written = report.write(folder)
    for path in stale:
        if (folder / path).is_file():
            (folder / path).unlink()
    if not has_baseline:
        baseline.write(baseline.joined([baseline.side(store.out) for store in stores]), folder / BASELINE)
    _write_manifest(folder, {*paths, *(earlier & set(BASELINE_FILES))})
    return Report(written.text, [*written.paths, *([] if has_baseline else [folder / BASELINE])])


def _published(folder: Path) -> set[str]:
    """Return the paths of the files that an earlier publication wrote, relative to the folder.

    Raises
    ------
    UsageError
        If the list cannot be read, or README.md is no leaderboard.
    """
    readme = folder / "README.md"
    if readme.exists() and not readme.read_text(encoding="utf-8").startswith(f"# {overview.TITLE}"):
        raise UsageError(f"{readme}: is no leaderboard and would be lost; publish to another folder")
    manifest = folder / MANIFEST
    try:
        return set(_listed(parse_json(manifest.read_bytes())))
    except FileNotFoundError:
        return {"README.md"} if readme.exists() else set()
    except (OSError, ValueError) as error:
        raise UsageError(f"{manifest}: is no list of published files ({error}); delete it") from error


def _listed(content: object) -> Iterator[str]:
    """Yield the paths in the content of a manifest.

    Raises
    ------
    ValueError
        If it is no list of paths below the manifest's folder.
    """
    paths = content.get("files") if isinstance(content, dict) else None
    if not isinstance(paths, list):
        raise ValueError("expected a list 'files'")
    for path in paths:
        if (
            not isinstance(path, str)
            or PurePosixPath(path).is_absolute()
            or ".." in PurePosixPath(path).parts
        ):
            raise ValueError(f"{path!r} is no path below its folder")
        yield path


def _refuse_others(folder: Path, paths: Sequence[str], earlier: Collection[str]) -> None:
    """Raise UsageError if a file to be written is there that no publication wrote.

    A leaderboard of a version without a manifest has its files by these very names.
    """
    if "README.md" in earlier and not (folder / MANIFEST).exists():
        return
    others = [path for path in paths if path not in earlier and (folder / path).exists()]
    if others:
        raise UsageError(
            f"{folder}: {shortlist(others)} would be lost, and no publication wrote it; move it, or publish "
            "to another folder"
        )


def _write_manifest(folder: Path, paths: Collection[str]) -> None:
    replace_text(folder / MANIFEST, json.dumps({"files": sorted(paths)}, indent=2) + "\n")
