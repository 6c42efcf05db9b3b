"""Fixtures that several test modules share."""

import base64
import contextlib
import functools
import importlib
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pytest
import soundfile
from click.testing import CliRunner, Result
from filelock import FileLock
from hypothesis import settings
from matplotlib.figure import Figure

from bench import audio, cli
from bench.catalog.imports import FolderFinder
from bench.datasets.kinds import demo
from bench.datasets.tables import dataset
from bench.keys import digest
from bench.store import Store
from bench.types import Clip, Dataset

# A busy machine is no reason to fail.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# Scripts, plugins, and benchmarks, which take minutes: they run when they are named.
collect_ignore = [
    "fairseq",
    "simulation",
    "trained",
    *([] if any("tests/perf" in word for word in sys.argv[1:]) else ["perf"]),
]


def pytest_xdist_auto_num_workers() -> int:
    """Return one worker more than cores: many a test waits for processes."""
    return (os.cpu_count() or 1) + 1


LIBRARIES = (
    "scipy.signal",
    "sklearn.ensemble",
    "transformers.models.whisper.modeling_whisper",
    "xgboost",
)
"""What each process of pytest-xdist imports before coverage begins to trace, which would double the time."""


class Doctests:
    """Leaves modules of the package out that have no example: importing some takes every process seconds."""

    package = Path(cli.__file__).parents[1]

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Return True for a module without an example, and None for what others decide about."""
        is_module = collection_path.suffix == ".py" and self.package in collection_path.parents
        return True if is_module and ">>>" not in collection_path.read_text(encoding="utf-8") else None


def pytest_configure(config: pytest.Config) -> None:
    """Keep OpenVINO from calling home; give each process of pytest-xdist its libraries, and a cache of numba.

    numba numbers the files of a function: processes that compile it for two types at once take one name for
    both, and the next process that loads it crashes.
    """
    config.pluginmanager.register(Doctests())  # a conftest sees its own folder alone
    sys.modules["openvino_telemetry"] = None  # else every conversion forks this process, to send a message
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    caches = Path(tempfile.gettempdir(), "bench-tests-numba", digest(sys.prefix))
    os.environ["NUMBA_CACHE_DIR"] = str(caches / worker)
    if worker == "gw0":
        _import_librosa(caches, worker)
    if worker != "main":
        for name in LIBRARIES:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        _import_librosa(caches, worker)


def _import_librosa(caches: Path, worker: str) -> None:
    """Import librosa; the first process compiles it, for 20 s, and the others begin with its cache."""
    first, own = caches / "librosa", caches / worker
    caches.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{first}.lock"):
        if first.exists() and not own.exists():
            shutil.copytree(first, own)
        importlib.import_module("librosa.feature.spectral")
        if not first.exists():
            shutil.copytree(own, first)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Look for doctests in the package alone."""
    collectors = yield
    return [collector for collector in collectors if type(collector) is pytest.Module]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs real audio, what is a unit test and the heads that use UMAP."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if fixtures & {"real", "weights"}:
            item.add_marker("real")
        if not fixtures & {"bench", "digits", "home", "real", "take", "weights"}:
            item.add_marker("unit")
        if item.get_closest_marker("simulation"):
            item.add_marker("no_cover")
        if "umap" in item.name:  # compiling it takes a process half a minute
            item.add_marker(pytest.mark.xdist_group("umap"))
            item.add_marker("no_cover")


ROOT = Path(__file__).parent.parent
REAL = Path(os.environ.get("BENCH_TEST_DATA", ROOT.parent / "shared" / "data"))
WEIGHTS = Path(os.environ.get("BENCH_TEST_WEIGHTS", ROOT.parent / "shared" / "weights"))


@pytest.fixture(scope="session")
def real() -> Path:
    """Return the folder of real audio: LibriSpeech/, fsdd/ and noise/."""
    if not (REAL / "fsdd").is_dir():
        pytest.skip(f"needs real audio in {REAL}; set BENCH_TEST_DATA to where it is")
    return REAL


@pytest.fixture(scope="session")
def weights() -> Path:
    """Return the folder of trained weights: whisper-tiny.en/, ge2e/ and speech-embedding/."""
    if not (WEIGHTS / "whisper-tiny.en").is_dir():
        pytest.skip(f"needs trained weights in {WEIGHTS}; set BENCH_TEST_WEIGHTS to where they are")
    return WEIGHTS


@pytest.fixture
def networks(weights: Path, tmp_path: Path) -> Path:
    """Return the test's folder with the trained networks of docs/add-extractor.md and their weights."""
    text = (Path(__file__).parent.parent / "docs" / "add-extractor.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r'^```python title="([^"]+)"\n(.*?)^```', text, re.MULTILINE | re.DOTALL))
    for name in ("ge2e.py", "speech_embedding.py"):
        (tmp_path / name).write_text(blocks[name])
    shutil.copy(weights / "ge2e" / "model.safetensors", tmp_path / "ge2e.safetensors")
    shutil.copytree(weights / "speech-embedding", tmp_path / "speech-embedding")
    return tmp_path


class ChatServer:
    """A server of the OpenAI-compatible protocol on loopback.

    Parameters
    ----------
    respond : Callable[[Any], None]
        Answers a request; the test may replace it.
    """

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self.write: Callable[[dict[str, Any]], str] = lambda body: "{}"
        self.respond: Callable[[Any], None] = self.complete
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer({"data": [{"id": "tiny"}]})

            def do_POST(self) -> None:
                outer.headers.append(dict(self.headers))
                outer.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                with contextlib.suppress(ConnectionError):  # the client has given up
                    outer.respond(self)

            def answer(self, value: object, status: int = 200, **headers: str) -> None:
                """Answer with bytes, or a value as JSON."""
                body = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(status)
                for name, text in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, text)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def complete(self, handler: Any) -> None:
        """Answer with the text that `write` returns for the body of a request."""
        text = self.write(self.bodies[-1])
        handler.answer({"choices": [{"message": {"content": text}, "finish_reason": "stop"}]})

    def close(self) -> None:
        """End it."""
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def chat_server() -> Iterator[ChatServer]:
    """Return a language model behind a URL, whose answers the test writes."""
    server = ChatServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all processes of the session share."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "home"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def home(shared: Path) -> Path:
    """Return a cache that all processes of the session share; the demo corpus is in it."""
    with FileLock(shared / "demo.lock"):  # makes it once, and the others wait
        demo.load(shared, "1")
    return shared


@pytest.fixture(autouse=True)
def _plugins_of_one_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget the modules that a test wrote: the next one's may have the same names."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, FolderFinder)]
    for name in set(sys.modules) - before:
        if "/pytest-of-" in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)
"""A PNG of one pixel."""


@pytest.fixture(scope="session", autouse=True)
def _drawn() -> Iterator[Callable[..., None]]:
    """Yield what draws a figure; from here on a figure is a pixel."""

    def save(figure: Figure, to: str | Path | BinaryIO, **_: object) -> None:
        if isinstance(to, str | Path):
            Path(to).write_bytes(PIXEL)
        else:
            to.write(PIXEL)

    with pytest.MonkeyPatch.context() as patch:
        drawn = Figure.savefig
        patch.setattr(Figure, "savefig", save)
        yield drawn


@pytest.fixture(autouse=True)
def _figures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, _drawn) -> None:
    """Draw the figures of a test that looks at them."""
    if request.node.get_closest_marker("figures"):
        monkeypatch.setattr(Figure, "savefig", _drawn)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a folder for installed distributions, which nothing sees until it is put on the path."""
    return tmp_path / "site"


@pytest.fixture
def distribution(site: Path) -> Callable[[str, Mapping[str, str], Mapping[str, Mapping[str, str]]], None]:
    """Return an installer of distributions: name, code by module, entry points by group."""

    def install(name: str, modules: Mapping[str, str], entries: Mapping[str, Mapping[str, str]]) -> None:
        info = site / f"{name.replace('-', '_')}-2.1.dist-info"
        info.mkdir(parents=True)
        for module, code in modules.items():
            (site / f"{module}.py").write_text(code)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.1\nSummary: Crossings\n"
        )
        groups = (
            f"[{group}]\n" + "".join(f"{entry} = {value}\n" for entry, value in own.items())
            for group, own in entries.items()
        )
        (info / "entry_points.txt").write_text("".join(groups))

    return install


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Return the command line, run in an empty folder with a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))

    def call(*words: object) -> Result:
        result = CliRunner().invoke(cli.main, [str(word) for word in words])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


SPEAKERS = ("george", "jackson", "nicolas", "yweweler", "lucas", "theo")
"""The speakers of the spoken digits; the last two go as if they were female."""


@pytest.fixture(scope="session")
def take(shared: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[str, int, int], Path]]:
    """Yield a finder of short recordings by speaker, digit (0 to 3) and take (0, 1).

    They are real spoken digits, or where there is no real audio, phrases of the demo corpus. They have a
    folder to themselves, since a run lists the audio files beside its own, and a process searches them for
    near copies once.
    """
    real, folder = REAL / "fsdd", shared / "recordings"
    corpus = real if real.is_dir() else Path(demo.load(request.getfixturevalue("home"), "1").source).parent

    def name(speaker: str, digit: int, number: int) -> str:
        if corpus == real:
            return f"{digit}_{speaker}_{number}.wav"
        voice = (1, 3, 5, 7, 0, 2)[SPEAKERS.index(speaker)]
        return f"s{voice:02}-{number}-{tuple(demo.PHRASES)[digit]}.wav"

    with FileLock(shared / "recordings.lock"):
        if not folder.exists():
            folder.mkdir()
            for recording in itertools.product(SPEAKERS, range(4), range(2)):
                shutil.copy(corpus / name(*recording), folder)

    search = audio.near_copies
    remembered = functools.cache(lambda clips, fingerprints: tuple(search(clips, fingerprints)))

    def near_copies(clips: Sequence[Clip], fingerprints: Sequence[str]) -> list[str]:
        is_shared = all(clip.path.parent == folder for clip in clips)
        return list((remembered if is_shared else search)(tuple(clips), tuple(fingerprints)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audio, "near_copies", near_copies)
        yield lambda *recording: folder / name(*recording)


@pytest.fixture
def digits(take: Callable[[str, int, int], Path], tmp_path: Path) -> Path:
    """Return a manifest of 48 recordings: 6 speakers (2 as if female) x 4 sessions x 2 takes."""
    rows = [
        {
            "path": str(take(speaker, digit, number)),
            "speaker": speaker,
            "gender": "female" if speaker in SPEAKERS[-2:] else "male",
            "session": str(digit),
        }
        for speaker in sorted(SPEAKERS)
        for digit in range(4)
        for number in range(2)
    ]
    path = tmp_path / "digits.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def fill(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path, Callable[[], object]], None]:
    """Return a function that fills a test's folder: the first test of a module runs, the others copy."""
    first, folders = tmp_path_factory.mktemp("first") / "folder", []

    def copy_or_run(folder: Path, run: Callable[[], object]) -> None:
        if not folders:
            run()
            shutil.copytree(folder, first)
            folders.append(str(folder))
            return
        shutil.copytree(first, folder, dirs_exist_ok=True)
        for path in folder.glob("*/run.json"):
            path.write_text(path.read_text().replace(folders[0], str(folder)))

    return copy_or_run


@pytest.fixture
def copy(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return a copy of the results of a module's `original`, whose data and cache it shares."""
    monkeypatch.setenv("BENCH_CACHE", str(original / "cache"))
    shutil.copytree(original / "out", tmp_path / "out")
    return Store(tmp_path / "out")


@pytest.fixture
def tone(tmp_path: Path) -> Callable[..., Path]:
    """Return a writer of short tones."""

    def write(name: str, seconds: float = 0.5, rate: int = 8000, pitch: float = 440.0) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * pitch * np.arange(int(seconds * rate)) / rate), rate)
        return path

    return write


@pytest.fixture(scope="session")
def dataset_of() -> Callable[..., Dataset]:
    """Return a maker of datasets without audio, one row per clip."""

    def make(rows: Sequence[dict[str, str]]) -> Dataset:
        frame = pd.DataFrame([{"clip": f"c{i}", "path": f"c{i}.wav", **row} for i, row in enumerate(rows)])
        return dataset(frame, name="made", source="made.csv")

    return make


@pytest.fixture
def browse(tmp_path: Path) -> Callable[..., tuple[dict[str, Any], list[str]]]:
    """Return a function that opens a page in Chromium; its probe's state, and lines of the console."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs Chromium: apt install chromium")

    def state(page: Path, *flags: str, timeout_s: float) -> tuple[dict[str, Any], list[str]]:
        always = ("--headless", "--no-sandbox", "--enable-logging=stderr", "--dump-dom")
        process = subprocess.run(
            [chromium, *always, f"--user-data-dir={tmp_path / 'profile'}", *flags, page.as_uri()],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=True,
        )
        output = re.search(r'<pre id="probe">(.*?)</pre>', process.stdout, re.DOTALL)
        assert output, process.stdout[-500:]
        console = [line for line in process.stderr.splitlines() if "CONSOLE" in line]
        return json.loads(unescape(output[1])), console

    return state
