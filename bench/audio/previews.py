"""Previews: the beginning of a clip as a small MP3 file, to listen to on a page."""

import io
from dataclasses import replace

import soundfile

from bench.audio import clips
from bench.errors import UsageError
from bench.types import Clip

RATE = 8000
"""Sample rate of a preview in Hz: 8 kbit/s sound clearer here than at a higher rate."""

COMPRESSION = 0.99
"""Level of libsndfile at which a constant bit rate is the lowest of MP3, 8 kbit/s."""


def preview(clip: Clip, seconds: float = 3.0) -> bytes:
    """Return the beginning of a clip as an MP3 file of 8 kbit/s: some 1 kB a second.

    Parameters
    ----------
    seconds : float
        Longest preview, in s; the file may be up to 0.2 s longer than the audio.

    Raises
    ------
    ClipError
        If the clip cannot be read.
    UsageError
        If libsndfile was built without MP3.
    """
    if "MP3" not in soundfile.available_formats():
        version = soundfile.__libsndfile_version__
        raise UsageError(f"--with-audio: libsndfile {version} writes no MP3; run: pip install -U soundfile")
    if clip.noise is None and clips.seconds(clip) > seconds:  # a mixture depends on its whole length
        clip = replace(clip, end=(clip.start or 0.0) + seconds, seconds=None, planned=None)
    samples = clips.read(clip, RATE)[: round(seconds * RATE)]
    buffer = io.BytesIO()
    options = {"bitrate_mode": "CONSTANT", "compression_level": COMPRESSION}
    soundfile.write(buffer, samples, RATE, format="MP3", subtype="MPEG_LAYER_III", **options)
    return buffer.getvalue()
