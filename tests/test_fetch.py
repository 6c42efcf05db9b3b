"""Downloads from a server of the test's own, with small archives in the real layouts."""

import bz2
import dataclasses
import gzip
import hashlib
import io
import lzma
import os
import random
import re
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import archives
import numpy as np
import pytest
import soundfile
from archives import tar as plain

from bench import catalog, datasets
from bench.datasets import fetch as fetching
from bench.datasets.fetch import fetch
from bench.errors import UsageError
from bench.types import Card


class Server:
    """Serves archives; it breaks off at `breaks_at`, once, and goes on from the middle if it has `ranges`."""

    def __init__(self) -> None:
        self.archives: dict[str, bytes] = {}
        self.breaks_at: int | None = None
        self.ranges = True
        self.chunked = False
        self.closes_at: int | None = None  # without saying how much there is, once
        self.kind = "application/gzip"
        self.ranges_requested: list[str | None] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                content = server.archives.get(self.path.strip("/"))
                requested = self.headers.get("Range")
                server.ranges_requested.append(requested)
                if content is None:
                    self.send_error(404)
                    return
                first = int(requested.split("=")[1].rstrip("-")) if requested and server.ranges else 0
                if first and first >= len(content):
                    self.send_error(416)
                    return
                self.send_response(206 if first else 200)
                last, server.breaks_at = server.breaks_at, None
                sent = content[first:last]
                self.send_header("Content-Type", server.kind)
                if server.closes_at:
                    sent, server.closes_at = content[first : server.closes_at], None
                elif server.chunked:
                    self.send_header("Transfer-Encoding", "chunked")
                    sent = f"{len(sent):x}\r\n".encode() + sent + b"\r\n" + (b"" if last else b"0\r\n\r\n")
                else:
                    self.send_header("Content-Length", str(len(content) - first))
                self.end_headers()
                self.wfile.write(sent)
                self.close_connection = True

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    local = Server()
    yield local
    local.close()


def tar(members: dict[str, bytes], *special: tarfile.TarInfo) -> bytes:
    return gzip.compress(plain(members, *special))


def changed(content: bytes, position: int) -> bytes:
    """Return a content with one other byte."""
    content = bytearray(content)
    content[position] ^= 0x55
    return bytes(content)


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def zipped(members: dict[str, bytes], link: bool = False) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            member = zipfile.ZipInfo(name)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = (stat.S_IFLNK | 0o777 if link else 0o644) << 16
            archive.writestr(member, content)
    return buffer.getvalue()


def card(server: Server, content: bytes, name: str = "mine.tar.gz", **fields: object) -> Card:
    server.archives[name] = content
    file = {
        "url": f"{server.url}/{name}",
        "bytes": len(content),
        "hash": f"sha256:{hashlib.sha256(content).hexdigest()}",
    }
    card_fields = {"kind": "path", "version": "1", "about": "", "params": {"path": "."}, **fields}
    return Card(
        name="mine",
        files=(file | fields.get("file", {}),),
        **{k: v for k, v in card_fields.items() if k != "file"},
    )


def left(home: Path) -> list[str]:
    """Return the files below home, those that were unpacked as if their folder were called mine."""
    names = (path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file())
    return sorted(re.sub(r"^data/mine-[0-9a-f]{8}/", "data/mine/", name) for name in names)


def quiet(name: str, done: int, total: int) -> None:
    """Take no note."""


def stopped(*args: object, **options: object) -> None:
    """Stand for a user who stops the program."""
    raise KeyboardInterrupt


def test_an_archive_is_downloaded_checked_and_unpacked_once(server: Server, tmp_path: Path):
    content = tar({"a/b.txt": b"hello", "c.txt": b"x"})
    reports = []
    folder = fetch(card(server, content), tmp_path, lambda *progress: reports.append(progress))
    assert left(tmp_path) == ["data/mine/a/b.txt", "data/mine/c.txt"]
    assert reports[-1] == ("mine.tar.gz", len(content), len(content))
    assert fetch(card(server, content), tmp_path, quiet) == folder
    assert len(server.ranges_requested) == 1


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_that_broke_off_goes_on(server: Server, tmp_path: Path, ranges: bool):
    content = tar({"noise.bin": hashlib.shake_128(b"seed").digest(100_000)})
    server.breaks_at, server.ranges = 40_000, ranges
    with pytest.raises(UsageError, match=r"broke off after \d+ bytes .*run the same command to go on"):
        fetch(card(server, content), tmp_path, quiet)
    assert list((tmp_path / "data").iterdir()) == []
    folder = fetch(card(server, content), tmp_path, quiet)
    assert (folder / "noise.bin").stat().st_size == 100_000
    assert server.ranges_requested[0] is None
    assert server.ranges_requested[1].startswith("bytes=")
    assert [name for name in left(tmp_path) if "downloads" in name] == []


def test_a_wrong_checksum_is_refused_and_nothing_is_left(server: Server, tmp_path: Path):
    content = tar({"a.txt": b"hello"})
    good = card(server, content)
    server.archives["mine.tar.gz"] = content[:-20] + bytes(20)
    with pytest.raises(
        UsageError,
        match=r"mine\.tar\.gz: its checksum is not the card's, .*; try again",
    ):
        fetch(good, tmp_path, quiet)
    assert left(tmp_path) == []
    server.archives["mine.tar.gz"] = content
    assert (fetch(good, tmp_path, quiet) / "a.txt").read_bytes() == b"hello"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (tar({"../../escaped.txt": b"x"}), "would be extracted to"),
        (tar({"a.txt": b"x"}, link("out", "/etc/passwd")), "is a link to an absolute path"),
        (tar({"a.txt": b"x"}, link("out", "../../..")), "would link to"),
        (tar({"zeros.bin": bytes(3_000_000)}), "unpacks to more than"),
        (zipped({"../../escaped.txt": b"x"}), "'../../escaped.txt' would be extracted outside"),
        (zipped({"/escaped.txt": b"x"}), "would be extracted outside"),
        (zipped({"out": b"/etc/passwd"}, link=True), "'out' is a link"),
        (zipped({"zeros.bin": bytes(3_000_000)}), "unpacks to more than"),
        (zipped({"a.txt": b"hello"}).replace(b"\xcbH\xcd\xc9\xc9", b"\xcbH\xcd\xc9\xc8"), "refused"),
        (tar({"a.txt": b"hello"}) + bytes(9) + b"x", "Not a gzipped file"),
        (gzip.compress(plain({"a.txt": b"x"}) + plain({"b.txt": b"x"})), "goes on behind its end"),
        (gzip.compress(plain({"a.txt": b"x"}) + bytes(2_000_000)), "goes on behind its end"),
        (gzip.compress(plain({"a": b""})[:512] * 3000), "goes on behind its size"),
        (gzip.compress(plain({"a.txt": b"x"})[:1024]), "damaged or cut short .empty header"),
        (gzip.compress(changed(plain({"a.txt": b"x", "b.txt": b"y"}), 1024)), "damaged or cut short .bad"),
        (changed(tar({"a.txt": b"hello"}), -8), "CRC check failed"),
        (changed(bz2.compress(plain({"a.txt": b"hello"})), 40), "Invalid data stream"),
        (changed(lzma.compress(plain({"a.txt": b"hello"})), 40), "LZMAError"),
        (changed(zipped({"a.txt": b"hello" * 99}), 40), "zlib.error|error: Error|CRC|BadZip|refused"),
        (plain({}), "holds no files"),
        (zipped({}), "holds no files"),
        (tar({"a.txt": b"x"}, link("b.txt", "no.txt", tarfile.LNKTYPE)), "link to no earlier file"),
        (tar({"a" * 200 + "/b" * 500: b"x"}), "path of more than 1024 characters"),
        (tar({"a": b"x", "a/b": b"x"}), "Not a directory|File exists"),
        (b"no tar at all", "refused: no tar or zip archive"),
        pytest.param(
            tar({"a.txt": b"hello" * 1000})[:-30], "refused|ended before|unexpected end", id="cut short"
        ),
    ],
    ids=lambda value: "archive" if isinstance(value, bytes) else None,  # gzip writes the time into one
)
def test_an_archive_that_does_not_belong_is_refused_and_nothing_is_left(
    content: bytes, message: str, server: Server, tmp_path: Path
):
    with pytest.raises(UsageError, match=message):
        fetch(card(server, content), tmp_path / "home", quiet)
    assert left(tmp_path) == []
    assert list((tmp_path / "home" / "data").iterdir()) == []


def test_a_zip_archive_is_unpacked_too(server: Server, tmp_path: Path):
    content = zipped({"a/b.txt": b"hello", "c.txt": b"x"})
    fetch(card(server, content, name="mine.zip"), tmp_path, quiet)
    assert left(tmp_path) == ["data/mine/a/b.txt", "data/mine/c.txt"]


def test_an_archive_may_say_how_much_it_unpacks_to(server: Server, tmp_path: Path):
    content = tar({"zeros.bin": bytes(3_000_000)})
    fetch(card(server, content, file={"unpacked": 4_000_000}), tmp_path, quiet)
    assert left(tmp_path) == ["data/mine/zeros.bin"]


def test_an_interrupt_while_unpacking_leaves_nothing_half_done(server: Server, tmp_path: Path, monkeypatch):
    content = tar({"a.txt": b"x"})
    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "extract", stopped)
        with pytest.raises(KeyboardInterrupt):
            fetch(card(server, content), tmp_path, quiet)
    assert list((tmp_path / "data").iterdir()) == []
    fetch(card(server, content), tmp_path, quiet)
    assert len(server.ranges_requested) == 1, "what was downloaded whole is not downloaded again"
    assert left(tmp_path) == ["data/mine/a.txt"]


def test_a_card_with_an_unknown_field_of_a_file_is_refused(server: Server, tmp_path: Path):
    unknown = dataclasses.replace(card(server, b"x", file={"sha256": "x"}), source="mine.toml")
    expected = r"mine\.toml: files: url, bytes, hash, sha256; expected url, hash, bytes, unpacked of each"
    with pytest.raises(UsageError, match=expected):
        fetch(unknown, tmp_path, quiet)


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_of_unknown_size_and_checksum_goes_on(
    server: Server, tmp_path: Path, chunked: bool, ranges: bool
):
    content = tar({"noise.bin": hashlib.shake_128(b"seed").digest(100_000)})
    bare = card(server, content)
    bare = dataclasses.replace(bare, files=({"url": bare.files[0]["url"]},))
    server.breaks_at, server.ranges, server.chunked = 40_000, ranges, chunked
    with pytest.raises(UsageError, match="broke off"):
        fetch(bare, tmp_path, quiet)
    reports = []
    folder = fetch(bare, tmp_path, lambda *progress: reports.append(progress))
    assert (folder / "noise.bin").stat().st_size == 100_000
    assert reports[-1] == ("mine.tar.gz", len(content), 0 if chunked else len(content))


def test_what_was_downloaded_whole_but_not_moved_is_not_downloaded_again(server: Server, tmp_path: Path):
    content = tar({"a.txt": b"hello"})
    bare = card(server, content)
    bare = dataclasses.replace(bare, files=({"url": bare.files[0]["url"]},))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "move", stopped)
        with pytest.raises(KeyboardInterrupt):
            fetch(bare, tmp_path, quiet)
    assert (fetch(bare, tmp_path, quiet) / "a.txt").read_bytes() == b"hello"
    assert server.ranges_requested == [None, f"bytes={len(content)}-"]


def without_hash(server: Server, content: bytes, **fields: object) -> Card:
    hashed = card(server, content)
    return dataclasses.replace(hashed, files=({"url": hashed.files[0]["url"], **fields},))


@pytest.mark.parametrize("fields", [{}, {"bytes": True}])
def test_a_download_that_ends_early_is_never_taken_for_whole(
    fields: dict[str, object], server: Server, tmp_path: Path
):
    content = plain({f"{number}.bin": bytes(1024) for number in range(40)})
    bare = without_hash(server, content, **({"bytes": len(content)} if fields else {}))
    server.closes_at = 512 * 30  # a member ends there
    with pytest.raises(UsageError, match="broke off after 15360 bytes" if fields else "cut short .empty"):
        fetch(bare, tmp_path, quiet)
    assert list((tmp_path / "data").iterdir()) == []
    assert len(list(fetch(bare, tmp_path, quiet).iterdir())) == 40
    assert server.ranges_requested[1] == ("bytes=15360-" if fields else None)


def test_a_download_that_never_ends_stops_at_its_size(server: Server, tmp_path: Path, monkeypatch):
    content = tar({"a.txt": hashlib.shake_128(b"seed").digest(100_000)})
    server.closes_at = len(content)
    with pytest.raises(UsageError, match=r"mine.tar.gz: sends more than 1000 bytes, so the download is del"):
        fetch(without_hash(server, content, bytes=1000), tmp_path, quiet)
    monkeypatch.setattr(fetching, "MOST_BYTES", 2000)
    server.closes_at = len(content)
    with pytest.raises(UsageError, match="sends more than 2000 bytes"):
        fetch(without_hash(server, content), tmp_path, quiet)
    assert left(tmp_path) == []


def test_a_page_in_place_of_an_archive_keeps_what_was_downloaded(server: Server, tmp_path: Path):
    content = tar({"a.txt": hashlib.shake_128(b"seed").digest(100_000)})
    bare = without_hash(server, content)
    server.breaks_at = 40_000
    with pytest.raises(UsageError, match="broke off"):
        fetch(bare, tmp_path, quiet)
    server.kind = "text/html; charset=utf-8"
    with pytest.raises(UsageError, match="is a page for people, no archive"):
        fetch(bare, tmp_path, quiet)
    server.kind = "application/gzip"
    assert (fetch(bare, tmp_path, quiet) / "a.txt").stat().st_size == 100_000
    assert server.ranges_requested[2] == server.ranges_requested[1] != "bytes=0-"


def test_a_file_of_another_size_than_the_card_says_is_refused(server: Server, tmp_path: Path):
    content = tar({"a.txt": b"hello"})
    with pytest.raises(UsageError, match=f"has {len(content)} bytes; the card says 999"):
        fetch(without_hash(server, content, bytes=999), tmp_path, quiet)
    assert left(tmp_path) == []


def test_a_small_storm_of_archives_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "sync", lambda: None)
    assert [case for case in archives.storm(tmp_path, 8, random.Random(2)) if case.fault] == []  # noqa: S311


def test_cards_of_the_same_files_share_them(server: Server, tmp_path: Path):
    one = card(server, tar({"a.txt": b"hello"}))
    other = dataclasses.replace(one, name="other")
    assert fetch(other, tmp_path, quiet) == fetch(one, tmp_path, quiet)
    assert len(server.ranges_requested) == 1


@pytest.mark.verb("fetch")
def test_a_name_that_is_unknown_is_refused_before_anything_is_fetched(bench, server: Server, tmp_path: Path):
    content = tar({"a.txt": b"hello"})
    packaged("fsdd", server, content, tmp_path)
    refused = bench("fetch", "my-fsdd", "my-fsd")
    assert refused.exit_code == 2
    assert "unknown data set or weights 'my-fsd'; did you mean 'my-fsdd'?" in refused.stderr
    assert server.ranges_requested == []


def test_data_that_cannot_be_downloaded_say_how_to_come_by_them(bench, tmp_path: Path):
    refused = bench("run", "--datasets", "voxceleb1")
    assert "data set 'voxceleb1' is not here; run: bench fetch voxceleb1" in refused.stderr
    refused = bench("fetch", "voxceleb1")
    assert refused.exit_code == 2
    assert "ask for it at https://www.robots.ox.ac.uk" in refused.stderr
    assert "and put it into" in refused.stderr


def test_a_server_that_has_it_not_or_is_not_there_is_named(server: Server, tmp_path: Path):
    there = card(server, b"x")
    server.archives.clear()
    with pytest.raises(UsageError, match=r"mine.tar.gz: broke off after 0 bytes .404"):
        fetch(there, tmp_path, quiet)
    server.close()
    with pytest.raises(UsageError, match=r"broke off after 0 bytes"):
        fetch(there, tmp_path, quiet)


def packaged(name: str, server: Server, content: bytes, tmp_path: Path) -> Path:
    """Write the packaged card of a data set, its archive replaced by one of ours, and return it."""
    text = (catalog.packaged_root() / "datasets" / f"{name}.toml").read_text(encoding="utf-8")
    server.archives["small"] = content
    head = text[: text.index("[[files]]")]
    sha256 = hashlib.sha256(content).hexdigest()
    url, size = f"{server.url}/small", len(content)
    file = f'[[files]]\nurl = "{url}"\nbytes = {size}\nhash = "sha256:{sha256}"\nunpacked = 99000000\n'
    (tmp_path / "datasets").mkdir(exist_ok=True)
    path = tmp_path / "datasets" / f"my-{name}.toml"
    path.write_text(head + file, encoding="utf-8")
    return path


def test_librispeech_is_fetched_and_run(bench, real: Path, server: Server, tmp_path: Path):
    root = real / "LibriSpeech"
    files = [*(root / "test-other").rglob("*.flac"), root / "SPEAKERS.TXT"]
    content = tar(
        {f"LibriSpeech/{path.relative_to(root)}": path.read_bytes() for path in files[::3] + files[-1:]}
    )
    packaged("librispeech-test-other", server, content, tmp_path)
    call = ["run", "--datasets", "my-librispeech-test-other", "--extractors", "mfcc-13", "--heads", "svm"]
    absent = bench(*call, "--tasks", "speaker")
    assert absent.exit_code == 2
    assert "is not here; run: bench fetch my-librispeech-test-other (5 MB)" in absent.stderr
    assert "bench fetch my-librispeech-test-other" in bench("list", "datasets").stdout
    download = bench("fetch", "my-librispeech-test-other")
    assert download.exit_code == 0
    assert "CC BY 4.0" in download.stdout
    assert bench(*call, "--tasks", "speaker,gender", "--split", "cv:2").exit_code == 0


@pytest.mark.verb("fetch")
def test_digits_are_fetched_with_the_labels_of_their_names(bench, real: Path, server: Server, tmp_path: Path):
    files = [path for path in (real / "fsdd").glob("*.wav") if path.stem.endswith(("_0", "_1"))]
    content = tar(
        {f"free-spoken-digit-dataset-1.0.9/recordings/{path.name}": path.read_bytes() for path in files}
    )
    bench_card = catalog.card(packaged("fsdd", server, content, tmp_path))
    fetch(bench_card, tmp_path, quiet)
    table = datasets.from_card(bench_card, tmp_path).table
    assert len(table) == len(files) == 120
    assert table["speaker"].nunique() == 6
    row = table.set_index("clip").loc["7_theo_1.wav"]
    assert (row["phrase"], row["speaker"], row["take"]) == ("7", "theo", "1")


def test_speech_commands_has_the_official_lists_as_folds(real: Path, server: Server, tmp_path: Path):
    sound = (real / "fsdd" / "0_george_0.wav").read_bytes()
    names = ["yes/0a_nohash_0.wav", "yes/0b_nohash_1.wav", "no/0c_nohash_0.wav", "no/0d_nohash_0.wav"]
    members = dict.fromkeys([*names, "_background_noise_/pink.wav"], sound)
    lists = {
        "validation_list.txt": b"yes/0b_nohash_1.wav\n",
        "testing_list.txt": b"no/0c_nohash_0.wav\n",
        "LICENSE": b"",
    }
    corpus = catalog.card(packaged("speech-commands", server, tar(members | lists), tmp_path))
    fetch(corpus, tmp_path, quiet)
    table = datasets.from_card(corpus, tmp_path).table.set_index("clip")
    assert table["fold"].to_dict() == dict(zip(names, ["train", "dev", "test", "train"], strict=True))
    assert table.loc[names, "keyword"].tolist() == ["yes", "yes", "no", "no"]
    assert table.loc[names[1], "speaker"] == "0b"


EVERY_LAYOUT = {
    "esc50": (
        ["ESC-50-master/audio/1-100032-A-0.wav", "ESC-50-master/audio/5-9032-B-49.wav"],
        {"class": ["dog", "hand_saw"], "recording": ["100032", "9032"], "fold": ["1", "5"]},
    ),
    "urbansound8k": (
        ["UrbanSound8K/audio/fold1/101415-3-0-2.wav", "UrbanSound8K/audio/fold10/99812-1-2-0.wav"],
        {"class": ["dog_bark", "car_horn"], "recording": ["101415", "99812"], "fold": ["1", "10"]},
    ),
    "ravdess": (
        ["Actor_01/03-01-01-01-01-02-01.wav", "Actor_24/03-01-08-02-02-01-24.wav"],
        {
            "emotion": ["neutral", "surprised"],
            "intensity": ["normal", "strong"],
            "phrase": ["kids are talking by the door", "dogs are sitting by the door"],
            "speaker": ["01", "24"],
            "gender": ["male", "female"],
        },
    ),
    "emodb": (
        ["wav/03a01Fa.wav", "wav/16b10Wb.wav"],
        {
            "emotion": ["happiness", "anger"],
            "speaker": ["03", "16"],
            "gender": ["male", "female"],
            "phrase": ["a01", "b10"],
        },
    ),
    "ms-snsd-noise": (
        ["MS-SNSD-master/noise_test/Babble_4.wav", "MS-SNSD-master/noise_train/AirConditioner_1.wav"],
        {"noise_kind": ["Babble", "AirConditioner"], "subset": ["test", "train"]},
    ),
}
"""Card -> files as its archive has them, and their labels."""


@pytest.mark.parametrize("name", EVERY_LAYOUT)
def test_a_packaged_card_reads_its_layout(name: str, take, server: Server, tmp_path: Path):
    names, labels = EVERY_LAYOUT[name]
    sound = take("george", 0, 0).read_bytes()
    other = {f"{Path(names[0]).parent}/readme.txt": b"", f"{Path(names[0]).parent}/other.wav": b""}
    corpus = catalog.card(packaged(name, server, zipped(dict.fromkeys(names, sound) | other), tmp_path))
    fetch(corpus, tmp_path, quiet)
    table = datasets.from_card(corpus, tmp_path).table
    assert {column: table[column].tolist() for column in labels} == labels


def test_clean_speech_and_noise_of_one_archive_are_mixed(take, server: Server, tmp_path: Path):
    members = {
        f"MS-SNSD-master/clean_train/clnsp{n}.wav": loud(take("theo", n % 4, n // 4), seconds=7.0)
        for n in range(6)
    }
    members |= {
        f"MS-SNSD-master/noise_train/{kind}_{n}.wav": loud(take("lucas", n, digit), seconds=1.0)
        for digit, kind in enumerate(("Babble", "CopyMachine"))
        for n in range(3)
    }
    corpus = catalog.card(packaged("ms-snsd", server, zipped(members), tmp_path))
    fetch(corpus, tmp_path, quiet)
    table = datasets.from_card(corpus, tmp_path).table
    assert len(table) == 12, "two segments of 3 s from each clip of 7 s"
    assert set(table["noise_kind"]) <= {"none", "Babble", "CopyMachine"}
    assert set(table["noise"]) == {"clean", "noisy"}
    assert table["parent"].nunique() == 6


def loud(path: Path, seconds: float) -> bytes:
    """Return a recording, repeated to a length, as a WAV file."""
    samples, rate = soundfile.read(path)
    buffer = io.BytesIO()
    soundfile.write(buffer, np.resize(samples, int(seconds * rate)), rate, format="WAV")
    return buffer.getvalue()


def test_a_copy_of_ones_own_is_read_where_it_was_put(take, tmp_path: Path):
    corpus = catalog.load().cards["voxceleb1"]
    names = [
        "id10001/1zcIwhmdeo4/00001.wav",
        "id10001/7gWzIy6yIIk/00001.wav",
        "id10002/xTV-jFAUKcw/00003.wav",
    ]
    root = corpus.folder(tmp_path) / "wav"
    for name in names:
        (root / name).parent.mkdir(parents=True)
        (root / name).write_bytes(take("george", 0, 0).read_bytes())
    split = "\n".join(f"{fold} {name}" for fold, name in zip((1, 3, 2), names, strict=True))
    (root / "iden_split.txt").write_text(f"{split}\n1 id10003/elsewhere/00001.wav\n")
    with pytest.raises(UsageError, match=r"vox1_meta\.csv: no such file"):
        datasets.from_card(corpus, tmp_path)
    lines = ["VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet", "id10001\tA\tm\tIreland\tdev"]
    (root / "vox1_meta.csv").write_text("\n".join(lines))
    with pytest.raises(UsageError, match=r"vox1_meta\.csv: does not list VoxCeleb1 ID 'id10002'"):
        datasets.from_card(corpus, tmp_path)
    (root / "vox1_meta.csv").write_text("\n".join([*lines, "id10002\tB\tf\tUSA\tdev"]))
    table = datasets.from_card(corpus, tmp_path).table
    assert table["fold"].tolist() == ["train", "test", "dev"]
    assert table["gender"].tolist() == ["male", "male", "female"]
    assert table["nationality"].tolist() == ["Ireland", "Ireland", "USA"]
    assert table["session"].tolist() == ["1zcIwhmdeo4", "7gWzIy6yIIk", "xTV-jFAUKcw"]


def test_every_packaged_card_says_what_and_whose_it_is():
    cards = catalog.load().cards
    assert len(cards) >= 15
    for corpus in cards.values():
        assert corpus.licence
        assert corpus.synthetic or (corpus.citation and corpus.verified and (corpus.files or corpus.obtain))
        for file in corpus.files:
            algorithm, _, value = file.get("hash", "").partition(":")
            assert len(value) == {"sha256": 64, "md5": 32, "": 0}[algorithm]
            assert algorithm or "checksum" in corpus.verified, "a card without one says so"


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    for name in ("03a01Fa.wav", "08b02Wb.wav", "readme.txt"):
        soundfile.write(tmp_path / name, [0.1] * 100, 8000) if name.endswith("wav") else (
            tmp_path / name
        ).touch()
    return tmp_path


def files_card(recordings: Path, **params: object) -> Card:
    return Card(
        "mine", "files", "1", "", source=str(recordings / "mine.toml"), params={"path": ".", **params}
    )


def test_labels_in_names_may_be_spelled_out(recordings: Path):
    pattern = r"(?P<speaker>\d\d)(?P<phrase>...)(?P<emotion>.)[a-z]\.wav"
    values = {"emotion": {"F": "happiness", "W": "anger"}}
    table = datasets.from_card(files_card(recordings, pattern=pattern, values=values), recordings).table
    assert table["emotion"].tolist() == ["happiness", "anger"]
    assert table["speaker"].tolist() == ["03", "08"]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"pattern": "("}, "is no regular expression"),
        ({"pattern": "x"}, "no file matches the pattern 'x'"),
        ({"pattern": ".*wav", "lists": {"test": "none.txt"}}, r"none\.txt: cannot be read .No such file"),
        ({"pattern": ".*wav", "list": {}}, "mine.toml: params: 'list' .*path, pattern, lists, tables"),
    ],
)
def test_a_bad_pattern_or_list_is_named(params: dict[str, object], message: str, recordings: Path):
    with pytest.raises(UsageError, match=message):
        datasets.from_card(files_card(recordings, **params), recordings)
