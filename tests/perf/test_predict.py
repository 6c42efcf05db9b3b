"""Speed as ratios in one run: predictions of files against a loop over bare calls of the libraries."""

from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
import soxr
from click.testing import CliRunner

import bench as package
from bench import cli
from bench.inference.session import Session
from bench.types import Clip

MOST = 1.05
"""Largest ratio of our time to that of the libraries' calls."""

N_FILES = 1000


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Return a session of a model of MFCC statistics, with logistic regression."""
    folder = tmp_path_factory.mktemp("predict")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("BENCH_CACHE", str(folder / "cache"))
        names = ("--extractors", "mfcc-13", "--heads", "logreg", "--plain")
        for words in (("run", "--tasks", "noise", *names), ("export", "bench-out", "--to", "model")):
            assert CliRunner().invoke(cli.main, words).exit_code == 0
    return Session(package.load_model(folder / "model").model)


def clips(paths: list[Path]) -> list[Clip]:
    return [Clip(str(path), path) for path in paths]


def test_files_of_a_folder(benchmark, fastest, session: Session, real: Path):
    paths = sorted((real / "fsdd").glob("*.wav"))[:N_FILES]
    model = session.model
    rate = model.extractor.sample_rate

    def bare() -> list[np.ndarray]:
        probabilities = []
        for path in paths:
            samples, own_rate = soundfile.read(path, dtype="float32")
            y = soxr.resample(samples, own_rate, rate)
            windows = {"n_fft": 512, "win_length": 400, "hop_length": 160}
            mfcc = librosa.feature.mfcc(y=y, sr=rate, n_mfcc=13, n_mels=40, **windows)
            frames = np.concatenate([mfcc, librosa.feature.delta(mfcc, mode="nearest")])
            vector = np.concatenate([frames.mean(axis=1), frames.std(axis=1)])
            probabilities.append(model.pipeline.predict_proba(vector[None].astype(np.float32))[0])
        return probabilities

    assert [answer.prediction.predicted_label for answer in session.answers(clips(paths))] == [
        model.labels[int(row.argmax())] for row in bare()
    ]

    def ours() -> None:
        list(session.answers(clips(paths)))

    ours_s, bare_s = fastest(ours, bare, rounds=3)
    benchmark.extra_info |= {"ratio": ours_s / bare_s, "ours_s": ours_s}
    benchmark.pedantic(lambda: None, rounds=1)
    assert ours_s / bare_s <= MOST
