import http.client
import io
import json
import queue as queues
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("python_multipart")

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench import audio
from bench.errors import ClipError, UsageError
from bench.serving import page
from bench.serving.answering import Service
from bench.serving.limits import Limits
from bench.serving.question import Question
from bench.serving.queue import Queue
from bench.serving.server import Site, address, listen, server
from bench.types import Clip

RATE = 16_000
TONE = (0.4 * np.sin(2 * np.pi * 440 * np.arange(RATE // 2) / RATE)).astype(np.float32)
LABEL = "</script><b>x"


def encoded(form: str, samples: np.ndarray = TONE, rate: int = RATE, **more: Any) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=form, **more)
    return buffer.getvalue()


WAV = encoded("WAV", subtype="FLOAT")


def form(content: bytes, name: str = "a.wav", fieldname: str = "file") -> tuple[dict[str, str], bytes]:
    head = f'--xyz\r\nContent-Disposition: form-data; name="{fieldname}"; filename="{name}"\r\n\r\n'
    return {"Content-Type": "multipart/form-data; boundary=xyz"}, head.encode() + content + b"\r\n--xyz--\r\n"


@dataclass
class Answers:
    """A predictor that says what it hears, and waits for `gate`."""

    gate: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)
    paths: list[Path] = field(default_factory=list)
    error: Exception | None = None

    def __call__(self, path: Path, question: Question) -> Mapping[str, Any]:
        self.paths.append(path)
        self.begun.set()
        assert self.gate.wait(20)
        if self.error:
            raise self.error
        samples = audio.read(Clip(id="a", path=path), RATE)
        peak, power = float(np.abs(samples).max()), float((samples**2).mean())
        return {
            "file": str(path),
            "predicted_label": LABEL,
            "confidence": round(peak, 3),
            "probabilities": {LABEL: round(peak, 3), "loudness": round(power, 4)},
            "set": [LABEL],
            "n_samples": samples.size,
            "segments": question.segments,
            "top": question.top,
            "transcription": "hello" if question.transcribe else None,
        }


@dataclass
class Running:
    """A server in a thread, its folder for uploads and what it logged."""

    port: int
    folder: Path
    queue: Queue
    answers: Answers
    log: list[str]
    stop: Callable[[], None]
    states: "queues.Queue[dict[str, Any]]"

    def ask(
        self, body: Any = WAV, query: str = "", path: str = "/predict", method: str = "POST", **headers: str
    ) -> tuple[int, dict[str, str], Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path + query, body, {"Content-Type": "audio/wav", **names})
        response = connection.getresponse()
        text, kind = response.read(), response.headers["Content-Type"]
        connection.close()
        values = json.loads(text) if kind == "application/json" else text.decode()
        return response.status, {name.lower(): value for name, value in response.headers.items()}, values

    def send(self, data: bytes) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        connection.sendall(data)
        return connection


@contextmanager
def running(folder: Path, limits: Limits, transcriber: str | None = "whisper") -> Iterator[Running]:
    answers, log, queue = Answers(), [], Queue(limits.queue)
    answers.gate.set()
    service = Service(predict=answers, card={"task": LABEL, "model": "m"}, transcriber=transcriber)
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        uvicorn = server(service, limits, Site(has_page=True, log=log.append), folder, queue)
        thread = threading.Thread(target=uvicorn.run, kwargs={"sockets": [listener]})

        states: queues.Queue[dict[str, Any]] = queues.Queue()

        async def state(request: Request) -> Response:
            states.put(await request.json())
            return Response()

        def stop() -> None:
            uvicorn.should_exit = True

        uvicorn.config.app.router.routes.append(Route("/probe", state, methods=["POST"]))

        thread.start()
        try:
            yield Running(port, folder, queue, answers, log, stop, states)
        finally:
            answers.gate.set()
            stop()
            thread.join(20)
            queue.close()
    assert not thread.is_alive()
    assert list(folder.iterdir()) == []


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    limits = Limits(megabytes=0.2, seconds=5, queue=2, upload_seconds=2, header_seconds=2, windows=20)
    with running(tmp_path_factory.mktemp("uploads"), limits) as site:
        yield site


@pytest.fixture
def site(shared_server: Running) -> Running:
    shared_server.answers.error = None
    shared_server.answers.gate.set()
    shared_server.log.clear()
    return shared_server


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_every_kind_of_body_gives_the_same_answer(site: Running):
    floats, shorts = TONE.astype("<f4").tobytes(), np.round(TONE * 32767).astype("i2")
    headers, body = form(WAV)
    bodies = [
        (body, headers["Content-Type"]),
        (WAV, "audio/wav"),
        (WAV, "application/octet-stream"),
        (encoded("FLAC"), "audio/flac"),
        (floats, "audio/x-raw;format=F32LE;rate=16000"),
        (TONE.astype(">f4").tobytes(), "audio/x-raw;format=F32BE;rate=16000;channels=1"),
        (shorts.astype(">i2").tobytes(), "audio/L16;rate=16000"),
        (shorts.astype("<i2").tobytes(), "audio/L16; rate=16000; endianness=little-endian"),
        (np.repeat(TONE, 2).astype("<f4").tobytes(), "audio/x-raw;format=F32LE;rate=16000;channels=2"),
    ]
    replies = [site.ask(content, Content_Type=kind) for content, kind in bodies]
    facts = {
        (status, v["confidence"], v["n_samples"], *v["probabilities"].values()) for status, _, v in replies
    }
    assert facts == {(200, 0.4, TONE.size, 0.4, 0.08)}


@pytest.mark.parametrize("name", ["MP3", "OGG"])
def test_a_lossy_format_is_read_too(site: Running, name: str):
    status, _, answer = site.ask(encoded(name))
    assert status == 200
    assert answer["confidence"] == pytest.approx(0.4, abs=0.05)


def test_the_query_asks_as_the_command_line_does(site: Running):
    *_, answer = site.ask(query="?segments=3:1&top=2")
    assert [answer[name] for name in ("segments", "top", "transcription")] == ["3:1", 2, "hello"]
    *_, answer = site.ask(query="?transcribe=false")
    assert [answer[name] for name in ("segments", "top", "transcription")] == [None, None, None]


LONG = encoded("FLAC", np.zeros(6 * 8000), 8000)
FAST = encoded("FLAC", np.zeros(4 * 96_000), 96_000)
CUT = encoded("WAV")[:2000]
FIELDS = b'--xyz\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + bytes(20_000) + b"\r\n"
NAN = encoded("WAV", np.full(800, np.nan), subtype="FLOAT")


@pytest.mark.parametrize(
    ("kind", "body", "query", "status", "match"),
    [
        ("audio/wav", b"", "", 400, "is empty"),
        ("audio/L16;rate=16000", b"", "", 400, "is empty"),
        ("multipart/form-data; boundary=xyz", b"--xyz--\r\n", "", 400, "has no file"),
        ("multipart/form-data", b"--xyz--\r\n", "", 400, "boundary"),
        ("multipart/form-data; boundary=xyz", form(b"")[1], "", 400, "empty one"),
        ("multipart/form-data; boundary=xyz", form(WAV)[1][:-11], "", 400, "cut off"),
        ("multipart/form-data; boundary=xyz", b"nonsense", "", 400, "damaged"),
        (f"multipart/form-data; boundary={'x' * 999}", b"--x", "", 400, "boundary is too long"),
        ("multipart/form-data; boundary=xyz", form(WAV)[1][:-9] + form(WAV)[1], "", 400, "several files"),
        ("multipart/form-data; boundary=xyz", FIELDS + form(WAV)[1], "", 400, "long fields"),
        ("audio/wav", bytes(200_001), "", 413, r"larger than 0.2 MB"),
        ("multipart/form-data; boundary=xyz", form(bytes(200_001))[1], "", 413, r"larger than 0.2 MB"),
        ("audio/flac", LONG, "", 413, "longer than 5 s"),
        ("audio/flac", FAST, "", 413, "4 s at 96000 Hz are more than 240000 samples"),
        ("text/plain", WAV, "", 415, "is not audio"),
        ("audio/x-raw;format=U8;rate=8000", WAV, "", 415, "no such format of samples"),
        ("audio/L16", WAV, "", 422, "rate is missing"),
        ("audio/L16;rate=16000;channels=99", WAV, "", 422, "channels is out of range"),
        ("audio/L16;rate=16000", b"abc", "", 422, "no whole number"),
        ("audio/wav", b"RIFF" + bytes(100), "", 422, "not decodable"),
        ("audio/wav", b"\x89PNG" + bytes(100), "", 422, "not decodable"),
        ("audio/wav", CUT, "", 422, "truncated"),
        ("audio/wav", NAN, "", 422, "NaN or infinite"),
        ("audio/wav", WAV, "?segments=1:0", 422, "segments is '1:0'"),
        ("audio/wav", WAV, "?segments=1:0.001", 422, "more than 20 windows"),
        ("audio/wav", WAV, "?segments=0x1", 422, "WINDOW:HOP"),
        ("audio/wav", WAV, "?top=0", 422, "from 1 to"),
        ("audio/wav", WAV, "?transcribe=/etc/passwd", 422, "expected true or false"),
        ("audio/wav", WAV, "?file=/etc/passwd", 422, "'file' is unknown"),
        ("audio/wav", WAV, "?top=1&top=2", 422, "twice"),
    ],
)
def test_a_bad_request_is_refused_in_one_line(
    site: Running, kind: str, body: bytes, query: str, status: int, match: str
):
    actual, headers, answer = site.ask(body, query, Content_Type=kind)
    assert (actual, list(answer)) == (status, ["error"])
    assert re.search(match, answer["error"]), answer
    assert "\n" not in answer["error"]
    assert str(site.folder) not in answer["error"]
    assert headers["content-type"] == "application/json"
    assert list(site.folder.iterdir()) == []


def test_packed_bodies_are_not_unpacked(site: Running):
    assert site.ask(Content_Encoding="gzip")[0] == 415


def test_a_file_that_needs_pyav_says_how_to_install_it(site: Running, monkeypatch):
    monkeypatch.setattr("bench.audio.ffmpeg.importlib.util.find_spec", lambda name: None)
    status, _, answer = site.ask(b"\x1aE\xdf\xa3" + bytes(50), Content_Type="audio/webm")
    assert status == 415
    assert 'pip install "audio-embedding-bench[av]"' in answer["error"]


def test_a_body_without_a_length_ends_at_the_limit(site: Running):
    def chunks() -> Iterator[bytes]:
        for _ in range(100):
            yield bytes(10_000)

    assert site.ask(chunks())[0] == 413


def test_a_declared_length_is_only_a_hint(site: Running):
    head = (
        b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: audio/wav\r\nContent-Length: %d\r\n\r\n"
    )
    with site.send(head % 10**9) as connection:
        assert connection.recv(12) == b"HTTP/1.1 413"
    with site.send(head % 100_000 + WAV) as connection:  # the rest never comes
        assert connection.recv(12) == b"HTTP/1.1 408"
    with site.send(head % 100_000 + WAV):
        pass
    wait_until(lambda: not list(site.folder.iterdir()))


def test_a_slow_head_is_cut_off(site: Running):
    head = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    with site.send(head) as first, site.send(head + b"\r\n") as second:
        answer = b""
        while not answer.endswith(b"}"):
            answer += second.recv(4096)
        assert answer.startswith(b"HTTP/1.1 200")
        second.sendall(b"GET /health HTT")
        assert first.recv(1) == b""
        assert second.recv(1) == b""


def streamed_flac(seconds: float) -> bytes:
    """Return a FLAC file of silence whose header does not say how long it is (RFC 9639, 8.2)."""
    content = bytearray(encoded("FLAC", np.zeros(int(seconds * 8000)), 8000))
    packed = int.from_bytes(content[18:26], "big")
    content[18:26] = (packed & ~(2**36 - 1)).to_bytes(8, "big")
    return bytes(content)


def test_a_length_that_no_header_has_is_decoded_no_further_than_the_limit(tmp_path: Path, monkeypatch):
    path = tmp_path / "a.flac"
    path.write_bytes(streamed_flac(300))
    decoded = []
    read = soundfile.SoundFile.read

    def counting(self: Any, *words: Any, **more: Any) -> Any:
        samples = read(self, *words, **more)
        decoded.append(len(samples))
        return samples

    monkeypatch.setattr(soundfile.SoundFile, "read", counting)
    header = audio.bounded_header(path, 5)
    assert 5 < header.seconds < 5.001
    assert sum(decoded) == 40_001
    assert audio.bounded_header(path, 301).seconds == 300


def test_a_wav_that_claims_more_than_it_holds_is_no_audio(site: Running):
    lying = bytearray(encoded("WAV"))
    lying[40:44] = struct.pack("<I", 10**8)
    status, _, answer = site.ask(bytes(lying))
    assert status == 422
    assert "truncated" in answer["error"]


def test_a_disk_that_takes_no_recording_is_no_fault_of_the_client(site: Running):
    away = site.folder.rename(site.folder.with_name("away"))
    try:
        status, headers, answer = site.ask()
    finally:
        away.rename(site.folder)
    assert (status, headers["retry-after"]) == (503, "30")
    assert answer["error"] == "the recording cannot be kept here (No such file or directory); try later"


def test_the_name_of_a_client_is_shown_and_never_opened(site: Running):
    headers, body = form(WAV, name="../../etc/pass\twd<b>.wav")
    status, _, answer = site.ask(body, Content_Type=headers["Content-Type"])
    assert (status, answer["file"]) == (200, "passwd<b>.wav")
    assert site.answers.paths[-1].parent == site.folder
    assert re.fullmatch(r"\d+\.upload", site.answers.paths[-1].name)
    head = b'--xyz\r\nContent-Disposition: form-data; name="file"\r\n\r\n/etc/passwd\r\n--xyz--\r\n'
    assert site.ask(head, Content_Type="multipart/form-data; boundary=xyz")[0] == 400


def test_a_full_queue_says_when_to_come_again_and_loses_nobody(site: Running):
    site.answers.gate.clear()
    replies: list[int] = []
    threads = [threading.Thread(target=lambda: replies.append(site.ask()[0])) for _ in range(3)]
    for number, thread in enumerate(threads, 1):
        thread.start()
        wait_until(lambda number=number: site.queue.n_jobs == number)
    status, headers, _ = site.ask()
    assert status == 429
    assert int(headers["retry-after"]) >= 1
    assert site.ask(path="/health", method="GET")[2]["requests"] == 3
    site.answers.gate.set()
    for thread in threads:
        thread.join(20)
    assert replies == [200, 200, 200]


def test_a_client_that_leaves_does_not_stop_the_worker(site: Running):
    site.answers.gate.clear()
    n_before = len(site.answers.paths)
    head = (
        b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: audio/wav\r\nContent-Length: %d\r\n\r\n"
    )
    running, waiting = (site.send(head % len(WAV) + WAV) for _ in range(2))
    wait_until(lambda: site.queue.n_jobs == 2)
    waiting.close()
    wait_until(lambda: site.queue.n_jobs == 1)
    running.close()
    site.answers.gate.set()
    wait_until(lambda: site.queue.n_jobs == 0)
    assert len(site.answers.paths) == n_before + 1
    assert list(site.folder.iterdir()) == []
    assert site.ask()[0] == 200


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (ValueError("secret /root/x"), 500, "a fault of this server, which it has printed where it runs"),
        (ClipError("/root/secret/a.wav: is silent"), 422, "a.wav: is silent"),
        (MemoryError(), 503, "memory is full; send a shorter recording, or try later"),
    ],
)
def test_a_failure_tells_no_folder(site: Running, error: Exception, status: int, line: str):
    site.answers.error = error
    actual, _, answer = site.ask()
    assert (actual, answer) == (status, {"error": line})
    assert [entry.partition(" (")[0] for entry in site.log] == (
        ["POST /predict: ValueError: secret /root/x"] if status == 500 else []
    )


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", ""])
def test_a_name_that_is_not_the_servers_is_refused(site: Running, host: str):
    assert site.ask(method="GET", path="/health", body=None, Host=host)[0] == 400


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:80", "[::1]:8000"])
def test_a_name_of_the_server_is_taken(site: Running, host: str):
    assert site.ask(method="GET", path="/health", body=None, Host=host)[0] == 200


def test_another_page_may_not_ask(site: Running):
    assert site.ask(Origin="http://evil.example")[0] == 403
    assert site.ask(Origin="null")[0] == 403
    status, headers, _ = site.ask(Origin=f"http://127.0.0.1:{site.port}")
    assert status == 200
    assert not [name for name in headers if name.lower().startswith("access-control")]


def test_the_description_is_openapi_and_names_every_address(site: Running):
    status, _, description = site.ask(method="GET", path="/openapi.json", body=None)
    assert status == 200
    for path, methods in description["paths"].items():
        for method in methods:
            assert site.ask(method=method.upper(), path=path)[0] == 200
    pytest.importorskip("openapi_spec_validator").validate(description)


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/predict", 405), ("GET", "/../etc/passwd", 404)]
)
def test_what_there_is_not_is_json_too(site: Running, method: str, path: str, status: int):
    actual, _, answer = site.ask(method=method, path=path, body=None)
    assert (actual, list(answer)) == (status, ["error"])


def is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_stop_finishes_what_runs(tmp_path: Path):
    replies = []
    with running(tmp_path, Limits()) as site:
        site.answers.gate.clear()
        thread = threading.Thread(target=lambda: replies.append(site.ask()[0]))
        thread.start()
        assert site.answers.begun.wait(10)
        site.stop()
        wait_until(lambda: is_refused(site.port))
        site.answers.gate.set()
        thread.join(10)
    assert replies == [200]


SLEEPER = """
import time
from bench.serving.answering import Service
from bench.serving.limits import Limits
from bench.serving.server import Site, address, listen, serve
def predict(path, question):
    print("begun", path.parent, flush=True)
    time.sleep(60)
with listen("127.0.0.1", 0) as listener:
    print(listener.getsockname()[1], flush=True)
    serve(Service(predict=predict, card={}), listener, Limits(), Site())
"""


@pytest.mark.slow
def test_a_second_interrupt_ends_what_runs():
    with subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.PIPE, text=True) as process:
        connection = http.client.HTTPConnection("127.0.0.1", int(process.stdout.readline()), timeout=20)
        connection.request("POST", "/predict", WAV, {"Content-Type": "audio/wav"})
        word, _, folder = process.stdout.readline().strip().partition(" ")
        assert word == "begun"
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=1)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130
        connection.close()
    assert not Path(folder).exists()


def test_a_port_in_use_is_named():
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert address(listener) == f"http://127.0.0.1:{port}"
        with pytest.raises(UsageError, match=f"--port {port}: Address already in use; give another port"):
            listen("127.0.0.1", port)
    with pytest.raises(UsageError, match="expected a name or address of this machine"):
        listen("no.such.host", 0)


def test_the_page_loads_only_its_own_files(site: Running):
    for path in ("/", "/page.css", *(f"/{name}" for name in page.SCRIPTS)):
        status, headers, text = site.ask(method="GET", path=path, body=None)
        assert status == 200
        assert "default-src 'none'; script-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"https?://|<script>|style=|\son\w+=", text)
        assert LABEL not in text


PROBE = """
import { wav } from "./recorder.js";
const state = { errors: [] };
window.addEventListener("error", (event) => state.errors.push(event.message));
window.addEventListener("unhandledrejection", (event) => state.errors.push(String(event.reason)));
const part = (id) => document.getElementById(id);
const until = async (condition) => {
  const end = Date.now() + 20000;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`never: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
};
const answered = () => until(() => part("status").textContent.startsWith("Answered"));
const drop = (file) => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(file);
  document.dispatchEvent(new DragEvent("drop", { dataTransfer }));
};
(async () => {
  part("record").click();
  await until(() => parseFloat(part("clock").textContent) > 1);
  state.button = part("record").textContent;
  part("record").click();
  await answered();
  state.recorded = JSON.parse(document.querySelector("#result pre").textContent);
  state.label = document.querySelector("#result strong").textContent;
  state.bars = document.querySelectorAll("#result .bars li").length;
  state.injected = document.querySelectorAll("#result b, main script").length;
  const canvas = part("spectrogram");
  const column = canvas.getContext("2d").getImageData(canvas.width / 2, 6, 1, canvas.height - 28).data;
  const light = Array.from({ length: column.length / 4 }, (_, y) => column[4 * y] + column[4 * y + 1]);
  state.height = 1 - light.indexOf(Math.max(...light)) / light.length;
  part("transcribe").checked = false;
  drop(new File([wav([new Float32Array(8000).fill(0.25)], 16000)], "<b>drop.wav"));
  await answered();
  state.name = part("name").textContent;
  state.dropped = JSON.parse(document.querySelector("#result pre").textContent);
  drop(new File(["no audio"], "a.wav"));
  await until(() => !part("failure").hidden);
  state.failure = part("failure").textContent;
  state.foreign = performance.getEntriesByType("resource").map((entry) => entry.name)
    .filter((name) => !name.startsWith(location.origin) && !name.startsWith("blob:"));
  state.overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
})().catch((error) => state.errors.push(String(error))).finally(() => {
  fetch("probe", { method: "POST", body: JSON.stringify(state) });
});
"""


@pytest.mark.slow
def test_the_page_records_and_drops_in_chromium(tmp_path: Path, monkeypatch):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs Chromium: apt install chromium")
    files = page.files

    def with_probe(facts: Mapping[str, Any]) -> dict[str, tuple[bytes, str]]:
        content = files(facts)
        script = b'<script type="module" src="probe.js"></script></head>'
        html = content["/"][0].replace(b"</head>", script)
        return content | {"/": (html, "text/html"), "/probe.js": (PROBE.encode(), "text/javascript")}

    monkeypatch.setattr(page, "files", with_probe)
    soundfile.write(tmp_path / "tone.wav", np.tile(TONE, 20), RATE)
    flags = [
        *(
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--window-size=320,700",
            "--remote-debugging-port=0",
        ),
        *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
        f"--use-file-for-fake-audio-capture={tmp_path / 'tone.wav'}",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    (tmp_path / "uploads").mkdir()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with (
        running(tmp_path / "uploads", Limits()) as site,
        subprocess.Popen([chromium, *flags, f"http://127.0.0.1:{site.port}/"], **quiet) as browser,
    ):
        try:
            state = site.states.get(timeout=90)
        finally:
            browser.terminate()
    assert state["errors"] == []
    assert state["foreign"] == []
    assert (state["button"], state["label"], state["bars"], state["injected"]) == ("Stop", LABEL, 2, 0)
    recorded, dropped = state["recorded"], state["dropped"]
    assert recorded["file"] == "recording.wav"
    assert recorded["n_samples"] > 0.9 * RATE
    assert recorded["confidence"] == pytest.approx(0.4, abs=0.03)
    assert recorded["probabilities"]["loudness"] == pytest.approx(0.08, abs=0.02)
    mel = np.log10(1 + 440 / 700) / np.log10(1 + 8000 / 700)
    assert state["height"] == pytest.approx(mel, abs=0.03)
    assert state["name"] == "<b>drop.wav"
    assert (dropped["file"], dropped["n_samples"], dropped["transcription"]) == ("<b>drop.wav", 8000, None)
    assert dropped["confidence"] == pytest.approx(0.25, abs=0.001)
    assert "not decodable" in state["failure"]
    assert state["overflow"] == 0
