"""The folder of an index: transactions, kills, readers beside writers, and what is refused in one line."""

import errno
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from filelock import FileLock

from bench.errors import UsageError
from bench.files import indented_json
from bench.retrieval import filters, vectors
from bench.retrieval.card import IndexCard, read_card
from bench.retrieval.index import LOCK, Index
from bench.retrieval.records import Caption, Domain, Item, Title
from bench.retrieval.writer import Writer
from bench.types import Embeddings, View

DIM = 8
CARD = IndexCard(extractor="mfcc", identity="0", view=View(), dim=DIM)


def items(*clips: str, n_chunks: int = 2) -> list[Item]:
    spans = [(start, start + 1) for start in range(n_chunks)]
    return [
        Item("demo", clip, f"{clip}.wav", f"digest {clip}", 0, n_chunks, spans, {"name": clip})
        for clip in clips
    ]


def units(*clips: str, n_chunks: int = 2) -> Embeddings:
    """Return unit vectors that follow from the names of clips."""
    drawn = [np.random.default_rng(crc32(clip.encode())).normal(size=(n_chunks, DIM)) for clip in clips]
    rows = np.concatenate(drawn)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """Return an index of the clips a, b and c, each of two chunks."""
    index = Index.create(tmp_path / "index", CARD)
    with index.writing() as writer:
        writer.add(items("a", "b", "c"), units("a", "b", "c"))
    return index


def contents(path: Path) -> dict[str, Embeddings]:
    """Return clip -> its vectors."""
    with Index.open(path).snapshot() as snapshot:
        return {file.clip: snapshot.vectors[snapshot.chunks_of([file.id])] for file in snapshot.files()}


def assert_holds(path: Path, *clips: str) -> None:
    held = contents(path)
    assert sorted(held) == sorted(clips)
    for clip in clips:
        np.testing.assert_array_equal(held[clip], units(clip))


def test_what_is_added_is_there_under_rows_as_ids(index: Index):
    with index.writing() as writer:
        assert writer.add(items("d"), units("d")) == range(6, 8)
    with Index.open(index.path).snapshot() as snapshot:
        np.testing.assert_array_equal(snapshot.vectors, units("a", "b", "c", "d"))
        assert snapshot.ids.tolist() == list(range(8))
        hit, other = snapshot.hits([7, 2], [0.5, 0.25])
        assert (hit.id, hit.file, hit.clip, hit.start, hit.end, hit.score) == (7, 4, "d", 1, 2, 0.5)
        assert (other.clip, other.labels) == ("b", {"name": "b"})
        assert snapshot.files_of([6, 0, 99]).tolist() == [4, 1, -1]


def test_ids_never_come_back(index: Index):
    with index.writing() as writer:
        assert writer.remove([3, 99]) == 2
        assert writer.add(items("c"), units("c")) == range(6, 8)
    with index.snapshot() as snapshot:
        assert snapshot.ids.tolist() == [0, 1, 2, 3, 6, 7]
        assert [file.id for file in snapshot.files()] == [1, 2, 4]
        np.testing.assert_array_equal(snapshot.vectors[4:6], np.zeros((2, DIM)))


def test_texts_domains_clusters_and_titles_go_with_their_file(index: Index):
    with index.writing() as writer:
        for text in ("a dog", "a cat"):  # the second replaces the first
            writer.add_captions([Caption(file, "caption", text, "m", 0, 1) for file in (1, 2, 99)])
        writer.add_captions([Caption(1, "caption", "rain", "m", 0, 1)], replace=False)
        writer.set_domains([Domain(1, "speech", 0.9, "m"), Domain(99, "music", 0.9, "m")])
        writer.set_clusters({1: "0", 2: "0", 99: "0"})
        writer.set_titles([Title("0", "animals", "m")])
    with index.snapshot() as snapshot:
        texts = [(caption.file, caption.text) for caption in snapshot.captions([1, 2])]
        assert texts == [(1, "a cat"), (2, "a cat"), (1, "rain")]
        (hit,) = snapshot.hits([0], [1])
        assert (hit.cluster, hit.title, len(hit.captions)) == ("0", "animals", 2)
        ids = [caption.id for caption in snapshot.captions([1])]
    with index.writing() as writer:
        writer.set_sentences([*ids, 99], "e", np.ones((3, 4), np.float32))
        writer.remove([1])
    with index.snapshot() as snapshot:
        tables = ("captions", "domains", "clusters", "sentences")
        n_rows = [snapshot.connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in tables]  # noqa: S608
        assert n_rows == [(1,), (0,), (1,), (0,)]
        words = "SELECT rowid FROM words WHERE words MATCH ?"
        assert snapshot.connection.execute(words, ["rain"]).fetchall() == []
        assert len(snapshot.connection.execute(words, ["cats"]).fetchall()) == 1  # by their stem


def copies(folder: Path, index: Index, change: Callable[[Writer], object], monkeypatch) -> Iterator[Path]:
    """Return copies of an index as a kill would leave it, at every statement and sync."""
    numbers = iter(range(1000))
    synced = os.fsync

    def copy(*_: object) -> None:
        shutil.copytree(index.path, folder / f"{next(numbers):03d}")

    def sync(descriptor: int) -> None:
        copy()
        synced(descriptor)
        copy()

    with index.writing() as writer, monkeypatch.context() as patch:
        patch.setattr(os, "fsync", sync)
        writer.connection.set_trace_callback(copy)
        change(writer)
        writer.connection.set_trace_callback(None)
        copy()
    return iter(sorted(folder.iterdir()))


@pytest.mark.parametrize("name", ["add", "remove"])
def test_a_kill_at_any_moment_leaves_a_change_or_nothing_of_it(
    name: str, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    changes = {
        "add": (lambda writer: writer.add(items("d", "e"), units("d", "e")), ["a", "b", "c", "d", "e"]),
        "remove": (lambda writer: writer.remove([1, 3]), ["b"]),
    }
    change, after = changes[name]
    (tmp_path / "copies").mkdir()
    states = []
    for path in copies(tmp_path / "copies", index, change, monkeypatch):
        states.append(sorted(contents(path)))
        verification = Index.open(path).verify()
        assert verification.is_whole, (path, verification)
        assert verification.n_to_erase == 0
        assert_holds(path, *states[-1])
        with Index.open(path).writing() as writer:
            writer.add(items("f"), units("f"))
        assert_holds(path, *states[-1], "f")
    assert len(states) > 8
    is_done = [state == after for state in states]
    assert is_done == sorted(is_done)
    assert all(state in (["a", "b", "c"], after) for state in states)
    assert not is_done[0]
    assert is_done[-1]


def test_a_reader_sees_one_state_and_neither_side_waits(index: Index):
    with index.snapshot() as before:
        with index.writing() as writer:
            writer.remove([1])
            writer.add(items("d"), units("d"))
            with index.snapshot() as after:
                assert after.ids.tolist() == [2, 3, 4, 5, 6, 7]
        assert before.ids.tolist() == list(range(6))
        np.testing.assert_array_equal(before.vectors, units("a", "b", "c"))  # not yet erased
        assert index.verify().n_to_erase == 2
    assert index.verify().n_to_erase == 0
    with index.snapshot() as snapshot:
        assert not snapshot.vectors[:2].any()


def test_a_second_writer_waits_or_says_so(index: Index):
    with index.writing() as writer:
        with pytest.raises(UsageError, match="another process writes to it; wait"), index.writing(wait=0):
            pass
        second = threading.Thread(target=lambda: add(index, "e"))
        second.start()
        writer.add(items("d"), units("d"))
    second.join()
    assert_holds(index.path, *"abcde")


def add(index: Index, clip: str) -> None:
    with index.writing() as writer:
        writer.add(items(clip), units(clip))


def test_a_full_disk_leaves_the_index_as_it_was(index: Index, monkeypatch: pytest.MonkeyPatch):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    size = (index.path / vectors.VECTORS).stat().st_size
    with index.writing() as writer:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(UsageError, match=r"vectors\.f32: cannot be written \(No space left"):
                writer.add(items("d"), units("d"))
        n_pages = writer.connection.execute("PRAGMA page_count").fetchone()[0]
        writer.connection.execute(f"PRAGMA max_page_count = {n_pages}")  # SQLite's own full disk
        clips = [f"clip {number}" for number in range(300)]
        with pytest.raises(UsageError, match=r"database or disk is full.*free space"):
            writer.add(items(*clips), units(*clips))
        assert (index.path / vectors.VECTORS).stat().st_size == size
        writer.connection.execute("PRAGMA max_page_count = 1000000")
        writer.add(items("d"), units("d"))
    assert index.verify().is_whole
    assert_holds(index.path, *"abcd")


def test_what_cannot_be_added_is_refused(index: Index):
    with index.writing() as writer:
        with pytest.raises(UsageError, match="a clip is in the index already"):
            writer.add(items("d", "a"), units("d", "a"))
        with pytest.raises(ValueError, match=r"shape \(2, 8\), expected \(4, 8\)"):
            writer.add(items("d", "e"), units("d"))
        with pytest.raises(ValueError, match="nan or infinity"):
            writer.add(items("d"), np.full((2, DIM), np.nan, np.float32))
    assert_holds(index.path, *"abc")


def test_an_empty_index_is_read(tmp_path: Path):
    index = Index.create(tmp_path / "deep" / "index", CARD)
    with Index.open(index.path).snapshot() as snapshot:
        assert (len(snapshot.ids), snapshot.vectors.shape, snapshot.files()) == (0, (0, DIM), [])
        assert snapshot.columns == []
        assert len(snapshot.allowed(filters.parse("seconds > 0"))) == 0
    verification = index.verify()
    assert verification.is_whole
    assert (verification.n_files, verification.n_chunks, verification.words) == (0, 0, "whole")


def test_a_folder_of_something_else_is_never_written_to(index: Index, tmp_path: Path):
    with pytest.raises(UsageError, match="holds an index; add to it"):
        Index.create(index.path, CARD)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    with pytest.raises(UsageError, match=r"holds notes\.txt; expected an empty or a new folder"):
        Index.create(tmp_path / "mine", CARD)
    with pytest.raises(UsageError, match="cannot be"):
        Index.create(tmp_path / "mine" / "notes.txt", CARD)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_two_that_create_an_index_at_once_do_not_mix(index: Index, tmp_path: Path):
    folder = tmp_path / "new"
    folder.mkdir()
    with ThreadPoolExecutor(1) as pool:
        with FileLock(folder / LOCK):
            creation = pool.submit(Index.create, folder, CARD)
            with pytest.raises(TimeoutError):
                creation.result(timeout=0.2)
            shutil.copy(index.path / "card.json", folder)
        with pytest.raises(UsageError, match="holds an index"):
            creation.result()
    assert not (folder / "metadata.sqlite").exists()


def test_a_killed_creation_is_begun_again(index: Index):
    (index.path / "card.json").rename(index.path / "card.json.1.part")
    assert contents(Index.create(index.path, CARD).path) == {}


def damage(path: Path, name: str) -> None:
    """Damage an index in a way."""
    card = path / "card.json"
    if name == "no card":
        card.unlink()
    elif name == "no JSON":
        card.write_text("{")
    elif name == "newer":
        card.write_text('{"schema": 99}')
    elif name == "other type":
        card.write_text(card.read_text().replace('"dim": 8', '"dim": "eight"'))
    elif name == "no metadata":
        (path / "metadata.sqlite").unlink()
    elif name == "no database":
        (path / "metadata.sqlite").write_bytes(b"x" * 4096)
    elif name == "cut database":
        content = (path / "metadata.sqlite").read_bytes()
        (path / "metadata.sqlite").write_bytes(content[: len(content) // 2])
    elif name == "other index":
        card.write_text(indented_json(IndexCard(extractor="mfcc", identity="0", view=View(), dim=DIM)))
    elif name == "no vectors":
        (path / vectors.VECTORS).unlink()
    elif name == "cut vectors":
        os.truncate(path / vectors.VECTORS, 100)
    elif name == "other vectors":
        units("x", "y", "z").tofile(path / vectors.VECTORS)


DAMAGES = {
    "no card": "is no index",
    "no JSON": r"card\.json: is damaged",
    "newer": "has schema 99; this release reads up to 1",
    "other type": r"card\.json: dim is 'eight'; expected an integer",
    "no metadata": r"metadata\.sqlite: is missing",
    "no database": r"metadata\.sqlite: cannot be used \(file is not a database\)",
    "cut database": r"metadata\.sqlite: cannot be used \(database disk image is malformed\)",
    "other index": "belongs to another index",
    "no vectors": r"vectors\.f32: cannot be read \(No such file",
    "cut vectors": r"vectors\.f32: is truncated, 100 bytes for 6 vectors of 8",
    "other vectors": r"vectors\.f32: holds other vectors",
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_index_is_refused_in_one_line(name: str, index: Index):
    damage(index.path, name)
    with pytest.raises(UsageError, match=DAMAGES[name]) as refusal:
        Index.open(index.path)
    assert len(str(refusal.value).splitlines()) == 1


def test_verify_names_what_does_not_agree(index: Index):
    with index.writing() as writer:
        writer.add_captions([Caption(1, "caption", "a dog", "m", 0, 1)])
        writer.remove([3])
    rows = np.fromfile(index.path / vectors.VECTORS, np.float32).reshape(-1, DIM)
    rows[2, 0] += 1
    rows[5, 0] = 1
    rows.tofile(index.path / vectors.VECTORS)
    connection = sqlite3.connect(index.path / "metadata.sqlite")
    connection.execute("DELETE FROM chunks WHERE id = 1")
    connection.execute("INSERT INTO chunks VALUES (50, 2, 0, 1, 0)")
    connection.execute("INSERT INTO removed VALUES (2, 0)")
    connection.execute("INSERT INTO words (words, rowid, text) VALUES ('delete', 1, 'a dog')")
    connection.execute("INSERT INTO labels VALUES (99, 'name', 'x')")
    connection.commit()
    connection.close()
    verification = index.verify()
    assert not verification.is_whole
    assert (verification.changed.tolist(), verification.stray.tolist()) == ([2], [1, 2, 50])
    assert (verification.legible.tolist(), verification.words) == ([5], "damaged")
    assert any("labels belongs to no row of files" in fault for fault in verification.faults)


@pytest.mark.parametrize("code", [sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY_DIRECTORY])
def test_a_folder_that_cannot_be_written_is_read(code: int, index: Index, monkeypatch: pytest.MonkeyPatch):
    connect = sqlite3.connect

    class ReadOnly(sqlite3.Connection):
        """A connection on a disk that cannot be written: SQLite has no room for its list of readers."""

        def execute(self, statement: str, *parameters: object) -> sqlite3.Cursor:
            if statement == "BEGIN":
                error = sqlite3.OperationalError("unable to open database file")
                error.sqlite_errorcode = code
                raise error
            return super().execute(statement, *parameters)

    def opened(address: str, **options: object) -> sqlite3.Connection:
        return connect(address, **options, **({} if "immutable" in address else {"factory": ReadOnly}))

    monkeypatch.setattr(sqlite3, "connect", opened)
    assert_holds(index.path, *"abc")
    (index.path / "metadata.sqlite-wal").write_bytes(b"a change that has not got into the file")
    with pytest.raises(UsageError, match="unable to open database file"):
        contents(index.path)


def test_a_card_is_replaced(index: Index):
    with index.writing() as writer:
        writer.set_card(replace(writer.card, n_chunks=6))
        assert writer.card.n_chunks == 6
    assert read_card(index.path) == Index.open(index.path).card == replace(index.card, n_chunks=6)
