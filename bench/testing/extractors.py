"""Rules for extractors.

Conventions: clips are noise of 0.3 to 1.2 s at the extractor's own rate; frames are compared with every axis,
shape=(n_layers, n_frames, dim).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.catalog import attributes, plugin_files
from bench.embed.layers import as_layers
from bench.errors import shortlist
from bench.testing.checks import Check, Rule, Subject, build_checks
from bench.types import Audio, Extractor, Frames, Traits

TOLERANCE = 1e-3
"""Largest difference of equal frames, as a share of their largest value: batches sum in another order."""


class ExtractorSubject(Subject[Extractor]):
    """An extractor under test, with clips to embed."""

    def noise(self, seconds: float, seed: int = 0) -> Audio:
        """Return white noise of 0.1 RMS."""
        n_samples = round(seconds * self.plugin.sample_rate)
        return (0.1 * np.random.default_rng(seed).standard_normal(n_samples)).astype(np.float32)

    @property
    def clips(self) -> list[Audio]:
        """Return new clips of different lengths, the longest neither first nor last."""
        return [self.noise(seconds, seed) for seed, seconds in enumerate((0.5, 1.2, 0.3, 0.8))]

    def frames(self, clips: Sequence[Audio], extractor: Extractor | None = None) -> list[Frames]:
        """Return one array per clip, shape=(n_layers, n_frames, dim), of a new or the shared extractor."""
        extractor = extractor or self.plugin
        n_layers = Traits.of(extractor).n_layers
        return [as_layers(frames, extractor.dim, n_layers) for frames in extractor.embed(clips)]


def _assert_close(first: Sequence[Frames], second: Sequence[Frames]) -> None:
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE * max(np.abs(a).max(), 1e-6))


def names_its_files(subject: ExtractorSubject) -> None:
    """A file that is opened is in `weights` or `files`; without `weights` the constructor may open more."""
    with plugin_files.recording() as construction:
        extractor = subject.factory()
    with plugin_files.recording() as embedding:
        extractor.embed(subject.clips)
    module = sys.modules.get(type(extractor).__module__)
    folder = plugin_files.folder_of(type(extractor).__module__, Path(getattr(module, "__file__", None) or ""))
    roots, weights = {"": folder} if folder else {}, attributes.weights_of(type(extractor))
    first, names = (
        {
            plugin_files.name_of(path.resolve(), roots) or ""
            for path in files.read
            if not (weights and path.resolve().is_relative_to(weights))
        }
        for files in (construction, embedding)
    )
    unnamed = (names | first if weights else names - first) - {"", *getattr(extractor, "files", [])}
    assert not unnamed, f"it opens {shortlist(unnamed)}; write files = {sorted(unnamed)}"


def declares_rate_and_width(subject: ExtractorSubject) -> None:
    """The attributes sample_rate (in Hz) and dim are integers above 0."""
    for name in ("sample_rate", "dim"):
        value = getattr(subject.plugin, name)
        assert isinstance(value, int), f"{name} is {value!r}"
        assert value > 0, f"{name} is {value}"


def one_array_per_clip(subject: ExtractorSubject) -> None:
    """Every clip gets exactly one array."""
    for n_clips in (1, 4):
        n_arrays = len(subject.plugin.embed(subject.clips[:n_clips]))
        assert n_arrays == n_clips, f"{n_arrays} arrays for {n_clips} clips"


def shape(subject: ExtractorSubject) -> None:
    """The shape is (n_frames, dim), (n_layers, n_frames, dim), or (dim,) for a single frame."""
    n_layers = Traits.of(subject.plugin).n_layers or 1
    for frames in subject.plugin.embed(subject.clips):
        values = np.asarray(frames, dtype=float)
        assert values.ndim in {1, 2, 3}, f"shape {values.shape}"
        assert values.shape[-1] == subject.plugin.dim, f"shape {values.shape}, dim {subject.plugin.dim}"
        assert values.size > 0, "no frames"
        # The last hidden state may follow the layers.
        assert values.ndim < 3 or values.shape[0] in {n_layers, n_layers + 1}, f"{values.shape[0]} layers"


def floats(subject: ExtractorSubject) -> None:
    """Frames are floating-point numbers."""
    for frames in subject.plugin.embed(subject.clips):
        dtype = np.asarray(frames).dtype
        assert np.issubdtype(dtype, np.floating), f"dtype {dtype}"


def finite(subject: ExtractorSubject) -> None:
    """Frames of noise, also at full scale, are finite."""
    loud = np.sign(subject.noise(0.5)).astype(np.float32)
    assert all(np.isfinite(frames).all() for frames in subject.frames([*subject.clips, loud]))


def silence(subject: ExtractorSubject) -> None:
    """Frames of silence are finite."""
    zeros = np.zeros(subject.plugin.sample_rate // 2, dtype=np.float32)
    assert np.isfinite(subject.frames([zeros])[0]).all()


def short_clips(subject: ExtractorSubject) -> None:
    """A clip of 10 ms has at least one frame."""
    [frames] = subject.frames([subject.noise(0.01)])
    assert frames.shape[1] >= 1


def longer_clips_have_no_fewer_frames(subject: ExtractorSubject) -> None:
    """A longer clip has at least as many frames."""
    short, long = subject.frames([subject.noise(0.5), subject.noise(1.0)])
    assert long.shape[1] >= short.shape[1], f"{short.shape[1]} of 0.5 s, {long.shape[1]} of 1 s"


def listens(subject: ExtractorSubject) -> None:
    """Different clips have different frames."""
    first, second = subject.frames([subject.noise(0.5, 1), subject.noise(0.5, 2)])
    assert not np.array_equal(first, second)


def repeats(subject: ExtractorSubject) -> None:
    """The same clips embedded twice have identical frames."""
    clips = subject.clips
    first = [frames.copy() for frames in subject.frames(clips)]
    for before, after in zip(first, subject.frames(clips), strict=True):
        np.testing.assert_array_equal(before, after)


def fresh_ones_agree(subject: ExtractorSubject) -> None:
    """Two extractors from the same factory give the same frames."""
    _assert_close(subject.frames(subject.clips), subject.frames(subject.clips, subject.factory()))


def keeps_no_buffer(subject: ExtractorSubject) -> None:
    """A later call does not change the arrays of an earlier one."""
    arrays = [np.asarray(frames) for frames in subject.plugin.embed(subject.clips)]
    copies = [frames.copy() for frames in arrays]
    seconds = [clip.size / subject.plugin.sample_rate for clip in subject.clips]
    subject.plugin.embed([subject.noise(length, 99) for length in seconds])
    for before, after in zip(copies, arrays, strict=True):
        np.testing.assert_array_equal(before, after)


def clips_stay_apart(subject: ExtractorSubject) -> None:
    """A clip has the same frames alone and in a batch."""
    _assert_close(subject.frames(subject.clips), [subject.frames([clip])[0] for clip in subject.clips])


def keeps_the_order(subject: ExtractorSubject) -> None:
    """Arrays are in the order of the clips."""
    _assert_close(subject.frames(subject.clips), subject.frames(subject.clips[::-1])[::-1])


def leaves_its_input_alone(subject: ExtractorSubject) -> None:
    """The input clips are not modified."""
    clips = subject.clips
    subject.plugin.embed(clips)
    for before, after in zip(subject.clips, clips, strict=True):
        np.testing.assert_array_equal(before, after)


RULES: Sequence[Rule] = (
    names_its_files,  # before another rule has had them opened
    declares_rate_and_width,
    one_array_per_clip,
    shape,
    floats,
    finite,
    silence,
    short_clips,
    longer_clips_have_no_fewer_frames,
    listens,
    repeats,
    fresh_ones_agree,
    keeps_no_buffer,
    clips_stay_apart,
    keeps_the_order,
    leaves_its_input_alone,
)


def check_extractor(
    factory: Callable[[], Extractor], expected_failures: Mapping[str, str] | None = None
) -> list[Check]:
    """Return the checks of an extractor.

    Parameters
    ----------
    factory : Callable[[], Extractor]
        Builds an extractor; a class without parameters will do.
    expected_failures : Mapping[str, str] | None
        Name of a rule -> why the extractor is expected to break it.

    Raises
    ------
    UsageError
        If `expected_failures` names an unknown rule.
    """
    return build_checks(RULES, ExtractorSubject(factory), expected_failures)
