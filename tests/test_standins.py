"""A folder stands for known weights; checkpoints in formats of other programs are refused in one line."""

import json
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import catalog
from bench.catalog import learners, standins, weights
from bench.embed import pooling
from bench.errors import UsageError
from bench.request import Request

TINY = {"model_type": "whisper", "encoder_layers": 4, "num_hidden_layers": 4, "d_model": 384}
SIZE = 37_760_640
"""Number of parameters of Whisper tiny as the hub has it, of 39 million published ones."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with the configuration and the header of Whisper tiny; the hub's cache is empty."""
    pytest.importorskip("huggingface_hub", reason="needs the extra 'neural'")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return save(tmp_path / "mine")


def save(path: Path, n_parameters: int = SIZE, **changes: object) -> Path:
    path.mkdir()
    (path / "config.json").write_text(json.dumps({**TINY, **changes}))
    tensors = {"a": [n_parameters // 2, 1], "b": [n_parameters - n_parameters // 2]}
    header = {
        name: {"dtype": "F16", "shape": shape, "data_offsets": [0, 0]} for name, shape in tensors.items()
    }
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    (path / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text)
    return path


def test_a_folder_stands_for_a_name_until_its_link_is_deleted(bench, folder: Path):
    done = bench("fetch", "whisper-tiny", "--from", "mine")
    link = standins.path("openai/whisper-tiny")
    assert done.exit_code == 0
    assert done.stdout.startswith(f"whisper-tiny, whisper-short-tiny: {folder.resolve()} (SHA-256 ")
    assert done.stdout.endswith(f"; to undo it, delete {link}\n")
    assert weights.digest(weights.locate("openai/whisper-tiny")) == weights.digest(folder)
    entries = {entry["name"]: entry for entry in json.loads(bench("list", "extractors", "--json").stdout)}
    assert entries["whisper-tiny"]["status"] == "ready"
    assert entries["whisper-tiny"]["facts"]["folder"] == str(folder.resolve())
    assert "folder" not in entries["whisper-base"]["facts"]
    assert f"ready, from {folder.resolve()}" in bench("list", "extractors").stdout
    link.unlink()
    assert weights.missing("openai/whisper-tiny")


def test_the_digest_of_the_folder_is_in_the_identity_and_another_folder_replaces_it(bench, folder: Path):
    pytest.importorskip("transformers", reason="needs the extra 'neural'")
    request = Request(extractors=("whisper-tiny@layer=all",), home=folder.parent)
    identities = []
    for path in (folder, save(folder.parent / "other", SIZE - 1)):
        assert bench("fetch", "whisper-tiny", "--from", path).exit_code == 0
        points = learners.extractors(request, catalog.load(), pooling.parse)
        assert [view.layer for _, view in points] == [0, 1, 2, 3, 4]
        identities.append(points[0][0].identity["weights"])
        assert identities[-1] == weights.digest(path)
    assert len(set(identities)) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model_type": "wav2vec2"},
            "mine2: model_type is wav2vec2; expected whisper, as openai/",
        ),
        ({"encoder_layers": 6}, "mine2: the number of layers is 6; expected 4, as"),
        ({"d_model": 512}, "mine2: the width is 512; expected 384, as"),
        ({"n_parameters": 8_000_000}, "mine2: has 8,000,000 parameters; expected about 39,000,000, as"),
    ],
)
def test_a_folder_of_another_size_is_refused(bench, folder: Path, changes: dict, message: str):
    done = bench("fetch", "whisper-tiny", "--from", save(folder.parent / "mine2", **changes))
    assert (done.exit_code, message in done.stderr) == (2, True), done.stderr
    assert not standins.path("openai/whisper-tiny").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["demo"], "unknown weights 'demo'"),
        (["whisper-tiny", "whisper-base"], "--from mine: is one checkpoint; expected one name"),
        (["mfcc"], "unknown weights 'mfcc'"),
    ],
)
def test_a_folder_stands_for_one_known_checkpoint(bench, folder: Path, words: list[str], message: str):
    done = bench("fetch", *words, "--from", "mine")
    assert (done.exit_code, message in done.stderr) == (2, True), done.stderr


def test_the_weights_of_the_registry_have_an_architecture():
    declared = catalog.load()
    for checkpoint in declared.checkpoints.values():
        assert checkpoint.model_type
        assert checkpoint.dim
        assert (checkpoint.layers > 0) == (checkpoint.model_type != "clap")


def test_trained_weights_stand_for_their_size(bench, weights: Path, tmp_path: Path, monkeypatch):
    folder = weights / "whisper-tiny.en"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    assert bench("fetch", "whisper-short-tiny", "--from", folder).exit_code == 0
    refused = bench("fetch", "whisper-base", "--from", folder)
    assert "the number of layers is 4; expected 6" in refused.stderr


FOREIGN = {
    "net.onnx": b"onnx",
    "net.gguf": b"GGUF",
    "ggml-base.bin": b"lmgg",
    "weights.safetensors": b"00000000",
    "state.pt": b"PK\x03\x04",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_of_another_program_is_refused_with_what_is_taken(name: str, tmp_path: Path):
    (tmp_path / name).write_bytes(FOREIGN[name])
    refuse(f"hf:{tmp_path / name}", rf"{name}: is (an|a) \w.*; taken are folders .*'Other formats'")


def test_a_folder_of_another_program_is_refused_with_what_is_taken(tmp_path: Path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.bin").write_bytes(b"ctranslate2")
    refuse(f"hf:{tmp_path}", "is a folder of CTranslate2; taken are")
    (tmp_path / "model.bin").rename(tmp_path / "model.onnx")
    refuse(f"hf:{tmp_path}", "is a folder with an ONNX network; taken are")


def test_a_folder_of_transformers_that_lacks_a_part_says_which(tmp_path: Path):
    (tmp_path / "model.safetensors").write_bytes(b"")
    refuse(f"hf:{tmp_path}", "is a folder with a file of tensors without its configuration; taken are")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").rename(tmp_path / "1.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": {"a": "2.safetensors"}}')
    refuse(f"hf:{tmp_path}", "no checkpoint; expected .* with every shard")


def test_a_bare_state_dict_is_no_checkpoint_of_fairseq(tmp_path: Path):
    torch = pytest.importorskip("torch", reason="needs the extra 'neural'")
    torch.save({"encoder.weight": torch.ones(2)}, tmp_path / "bare.pt")
    refuse(
        f"fairseq:{tmp_path / 'bare.pt'}", "bare.pt: is a file of torch.save without its configuration; taken"
    )


def refuse(name: str, message: str) -> None:
    pytest.importorskip("torch", reason="needs the extra 'neural'")
    pytest.importorskip("transformers", reason="needs the extra 'neural'")
    with pytest.raises(UsageError, match=message) as caught:
        learners.extractors(Request(extractors=(name,), home=Path()), catalog.load(), pooling.parse)
    assert "\n" not in str(caught.value)


def test_the_section_that_the_refusal_names_is_there():
    page = (Path(__file__).parent.parent / "docs" / "extractors.md").read_text(encoding="utf-8")
    assert "\n### Other formats\n" in page


KINDS = ("weight", "bias")


def save_as_ctranslate2(model: Any, folder: Path) -> None:
    """Write Whisper as CTranslate2 does: a header, then name, shape, type, size and values of tensors."""
    state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    tensors = {
        f"encoder/{n}/{kind}": state[f"encoder.{n}.{kind}"] for n in ("conv1", "conv2") for kind in KINDS
    }
    tensors["decoder/embeddings/weight"] = state["decoder.embed_tokens.weight"]
    for side in ("encoder", "decoder"):
        tensors[f"{side}/position_encodings/encodings"] = state[f"{side}.embed_positions.weight"]
        norms = {f"{side}/layer_norm": f"{side}.layer_norm"}
        ours, theirs = f"{side}/layer_0", f"{side}.layers.0"
        norms |= {
            f"{ours}/self_attention/layer_norm": f"{theirs}.self_attn_layer_norm",
            f"{ours}/ffn/layer_norm": f"{theirs}.final_layer_norm",
        }
        linears = {
            f"{ours}/self_attention/linear_0": [f"{theirs}.self_attn.{part}_proj" for part in "qkv"],
            f"{ours}/self_attention/linear_1": [f"{theirs}.self_attn.out_proj"],
            f"{ours}/ffn/linear_0": [f"{theirs}.fc1"],
            f"{ours}/ffn/linear_1": [f"{theirs}.fc2"],
        }
        if side == "decoder":
            norms[f"{ours}/attention/layer_norm"] = f"{theirs}.encoder_attn_layer_norm"
            linears |= {
                f"{ours}/attention/linear_0": [f"{theirs}.encoder_attn.q_proj"],
                f"{ours}/attention/linear_1": [f"{theirs}.encoder_attn.{part}_proj" for part in "kv"],
                f"{ours}/attention/linear_2": [f"{theirs}.encoder_attn.out_proj"],
            }
        for ours, theirs in norms.items():
            tensors |= {f"{ours}/gamma": state[f"{theirs}.weight"], f"{ours}/beta": state[f"{theirs}.bias"]}
        for ours, parts in linears.items():
            zeros = np.zeros(len(state[f"{parts[0]}.weight"]), np.float32)  # keys have no bias
            tensors[f"{ours}/weight"] = np.concatenate([state[f"{part}.weight"] for part in parts])
            tensors[f"{ours}/bias"] = np.concatenate([state.get(f"{part}.bias", zeros) for part in parts])
    with (folder / "model.bin").open("wb") as file:
        file.write(struct.pack("<I", 6) + text("WhisperSpec") + struct.pack("<II", 3, len(tensors) + 1))
        file.write(text("num_heads") + struct.pack("<BBIh", 0, 2, 2, 2))
        for name, array in tensors.items():
            file.write(
                text(name) + struct.pack(f"<B{array.ndim}IBI", array.ndim, *array.shape, 0, array.nbytes)
            )
            file.write(array.tobytes())


def text(word: str) -> bytes:
    return struct.pack("<H", len(word) + 1) + word.encode() + b"\0"


@pytest.mark.slow
def test_the_script_of_the_page_converts_ctranslate2(tmp_path: Path):
    torch = pytest.importorskip("torch", reason="needs the extra 'neural'")
    transformers = pytest.importorskip("transformers", reason="needs the extra 'neural'")
    heads = dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 1)
    sizes = dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), 256)
    layers = dict.fromkeys(("encoder_layers", "decoder_layers"), 1)
    model = transformers.WhisperModel(transformers.WhisperConfig(d_model=64, **sizes, **heads, **layers))
    save_as_ctranslate2(model, tmp_path)
    page = (Path(__file__).parent.parent / "docs" / "extractors.md").read_text(encoding="utf-8")
    [code] = re.findall(r'^```python title="from_ctranslate2.py"\n(.*?)^```', page, re.MULTILINE | re.DOTALL)
    subprocess.run([sys.executable, "-c", code, tmp_path, tmp_path / "out"], check=True, capture_output=True)
    converted = transformers.WhisperModel.from_pretrained(tmp_path / "out").state_dict()
    for name, tensor in model.state_dict().items():
        assert torch.equal(converted[name], tensor), name


def test_check_says_once_why_an_extractor_cannot_be_built(bench, tmp_path: Path):
    (tmp_path / "mine.py").write_text(
        "class Mine:\n    def __init__(self):\n        raise ValueError('no table')\n"
    )
    done = bench("check", "./mine.py:Mine")
    assert (done.exit_code, done.output.count("no table")) == (2, 1)
