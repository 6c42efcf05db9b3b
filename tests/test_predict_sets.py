import numpy as np
import pytest

from bench.calibration.conformal import FEWEST_GROUPS, MOST_KNOTS, Conformal
from bench.errors import UsageError


def confidences(n_groups: int, n_clips: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Return probabilities of three classes, labels and groups; groups differ in how hard they are."""
    group = np.repeat(np.arange(n_groups), n_clips)
    skill = rng.normal(1.0, 1.0, n_groups)[group]
    label = rng.integers(3, size=len(group))
    logits = rng.normal(size=(len(group), 3))
    logits[np.arange(len(group)), label] += skill
    p = np.exp(logits)
    return p / p.sum(axis=1, keepdims=True), label, group


def test_one_clip_per_group_is_split_conformal_prediction():
    p, label, group = confidences(99, 1, np.random.default_rng(0))
    conformal = Conformal.fit(p, label, group)
    of_label = np.sort(p[np.arange(99), label])
    for coverage in (0.5, 0.9, 0.95):
        # The ceil((n + 1) * coverage)-th largest (Vovk et al., 2005; Lei et al., JASA 113, 2018).
        assert conformal.threshold(coverage) == of_label[99 - int(np.ceil(100 * coverage - 1e-9))]


def test_sets_cover_clips_of_unheard_groups_at_the_chosen_rate():
    rng = np.random.default_rng(0)
    of_groups, of_clips = [], []
    for _ in range(300):
        p, label, group = confidences(60, 5, rng)
        seen = group < 30
        grouped = Conformal.fit(p[seen], label[seen], group[seen])
        alone = Conformal.fit(p[seen][::5], label[seen][::5], group[seen][::5])
        rows = np.flatnonzero(~seen)
        for conformal, shares in ((grouped, of_groups), (alone, of_clips)):
            shares.append((p[rows, label[rows]] >= conformal.threshold(0.9)).mean())
    # 30 groups in 31 places: between 0.9 and 0.9 + 1 / 31.
    for shares in (of_groups, of_clips):
        error = 3 * np.std(shares) / 300**0.5
        assert 0.9 - error < np.mean(shares) < 0.9 + 1 / 31 + error


def test_groups_and_not_clips_say_which_coverage_is_guaranteed():
    p, label, _ = confidences(500, 1, np.random.default_rng(0))
    conformal = Conformal.fit(p, label, np.arange(500) % FEWEST_GROUPS)
    assert conformal.sets(p, 0.96).all()  # more than 20 / 21
    assert not conformal.sets(p, 0.94).all()


def test_with_few_groups_sets_cover_every_group_alike():
    p, label, group = confidences(6, 50, np.random.default_rng(0))
    keep = (group > 0) | (np.arange(300) < 10)  # a speaker of 10 clips counts as much as others
    p, label, group = p[keep], label[keep], group[keep]
    is_covered = p[np.arange(len(label)), label] >= Conformal.fit(p, label, group).threshold(0.9)
    rates = [is_covered[group == number].mean() for number in range(6)]
    assert 0.9 <= np.mean(rates) < 0.9 + 1 / 60 + 1e-9


def test_no_set_is_empty_and_a_higher_coverage_never_takes_a_class_out():
    p, label, group = confidences(50, 2, np.random.default_rng(0))
    conformal = Conformal.fit(p, label, group)
    small, large = conformal.sets(p, 0.1), conformal.sets(p, 0.9)
    assert small[np.arange(100), p.argmax(axis=1)].all()
    assert (large >= small).all()
    assert large.sum() > small.sum()


def test_many_clips_are_merged_into_some_knots_and_sets_do_not_shrink():
    p, label, group = confidences(2500, 2, np.random.default_rng(0))
    merged = Conformal.fit(p, label, group)
    whole = np.sort(p[np.arange(5000), label])
    assert len(merged.probabilities) <= MOST_KNOTS
    assert sum(merged.weights) == pytest.approx(2500)
    for coverage in (0.8, 0.9, 0.99):
        exact = whole[int(np.floor((1 - coverage) * 5000))]
        below = whole[int(np.floor((1 - coverage) * 5000)) - 10]
        assert below <= merged.threshold(coverage) <= exact


@pytest.mark.parametrize("coverage", [0.0, 1.0, 90.0, float("nan")])
def test_a_coverage_out_of_range_is_refused(coverage: float):
    p, label, group = confidences(20, 1, np.random.default_rng(0))
    with pytest.raises(UsageError, match=r"--coverage .*expected a number between 0 and 1"):
        Conformal.fit(p, label, group).threshold(coverage)
