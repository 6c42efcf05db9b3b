"""Subtitles, as parsers that others wrote read them."""

import datetime
import io

import pytest

from bench.inference import subtitles
from bench.inference.answers import Phrase, Transcript

PHRASES = (
    Phrase(start=0.5, end=2.0, text="Yes."),
    Phrase(start=2.0, end=61.25, text="A < B & C --> D\n\nE"),
    Phrase(start=3661.9996, end=3662.5, text="Ja, schön."),
)
TRANSCRIPT = Transcript(text="", language="en", model="whisper-tiny", phrases=PHRASES)


def test_srt_is_what_its_parser_reads():
    srt = pytest.importorskip("srt", reason="needs pip install srt")
    cues = list(srt.parse(subtitles.srt(TRANSCRIPT)))
    assert [cue.index for cue in cues] == [1, 2, 3]
    seconds = [
        (cue.start / datetime.timedelta(seconds=1), cue.end / datetime.timedelta(seconds=1)) for cue in cues
    ]
    assert seconds == [(0.5, 2.0), (2.0, 61.25), (3662.0, 3662.5)]
    assert [cue.content for cue in cues] == ["Yes.", "A < B & C -> D E", "Ja, schön."]


def test_vtt_is_what_its_parser_reads():
    webvtt = pytest.importorskip("webvtt", reason="needs pip install webvtt-py")
    cues = list(webvtt.from_buffer(io.StringIO(subtitles.vtt(TRANSCRIPT))))
    assert [(cue.start_in_seconds, cue.end_in_seconds) for cue in cues] == [(0, 2), (2, 61), (3662, 3662)]
    assert [cue.text for cue in cues] == ["Yes.", "A &lt; B &amp; C -&gt; D E", "Ja, schön."]
    assert cues[1].end == "00:01:01.250"


def test_a_transcript_without_text_is_an_empty_file():
    empty = Transcript(text="", language="", model="whisper-tiny")
    assert (subtitles.srt(empty), subtitles.vtt(empty)) == ("", "WEBVTT\n")
