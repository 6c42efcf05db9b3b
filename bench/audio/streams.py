"""Streams: audio files read block by block to their end, whatever length their headers claim."""

import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from bench.audio import ffmpeg
from bench.audio.containers import has_frame_count
from bench.audio.ffmpeg import FfmpegStream
from bench.types import Audio

BLOCK_SAMPLES = 2**20
"""Number of samples of all channels that are decoded at once."""

UNKNOWN_FRAMES = 2**48
"""Length from which a header tells none: 8,000 years at 1 kHz."""

FRAMES_PER_BYTE = 8192
"""Longest audio in a byte of any format, in samples; FLAC puts 65,535 equal samples into 14 bytes."""


class Stream(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """An audio file that is read to the end of its audio.

    soundfile seeks after every read and stops at the length in the header, unless a file cannot seek: then it
    does neither. Some codecs cannot, some give other samples afterwards.
    """

    def seekable(self) -> bool:
        """Return False, so that soundfile reads on."""
        return False

    @property
    def n_frames(self) -> int | None:
        """Return the length in the header, in samples per channel; None if it has none."""
        n_frames: int = self.frames
        return n_frames if n_frames < UNKNOWN_FRAMES else None

    def count(self, most: int = UNKNOWN_FRAMES) -> int:
        """Return the number of samples per channel from here to the end of the audio; no more than `most`."""
        return sum(block.size for block in self._mono(most))

    def mono(self, first: int, last: int) -> Audio:
        """Return the mean of the channels of samples `first` to `last`, or to the end of the audio.

        Returns
        -------
        Audio
            shape=(n_samples,).
        """
        if first and super().seekable():
            self.seek(first)
        else:
            for _ in self._mono(first):
                pass
        blocks = list(self._mono(last - first))
        return blocks[0] if len(blocks) == 1 else np.concatenate([np.empty(0, np.float32), *blocks])

    def _mono(self, n_samples: int) -> Iterator[Audio]:
        """Yield the next samples, up to a number of them, in blocks."""
        while n_samples:
            n_block = min(n_samples, max(1, BLOCK_SAMPLES // self.channels))
            channels = self.read(n_block, dtype="float32", always_2d=True)
            if not channels.size:
                return
            yield channels[:, 0] if self.channels == 1 else channels.mean(axis=1)
            n_samples -= len(channels)

    def close(self) -> None:
        """Close the file, and the virtual one if there is one."""
        super().close()
        if isinstance(self.name, io.IOBase):
            self.name.close()


class _Unending(io.FileIO):
    """An MP3 file that says that it is far longer than it is.

    Without a number of frames in the file, libmpg123 guesses the length by the file's size and the first
    frame's, and libsndfile stops at the guess.
    """

    SIZE = 2**56
    TAG = 128
    """Size of an ID3v1 tag at the end, which libmpg123 reads first, in bytes."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._size = os.fstat(self.fileno()).st_size
        self._position = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position in the long file."""
        starts = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.SIZE}
        self._position = starts[whence] + offset
        return self._position

    def tell(self) -> int:
        """Return the position in the long file."""
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # cffi's buffer
        """Fill a buffer from the position on; the long file ends as the short one does."""
        position = self._position
        if position >= self.SIZE - self.TAG:
            position = max(0, position - self.SIZE + self._size)
        super().seek(min(position, self._size))
        n_bytes = super().readinto(buffer) or 0
        self._position += n_bytes
        return n_bytes


def seeks(path: Path) -> bool:
    """Return whether a window is read without what is before it, unlike of MP3 and what FFmpeg decodes.

    Raises
    ------
    soundfile.LibsndfileError, ClipError
        If the file is not decodable.
    """
    if ffmpeg.decodes(path):
        return False
    with Stream(os.fsencode(path)) as stream:
        return bool(stream.format != "MP3")


def open_stream(path: Path) -> Stream | FfmpegStream:
    """Return the stream of an audio file.

    Raises
    ------
    soundfile.LibsndfileError, ClipError
        If the file is not decodable.
    """
    if ffmpeg.decodes(path):
        return FfmpegStream(path)
    stream = Stream(os.fsencode(path))  # soundfile encodes no name that is not UTF-8
    if stream.format != "MP3" or has_frame_count(path):
        return stream
    stream.close()
    return Stream(_Unending(path))
