"""The page of hits: it plays them, says what it cannot play, and runs nothing."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench.errors import UsageError
from bench.paths import path_text
from bench.retrieval import output, page
from bench.retrieval.records import Caption, Hit

EVIL = "<script>alert(1)</script>\"' onerror=x"


class Tags(HTMLParser):
    """Collects the tags of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))


def hit(path: Path, **fields: object) -> Hit:
    return Hit(
        **{
            "id": 7,
            "file": 1,
            "clip": path.name,
            "path": path_text(path),
            "start": 0.1,
            "end": 0.4,
            "score": 0.5,
            **fields,
        }
    )


@pytest.fixture
def text(tone, tmp_path: Path) -> str:
    """Return a page with a hit that plays, one whose file is gone, and one that is no audio."""
    gone = tone("gone.wav")
    gone.unlink()
    (tmp_path / "torn.wav").write_bytes(b"RIFF")
    captions = [Caption(1, "transcript", "three " + EVIL, "whisper", 0, 0.5)]
    hits = [
        hit(tone("tone.wav"), labels={"speaker": EVIL}, captions=captions),
        hit(gone),
        hit(tmp_path / "torn.wav"),
    ]
    page.write(tmp_path / "pages" / "hits.html", f"like {EVIL}", hits)
    return (tmp_path / "pages" / "hits.html").read_text(encoding="utf-8")


def test_a_hit_plays_without_a_network(text: str):
    [sound] = [attributes["src"] for tag, attributes in Tags(text).tags if tag == "audio"]
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(sound.partition(",")[2])))
    assert 0.3 <= len(samples) / rate < 0.6
    spectrum = np.abs(np.fft.rfft(samples))
    assert np.argmax(spectrum) * rate / len(samples) == pytest.approx(440, abs=10)
    addresses = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert [address for address in addresses if not address.startswith("data:audio/mpeg")] == []


def test_a_hit_that_cannot_be_played_says_why(text: str):
    faults = re.findall(r'class="fault">([^<]+)<', text)
    assert faults[0] == "Cannot be played: the file is not there any more"
    assert "torn.wav" in faults[1]


def test_names_labels_and_texts_on_the_page_run_nothing(text: str):
    tags = [tag for tag, _ in Tags(text).tags]
    assert "script" not in tags
    assert "script-src" not in text
    assert "default-src 'none'" in text
    assert text.count("&lt;script&gt;alert(1)") >= 3


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_table_of_hits_fits_the_terminal(tmp_path: Path, width: int):
    said = [Caption(1, "transcript", "a dog barks " * 20, "whisper", 0, 1)]
    labels = {"speaker": "jackson", "room": "a large one with an echo"}
    hits = [hit(tmp_path / "0_jackson_0.wav", labels=labels, captions=said, cluster="x" * 60)]
    lines = output.table(hits, width).splitlines()
    assert max(map(len, lines)) <= width
    assert "speaker" in lines[2]
    assert "a dog" in lines[2]
    assert ("xxx" in lines[2]) == (width > 80)


def test_a_page_that_cannot_be_written_is_refused(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"--html .*hits.html: cannot be written"):
        page.write(tmp_path / "file" / "hits.html", "like chunk 1", [])


@pytest.mark.slow
def test_chromium_plays_the_hits(browse, tone, tmp_path: Path):
    """The policy of the page lets its audio play: the probe is added behind it, with a policy of its own."""
    page.write(tmp_path / "hits.html", "like chunk 1", [hit(tone("tone.wav", 1.0))])
    text = (tmp_path / "hits.html").read_text(encoding="utf-8")
    probe = """<pre id="probe"></pre><script>
      const audio = document.querySelector("audio");
      audio.addEventListener("canplaythrough", () =>
        document.getElementById("probe").textContent = JSON.stringify({seconds: audio.duration}));
      audio.preload = "auto"; audio.load();</script></body>"""
    shown = text.replace("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'")
    (tmp_path / "probed.html").write_text(shown.replace("</body>", probe), encoding="utf-8")
    state, console = browse(tmp_path / "probed.html", "--virtual-time-budget=5000", timeout_s=60)
    assert 0.3 <= state["seconds"] < 0.6  # MP3 pads
    assert console == []
