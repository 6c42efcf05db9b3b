import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from bench.errors import UsageError
from bench.exploration import map_figure, maps
from bench.metrics import neighbours
from bench.report.figures import Axis, Point, Points, fonts, png

X, CLUSTERS = make_blobs(150, 20, centers=3, cluster_std=4.0, random_state=0)
VECTORS = X.astype(np.float32)
LABELS = {"cluster": [f"c{number}" for number in CLUSTERS]}
SCALED = StandardScaler().fit_transform(VECTORS.astype(float))


@pytest.fixture(scope="module")
def plane() -> maps.Map:
    return maps.fit(VECTORS, "pca", seed=0)


def test_a_map_by_pca_is_that_of_scikit_learn(plane: maps.Map):
    expected = PCA(2, svd_solver="full").fit_transform(SCALED)
    np.testing.assert_allclose(plane.points, expected, rtol=0, atol=1e-4)
    assert plane.stages.shape == (0, 150, 2)
    assert plane.epochs == ()


@pytest.mark.parametrize("copies", [0, 40], ids=["all differ", "some are equal"])
def test_trustworthiness_is_that_of_scikit_learn(copies: int):
    vectors = np.concatenate([VECTORS, VECTORS[:copies]])
    plane = maps.fit(vectors, "pca", seed=0)
    expected = trustworthiness(maps.scale(vectors), plane.points)
    assert plane.faithfulness.trustworthiness == pytest.approx(expected, abs=1e-12)


def test_shared_neighbours_are_those_of_scikit_learn(plane: maps.Map):
    near, on_map = (
        NearestNeighbors(n_neighbors=5).fit(data).kneighbors(return_distance=False)
        for data in (SCALED, plane.points)
    )
    trust = plane.faithfulness
    np.testing.assert_array_equal(trust.in_space, near)
    np.testing.assert_array_equal(trust.on_map, on_map)
    n_shared = sum(len(set(a) & set(b)) for a, b in zip(near, on_map, strict=True))
    assert trust.shared == pytest.approx(n_shared / (5 * 150), abs=1e-12)


def test_a_sample_of_clips_estimates_what_all_give(plane: maps.Map, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(neighbours, "MOST_RANKED", 100)
    monkeypatch.setattr(neighbours, "MOST_MIB", 1e-2)
    sample, whole = neighbours.faithfulness(SCALED, plane.points, seed=0), plane.faithfulness
    assert len(set(sample.rows.tolist())) == 100
    np.testing.assert_array_equal(sample.in_space, whole.in_space[sample.rows])
    np.testing.assert_array_equal(sample.on_map, whole.on_map[sample.rows])
    assert sample.trustworthiness == pytest.approx(whole.trustworthiness, abs=0.02)


def test_a_map_of_the_vectors_themselves_is_faithful():
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(80, 2)).astype(np.float32)
    trust = maps.fit(flat, "pca", seed=0).faithfulness
    assert (trust.trustworthiness, trust.shared) == (1.0, 1.0)


def test_neighbours_agree_by_chance_if_labels_are_shuffled(plane: maps.Map):
    rng = np.random.default_rng(0)
    trust = plane.faithfulness
    labels = [*LABELS["cluster"][:120], *[""] * 30]
    agreement = neighbours.agreements(trust, {"cluster": labels})["cluster"]
    shuffled = {str(n): [*rng.permutation(labels[:120]), *[""] * 30] for n in range(300)}
    random = neighbours.agreements(trust, shuffled).values()
    assert np.mean([draw.in_space for draw in random]) == pytest.approx(agreement.chance, abs=0.005)
    assert np.mean([draw.on_map for draw in random]) == pytest.approx(agreement.chance, abs=0.005)
    assert agreement.in_space > 2 * agreement.chance


def test_clips_without_labels_have_no_agreement(plane: maps.Map):
    [agreement] = neighbours.agreements(plane.faithfulness, {"speaker": [""] * 150}).values()
    assert np.isnan([agreement.in_space, agreement.on_map, agreement.chance]).all()


def test_vectors_on_a_line_have_a_map_of_the_same_bytes():
    line = np.linspace(0, 1, 30, dtype=np.float32)[:, None] ** 2 * np.float32([[1, 0, 3]])
    first, second = (maps.fit(line, "pca", seed=0) for _ in range(2))
    assert first.points.tobytes() == second.points.tobytes()
    assert first.faithfulness.trustworthiness == 1
    start = maps._start(first.points, seed=0)
    assert np.ptp(start, axis=0) == pytest.approx([10, 10], abs=2)


@pytest.mark.parametrize("n_clips", [3, 12])
def test_few_clips_have_a_map(n_clips: int):
    for method in ("pca", "tsne"):
        fitted = maps.fit(VECTORS[:n_clips], method, seed=0)
        assert np.isfinite(fitted.points).all()
        assert 0 <= fitted.faithfulness.trustworthiness <= 1


def test_a_seed_gives_the_same_map_by_tsne():
    first, second = (maps.fit(VECTORS[:60], "tsne", seed=3) for _ in range(2))
    assert first.points.tobytes() == second.points.tobytes()
    assert first.faithfulness.trustworthiness > 0.8


@pytest.mark.parametrize(
    ("vectors", "method", "message"),
    [
        (VECTORS[:2], "pca", "2 clips of 20 dimensions; expected at least 3 clips"),
        (VECTORS[:, :1], "pca", "150 clips of 1 dimensions; expected at least 3 clips and 2 dimensions"),
        (np.ones((9, 4), np.float32), "tsne", "all 9 vectors are equal"),
        (VECTORS[:15], "umap", "15 clips, 15 neighbours of each; expected more clips .* take --map pca"),
        (VECTORS, "mds", "map 'mds' is unknown; expected pca, umap, tsne"),
    ],
)
def test_what_has_no_map_is_refused_in_one_line(vectors: np.ndarray, method: str, message: str):
    with pytest.raises(UsageError, match=message) as error:
        maps.fit(vectors, method, seed=0)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_umap_gives_its_true_stages_and_says_nothing(home: Path, monkeypatch: pytest.MonkeyPatch, capfd):
    from umap import UMAP

    monkeypatch.setenv("BENCH_CACHE", str(home))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = maps.fit(VECTORS, "umap", seed=0)
    assert capfd.readouterr() == ("", "")
    start = fitted.stages[0]
    bare = UMAP(init=start, random_state=0, n_jobs=1).fit(SCALED.astype(np.float32))
    np.testing.assert_array_equal(fitted.points, bare.embedding_)
    np.testing.assert_array_equal(fitted.points, fitted.stages[-1])
    assert (fitted.epochs[0], fitted.epochs[-1], len(fitted.epochs)) == (0, 500, len(fitted.stages))
    moves = np.abs(np.diff(fitted.stages, axis=0)).max(axis=(1, 2))
    assert (moves > 0).all()
    assert maps.fit(VECTORS, "umap", seed=0).points.tobytes() == fitted.points.tobytes()


def test_a_caption_says_how_far_a_map_can_be_trusted(plane: maps.Map):
    trust = plane.faithfulness
    lines = map_figure.caption(plane, neighbours.agreements(trust, LABELS)).splitlines()
    assert lines[0].startswith(
        f"PCA: trustworthiness {trust.trustworthiness:.3f}, {trust.shared:.0%} of the 5"
    )
    assert lines[1].endswith("on the map, 0.33 by chance")


def test_the_most_frequent_labels_have_their_names_in_the_legend():
    labels = [f"{number:02}" for number in range(25) for _ in range(number + 1)]
    names = map_figure.legend([*labels, ""])
    assert set(names) == {*(f"{number:02}" for number in range(5, 25)), map_figure.OTHER, map_figure.UNKNOWN}
    assert names.count(map_figure.OTHER) == 1 + 2 + 3 + 4 + 5
    assert names[-1] == map_figure.UNKNOWN


@pytest.mark.figures
def test_a_map_drawn_twice_is_the_same(plane: maps.Map, tmp_path: Path):
    labels = [*(f"$x_{number % 23}$ |" for number in range(149)), ""]
    clips = [f"{number}.wav" for number in range(150)]
    figure = map_figure.figure(plane, clips, "label", labels, "mfcc\ncaption")
    for name in ("1.png", "2.png"):
        png.write(figure, tmp_path / name)
    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "2.png").read_bytes()
    assert png.is_whole(tmp_path / "1.png")


def test_names_of_points_that_no_font_has_are_numbers(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fonts, "_others", dict)
    points = (Point("a", 0, 0, "猫"), Point("b", 1, 1, "dog"))
    figure = Points("t", Axis("x"), Axis("y"), points, "label", background=("猫",))
    assert png.legend(figure) == [("[2]", "猫")]
    drawable = png._drawable(figure)
    assert isinstance(drawable, Points)
    assert ([point.colour for point in drawable.points], drawable.background) == (["[2]", "dog"], ("[2]",))
