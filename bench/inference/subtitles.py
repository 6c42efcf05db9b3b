"""Subtitles: a transcript -> SubRip (SRT) or WebVTT."""

from __future__ import annotations

from bench.inference.answers import Phrase, Transcript


def srt(transcript: Transcript) -> str:
    """Return a transcript as SubRip.

    Examples
    --------
    >>> phrase = Phrase(start=0.5, end=61.25, text="Hello.")
    >>> print(srt(Transcript(text="Hello.", language="en", model="whisper-tiny", phrases=(phrase,))))
    1
    00:00:00,500 --> 00:01:01,250
    Hello.
    <BLANKLINE>
    """
    cues = (f"{number}\n{_cue(phrase, ',')}\n" for number, phrase in enumerate(transcript.phrases, start=1))
    return "\n".join(cues)


def vtt(transcript: Transcript) -> str:
    """Return a transcript as WebVTT.

    References
    ----------
    W3C, "WebVTT: The Web Video Text Tracks Format", 2019.

    Examples
    --------
    >>> phrase = Phrase(start=0.5, end=61.25, text="Hello.")
    >>> print(vtt(Transcript(text="Hello.", language="en", model="whisper-tiny", phrases=(phrase,))))
    WEBVTT
    <BLANKLINE>
    00:00:00.500 --> 00:01:01.250
    Hello.
    <BLANKLINE>
    """
    cues = (f"{_cue(phrase, '.', escape=True)}\n" for phrase in transcript.phrases)
    return "\n".join(["WEBVTT\n", *cues])


def _cue(phrase: Phrase, point: str, escape: bool = False) -> str:
    """Return the times and the text of a phrase; an arrow or a line break in the text would end the cue."""
    text = " ".join(phrase.text.split()).replace("-->", "->")
    if escape:
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"{_time(phrase.start, point)} --> {_time(phrase.end, point)}\n{text}"


def _time(seconds: float, point: str) -> str:
    """Return a time in hours, minutes, seconds and milliseconds.

    Examples
    --------
    >>> _time(3661.0005, ",")
    '01:01:01,000'
    """
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds // 1000:02}{point}{milliseconds % 1000:03}"
