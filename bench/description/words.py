"""Words for acoustics: limits of what was measured, and the word on each side of them.

References
----------
Loudness: EBU R 128, 2023, whose target is -23 LUFS, and AES TD1008, 2021, by which streams are at most at
-14 LUFS. Pitch: Titze, "Principles of voice production", 1994, by which men speak at about 125 Hz and women
at about 200 Hz. The other limits are chosen on recordings of speech and of noises.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.description.acoustics import Acoustics, Pitch

VERSION = 1
"""Changes with what is measured, the limits and the words: texts of another version are computed again."""

PITCHED = 0.3
"""Share of the frames that have a pitch, from which on a recording has one."""

CLEAR = 0.4
"""Clarity from which on a pulse is told: that of speech is below 0.25, but for one clip in twenty."""

FLAT = 0.1
"""Flatness from which on a recording without a pitch is noise."""


UNREMARKABLE = "unremarkable"
"""In place of words, where all of a recording is in the middle."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Words along what is measured.

    Parameters
    ----------
    value : Callable[[Acoustics], float | None]
        Returns what is measured; None where it is not.
    limits : Sequence[float]
        Ascending.
    words : Sequence[str]
        One more than the limits; empty for what is not worth a word.
    """

    value: Callable[[Acoustics], float | None]
    limits: Sequence[float]
    words: Sequence[str]

    def word(self, acoustics: Acoustics) -> str:
        """Return the word for a recording; empty for none."""
        value = self.value(acoustics)
        return "" if value is None else self.words[bisect_right(self.limits, value)]


def _pitch(acoustics: Acoustics) -> Pitch | None:
    """Return the pitch of a recording that has one throughout."""
    pitch = acoustics.pitch
    return pitch if pitch and pitch.share >= PITCHED else None


def _noise(acoustics: Acoustics) -> float | None:
    """Return the flatness of a recording without a pitch."""
    return acoustics.spectrum.flatness if acoustics.spectrum and not _pitch(acoustics) else None


def _median_pitch(acoustics: Acoustics) -> float | None:
    pitch = _pitch(acoustics)
    return pitch.median if pitch else None


def _spread_of_pitch(acoustics: Acoustics) -> float | None:
    """Return the upper over the lower quartile of the pitch."""
    pitch = _pitch(acoustics)
    return pitch.high / pitch.low if pitch else None


def _active(acoustics: Acoustics, value: float) -> float | None:
    """Return a value of recordings that are not silent."""
    return None if acoustics.spectrum is None else value


SCALES: Sequence[Scale] = (
    Scale(lambda a: a.seconds, (1, 5, 60), ("very short", "short", "", "long")),
    Scale(lambda a: a.loudness, (-45, -33, -14), ("very quiet", "quiet", "", "loud")),
    Scale(lambda a: a.pitch.share if a.pitch else None, (PITCHED, 0.8), ("", "half-tonal", "tonal")),
    Scale(_noise, (FLAT,), ("", "noise-like")),
    Scale(
        _median_pitch,
        (85, 160, 300, 1000),
        ("very low-pitched", "low-pitched", "middle-pitched", "high-pitched", "very high-pitched"),
    ),
    Scale(_spread_of_pitch, (1.06, 1.5), ("monotone", "", "gliding")),
    Scale(
        lambda a: a.spectrum.centroid if a.spectrum else None,
        (350, 1500, 3000),
        ("dark", "", "bright", "very bright"),
    ),
    Scale(lambda a: _active(a, a.variation), (2, 8), ("steady", "", "uneven")),
    Scale(lambda a: _active(a, a.peak), (20,), ("", "sudden")),
    Scale(lambda a: _active(a, a.pauses), (0.3,), ("", "with pauses")),
)


def text(acoustics: Acoustics) -> str:
    """Return a recording in words, most of all for a search.

    Examples
    --------
    >>> text(Acoustics(seconds=0.5, loudness=None, pauses=1.0))
    'silent, very short'
    """
    words = [] if acoustics.spectrum else ["silent"]
    words += filter(None, (scale.word(acoustics) for scale in SCALES))
    pitch = _pitch(acoustics)
    if pitch:
        words.append(f"about {pitch.median:.0f} Hz")
    if acoustics.pulse and acoustics.pulse.clarity >= CLEAR:
        words.append(f"pulsing at {acoustics.pulse.tempo:.0f} a minute")
    return ", ".join(words) or UNREMARKABLE
