"""Conformance of plugins: rules with a name each, which a plugin keeps or breaks.

In the tests of a plugin::

    @pytest.mark.parametrize("check", check_extractor(Mine), ids=str)
    def test_conformance(check):
        check()
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Generic, TypeVar

import numpy as np
from sklearn.base import clone
from sklearn.datasets import make_blobs

from bench import audio
from bench.embed.layers import as_layers
from bench.errors import BenchError, UsageError, shortlist
from bench.metrics import METRICS
from bench.types import Audio, Dataset, Extractor, Frames, Head, Task

T = TypeVar("T")

Rule = Callable[[Any], None]

CLOSE = 1e-3
"""How far frames may be apart, relative to their largest value, where a batch adds up in another order."""


@dataclass(frozen=True, slots=True)
class Check:
    """One rule and a plugin that has to keep it; calling it raises AssertionError where it does not.

    Parameters
    ----------
    rule : str
        What is asked for, in words.
    expected : str
        Why the plugin is known to break the rule; then it has to.
    """

    name: str
    rule: str
    run: Callable[[], None]
    expected: str = ""

    def __call__(self) -> None:
        """Check the rule."""
        try:
            self.run()
        except Exception as error:  # whatever a plugin raises breaks the rule
            if not self.expected:
                why = " ".join(str(error).split())
                raise AssertionError(f"{self.rule} {type(error).__name__}: {why}") from error
            return
        if self.expected:
            raise AssertionError(f"keeps '{self.name}' now; take it out of expected_failures")

    def __str__(self) -> str:
        """Return the name, for pytest's ids."""
        return self.name


def _checks(rules: Sequence[Rule], subject: Any, expected: Mapping[str, str]) -> list[Check]:
    """Return a check per rule; its name is the function's, its words are its docstring."""
    if not __debug__:
        raise UsageError("python -O leaves out assertions, which these checks are made of; run without -O")
    checks = [
        Check(rule.__name__.strip("_"), " ".join(str(rule.__doc__).split()), partial(rule, subject))
        for rule in rules
    ]
    unknown = expected.keys() - {check.name for check in checks}
    if unknown:
        raise UsageError(
            f"expected_failures: no check is called {shortlist(unknown)}; they are "
            f"{', '.join(check.name for check in checks)}"
        )
    return [replace(check, expected=expected.get(check.name, "")) for check in checks]


class _Making(Generic[T]):
    """A factory, and one that it made."""

    def __init__(self, factory: Callable[[], T]) -> None:
        self.factory = factory

    @cached_property
    def made(self) -> T:
        return self.factory()


class _Extracting(_Making[Extractor]):
    """An extractor's factory, one that it made, and clips."""

    def noise(self, seconds: float, seed: int = 0) -> Audio:
        n_samples = round(seconds * self.made.sample_rate)
        return (0.1 * np.random.default_rng(seed).standard_normal(n_samples)).astype(np.float32)

    @property
    def clips(self) -> list[Audio]:
        """Return fresh clips of different lengths, the longest neither first nor last."""
        return [self.noise(seconds, seed) for seed, seconds in enumerate((0.5, 1.2, 0.3, 0.8))]

    def frames(self, clips: Sequence[Audio], made: Extractor | None = None) -> list[Frames]:
        """Return the frames with every axis."""
        made = made or self.made
        n_layers = getattr(made, "n_layers", None)
        return [as_layers(each, made.dim, n_layers) for each in made.embed(clips)]


def _same(a: Sequence[Frames], b: Sequence[Frames]) -> None:
    for first, second in zip(a, b, strict=True):
        np.testing.assert_allclose(first, second, rtol=CLOSE, atol=CLOSE * max(np.abs(first).max(), 1e-6))


def _declares_rate_and_width(on: _Extracting) -> None:
    """sample_rate, in Hz, and dim are whole numbers above 0."""
    for name in ("sample_rate", "dim"):
        value = getattr(on.made, name)
        assert isinstance(value, int), f"{name} is {value!r}"
        assert value > 0, f"{name} is {value}"


def _one_array_per_clip(on: _Extracting) -> None:
    """Embed returns as many arrays as it gets clips."""
    for n_clips in (1, 4):
        n_given = len(on.made.embed(on.clips[:n_clips]))
        assert n_given == n_clips, f"{n_given} arrays for {n_clips} clips"


def _shape(on: _Extracting) -> None:
    """Each array has the shape (n_frames, dim), (n_layers, n_frames, dim), or (dim,) for one frame."""
    for frames in on.made.embed(on.clips):
        values = np.asarray(frames, dtype=float)
        assert values.ndim in {1, 2, 3}, f"shape {values.shape}"
        assert values.shape[-1] == on.made.dim, f"shape {values.shape}, dim {on.made.dim}"
        assert values.size > 0, "no frames"
        layers = getattr(on.made, "n_layers", 1)
        assert values.ndim < 3 or values.shape[0] in {layers, layers + 1}, f"{values.shape[0]} layers"


def _floats(on: _Extracting) -> None:
    """Frames are floats."""
    for frames in on.made.embed(on.clips):
        dtype = np.asarray(frames).dtype
        assert np.issubdtype(dtype, np.floating), f"dtype {dtype}"


def _finite(on: _Extracting) -> None:
    """Frames of noise and of a clip at full scale are finite."""
    loud = np.sign(on.noise(0.5)).astype(np.float32)
    assert all(np.isfinite(frames).all() for frames in on.frames([*on.clips, loud]))


def _silence(on: _Extracting) -> None:
    """Frames of digital silence are finite."""
    silent = np.zeros(on.made.sample_rate // 2, dtype=np.float32)
    assert np.isfinite(on.frames([silent])[0]).all()


def _short_clips(on: _Extracting) -> None:
    """A clip of 10 ms has at least one frame."""
    [frames] = on.frames([on.noise(0.01)])
    assert frames.shape[1] >= 1


def _longer_clips_have_no_fewer_frames(on: _Extracting) -> None:
    """A clip that is longer has at least as many frames."""
    short, long = on.frames([on.noise(0.5), on.noise(1.0)])
    assert long.shape[1] >= short.shape[1], f"{short.shape[1]} of 0.5 s, {long.shape[1]} of 1 s"


def _listens(on: _Extracting) -> None:
    """Different clips have different frames."""
    first, second = on.frames([on.noise(0.5, 1), on.noise(0.5, 2)])
    assert not np.array_equal(first, second)


def _repeats(on: _Extracting) -> None:
    """The same clips give the same frames again, bit for bit."""
    clips = on.clips
    first = [frames.copy() for frames in on.frames(clips)]
    for before, after in zip(first, on.frames(clips), strict=True):
        np.testing.assert_array_equal(before, after)


def _fresh_ones_agree(on: _Extracting) -> None:
    """Another one that the factory makes gives the same frames."""
    _same(on.frames(on.clips), on.frames(on.clips, on.factory()))


def _keeps_no_buffer(on: _Extracting) -> None:
    """What it returned stays as it was when it is called again."""
    returned = [np.asarray(frames) for frames in on.made.embed(on.clips)]
    before = [frames.copy() for frames in returned]
    on.made.embed([on.noise(clip.size / on.made.sample_rate, 99) for clip in on.clips])
    for then, now in zip(before, returned, strict=True):
        np.testing.assert_array_equal(then, now)


def _clips_stay_apart(on: _Extracting) -> None:
    """A clip has the same frames alone as in a batch."""
    _same(on.frames(on.clips), [on.frames([clip])[0] for clip in on.clips])


def _keeps_the_order(on: _Extracting) -> None:
    """Arrays come in the order of the clips."""
    _same(on.frames(on.clips), on.frames(on.clips[::-1])[::-1])


def _leaves_its_input_alone(on: _Extracting) -> None:
    """Embed does not change the clips."""
    clips = on.clips
    on.made.embed(clips)
    for before, after in zip(on.clips, clips, strict=True):
        np.testing.assert_array_equal(before, after)


EXTRACTOR: Sequence[Rule] = (
    _declares_rate_and_width,
    _one_array_per_clip,
    _shape,
    _floats,
    _finite,
    _silence,
    _short_clips,
    _longer_clips_have_no_fewer_frames,
    _listens,
    _repeats,
    _fresh_ones_agree,
    _keeps_no_buffer,
    _clips_stay_apart,
    _keeps_the_order,
    _leaves_its_input_alone,
)


def check_extractor(
    factory: Callable[[], Extractor], expected_failures: Mapping[str, str] | None = None
) -> list[Check]:
    """Return the rules of an extractor.

    Parameters
    ----------
    factory : Callable[[], Extractor]
        Makes one; a class without parameters will do.
    expected_failures : Mapping[str, str] | None
        Name of a rule -> why it is known to be broken.

    Raises
    ------
    UsageError
        If a name is that of no rule.
    """
    return _checks(EXTRACTOR, _Extracting(factory), expected_failures or {})


class _Classifying:
    """A head's factory, and three classes far apart, half of them to learn from."""

    def __init__(self, factory: Callable[[], Head]) -> None:
        self.factory = factory
        X, y = make_blobs(180, 8, centers=3, cluster_std=1.0, center_box=(-8, 8), random_state=3)
        self.X, self.y = X.astype(np.float32), np.array(["ash", "beech", "cedar"])[y]

    @property
    def train(self) -> tuple[Any, Any]:
        return self.X[:120].copy(), self.y[:120].copy()

    @cached_property
    def fitted(self) -> Any:
        return self.fresh()

    def fresh(self) -> Any:
        """Return a fitted one, of one seed if it has a `random_state`."""
        made: Any = self.factory()
        if "random_state" in getattr(made, "get_params", dict)():
            made.set_params(random_state=0)
        return made.fit(*self.train)

    @property
    def test(self) -> Any:
        return self.X[120:].copy()


def _predicts_labels(on: _Classifying) -> None:
    """Predict returns one of the labels that were taught for every row."""
    predicted = np.asarray(on.fitted.predict(on.test))
    assert predicted.shape == (60,), f"shape {predicted.shape}"
    strange = set(predicted.astype(str).tolist()) - set(on.y.tolist())
    assert not strange, f"labels {shortlist(strange)}"


def _learns(on: _Classifying) -> None:
    """Classes that are far apart are told apart in nine of ten new rows."""
    share = float(np.mean(np.asarray(on.fitted.predict(on.test)).astype(str) == on.y[120:]))
    assert share >= 0.9, f"{share:.2f} right"


def _two_classes(on: _Classifying) -> None:
    """It learns from two classes too."""
    X, y = on.train
    kept = y != "cedar"
    predicted = np.asarray(on.factory().fit(X[kept], y[kept]).predict(on.test)).astype(str)
    assert set(predicted.tolist()) <= {"ash", "beech"}


def _repeats_itself(on: _Classifying) -> None:
    """Two of one seed, taught the same, predict the same."""
    first, second = (np.asarray(on.fresh().predict(on.test)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def _forgets(on: _Classifying) -> None:
    """Fit forgets what was taught before."""
    X, y = on.train
    renamed = np.char.add("other ", y)
    predicted = np.asarray(on.fresh().fit(X, renamed).predict(on.test)).astype(str)
    assert all(label.startswith("other ") for label in predicted.tolist())


def _rows_stay_apart(on: _Classifying) -> None:
    """A row has the same label alone as among others."""
    together = np.asarray(on.fitted.predict(on.test))
    alone = np.concatenate([np.asarray(on.fitted.predict(row[None])) for row in on.test])
    np.testing.assert_array_equal(together, alone)


def _leaves_its_data_alone(on: _Classifying) -> None:
    """Neither fit nor predict changes X or y."""
    (X, y), X_test = on.train, on.test
    on.factory().fit(X, y).predict(X_test)
    np.testing.assert_array_equal(X, on.train[0])
    np.testing.assert_array_equal(y, on.train[1])
    np.testing.assert_array_equal(X_test, on.test)


def _scores(on: _Classifying) -> None:
    """Probabilities, if it gives any, are a column per class of classes_, sorted, and sum to 1."""
    if not hasattr(on.fitted, "predict_proba"):
        return
    p = np.asarray(on.fitted.predict_proba(on.test))
    assert list(on.fitted.classes_) == ["ash", "beech", "cedar"], f"classes_ {list(on.fitted.classes_)}"
    assert p.shape == (60, 3), f"shape {p.shape}"
    assert np.isfinite(p).all()
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-4)


def _likeliest(on: _Classifying) -> None:
    """The label that it predicts has the highest probability, in nine of ten rows."""
    if hasattr(on.fitted, "predict_proba"):
        best = np.asarray(on.fitted.classes_)[np.argmax(on.fitted.predict_proba(on.test), axis=1)]
        share = float(np.mean(best == np.asarray(on.fitted.predict(on.test))))
        assert share >= 0.9, f"{share:.2f} agree"


def _clones(on: _Classifying) -> None:
    """It can be cloned by scikit-learn, which tuning does."""
    clone(on.factory())


HEAD: Sequence[Rule] = (
    _predicts_labels,
    _learns,
    _two_classes,
    _repeats_itself,
    _forgets,
    _rows_stay_apart,
    _leaves_its_data_alone,
    _scores,
    _likeliest,
    _clones,
)


def check_head(
    factory: Callable[[], Head], expected_failures: Mapping[str, str] | None = None
) -> list[Check]:
    """Return the rules of a head that sees a vector per clip; parameters as of `check_extractor`."""
    return _checks(HEAD, _Classifying(factory), expected_failures or {})


def _has_clips(on: _Making[Dataset]) -> None:
    """It has clips, each with an id of its own."""
    ids = on.made.table["clip"]
    assert len(ids) > 0
    assert not ids.duplicated().any(), f"twice: {shortlist(ids[ids.duplicated()].tolist())}"


def _files_are_there(on: _Making[Dataset]) -> None:
    """The file of every clip is there."""
    absent = [clip.id for clip in on.made.clips() if not clip.path.is_file()]
    assert not absent, f"absent: {shortlist(absent)}"


def _decodes(on: _Making[Dataset]) -> None:
    """Every clip can be decoded, and holds finite samples."""
    broken = []
    for clip in on.made.clips():
        try:
            assert np.isfinite(audio.read(clip, 16000)).all()
        except (BenchError, AssertionError):
            broken.append(clip.id)
    assert not broken, f"not decoded: {shortlist(broken)}"


def _labels_are_whole(on: _Making[Dataset]) -> None:
    """Every clip has a value in every label column."""
    gaps = [name for name in on.made.labels if (on.made.table[name] == "").any()]
    assert not gaps, f"gaps in {shortlist(gaps)}"


def _opens_alike(on: _Making[Dataset]) -> None:
    """Opened again, it is the same."""
    assert on.factory().table.equals(on.made.table)


DATASET: Sequence[Rule] = (_has_clips, _files_are_there, _decodes, _labels_are_whole, _opens_alike)


def check_dataset(
    factory: Callable[[], Dataset], expected_failures: Mapping[str, str] | None = None
) -> list[Check]:
    """Return the rules of a dataset; parameters as of `check_extractor`."""
    return _checks(DATASET, _Making(factory), expected_failures or {})


def _keeps_groups_apart(task: Task) -> None:
    """It names groups, each once, and its target is none of them."""
    assert task.groups, "no groups"
    assert len(set(task.groups)) == len(task.groups), "a group twice"
    assert task.target not in task.groups, f"the target '{task.target}' is a group"


def _knows_its_metrics(task: Task) -> None:
    """Its metrics are known."""
    unknown = set(task.metrics) - METRICS.keys()
    assert task.metrics, "no metrics"
    assert not unknown, f"unknown: {shortlist(unknown)}"


def _ranks_by_labels(task: Task) -> None:
    """The metric that ranks, the first one, is of labels, which every head gives."""
    assert METRICS[task.metrics[0]].needs == "labels", task.metrics[0]


TASK: Sequence[Rule] = (_keeps_groups_apart, _knows_its_metrics, _ranks_by_labels)


def check_task(task: Task, expected_failures: Mapping[str, str] | None = None) -> list[Check]:
    """Return the rules of a task; parameters as of `check_extractor`."""
    return _checks(TASK, task, expected_failures or {})
