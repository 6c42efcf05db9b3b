"""Trained networks on real speech: Whisper tiny.en beside plain calls of transformers, and two plugins."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'neural'")
from transformers import (  # noqa: E402
    AutoTokenizer,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)
from transformers.models.whisper.english_normalizer import EnglishTextNormalizer  # noqa: E402

from bench import audio  # noqa: E402
from bench.embed import pooling  # noqa: E402
from bench.embed.engine import embed  # noqa: E402
from bench.extractors.whisper import Whisper  # noqa: E402
from bench.store import Store  # noqa: E402
from bench.types import Audio, Clip, Frames, Layer, Score, Spec, Statistics, View  # noqa: E402

pytestmark = pytest.mark.xdist_group("trained")  # they share what the network answers

TRANSCRIPTS = {
    "train-clean-100/103/1240/103-1240-0000": (
        "CHAPTER ONE MISSUS RACHEL LYNDE IS SURPRISED MISSUS RACHEL LYNDE LIVED JUST WHERE THE AVONLEA MAIN "
        "ROAD DIPPED DOWN INTO A LITTLE HOLLOW FRINGED WITH ALDERS AND LADIES EARDROPS AND TRAVERSED BY A "
        "BROOK"
    ),
    "test-other/1688/142285/1688-142285-0000": (
        "THERE'S IRON THEY SAY IN ALL OUR BLOOD AND A GRAIN OR TWO PERHAPS IS GOOD BUT HIS HE MAKES ME "
        "HARSHLY FEEL HAS GOT A LITTLE TOO MUCH OF STEEL ANON"
    ),
    "test-other/367/130732/367-130732-0000": "LOBSTERS AND LOBSTERS",
}
"""Utterances of LibriSpeech, of 14.1, 15.0 and 2.4 s, with the transcripts of the corpus (CC BY 4.0)."""

N_LAYERS = 5
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")


@pytest.fixture(scope="module")
def whisper(weights: Path) -> str:
    return str(weights / "whisper-tiny.en")


@pytest.fixture(scope="module")
def utterances(real: Path) -> Mapping[str, Clip]:
    paths = [real / "LibriSpeech" / f"{name}.flac" for name in TRANSCRIPTS]
    return {f"{number:032x}": Clip(path.stem, path) for number, path in enumerate(paths)}


@pytest.fixture(scope="module")
def samples(utterances: Mapping[str, Clip]) -> list[Audio]:
    return [audio.read(clip, 16000) for clip in utterances.values()]


@pytest.fixture(scope="module")
def model(whisper: str) -> WhisperForConditionalGeneration:
    return WhisperForConditionalGeneration.from_pretrained(whisper, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def features(whisper: str, samples: list[Audio]) -> torch.Tensor:
    processor = WhisperFeatureExtractor.from_pretrained(whisper)
    return processor(samples, sampling_rate=16000, return_tensors="pt").input_features


@pytest.fixture(scope="module")
def states(model: WhisperForConditionalGeneration, features: torch.Tensor, samples: list[Audio]):
    """Return every hidden state of the encoder by a plain call, cut to the frames of the clip itself."""
    with torch.inference_mode():
        layers = [
            model.model.encoder(clip[None], output_hidden_states=True).hidden_states for clip in features
        ]
    return [
        torch.cat(states)[:, : -(-y.size // 320)].numpy() for states, y in zip(layers, samples, strict=True)
    ]


def difference(frames: Frames, expected: Frames) -> float:
    """Return the norm of the difference as a share of the norm of what is expected."""
    return float(np.linalg.norm(frames - expected) / np.linalg.norm(expected))


def cosines(frames: Frames, expected: Frames) -> np.ndarray:
    """Return the cosine of the mean frames of every layer."""
    a, b = frames.mean(axis=1), expected.mean(axis=1)
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def n_edits(words: Sequence[str], expected: Sequence[str]) -> int:
    """Return the Levenshtein distance of two sequences of words."""
    row = list(range(len(expected) + 1))
    for i, word in enumerate(words, start=1):
        above = row
        row = [i]
        for j, other in enumerate(expected, start=1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (word != other)))
    return row[-1]


def test_the_weights_transcribe_what_the_corpus_says(whisper: str, model, features: torch.Tensor):
    with torch.inference_mode():
        tokens = model.generate(features)
    texts = AutoTokenizer.from_pretrained(whisper).batch_decode(tokens, skip_special_tokens=True)
    normalize = EnglishTextNormalizer({})
    words = [normalize(text).split() for text in texts]
    expected = [normalize(text).split() for text in TRANSCRIPTS.values()]
    edits = sum(map(n_edits, words, expected))
    assert edits / sum(map(len, expected)) < 0.2
    assert words[2] == expected[2]


def test_every_layer_is_pooled_from_a_plain_call(whisper: str, utterances: Mapping[str, Clip], states):
    spec = Spec("extractor", "tiny.en", "bench.extractors.whisper:Whisper", weights=whisper)
    embeddings = {
        content: embedding
        for batch in embed(utterances, spec, Whisper(whisper))
        for content, embedding in batch.embeddings.items()
    }
    statistics: list[Statistics] = [embeddings[content].statistics for content in utterances]
    for layer in range(N_LAYERS):
        frames = [layers[layer] for layers in states]
        for pool, of in {"mean": np.mean, "std": np.std, "max": np.max}.items():
            vectors = pooling.select(statistics, View(layer, pool))
            np.testing.assert_allclose(vectors, [of(array, axis=0) for array in frames], rtol=1e-5, atol=1e-5)
    last = pooling.select(statistics, View("last", "mean"))
    np.testing.assert_array_equal(last, pooling.select(statistics, View(N_LAYERS - 1, "mean")))
    mean = [layers.mean(axis=(0, 1)) for layers in states]
    np.testing.assert_allclose(pooling.select(statistics, View("mean", "mean")), mean, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("short", [False, True])
def test_a_clip_alone_has_the_frames_that_it_has_in_a_batch(whisper: str, samples: list[Audio], short: bool):
    extractor = Whisper(whisper, short=short)
    company = [samples[2], samples[2][:8000]]
    for clip, frames in zip(company, extractor.embed(company), strict=True):
        [alone] = extractor.embed([clip])
        assert difference(alone, frames) < 1e-5


def test_short_is_near_faithful_but_in_the_last_layer_of_a_short_clip(
    whisper: str, real: Path, samples: list[Audio], states
):
    faithful, short = Whisper(whisper), Whisper(whisper, short=True)
    sentences = [
        cosines(frames, expected) for frames, expected in zip(short.embed(samples), states, strict=True)
    ]
    words = [audio.read(Clip(s, real / "fsdd" / f"3_{s}_0.wav"), 16000) for s in SPEAKERS[:3]]
    digits = [
        cosines(frames, expected)
        for frames, expected in zip(short.embed(words), faithful.embed(words), strict=True)
    ]
    assert np.min(sentences) > 0.97
    assert np.min([layers[:-1] for layers in (*sentences, *digits)]) > 0.95
    assert all(layers.argmin() == N_LAYERS - 1 for layers in (*sentences, *digits))
    # The frames of a clip of half a second attend to 29.5 s of silence, or to none.
    assert np.max(digits, axis=0)[-1] < np.min(sentences, axis=0)[-1]


def test_openvino_gives_the_frames_of_torch(whisper: str, samples: list[Audio], states):
    pytest.importorskip("openvino", reason="needs the extra 'openvino'")
    [frames] = Whisper(whisper, runtime="openvino").embed(samples[2:])
    np.testing.assert_allclose(frames, states[2], rtol=1e-3, atol=1e-3)


SHORT = """
[short]
factory = "bench.extractors.whisper:Whisper"
params = {{ short = true, runtime = "torch" }}
weights = "{weights}"
requires = ["torch", "transformers"]
"""


@pytest.fixture
def digits_of_six(real: Path, tmp_path: Path) -> Path:
    """Return a manifest of 60 spoken digits."""
    rows = [
        {"path": real / "fsdd" / f"{digit}_{speaker}_0.wav", "speaker": speaker, "digit": digit}
        for speaker in SPEAKERS
        for digit in range(10)
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "digits.csv", index=False)
    return tmp_path / "digits.csv"


def test_half_precision_recognises_digits_of_unheard_speakers_as_full_precision_does(
    bench, whisper: str, digits_of_six: Path, tmp_path: Path
):
    (tmp_path / "registry").mkdir()
    (tmp_path / "registry" / "extractors.toml").write_text(SHORT.format(weights=whisper))
    words = ["--datasets", digits_of_six, "--task-target", "digit", "--task-group", "speaker"]
    views = "short@layer=3,short@layer=last"
    scores: dict[str, dict[Layer, Score]] = {}
    predictions: dict[str, dict[Layer, pd.DataFrame]] = {}
    for precision in ("fp32", "bf16"):
        options = ["--precision", precision, "--split", "loso", "--heads", "logreg", "--out", precision]
        done = bench("run", *words, "--extractors", views, *options)
        assert done.exit_code == 0, done.stderr
        store = Store(tmp_path / precision)
        results = [result for result in store.results().values() if result.head == "logreg"]
        scores[precision] = {result.view.layer: result.scores[0] for result in results}
        predictions[precision] = {result.view.layer: store.predictions(result.key) for result in results}
    for layer in (3, "last"):
        full, half = scores["fp32"][layer], scores["bf16"][layer]
        assert full.low < half.value < full.high
        both = predictions["fp32"][layer].merge(predictions["bf16"][layer], on="clip")
        assert len(both) == 60
        assert (both["y_pred_x"] != both["y_pred_y"]).mean() <= 0.05
    assert scores["bf16"][3].value > 0.7


def test_a_speaker_encoder_in_a_file_knows_speakers(bench, real: Path, networks: Path):
    paths = sorted((real / "LibriSpeech" / "test-other").glob("*/*/*-000[0-3].flac"))
    table = pd.DataFrame({"path": paths, "speaker": [path.parts[-3] for path in paths]})
    table.to_csv(networks / "speakers.csv", index=False)
    words = ["--datasets", "speakers.csv", "--tasks", "speaker", "--heads", "knn"]
    done = bench("run", *words, "--split", "cv:4", "--extractors", "./ge2e.py:Ge2e")
    assert done.exit_code == 0, done.stderr
    scores = {
        result.head: result.scores[0].value for result in Store(networks / "bench-out").results().values()
    }
    assert scores["knn"] >= 0.95 > 0.2 > scores["dummy"]


def test_an_onnx_network_in_a_file_tells_speech_from_noise(bench, real: Path, networks: Path):
    pytest.importorskip("openvino", reason="needs the extra 'openvino'")
    speech = sorted((real / "LibriSpeech" / "test-other").glob("*/*/*-0002.flac"))
    noise = sorted((real / "noise").glob("*.wav"))[:20]
    rows = [
        {"path": path, "kind": path.parts[-2] == "noise", "session": path.stem} for path in (*speech, *noise)
    ]
    pd.DataFrame(rows).to_csv(networks / "sounds.csv", index=False)
    words = ["--datasets", "sounds.csv", "--task-target", "kind", "--task-group", "session"]
    words += ["--heads", "logreg"]
    done = bench("run", *words, "--extractors", "./speech_embedding.py:SpeechEmbedding")
    assert done.exit_code == 0, done.stderr
    scores = {
        result.head: result.scores[0].value for result in Store(networks / "bench-out").results().values()
    }
    assert scores["logreg"] >= 0.95 > 0.7 > scores["dummy"]
