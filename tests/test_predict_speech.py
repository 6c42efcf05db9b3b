"""Transcription of real speech by trained weights, beside plain calls of transformers and faster-whisper."""

import subprocess
import sysconfig
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path
from statistics import median

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'neural'")

from bench import audio, catalog  # noqa: E402
from bench.inference import transcription  # noqa: E402
from bench.inference.shared_encoder import shared  # noqa: E402
from bench.inference.transcribers.base import RATE  # noqa: E402
from bench.inference.transcription import Transcriber  # noqa: E402
from bench.types import Audio, Clip  # noqa: E402

pytestmark = pytest.mark.xdist_group("trained")

DECLARED = catalog.load()


@pytest.fixture(scope="module")
def folder(weights: Path) -> str:
    return str(weights / "whisper-tiny.en")


@pytest.fixture(scope="module")
def tiny(folder: str) -> Transcriber:
    return transcription.load(folder, declared=DECLARED)


@pytest.fixture(scope="module")
def utterances(real: Path) -> Sequence[Audio]:
    """Return 20 utterances of 10 speakers."""
    paths = sorted((real / "LibriSpeech" / "test-other").rglob("*.flac"))[::5]
    return [audio.read(Clip(path.stem, path), RATE) for path in paths]


@pytest.fixture(scope="module")
def plain(folder: str) -> Callable[..., str]:
    """Return a plain call of transformers: audio -> text."""
    import transformers

    model = transformers.WhisperForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    processor = transformers.WhisperProcessor.from_pretrained(folder)

    def transcribe(audio: Audio, **options: object) -> str:
        features = processor(audio, sampling_rate=RATE, return_tensors="pt").input_features
        with torch.inference_mode():
            tokens = model.generate(features, **options)
        return processor.batch_decode(tokens, skip_special_tokens=True)[0].strip()

    return transcribe


def test_a_sentence_is_written_down_and_no_noise_is(real: Path, tiny: Transcriber):
    pytest.importorskip("silero_vad", reason="needs the extra 'transcribe'")
    n_threads = torch.get_num_threads()
    path = real / "LibriSpeech" / "test-other" / "367" / "130732" / "367-130732-0000.flac"
    speech, noise = (audio.read(Clip("a", path), RATE) for path in (path, real / "noise" / "n1.wav"))
    transcript = Transcriber(tiny._decoder, timestamps=True).transcribe(np.pad(speech, 2 * RATE))
    assert transcript.text == "Lobsters and lobsters."
    [phrase] = transcript.phrases
    assert 2 < phrase.start < phrase.end < 2 + speech.size / RATE
    assert tiny.transcribe(noise).suppressed[0].reason == "no voice"
    assert torch.get_num_threads() == n_threads


@pytest.mark.slow
def test_the_text_of_20_utterances_is_that_of_transformers(tiny: Transcriber, plain, utterances):
    assert [tiny.transcribe(samples).text for samples in utterances] == [plain(y) for y in utterances]


@pytest.mark.slow
def test_with_timestamps_the_text_is_that_of_transformers_too(tiny: Transcriber, plain, utterances):
    timed = Transcriber(tiny._decoder, timestamps=True)
    texts = [timed.transcribe(samples).text for samples in utterances]
    assert texts == [plain(samples, return_timestamps=True) for samples in utterances]


@pytest.mark.slow
def test_a_text_and_a_label_cost_less_than_a_text_and_a_tenth(folder: str, tiny: Transcriber, utterances):
    spec = catalog.resolve("extractor", f"hf:{folder}", {})
    spec = replace(spec, params={"checkpoint": folder, "runtime": "torch"})
    encoder = shared(catalog.build(spec), spec, tiny)
    assert encoder is not None
    alone, together = [], []
    for samples in utterances[:5]:
        clip = samples[: 3 * RATE]
        tiny.transcribe(clip)
        for seconds, states in ((alone, False), (together, True)) * 5:
            start = time.process_time()
            if states:
                encoder.embed([clip])
            text = tiny.transcribe(clip, encoder.states(clip) if states else None).text
            seconds.append(time.process_time() - start)
            assert text == tiny.transcribe(clip).text
    assert median(np.divide(together, alone)) < 1.1


@pytest.mark.slow
def test_faster_whisper_writes_nearly_the_same_words(
    folder: str, tiny: Transcriber, utterances, tmp_path: Path
):
    pytest.importorskip("faster_whisper", reason="needs pip install faster-whisper")
    converter = Path(sysconfig.get_path("scripts")) / "ct2-transformers-converter"
    files = ["--copy_files", "tokenizer.json", "preprocessor_config.json"]
    subprocess.run([converter, "--model", folder, "--output_dir", tmp_path / "tiny", *files], check=True)
    other = transcription.load(f"faster-whisper:{tmp_path / 'tiny'}", declared=DECLARED)
    assert other.name == "faster-whisper:tiny"
    words, expected = (
        [
            word.strip(",.").lower()
            for samples in utterances[:3]
            for word in model.transcribe(samples).text.split()
        ]
        for model in (other, tiny)
    )
    # Its spectra differ a little: 14 of the 20 utterances, and 97 % of all words, are the same.
    assert SequenceMatcher(None, words, expected, autojunk=False).ratio() > 0.9
