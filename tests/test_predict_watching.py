from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.inference import watching


def watch(folder: Path, *events: Callable[[], object]) -> list[str]:
    """Return the files that are reported; one event happens after each look, and Ctrl-C after the last."""
    rest = iter(events)

    def wait(_: float) -> None:
        event = next(rest, None)
        if event is None:
            raise KeyboardInterrupt
        event()

    return [path.relative_to(folder).as_posix() for path in watching.files(folder, wait)]


def nothing() -> None:
    """Let a look pass."""


def test_files_that_are_there_come_first_and_once(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    for name in ("b.wav", "a.FLAC", "sub/c.mp3"):
        (tmp_path / name).write_bytes(b"audio")
    new = tmp_path / "0.wav"
    events = nothing, lambda: new.write_bytes(b"audio"), nothing, nothing
    assert watch(tmp_path, *events) == ["a.FLAC", "b.wav", "sub/c.mp3", "0.wav"]


def test_hidden_partial_and_other_files_are_left_out(tmp_path: Path):
    (tmp_path / ".hidden").mkdir()
    for name in (".a.wav", "b.wav.part", "c.txt", "noise", ".hidden/d.wav"):
        (tmp_path / name).write_bytes(b"audio")
    (tmp_path / "empty.wav").touch()
    (tmp_path / "folder.wav").mkdir()
    assert watch(tmp_path, nothing, nothing) == []


def test_a_file_that_grows_waits_until_it_is_complete(tmp_path: Path):
    path = tmp_path / "a.wav"
    sizes: list[int] = []

    def grow() -> None:
        path.write_bytes(path.read_bytes() + b"audio")

    def look() -> None:
        sizes.append(path.stat().st_size)

    path.touch()
    assert watch(tmp_path, grow, grow, grow) == []
    assert watch(tmp_path, grow, grow, look) == ["a.wav"]
    assert sizes == [25]


def test_a_file_that_is_renamed_into_place_is_reported(tmp_path: Path):
    part = tmp_path / "a.wav.part"
    part.write_bytes(b"audio")
    assert watch(tmp_path, lambda: part.rename(tmp_path / "a.wav"), nothing, nothing) == ["a.wav"]


def test_a_file_that_is_replaced_is_reported_again(tmp_path: Path):
    path, other = tmp_path / "a.wav", tmp_path / "b.part"
    path.write_bytes(b"audio")
    other.write_bytes(b"other")
    events = nothing, nothing, lambda: other.rename(path), nothing, nothing
    assert watch(tmp_path, *events) == ["a.wav", "a.wav"]


def test_a_file_that_is_removed_and_comes_back_is_reported_again(tmp_path: Path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"audio")
    events = nothing, path.unlink, lambda: path.write_bytes(b"audio"), nothing
    assert watch(tmp_path, *events) == ["a.wav", "a.wav"]


def test_no_folder_is_one_line(tmp_path: Path):
    with pytest.raises(UsageError, match=r"^--watch .*gone: no such folder; expected"):
        watching.files(tmp_path / "gone")
