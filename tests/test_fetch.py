"""Downloads from a server of the test's own, with small archives in the real layouts."""

import dataclasses
import hashlib
import io
import tarfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import soundfile

from bench import datasets, registry
from bench.datasets.fetch import fetch
from bench.errors import UsageError
from bench.types import Card


class Server:
    """Serves archives; it breaks off at `breaks_at`, once, and goes on from the middle if it has `ranges`."""

    def __init__(self) -> None:
        self.archives: dict[str, bytes] = {}
        self.breaks_at: int | None = None
        self.ranges = True
        self.asked: list[str | None] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = server.archives.get(self.path.strip("/"))
                wanted = self.headers.get("Range")
                server.asked.append(wanted)
                if content is None:
                    self.send_error(404)
                    return
                first = int(wanted.split("=")[1].rstrip("-")) if wanted and server.ranges else 0
                self.send_response(206 if first else 200)
                self.send_header("Content-Length", str(len(content) - first))
                self.end_headers()
                last, server.breaks_at = server.breaks_at, None
                self.wfile.write(content[first:last])
                self.close_connection = True

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def tar(members: dict[str, bytes], *special: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in special:
            archive.addfile(member)
    return buffer.getvalue()


def link(name: str, target: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, target
    return member


def card(server: Server, content: bytes, name: str = "mine.tar.gz", **fields: object) -> Card:
    server.archives[name] = content
    file = {
        "url": f"{server.url}/{name}",
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    card_fields = {"kind": "path", "version": "1", "about": "", "params": {"path": "."}, **fields}
    return Card(
        name="mine",
        files=(file | fields.get("file", {}),),
        **{k: v for k, v in card_fields.items() if k != "file"},
    )


def left(home: Path) -> list[str]:
    return sorted(path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file())


def quiet(name: str, done: int, total: int) -> None:
    """Take no note."""


def test_an_archive_is_downloaded_checked_and_unpacked_once(server: Server, tmp_path: Path):
    content = tar({"a/b.txt": b"hello", "c.txt": b"x"})
    seen = []
    folder = fetch(card(server, content), tmp_path, lambda *progress: seen.append(progress))
    assert left(tmp_path) == ["data/mine-1/a/b.txt", "data/mine-1/c.txt"]
    assert seen[-1] == ("mine.tar.gz", len(content), len(content))
    assert fetch(card(server, content), tmp_path, quiet) == folder
    assert len(server.asked) == 1


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_that_broke_off_goes_on(server: Server, tmp_path: Path, ranges: bool):
    content = tar({"noise.bin": hashlib.shake_128(b"seed").digest(100_000)})
    server.breaks_at, server.ranges = 40_000, ranges
    with pytest.raises(UsageError, match=r"broke off after \d+ of \d+ bytes .*run the same command to go on"):
        fetch(card(server, content), tmp_path, quiet)
    assert not (tmp_path / "data" / "mine-1").exists()
    fetch(card(server, content), tmp_path, quiet)
    assert (tmp_path / "data/mine-1/noise.bin").stat().st_size == 100_000
    assert server.asked[0] is None
    assert server.asked[1].startswith("bytes=")
    assert [name for name in left(tmp_path) if "downloads" in name] == []


def test_a_wrong_checksum_is_refused_and_nothing_is_left(server: Server, tmp_path: Path):
    content = tar({"a.txt": b"hello"})
    good = card(server, content)
    server.archives["mine.tar.gz"] = content[:-20] + bytes(20)
    with pytest.raises(UsageError, match="its SHA-256 is not the card's, so it was thrown away; try again"):
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
        (b"no tar at all", "file could not be opened successfully|not a gzip file"),
        (tar({"a.txt": b"hello" * 1000})[:-30], "refused|ended before|unexpected end"),
    ],
)
def test_an_archive_that_does_not_belong_is_refused_and_nothing_is_left(
    content: bytes, message: str, server: Server, tmp_path: Path
):
    with pytest.raises(UsageError, match=message):
        fetch(card(server, content), tmp_path / "home", quiet)
    assert left(tmp_path) == []
    assert list((tmp_path / "home" / "data").iterdir()) == []


def test_an_archive_may_say_how_much_it_unpacks_to(server: Server, tmp_path: Path):
    content = tar({"zeros.bin": bytes(3_000_000)})
    fetch(card(server, content, file={"unpacked": 4_000_000}), tmp_path, quiet)
    assert left(tmp_path) == ["data/mine-1/zeros.bin"]


def test_an_interrupt_while_unpacking_leaves_nothing_half_done(server: Server, tmp_path: Path, monkeypatch):
    def interrupt(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    content = tar({"a.txt": b"x"})
    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "extract", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fetch(card(server, content), tmp_path, quiet)
    assert list((tmp_path / "data").iterdir()) == []
    fetch(card(server, content), tmp_path, quiet)
    assert len(server.asked) == 1, "what was downloaded whole is not downloaded again"
    assert left(tmp_path) == ["data/mine-1/a.txt"]


def test_a_card_whose_files_lack_a_checksum_is_refused(server: Server, tmp_path: Path):
    made = card(server, b"x")
    bare = dataclasses.replace(made, files=({"url": made.files[0]["url"]},), place="mine.toml")
    with pytest.raises(UsageError, match=r"mine\.toml: files: url; expected url, bytes, sha256 of each"):
        fetch(bare, tmp_path, quiet)


def test_a_server_that_has_it_not_or_is_not_there_is_named(server: Server, tmp_path: Path):
    there = card(server, b"x")
    server.archives.clear()
    with pytest.raises(UsageError, match=r"mine.tar.gz: broke off after 0 of 1 bytes .404"):
        fetch(there, tmp_path, quiet)
    server.close()
    with pytest.raises(UsageError, match=r"broke off after 0 of 1 bytes"):
        fetch(there, tmp_path, quiet)


def packaged(name: str, server: Server, content: bytes, tmp_path: Path) -> Path:
    """Write the packaged card of a data set, its archive replaced by one of ours, and return it."""
    text = (registry.packaged_root() / "datasets" / f"{name}.toml").read_text(encoding="utf-8")
    server.archives["small.tar.gz"] = content
    head = text[: text.index("[[files]]")]
    sha256 = hashlib.sha256(content).hexdigest()
    url, size = f"{server.url}/small.tar.gz", len(content)
    file = f'[[files]]\nurl = "{url}"\nbytes = {size}\nsha256 = "{sha256}"\nunpacked = 99000000\n'
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
    fetched = bench("fetch", "my-librispeech-test-other")
    assert fetched.exit_code == 0
    assert "CC BY 4.0" in fetched.stdout
    assert bench(*call, "--tasks", "speaker,gender", "--split", "cv:2").exit_code == 0


def test_digits_are_fetched_with_the_labels_of_their_names(bench, real: Path, server: Server, tmp_path: Path):
    files = [path for path in (real / "fsdd").glob("*.wav") if path.stem.endswith(("_0", "_1"))]
    content = tar(
        {f"free-spoken-digit-dataset-1.0.9/recordings/{path.name}": path.read_bytes() for path in files}
    )
    bench_card = registry.card(packaged("fsdd", server, content, tmp_path))
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
    made = registry.card(packaged("speech-commands", server, tar(members | lists), tmp_path))
    fetch(made, tmp_path, quiet)
    table = datasets.from_card(made, tmp_path).table.set_index("clip")
    assert table["fold"].to_dict() == dict(zip(names, ["train", "dev", "test", "train"], strict=True))
    assert table.loc[names, "keyword"].tolist() == ["yes", "yes", "no", "no"]
    assert table.loc[names[1], "speaker"] == "0b"


def test_every_packaged_card_says_what_and_whose_it_is():
    cards = registry.load().cards
    for name in ("librispeech-dev-clean", "librispeech-train-clean-100", "speech-commands", "fsdd"):
        made = cards[name]
        assert made.licence
        assert made.citation
        assert made.verified
        for file in made.files:
            assert len(file["sha256"]) == 64
            assert file["url"].startswith("https://")


@pytest.fixture
def named(tmp_path: Path) -> Path:
    for name in ("03a01Fa.wav", "08b02Wb.wav", "readme.txt"):
        soundfile.write(tmp_path / name, [0.1] * 100, 8000) if name.endswith("wav") else (
            tmp_path / name
        ).touch()
    return tmp_path


def files_card(named: Path, **params: object) -> Card:
    return Card("mine", "files", "1", "", place=str(named / "mine.toml"), params={"path": ".", **params})


def test_labels_in_names_may_be_spelled_out(named: Path):
    pattern = r"(?P<speaker>\d\d)(?P<phrase>...)(?P<emotion>.)[a-z]\.wav"
    values = {"emotion": {"F": "happiness", "W": "anger"}}
    table = datasets.from_card(files_card(named, pattern=pattern, values=values), named).table
    assert table["emotion"].tolist() == ["happiness", "anger"]
    assert table["speaker"].tolist() == ["03", "08"]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"pattern": "("}, "is no regular expression"),
        ({"pattern": "x"}, "no file matches the pattern 'x'"),
        ({"pattern": ".*wav", "lists": {"test": "none.txt"}}, r"none\.txt: cannot be read .No such file"),
        ({"pattern": ".*wav", "list": {}}, "mine.toml: params: .*unexpected keyword argument 'list'"),
    ],
)
def test_a_bad_pattern_or_list_is_named(params: dict[str, object], message: str, named: Path):
    with pytest.raises(UsageError, match=message):
        datasets.from_card(files_card(named, **params), named)
