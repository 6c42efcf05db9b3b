"""Files that FFmpeg decodes through PyAV, an optional extra: MP4, Matroska, Windows Media, AAC and AMR."""

import importlib.util
import itertools
import os
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from bench.audio.containers import ASF, EBML, is_mp4
from bench.errors import ClipError, one_line
from bench.types import Audio

SUFFIXES = (
    *(".m4a", ".m4b", ".mp4", ".mov", ".3gp", ".webm", ".mkv", ".mka", ".wma", ".wmv", ".aac", ".amr"),
    *(".avi", ".ape", ".wv", ".ac3"),
)
"""Suffixes of files that libsndfile cannot read."""

OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,matroska,asf,aac,amr,amrnb,amrwb,avi,ape,wv,ac3,eac3,mp3,wav",
}
"""Options of FFmpeg: other formats, such as playlists, name further files and addresses."""

INSTALLATION = 'pip install "audio-embedding-bench[av]"'

LIBSNDFILE = (b"OggS", b"RIFF", b"fLaC", b"FORM", b"caff", b".snd")
"""First bytes of files that libsndfile reads, whatever their suffix; an AVI is a RIFF file."""


def is_installed() -> bool:
    """Return whether PyAV is there."""
    return importlib.util.find_spec("av") is not None


def identity_here() -> Mapping[str, str]:
    """Return the version of PyAV; nothing if it is not installed."""
    return {"av": version("av")} if is_installed() else {}


def decodes(path: Path) -> bool:
    """Return whether a file is one for FFmpeg, by its first bytes, else by its suffix."""
    file = os.open(path, os.O_RDONLY)
    try:
        head = os.pread(file, 16, 0)
    finally:
        os.close(file)
    if is_mp4(head) or head.startswith((EBML, ASF, b"#!AMR")) or _is_adts(head):
        return True
    suffix = path.suffix.lower()
    return suffix in SUFFIXES and (not head.startswith(LIBSNDFILE) or head[8:12] == b"AVI ")


def _is_adts(head: bytes) -> bool:
    """Return whether a file starts with a frame of AAC, which unlike that of an MP3 has the layer 0."""
    return len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0


def identity(*paths: Path) -> Mapping[str, str]:
    """Return the version of PyAV, which changes the samples, if it decodes one of the files; else nothing.

    Raises
    ------
    ClipError
        If it is not installed.
    """
    for path in paths:
        if decodes(path):
            _require(path)
            return identity_here()
    return {}


def _require(path: Path) -> None:
    """Raise ClipError if PyAV is not installed."""
    if not is_installed():
        raise ClipError(f"{path}: needs PyAV, which reads {path.suffix or 'such'} files; run: {INSTALLATION}")


class FfmpegStream:
    """The first sound track of a file, read to its end; as a `streams.Stream`, but it never seeks.

    After a seek, most codecs give other samples.

    Raises
    ------
    ClipError
        If PyAV is not installed, or the file holds no sound that can be decoded.
    """

    n_frames: None = None
    """The length is what the file decodes to: headers count the codec's delay or not."""

    def __init__(self, path: Path) -> None:
        _require(path)
        import av  # optional

        self._path, self._error = path, av.FFmpegError
        try:
            self._file = av.open(f"file:{path}", options=OPTIONS, metadata_errors="replace")
        except (av.FFmpegError, ValueError) as error:
            raise ClipError(f"{path}: not decodable ({one_line(error)}); write it as WAV or FLAC") from error
        try:
            if not self._file.streams.audio:
                raise ClipError(f"{path}: holds no sound; leave this file out")
            self._frames = self._decoded()
            self._first = next(self._frames, None)
        except BaseException:
            self._file.close()
            raise
        facts = self._first or self._file.streams.audio[0].codec_context
        self.samplerate: int = facts.sample_rate
        self.channels: int = facts.layout.nb_channels
        # Float32 of full scale 1.0 from every sample format; rate and channels stay.
        self._converter = av.AudioResampler(format="fltp", layout=facts.layout, rate=facts.sample_rate)
        self._blocks = self._mono()
        self._tail, self._start = np.empty(0, np.float32), 0

    def _decoded(self) -> Iterator[Any]:
        """Yield the decoded frames."""
        try:
            yield from self._file.decode(self._file.streams.audio[0])
        except self._error as error:
            raise ClipError(f"{self._path}: truncated or damaged ({one_line(error)})") from error

    def _mono(self) -> Iterator[Audio]:
        """Yield the mean of the channels in the blocks of the codec."""
        for frame in itertools.chain([self._first] if self._first else [], self._frames):
            for converted in self._converter.resample(frame):
                yield converted.to_ndarray().mean(axis=0, dtype=np.float32)

    def count(self, most: int | None = None) -> int:
        """Return the number of samples per channel; no more than `most`."""
        n_samples = 0
        for block in self._blocks:
            n_samples += block.size
            if most is not None and n_samples >= most:
                return most
        return n_samples

    def mono(self, first: int, last: int) -> Audio:
        """Return the mean of the channels of samples `first` to `last`, or to the end of the audio.

        A window may overlap the one before, but starts no earlier.

        Returns
        -------
        Audio
            shape=(n_samples,).
        """
        if first < self._start:
            raise ValueError(f"sample {first} is before {self._start}, the start of the window before")
        position = self._start + self._tail.size
        parts = [self._tail[first - self._start :]]
        while position < last:
            block = next(self._blocks, None)
            if block is None:
                break
            parts.append(block[max(0, first - position) :])
            position += block.size
        self._tail, self._start = np.concatenate(parts), first
        return self._tail[: last - first]

    def __enter__(self) -> Self:
        """Return the stream."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._file.close()
