"""Transcription: chunks, suppression, languages, and a tiny Whisper beside plain calls of transformers."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from bench import catalog
from bench.catalog import weights
from bench.errors import UnavailableError, UsageError
from bench.inference import transcription
from bench.inference.answers import Phrase, Suppression
from bench.inference.shared_encoder import shared
from bench.inference.transcribers.base import RATE, Decoder, Decoding
from bench.inference.transcription import Transcriber
from bench.types import Audio, Extractor, Spec, Traits

DECLARED = catalog.load()
NOISE = np.random.default_rng(0).normal(scale=0.1, size=3 * RATE).astype(np.float32)


class Recorder:
    """A decoder that returns what it was given, and remembers how it was called."""

    name = "recorder"
    languages = ("de", "en")
    digest = ""

    def __init__(self, *decodings: Decoding) -> None:
        self.decodings = list(decodings)
        self.calls: list[tuple[int, str | None, bool]] = []

    def decode(self, audio: Audio, language: str | None, timestamps: bool, states=None) -> Decoding:
        self.calls.append((audio.size, language, timestamps))
        return self.decodings.pop(0)


def decoding(*phrases: Phrase, n_samples: int = 2 * RATE, **fields: float) -> Decoding:
    """Return what a decoder heard; without phrases, one of 2 s."""
    values = {"language": "de", "no_speech": 0.0, "log_probability": -0.2, **fields}
    return Decoding(phrases=phrases or (YES,), n_samples=n_samples, **values)


YES = Phrase(start=0.0, end=2.0, text=" Yes.")


def transcriber(monkeypatch: pytest.MonkeyPatch, spans, *decodings: Decoding, **options):
    """Return a transcriber for which the parts with a voice are `spans`, and its decoder."""
    recorder = Recorder(*decodings)
    result = Transcriber(recorder, **options)
    monkeypatch.setattr(result._voices, "spans", lambda _: spans)
    return result, recorder


def test_a_chunk_starts_where_the_last_whole_phrase_ended_and_the_language_is_that_of_the_first(monkeypatch):
    ends = [decoding(n_samples=24 * RATE), decoding(n_samples=16 * RATE), decoding(n_samples=10 * RATE)]
    result, recorder = transcriber(monkeypatch, None, *ends)
    transcript = result.transcribe(np.zeros(50 * RATE, np.float32))
    assert recorder.calls == [(30 * RATE, None, True), (26 * RATE, "de", True), (10 * RATE, "de", True)]
    assert transcript.text == "Yes. Yes. Yes."
    assert [phrase.start for phrase in transcript.phrases] == [0, 24, 40]
    assert not transcript.voice_activity


def test_a_recording_without_a_voice_is_not_decoded(monkeypatch):
    result, recorder = transcriber(monkeypatch, ())
    transcript = result.transcribe(np.zeros(65 * RATE, np.float32))
    assert recorder.calls == []
    assert (transcript.text, transcript.language) == ("", "")
    assert transcript.suppressed == (Suppression(start=0.0, end=65.0, reason="no voice"),)
    assert transcript.voice_activity


def test_a_silence_of_30_s_is_skipped_up_to_the_next_voice(monkeypatch):
    result, recorder = transcriber(monkeypatch, ((0.0, 2.0), (40.0, 42.0)), *[decoding()] * 2)
    transcript = result.transcribe(np.zeros(42 * RATE, np.float32))
    assert [size for size, _, _ in recorder.calls] == [30 * RATE, 2 * RATE]
    assert transcript.phrases == tuple(Phrase(start=at, end=at + 2, text="Yes.") for at in (0.0, 40.0))
    assert transcript.suppressed == (Suppression(start=2.0, end=40.0, reason="no voice"),)


@pytest.mark.parametrize(
    ("no_speech", "log_probability", "is_text"), [(0.7, -1.1, False), (0.5, -1.1, True), (0.7, -0.9, True)]
)
def test_text_is_suppressed_by_the_rule_of_the_paper(monkeypatch, no_speech, log_probability, is_text):
    heard = decoding(no_speech=no_speech, log_probability=log_probability)
    result, _ = transcriber(monkeypatch, None, heard)
    transcript = result.transcribe(NOISE[: 2 * RATE])
    assert transcript.text == ("Yes." if is_text else "")
    assert [part.reason for part in transcript.suppressed] == ([] if is_text else ["no speech"])


def test_a_phrase_without_a_voice_is_suppressed_and_others_are_cut_to_the_voice(monkeypatch):
    thanks = Phrase(start=4.0, end=9.0, text=" Thank you.")
    heard = decoding(YES, thanks, n_samples=10 * RATE)
    result, _ = transcriber(monkeypatch, ((0.5, 1.5), (1.75, 3.0)), heard, timestamps=True)
    transcript = result.transcribe(np.zeros(10 * RATE, np.float32))
    assert transcript.phrases == (Phrase(start=0.5, end=2.0, text="Yes."),)
    assert transcript.suppressed == (Suppression(start=4.0, end=9.0, reason="no voice"),)


def test_an_unknown_language_lists_those_that_the_network_transcribes():
    with pytest.raises(UsageError, match=r"--language fr: recorder does not .* expected auto, de, en"):
        Transcriber(Recorder(), "fr")


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("mfcc", UsageError, "--transcribe mfcc: has no weights; expected one of Whisper"),
        ("whisper-tinny", UsageError, "unknown extractor 'whisper-tinny'; did you mean 'whisper-tiny'"),
        ("hf:./nowhere", UsageError, "no such folder or file"),
    ],
)
def test_a_name_without_weights_of_whisper_is_one_line(name: str, error: type[Exception], message: str):
    pytest.importorskip("transformers", reason="needs the extra 'neural'")
    with pytest.raises(error, match=message):
        transcription.load(name, declared=DECLARED)


def test_weights_that_are_not_here_come_with_the_command_to_fetch_them(monkeypatch, tmp_path: Path):
    pytest.importorskip("transformers", reason="needs the extra 'neural'")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    with pytest.raises(UnavailableError, match="whisper-small are not here; run: bench fetch whisper-small"):
        transcription.load("whisper-small", declared=DECLARED)


LANGUAGES = ("en", "de", "zh")
SPECIAL = (
    *("<|endoftext|>", "<|startoftranscript|>", *(f"<|{language}|>" for language in LANGUAGES)),
    *("<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>"),
    "<|notimestamps|>",
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny seeded Whisper of three languages with a tokenizer of bytes; it writes no timestamps."""
    torch = pytest.importorskip("torch", reason="needs the extra 'neural'")
    import transformers
    from tokenizers.pre_tokenizers import ByteLevel

    torch.manual_seed(0)
    vocab = {character: number for number, character in enumerate(sorted(ByteLevel.alphabet()))}
    tokenizer = transformers.WhisperTokenizer(vocab=vocab, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL)})
    tokenizer.add_tokens([f"<|{number / 50:.2f}|>" for number in range(1501)])
    ids = dict(zip(SPECIAL, tokenizer.convert_tokens_to_ids(list(SPECIAL)), strict=True))
    end, start = ids["<|endoftext|>"], ids["<|startoftranscript|>"]
    tokens = {"pad_token_id": end, "bos_token_id": end, "eos_token_id": end, "decoder_start_token_id": start}
    sizes = {"d_model": 32, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "vocab_size": len(tokenizer)}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "init_std": 0.5}
    layers = {"encoder_layers": 1, "decoder_layers": 1, "max_target_positions": 24}
    config = transformers.WhisperConfig(**tokens, **sizes, **heads, **layers)
    model = transformers.WhisperForConditionalGeneration(config)
    model.generation_config = transformers.GenerationConfig(
        **tokens,
        max_length=24,
        suppress_tokens=[number for number in range(end, len(tokenizer)) if number != end],
        is_multilingual=True,
        no_timestamps_token_id=ids["<|notimestamps|>"],
        lang_to_id={f"<|{code}|>": ids[f"<|{code}|>"] for code in LANGUAGES},
        task_to_id={task: ids[f"<|{task}|>"] for task in ("transcribe", "translate")},
    )
    folder = tmp_path_factory.mktemp("whisper")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    transformers.WhisperFeatureExtractor().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def decoder(checkpoint: Path) -> Decoder:
    return transcription.load(str(checkpoint), declared=DECLARED)._decoder


@pytest.fixture(scope="module")
def plain(checkpoint: Path):
    """Return a plain network and its processor."""
    import transformers

    model = transformers.WhisperForConditionalGeneration.from_pretrained(checkpoint).eval()
    return model, transformers.WhisperProcessor.from_pretrained(checkpoint)


@pytest.mark.parametrize("language", ["en", "de", None])
def test_text_language_and_probabilities_are_those_of_a_plain_call(plain, decoder: Decoder, language):
    import torch

    model, processor = plain
    features = processor(NOISE, sampling_rate=RATE, return_tensors="pt").input_features
    with torch.inference_mode():
        code = language or processor.decode(model.detect_language(features)).strip("<|>")
        output = model.generate(
            features, language=code, task="transcribe", return_dict_in_generate=True, output_scores=True
        )
        start = torch.tensor([[model.generation_config.decoder_start_token_id]])
        first = model(features, decoder_input_ids=start).logits[0, 0].softmax(dim=-1)
    tokens = output.sequences[0, -len(output.scores) :]
    log_probability = model._retrieve_avg_logprobs([score[0] for score in output.scores], tokens, 0.0)
    decoding = decoder.decode(NOISE, language, timestamps=False)
    [text] = processor.batch_decode(output.sequences, skip_special_tokens=True)
    assert text.strip()
    assert "".join(phrase.text for phrase in decoding.phrases) == text
    assert decoding.language == code
    assert decoding.log_probability == pytest.approx(float(log_probability), rel=1e-5)
    no_speech = processor.tokenizer.convert_tokens_to_ids("<|nospeech|>")
    assert decoding.no_speech == pytest.approx(float(first[no_speech]), rel=1e-5)


def test_the_extractors_encoder_serves_the_text_and_leaves_the_frames_as_they_are(
    checkpoint, decoder: Decoder
):
    params = {"checkpoint": str(checkpoint), "runtime": "torch"}
    spec = Spec("extractor", "whisper", "bench.extractors.whisper:Whisper", params=params)
    extractor = catalog.build(spec)
    encoder = shared(extractor, spec, Transcriber(decoder))
    assert encoder is not None
    assert isinstance(encoder, Extractor)
    assert Traits.of(encoder) == Traits.of(extractor)
    clips = [NOISE, NOISE[:RATE]]
    for frames, expected in zip(encoder.embed(clips), extractor.embed(clips), strict=True):
        np.testing.assert_array_equal(frames, expected)
    states = encoder.states(NOISE.copy())
    alone = decoder.decode(NOISE, "en", timestamps=False)
    assert decoder.decode(NOISE, "en", timestamps=False, states=states).phrases == alone.phrases
    assert decoder.decode(NOISE, "en", timestamps=False, states=-states).phrases != alone.phrases
    assert encoder.states(NOISE) is None  # they are handed out once
    assert encoder.states(NOISE[1:]) is None


@pytest.mark.parametrize("change", [{"short": True}, {"runtime": "openvino"}, {"precision": "bf16"}])
def test_an_encoder_that_computes_other_states_is_not_shared(checkpoint, decoder: Decoder, change):
    params = {"checkpoint": str(checkpoint), "runtime": "torch"}
    extractor = catalog.build(Spec("extractor", "whisper", "bench.extractors.whisper:Whisper", params=params))
    spec = Spec("extractor", "whisper", "", params={**params, **change})
    assert shared(extractor, spec, Transcriber(decoder)) is None


@pytest.mark.parametrize("name", ["tokenizer.json", "generation_config.json"])
def test_a_checkpoint_that_cannot_write_text_says_what_it_lacks(checkpoint: Path, tmp_path: Path, name: str):
    shutil.copytree(checkpoint, tmp_path / "copy", ignore=shutil.ignore_patterns(name))
    with pytest.raises(UsageError, match=rf"copy: cannot write text; expected .*{name}"):
        transcription.load(f"hf:{tmp_path / 'copy'}", declared=DECLARED)


def test_a_damaged_tokenizer_is_one_line(checkpoint: Path, tmp_path: Path):
    shutil.copytree(checkpoint, tmp_path / "copy")
    (tmp_path / "copy" / "tokenizer.json").write_text('{"a": 1}')
    with pytest.raises(UsageError, match=r"copy: WhisperTokenizer cannot be loaded"):
        transcription.load(f"hf:{tmp_path / 'copy'}", declared=DECLARED)


def test_an_encoder_alone_is_refused(checkpoint: Path, tmp_path: Path):
    from safetensors.numpy import load_file, save_file

    shutil.copytree(checkpoint, tmp_path / "copy")
    tensors = load_file(checkpoint / "model.safetensors")
    parts = {name: tensor for name, tensor in tensors.items() if ".encoder." in name}
    save_file(parts, tmp_path / "copy" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UsageError, match=r"lacks \d+ weights, such as model.decoder.* with its decoder"):
        transcription.load(f"hf:{tmp_path / 'copy'}", declared=DECLARED)


def test_a_whisper_that_was_fetched_without_its_tokenizer_is_fetched_again(checkpoint, monkeypatch, tmp_path):
    snapshot = tmp_path / "models--openai--whisper-tiny" / "snapshots" / ("0" * 40)
    shutil.copytree(checkpoint, snapshot, ignore=shutil.ignore_patterns("tokenizer.json"))
    calls = []

    def download(weights: str, **options) -> Path:
        calls.append(options.get("allow_patterns"))
        if options.get("allow_patterns"):
            shutil.copy(checkpoint / "tokenizer.json", snapshot)
        return snapshot

    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(weights, "_snapshot", download)
    assert weights.fetch("openai/whisper-tiny") == snapshot
    assert "tokenizer.json" in calls[-1]
    assert weights.fetch("openai/whisper-tiny") == snapshot
    assert calls[-1] is None  # it only looks
