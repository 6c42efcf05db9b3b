"""Speed as ratios in one run: the engine against bare calls of the libraries that it stands on."""

from collections.abc import Callable, Iterator
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from threadpoolctl import threadpool_limits

from bench import catalog
from bench.embed import pooling
from bench.embed.cache import Cache, ClipEmbedding
from bench.embed.engine import embed
from bench.extractors.mfcc import DELTA_WIDTH, HOP, N_FFT, N_MELS, WINDOW
from bench.types import Clip, Spec, Usage, View

torch = pytest.importorskip("torch", reason="needs the extra 'neural'")
import transformers  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

CHUNK = 32_000
CORES = 2
"""The engine's threads scale with the cores; the bare call of librosa below uses one."""


@pytest.fixture(scope="module")
def utterances(real: Path) -> list[Path]:
    return sorted((real / "LibriSpeech" / "train-clean-100").rglob("*.flac"))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkpoint of the size of wav2vec2-base, of random weights."""
    folder = tmp_path_factory.mktemp("base")
    torch.manual_seed(0)
    transformers.Wav2Vec2Model(transformers.Wav2Vec2Config()).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(return_attention_mask=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def chunks(utterances: list[Path]) -> dict[str, Clip]:
    """Return 24 chunks of 2 s."""
    paths = [path for path in utterances if soundfile.info(path).frames >= CHUNK][:24]
    return {f"{number:032x}": Clip(path.stem, path, 0.0, CHUNK / 16_000) for number, path in enumerate(paths)}


def spec(folder: Path, precision: str, runtime: str = "torch") -> Spec:
    params = {"checkpoint": str(folder), "precision": precision, "runtime": runtime}
    return Spec(
        "extractor", "base", "bench.extractors.transformer:Transformer", params=params, weights=str(folder)
    )


def engine(clips: dict[str, Clip], of: Spec) -> Callable[[], object]:
    return lambda: list(embed(clips, of, catalog.build(of)))


@pytest.fixture(scope="module")
def loop(base: Path, chunks: dict[str, Clip]) -> Iterator[Callable[[], object]]:
    """Return the loop that people write: one chunk at a time, with gradients on."""
    model = transformers.Wav2Vec2Model.from_pretrained(base).eval()
    processor = transformers.Wav2Vec2FeatureExtractor.from_pretrained(base)

    def run() -> None:
        for clip in chunks.values():
            y, _ = soundfile.read(clip.path, frames=CHUNK, dtype="float32")
            inputs = processor(y, sampling_rate=16_000, return_tensors="pt").input_values
            model(inputs).last_hidden_state.mean(dim=1).detach().numpy()

    return run


@pytest.fixture(autouse=True)
def loaded_once(monkeypatch: pytest.MonkeyPatch):
    """Build every extractor once: what loading takes is no part of these ratios."""
    built: dict[str, object] = {}
    build = catalog.build

    def once(of: Spec) -> object:
        if str(of) not in built:
            built[str(of)] = build(of)
        return built[str(of)]

    monkeypatch.setattr(catalog, "build", once)


@pytest.mark.parametrize(
    ("runtime", "precision", "times"),
    [("torch", "fp32", 1.15), ("torch", "bf16", 2.4), ("openvino", "fp32", 1.5), ("openvino", "bf16", 3.2)],
)
def test_faster_than_the_loop_people_write(benchmark, fastest, runtime, precision, times, base, chunks, loop):
    pytest.importorskip(runtime)
    run = engine(chunks, spec(base, precision, runtime))
    slow, fast = fastest(loop, run)
    benchmark.extra_info |= {"loop_s": slow, "engine_s": fast, "ratio": slow / fast}
    benchmark.pedantic(run, rounds=1)
    assert slow / fast >= times


def test_most_of_the_processors_matrix_multiplications(benchmark, fastest, base, chunks):
    a = torch.randn(2048, 2048)
    run = engine(chunks, spec(base, "fp32"))
    model = transformers.Wav2Vec2Model.from_pretrained(base).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.randn(1, CHUNK))
    n_flops = counter.get_total_flops() * len(chunks)
    engine_s, product_s = fastest(run, lambda: [a @ a for _ in range(20)])
    share = (n_flops / engine_s) / (20 * 2 * 2048**3 / product_s)
    benchmark.extra_info |= {"gflops": n_flops / engine_s / 1e9, "share": share}
    benchmark.pedantic(run, rounds=1)
    assert share >= 0.65


def test_little_over_the_bare_batched_call(benchmark, fastest, base, chunks):
    run = engine(chunks, spec(base, "fp32"))
    model = transformers.Wav2Vec2Model.from_pretrained(base).eval()
    processor = transformers.Wav2Vec2FeatureExtractor.from_pretrained(base)

    def bare() -> None:
        read = [soundfile.read(clip.path, frames=CHUNK, dtype="float32")[0] for clip in chunks.values()]
        for start in range(0, len(read), 10):
            inputs = processor(read[start : start + 10], sampling_rate=16_000, return_tensors="pt")
            with torch.inference_mode():
                model(inputs.input_values, output_hidden_states=True)

    bare_s, engine_s = fastest(bare, run, rounds=5)
    benchmark.extra_info |= {"bare_s": bare_s, "engine_s": engine_s, "ratio": engine_s / bare_s}
    benchmark.pedantic(run, rounds=1)
    assert engine_s / bare_s <= 1.05


def test_a_sweep_over_layers_costs_one_pass(benchmark, fastest, base, chunks):
    run = engine(chunks, spec(base, "fp32"))
    [batch] = run()
    statistics = [embedding.statistics for embedding in batch.embeddings.values()]
    looks = [View(layer, pool) for layer in range(13) for pool in ("mean", "max", "mean+std")]

    def sweep() -> None:
        run()
        for view in looks:
            pooling.select(statistics, view)

    one_s, sweep_s = fastest(run, sweep)
    benchmark.extra_info |= {"ratio": sweep_s / one_s}
    benchmark.pedantic(sweep, rounds=1)
    assert sweep_s / one_s <= 1.1


def test_mfcc_uses_every_core(benchmark, fastest, utterances):
    clips = {f"{number:032x}": Clip(path.stem, path) for number, path in enumerate(utterances)}
    run = engine(clips, Spec("extractor", "mfcc", "bench.extractors.mfcc:Mfcc"))

    def bare() -> None:
        with threadpool_limits(1, user_api="blas"):
            for path in utterances:
                y, rate = soundfile.read(path, dtype="float32")
                sizes = {"n_fft": N_FFT, "win_length": WINDOW, "hop_length": HOP, "n_mels": N_MELS}
                coefficients = librosa.feature.mfcc(y=y, sr=rate, n_mfcc=20, **sizes)
                librosa.feature.delta(coefficients, width=DELTA_WIDTH, mode="nearest")

    bare_s, engine_s = fastest(bare, run)
    benchmark.extra_info |= {"bare_s": bare_s, "engine_s": engine_s, "ratio": engine_s / (bare_s / CORES)}
    benchmark.pedantic(run, rounds=1)
    assert engine_s <= 1.3 * bare_s / CORES


def test_a_warm_cache_is_read_in_no_time(benchmark, tmp_path: Path):
    rng = np.random.default_rng(0)
    cache = Cache(str(tmp_path))
    for part in range(20):
        rows = {
            f"{part * 500 + row:032x}": ClipEmbedding(
                rng.standard_normal((1, 4, 768), dtype=np.float32), 1.0, Usage(1.0, 1.0, 1.0)
            )
            for row in range(500)
        }
        cache.write("a", rows)

    def read() -> np.ndarray:
        names = [f"{row:032x}" for row in range(10_000)]
        embeddings = cache.read("a", names)
        return pooling.select([embeddings[name].statistics for name in names], View(pool="mean"))

    assert benchmark(read).shape == (10_000, 768)
    assert benchmark.stats.stats.min < 0.5
