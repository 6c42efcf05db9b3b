"""Transformers from small checkpoints that are made here, beside plain calls of the transformers library."""

import json
import pickle
import shutil
import subprocess
import sys
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'neural'")
import transformers  # noqa: E402
from transformers import modeling_utils  # noqa: E402

from bench import audio  # noqa: E402
from bench.catalog import checkpoints  # noqa: E402
from bench.errors import PluginError  # noqa: E402
from bench.extractors.auto import extractor  # noqa: E402
from bench.extractors.spectrogram import Ast, Clap  # noqa: E402
from bench.extractors.transformer import Transformer  # noqa: E402
from bench.extractors.whisper import Whisper  # noqa: E402
from bench.store import Store  # noqa: E402
from bench.testing import check_extractor  # noqa: E402
from bench.types import Audio, Clip  # noqa: E402

TINY = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "conv_dim": (16, 16, 16, 16),
    "conv_kernel": (10, 3, 3, 2),
    "conv_stride": (5, 4, 4, 4),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "vocab_size": 12,
}
KINDS = {
    "wav2vec2-group": ("Wav2Vec2", {"feat_extract_norm": "group"}),
    "wav2vec2-layer": ("Wav2Vec2", {"feat_extract_norm": "layer", "do_stable_layer_norm": True}),
    "hubert-group": ("Hubert", {"feat_extract_norm": "group"}),
    "hubert-layer": ("Hubert", {"feat_extract_norm": "layer", "do_stable_layer_norm": True}),
    "wavlm-group": ("WavLM", {"feat_extract_norm": "group"}),
    "wavlm-layer": ("WavLM", {"feat_extract_norm": "layer", "do_stable_layer_norm": True}),
    "data2vec": ("Data2VecAudio", {}),
    "unispeech-sat": ("UniSpeechSat", {"feat_extract_norm": "group"}),
}


CONVERTED = ["wav2vec2-group", "wavlm-layer", "whisper-short"]
"""Kinds whose conversion is checked in every run: plain and relative attention, and one over spectra."""


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a maker of tiny seeded checkpoints, saved as their library saves them."""

    def make(kind: str) -> Path:
        folder = tmp_path_factory.getbasetemp() / "checkpoints" / kind
        if folder.is_dir():
            return folder
        torch.manual_seed(0)
        if kind == "whisper":
            sizes = {"d_model": 32, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "vocab_size": 100}
            heads = {"encoder_attention_heads": 4, "decoder_attention_heads": 4}
            tokens = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
            layers = {"encoder_layers": 2, "decoder_layers": 1}
            config = transformers.WhisperConfig(**layers, **sizes, **heads, **tokens)
            transformers.WhisperModel(config).save_pretrained(folder)
            transformers.WhisperFeatureExtractor().save_pretrained(folder)
            return folder
        name, options = KINDS[kind]
        config = getattr(transformers, f"{name}Config")(**TINY, **options)
        getattr(transformers, f"{name}Model")(config).save_pretrained(folder)
        masked = options.get("feat_extract_norm") != "group"
        transformers.Wav2Vec2FeatureExtractor(return_attention_mask=masked).save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def clips(home: Path, take: Callable[[str, int, int], Path]) -> list[Audio]:
    """Return recordings of several lengths, two of them equal, and 0.05 s of one."""
    heard = [audio.read(Clip("a", take("theo", digit, 0)), 16000) for digit in range(4)]
    return [*heard, heard[0][::-1].copy(), heard[1][:800], np.tile(heard[2], 4)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_layer_is_that_of_a_plain_call(kind: str, checkpoint, clips: list[Audio]):
    folder = checkpoint(kind)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    processor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    transformer = Transformer(str(folder))
    assert (transformer.sample_rate, transformer.dim, transformer.n_layers) == (16000, 32, 4)
    for clip, frames in zip(clips, transformer.embed(clips), strict=True):
        inputs = processor(clip, sampling_rate=16000, return_tensors="pt").input_values
        with torch.no_grad():
            expected = model(inputs, output_hidden_states=True)
        states = [*expected.hidden_states, expected.last_hidden_state]
        assert frames.shape == (5, states[0].shape[1], 32)
        np.testing.assert_allclose(frames, torch.cat(states).numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", [*KINDS, "whisper", "whisper-short"])
def test_a_clip_has_the_same_frames_in_any_company_and_order(kind: str, checkpoint, clips: list[Audio]):
    transformer = _made(kind, checkpoint)
    together = transformer.embed(clips)
    backwards = transformer.embed(clips[::-1])[::-1]
    for clip, frames, again in zip(clips, together, backwards, strict=True):
        np.testing.assert_allclose(transformer.embed([clip])[0], frames, atol=2e-5)
        np.testing.assert_allclose(again, frames, atol=2e-5)


@pytest.mark.parametrize("kind", [*KINDS, "whisper", "whisper-short"])
@pytest.mark.parametrize(
    "clip",
    [
        np.zeros(16000, np.float32),
        np.ones(16000, np.float32),
        np.sign(np.sin(np.arange(16000))).astype(np.float32),
        np.full(1, 0.5, np.float32),
        np.zeros(399, np.float32),
    ],
    ids=["silence", "dc", "clipped", "one sample", "short silence"],
)
def test_silence_and_scraps_give_finite_frames(kind: str, clip: Audio, checkpoint):
    [frames] = _made(kind, checkpoint).embed([clip])
    assert frames.shape[1] >= 1
    assert np.isfinite(frames).all()


def test_whisper_is_a_plain_call_cut_to_the_clips_own_frames(checkpoint, clips: list[Audio]):
    folder = checkpoint("whisper")
    encoder = transformers.WhisperModel.from_pretrained(folder).encoder.eval()
    processor = transformers.WhisperFeatureExtractor.from_pretrained(folder)
    transformer = Whisper(str(folder))
    assert (transformer.dim, transformer.n_layers, transformer.max_seconds, transformer.padded_seconds) == (
        32,
        3,
        30.0,
        30.0,
    )
    for clip, frames in zip(clips, transformer.embed(clips), strict=True):
        inputs = processor(clip, sampling_rate=16000, return_tensors="pt").input_features
        with torch.no_grad():
            states = encoder(inputs, output_hidden_states=True).hidden_states
        n_frames = -(-clip.size // 320)
        assert frames.shape == (3, n_frames, 32)
        np.testing.assert_allclose(frames, torch.cat(states)[:, :n_frames].numpy(), atol=1e-5)


def test_short_whisper_of_30_s_is_whisper(checkpoint, clips: list[Audio]):
    folder = str(checkpoint("whisper"))
    whole = np.resize(clips[0], 480_000)
    [long], [short] = Whisper(folder).embed([whole]), Whisper(folder, short=True).embed([whole])
    np.testing.assert_allclose(short, long, atol=1e-5)


def test_short_whisper_starts_like_whisper_and_differs_by_what_it_attends_to(checkpoint, clips: list[Audio]):
    folder = str(checkpoint("whisper"))
    [long], [short] = Whisper(folder).embed(clips[:1]), Whisper(folder, short=True).embed(clips[:1])
    assert long.shape == short.shape
    np.testing.assert_allclose(short[0, :-1], long[0, :-1], atol=1e-5)  # before attention, but for the edge
    assert np.abs(short[2] - long[2]).max() > 1e-3


def test_half_precision_is_near_full_precision(checkpoint, clips: list[Audio]):
    folder = str(checkpoint("wav2vec2-layer"))
    [full], [half] = (Transformer(folder, precision=p).embed(clips[:1]) for p in ("fp32", "bf16"))
    difference = np.linalg.norm(half - full) / np.linalg.norm(full)
    assert 0 < difference < 0.05
    assert half.dtype == np.float32


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=() if kind in CONVERTED else pytest.mark.slow)
        for kind in (*KINDS, "whisper", "whisper-short")
    ],
)
def test_openvino_gives_the_same_frames(kind: str, checkpoint, clips: list[Audio]):
    pytest.importorskip("openvino", reason="needs the extra 'openvino'")
    name, _, short = kind.partition("-short")
    options = {"short": bool(short)} if name == "whisper" else {}
    make = partial(Whisper if name == "whisper" else Transformer, str(checkpoint(name)), **options)
    plain = make()
    for clip, frames in zip(clips, make(runtime="openvino").embed(clips), strict=True):
        [expected] = plain.embed([clip])
        np.testing.assert_allclose(frames, expected, rtol=1e-3, atol=1e-3)
    [half] = make(runtime="openvino", precision="bf16").embed(clips[:1])
    [full] = plain.embed(clips[:1])
    assert 0 < np.linalg.norm(half - full) < 0.05 * np.linalg.norm(full)


def _ast(folder: Path) -> Any:
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    model = transformers.ASTModel(transformers.ASTConfig(**sizes)).eval()
    model.save_pretrained(folder)
    with warnings.catch_warnings(action="ignore"):
        transformers.ASTFeatureExtractor().save_pretrained(folder)
    return model


def _clap(folder: Path) -> Any:
    torch.manual_seed(0)
    audio_sizes = {"depths": [1, 1, 1, 1], "num_attention_heads": [1, 2, 2, 4], "hidden_size": 128}
    text_sizes = {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    }
    config = transformers.ClapConfig(
        audio_config={**audio_sizes, "patch_embeds_hidden_size": 16, "num_hidden_layers": 4},
        text_config={**text_sizes, "intermediate_size": 32, "vocab_size": 50},
        projection_dim=24,
    )
    model = transformers.ClapModel(config).eval()
    model.save_pretrained(folder)
    with warnings.catch_warnings(action="ignore"):
        processor = transformers.ClapFeatureExtractor(truncation="rand_trunc", padding="repeatpad")
    processor.save_pretrained(folder)
    return model


def test_ast_is_a_plain_call_averaged_over_frequencies(clips: list[Audio], tmp_path: Path):
    model = _ast(tmp_path)
    transformer = extractor(str(tmp_path))
    assert isinstance(transformer, Ast)
    assert (transformer.sample_rate, transformer.dim, transformer.n_layers, transformer.max_seconds) == (
        16000,
        32,
        3,
        10.24,
    )
    whole = np.resize(clips[0], 163_840)
    for clip, frames in zip([*clips, whole], transformer.embed([*clips, whole]), strict=True):
        inputs = transformer.processor(clip, sampling_rate=16000, return_tensors="pt").input_values
        with torch.no_grad():
            outputs = model(inputs, output_hidden_states=True)
        embeddings = model.embeddings.patch_embeddings
        grid = embeddings.projection(inputs.unsqueeze(1).transpose(2, 3)).shape[2:]
        assert tuple(grid) == (12, 101)
        states = [state[:, 2:].reshape(*grid, 32).mean(0) for state in (*outputs.hidden_states, outputs[0])]
        n_frames = max(1, (clip.size // 160 - 16) // 10 + 1)
        assert frames.shape == (4, n_frames, 32)
        np.testing.assert_allclose(frames, np.array(states)[:, :n_frames], atol=1e-5)


def test_clap_is_its_own_audio_features(clips: list[Audio], tmp_path: Path):
    model = _clap(tmp_path)
    transformer = extractor(str(tmp_path))
    assert isinstance(transformer, Clap)
    assert (transformer.sample_rate, transformer.dim, transformer.max_seconds) == (48000, 24, 10.0)
    for clip, frames in zip(clips, transformer.embed(clips), strict=True):
        inputs = transformer.processor(clip, sampling_rate=48000, return_tensors="pt")
        with torch.no_grad():
            outputs = model.get_audio_features(**inputs)
        np.testing.assert_allclose(frames, getattr(outputs, "pooler_output", outputs).numpy(), atol=1e-5)


@pytest.mark.parametrize("make", [_ast, _clap])
def test_networks_over_spectra_keep_every_rule_and_openvino_agrees(make, clips: list[Audio], tmp_path: Path):
    make(tmp_path)
    for check in check_extractor(partial(extractor, str(tmp_path))):
        check()
    pytest.importorskip("openvino", reason="needs the extra 'openvino'")
    plain, converted = extractor(str(tmp_path)), extractor(str(tmp_path), runtime="openvino")
    for frames, expected in zip(converted.embed(clips), plain.embed(clips), strict=True):
        np.testing.assert_allclose(frames, expected, rtol=1e-3, atol=1e-3)


def test_any_checkpoint_finds_its_class(checkpoint):
    assert isinstance(extractor(str(checkpoint("whisper"))), Whisper)
    assert isinstance(extractor(str(checkpoint("hubert-group"))), Transformer)


class Evil:
    """What a pickle would run if it were loaded without care."""

    def __reduce__(self):
        return (print, ("the pickle's code ran",))


def _no_checkpoint(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def _corrupt(folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])


def _pickled(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"a": Evil()}, protocol=2))


def _text_model(folder: Path) -> None:
    _no_checkpoint(folder)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    transformers.BertModel(transformers.BertConfig(vocab_size=10, **sizes)).save_pretrained(folder)


def _unsaid(folder: Path) -> None:
    (folder / "preprocessor_config.json").unlink()


def _deeper(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 4}))


def _other_sizes(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"intermediate_size": 48}))


def refusal(spoil, message: str, checkpoint, folder: Path) -> str:
    """Return the one-line error of a checkpoint that was spoilt."""
    shutil.copytree(checkpoint("wav2vec2-group"), folder)
    spoil(folder)
    with pytest.raises(PluginError, match=message) as caught:
        extractor(str(folder))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_no_checkpoint, "cannot be loaded"),
        (_corrupt, "cannot be loaded"),
        (_pickled, "cannot be loaded .*[Ww]eights.only"),
        (_unsaid, "does not say how clips are normalised; expected a preprocessor_config.json"),
        (_text_model, "BertModel takes input_ids; expected an encoder of waveforms"),
        (_deeper, r"lacks \d+ weights of Wav2Vec2Model, such as encoder.layers.3"),
        (_other_sizes, "cannot be loaded|lacks"),
    ],
)
def test_what_is_no_audio_checkpoint_is_one_line(spoil, message: str, checkpoint, tmp_path: Path, capfd):
    text = refusal(spoil, message, checkpoint, tmp_path / "spoilt")
    assert str(tmp_path / "spoilt") in text
    assert "code ran" not in capfd.readouterr().out


def _script(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with warnings.catch_warnings(action="ignore"):
        torch.jit.script(torch.nn.Linear(2, 2)).save(folder / "pytorch_model.bin")


def _numpy_pickle(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    np.array([Evil()], dtype=object).dump(folder / "pytorch_model.bin")


def _tar(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with tarfile.open(folder / "pytorch_model.bin", "w") as archive:
        archive.add(folder / "config.json", "storages")


def _bomb(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with zipfile.ZipFile(folder / "pytorch_model.bin", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(10**6))


def _own_code(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    custom = {"model_type": "own", "auto_map": {"AutoConfig": "own.Config", "AutoModel": "own.Model"}}
    (folder / "config.json").write_text(json.dumps(config | custom))
    (folder / "own.py").write_text("print('code ran')")


def _own_preprocessor(folder: Path) -> None:
    custom = {"auto_map": {"AutoFeatureExtractor": "own.Processor"}}
    (folder / "preprocessor_config.json").write_text(json.dumps(custom))
    (folder / "own.py").write_text("print('code ran')")


@pytest.mark.payload
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_script, "is TorchScript, which runs code"),
        (_numpy_pickle, "its pickle is damaged or holds more than weights"),
        (_tar, "cannot be loaded"),
        (_bomb, "unpacks to more than its size"),
        (_own_code, "contains custom code"),
        (_own_preprocessor, "does not say how clips are normalised"),
    ],
)
def test_the_code_of_a_checkpoint_does_not_run(spoil, message: str, checkpoint, tmp_path: Path, capfd):
    refusal(spoil, message, checkpoint, tmp_path / "evil")
    assert "code ran" not in capfd.readouterr().out


@pytest.mark.payload
def test_the_code_of_a_checkpoint_with_a_known_model_is_ignored(checkpoint, tmp_path: Path, capfd):
    folder = tmp_path / "known"
    shutil.copytree(checkpoint("wav2vec2-group"), folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "own.Model"}}))
    (folder / "own.py").write_text("print('code ran')")
    assert extractor(str(folder)).dim == 32
    assert "code ran" not in capfd.readouterr().out


def _in_shards(folder: Path) -> None:
    transformers.AutoModel.from_pretrained(folder).save_pretrained(folder, max_shard_size="50KB")
    (folder / "model.safetensors").unlink(missing_ok=True)


def _in_shards_below(folder: Path) -> None:
    _in_shards(folder)
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    (folder / "below").mkdir()
    for shard in folder.glob("*.safetensors"):
        shard.rename(folder / "below" / shard.name)
    index["weight_map"] = {key: f"below/{name}" for key, name in index["weight_map"].items()}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def _older(folder: Path) -> None:
    torch.save(transformers.AutoModel.from_pretrained(folder).state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def _nested(folder: Path) -> None:
    preprocessor = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "processor_config.json").write_text(json.dumps({"feature_extractor": preprocessor}))
    (folder / "preprocessor_config.json").unlink()


def _with_company(folder: Path) -> None:
    for name in ("generation_config.json", "tokenizer.json", "tokenizer_config.json", "vocab.json"):
        (folder / name).write_text("{}")
    for name in ("model.fp16.safetensors", "pytorch_model.bin"):
        shutil.copy(folder / "model.safetensors", folder / name)


@pytest.fixture(scope="session")
def opened() -> set[str]:
    """Return the paths that Python opens, from now on; emptied by what reads it."""
    paths: set[str] = set()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str):
            paths.add(arguments[0])

    sys.addaudithook(hook)
    return paths


@pytest.mark.parametrize("kind", ["wav2vec2-group", "data2vec", "whisper"])
@pytest.mark.parametrize(
    "change", [lambda _: None, _in_shards, _in_shards_below, _older, _nested, _with_company]
)
def test_the_digest_covers_what_a_loader_opens(
    change, kind: str, checkpoint, opened: set[str], monkeypatch, tmp_path: Path
):
    folder = tmp_path / "changed"
    shutil.copytree(checkpoint(kind), folder)
    change(folder)
    plain = modeling_utils.safe_open
    monkeypatch.setattr(
        modeling_utils,
        "safe_open",
        lambda path, *rest, **options: opened.add(str(path)) or plain(path, *rest, **options),
    )
    opened.clear()
    extractor(str(folder))
    below = {Path(path) for path in opened if path.startswith(str(folder))}
    assert below == set(checkpoints.files(folder))


def test_a_checkpoint_without_a_head_of_its_own_loads_from_one_with(checkpoint, tmp_path: Path):
    torch.manual_seed(0)
    config = transformers.Wav2Vec2Config(**TINY)
    model = transformers.Wav2Vec2ForCTC(config)
    model.save_pretrained(tmp_path)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(tmp_path)
    assert Transformer(str(tmp_path)).n_layers == 4


def _made(kind: str, checkpoint) -> Transformer | Whisper:
    if kind.startswith("whisper"):
        return Whisper(str(checkpoint("whisper")), short=kind == "whisper-short")
    return Transformer(str(checkpoint(kind)))


def test_a_ready_made_classifier_says_what_it_says_by_itself(bench, digits: Path, tmp_path: Path):
    torch.manual_seed(0)
    named = {"id2label": {0: "f", 1: "m", 2: "noise"}, "label2id": {"f": 0, "m": 1, "noise": 2}}
    config = transformers.Wav2Vec2Config(**TINY, **named)
    model = transformers.Wav2Vec2ForSequenceClassification(config).eval()
    model.save_pretrained(tmp_path / "who")
    processor = transformers.Wav2Vec2FeatureExtractor()
    processor.save_pretrained(tmp_path / "who")
    (tmp_path / "registry").mkdir()
    factory = 'factory = "bench.extractors.classifier:Classifier"\nweights = "who"\n'
    (tmp_path / "registry" / "extractors.toml").write_text(
        f'[who]\n{factory}requires = ["torch", "transformers"]\n'
    )
    labels = 'params = { labels = ["female", "male", "other"] }\nscale = false\n'
    head = f'factory = "bench.heads.readymade:ReadyMade"\n{labels}'
    wrong = head.replace('"male"', '"men"')
    (tmp_path / "registry" / "heads.toml").write_text(f"[as-is]\n{head}[wrong]\n{wrong}")
    done = bench(
        "run", "--datasets", digits, "--tasks", "gender", "--extractors", "who", "--heads", "as-is,wrong"
    )
    assert "no output of the classifier is called male; add it to `labels`" in done.stderr
    store = Store(tmp_path / "bench-out")
    [result] = [result for result in store.results().values() if result.head == "as-is"]
    paths = pd.read_csv(digits)["path"].tolist()
    predictions = store.predictions(result.key)
    assert len(predictions) == len(paths) == 48
    for clip, label in zip(predictions["clip"], predictions["y_pred"], strict=True):
        y = audio.read(Clip(clip, Path(next(path for path in paths if path.endswith(clip)))), 16000)
        with torch.no_grad():
            logits = model(processor(y, sampling_rate=16000, return_tensors="pt").input_values).logits[0]
        assert label == ["female", "male"][int(logits[:2].argmax())]


PRIVATE = """
import torch
from bench.extractors.runtimes import prepare
prepare(torch.nn.Conv1d(1, 2, 3), torch.zeros(1, 1, 16), "openvino", "fp32", "cpu")(torch.zeros(1, 1, 16))
from openvino.tools.ovc import convert_impl, telemetry_utils
print(convert_impl.tm.__name__, telemetry_utils.tm.__name__)
"""


def test_openvino_tells_nobody_of_a_network():
    pytest.importorskip("openvino", reason="needs the extra 'openvino'")
    done = subprocess.run([sys.executable, "-c", PRIVATE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["openvino.tools.ovc.telemetry_stub"] * 2
