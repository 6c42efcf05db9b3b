import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path

import jsonschema
import pytest
from click.testing import Result

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("python_multipart")


def test_a_port_in_use_and_a_folder_without_a_model_are_one_line(bench: Callable[..., Result]):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        result = bench("serve", "model", "--port", port)
    assert result.exit_code == 2
    assert result.output.splitlines()[-1].startswith(
        f"Error: --host 127.0.0.1 --port {port}: Address already in use"
    )
    result = bench("serve", "model", "--port", 0)
    assert result.exit_code == 2
    assert "expected a folder that `bench export` wrote" in result.output.splitlines()[-1]


def replies(port: int, recording: bytes) -> dict[str, str]:
    """Return address -> text of a server's response."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    texts = {}
    for path in ("/predict", "/predict?segments=0.2:0.1&top=2", "/model", "/openapi.json", "/"):
        body = recording if "predict" in path else None
        connection.request("POST" if body else "GET", path, body, {"Content-Type": "audio/wav"})
        texts[path] = connection.getresponse().read().decode()
    connection.close()
    return texts


@pytest.mark.slow
def test_a_served_model_answers_as_on_the_command_line(
    bench: Callable[..., Result], digits: Path, take: Callable[[str, int, int], Path], tmp_path: Path
):
    run = ("--datasets", "digits.csv", "--extractors", "mfcc-13", "--heads", "logreg", "--tasks", "speaker")
    assert bench("run", *run, "--plain", "--out", "out").exit_code == 0
    assert bench("export", "out", "--to", "model").exit_code == 0
    clip = take("theo", 0, 0)
    expected = json.loads(bench("predict", "model", clip).stdout)
    call = [sys.executable, "-m", "bench", "serve", "model", "--port", "0", "--ui"]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            line = server.stdout.readline()
            match = re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+) \(Ctrl-C to stop\)\n", line)
            assert match, line + server.stderr.read()
            texts = replies(int(match[1]), clip.read_bytes())
            server.send_signal(signal.SIGINT)
            assert server.wait(timeout=20) == 0
            assert server.stderr.read() == "stopped\n"
        finally:
            server.kill()
    answer = json.loads(texts["/predict"])
    for name in ("file", "seconds"):
        del answer[name], expected[name]
    assert answer == expected
    description = json.loads(texts["/openapi.json"])
    answer_schema = {**description, "$ref": "#/components/schemas/WrittenAnswer"}
    jsonschema.Draft202012Validator(answer_schema).validate(json.loads(texts["/predict"]))
    windows = json.loads(texts["/predict?segments=0.2:0.1&top=2"])
    assert len(windows["windows"]) > 1
    assert len(windows["probabilities"]) == 2
    card = json.loads(texts["/model"])
    assert card["task"] == "speaker"
    assert set(card["classes"]) == set(expected["probabilities"])
    assert str(tmp_path) not in "".join(texts.values())
