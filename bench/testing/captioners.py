"""Rules for captioners.

Conventions: recordings are noise of 0.3 to 1.2 s at the captioner's own rate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from bench.testing.checks import Check, Rule, Subject, build_checks
from bench.types import Audio
from bench.types.retrieval import Captioner


def _noise(captioner: Captioner, seconds: float) -> Audio:
    """Return white noise of 0.1 RMS."""
    n_samples = max(1, round(seconds * captioner.sample_rate))
    return (0.1 * np.random.default_rng(0).standard_normal(n_samples)).astype(np.float32)


def declares_rate_and_name(subject: Subject[Captioner]) -> None:
    """The attribute sample_rate (in Hz) is an integer above 0, and name is a text of one line."""
    rate, name = subject.plugin.sample_rate, subject.plugin.name
    assert isinstance(rate, int), f"sample_rate is {rate!r}"
    assert rate > 0, f"sample_rate is {rate}"
    assert isinstance(name, str), f"name is {name!r}"
    assert name.strip(), "name is empty"
    assert len(name.splitlines()) == 1, f"name is {name!r}"


def writes_text(subject: Subject[Captioner]) -> None:
    """A recording gets a text that is not empty."""
    caption = subject.plugin.describe(_noise(subject.plugin, 1.2))
    assert isinstance(caption, str), f"{type(caption).__name__} {caption!r}"
    assert caption.strip(), "the caption is empty"


def describes_alike(subject: Subject[Captioner]) -> None:
    """A recording gets the same text again, also from a new captioner, whose name is the same."""
    audio = _noise(subject.plugin, 0.3)
    first = subject.plugin.describe(audio)
    assert subject.plugin.describe(audio) == first, "the captioner draws: the same call again differs"
    other = subject.factory()
    assert other.describe(audio) == first, "a new captioner writes another caption"
    assert other.name == subject.plugin.name, "a new captioner has another name"


def leaves_audio_alone(subject: Subject[Captioner]) -> None:
    """The samples that it gets are as they were."""
    audio = _noise(subject.plugin, 0.3)
    subject.plugin.describe(audio)
    np.testing.assert_array_equal(audio, _noise(subject.plugin, 0.3))


def takes_hard_recordings(subject: Subject[Captioner]) -> None:
    """Silence, full scale and 10 ms get a text."""
    loud = np.sign(_noise(subject.plugin, 0.5)).astype(np.float32)
    for audio in (np.zeros_like(loud), loud, _noise(subject.plugin, 0.01)):
        assert isinstance(subject.plugin.describe(audio), str)


RULES: Sequence[Rule] = (
    declares_rate_and_name,
    writes_text,
    describes_alike,
    leaves_audio_alone,
    takes_hard_recordings,
)


def check_captioner(
    factory: Callable[[], Captioner], expected_failures: Mapping[str, str] | None = None
) -> list[Check]:
    """Return the checks of a captioner; parameters as in `check_extractor`."""
    return build_checks(RULES, Subject(factory), expected_failures)
