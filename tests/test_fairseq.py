"""Checkpoints of fairseq, compared with the output of fairseq itself (tests/fairseq/make.py)."""

import argparse
import contextlib
import importlib
import os
import pickle
import subprocess
import sys
import types
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'neural'")

from bench.errors import PluginError  # noqa: E402
from bench.extractors.fairseq import Fairseq  # noqa: E402

CHECKPOINTS = Path(__file__).parent / "fairseq"


@pytest.mark.parametrize("name", ["wav2vec2-args", "wav2vec2-cfg", "hubert-cfg", "hubert-large-cfg"])
def test_every_layer_is_fairseqs(name: str):
    expected = np.load(CHECKPOINTS / f"{name}.npz")
    extractor = Fairseq(str(CHECKPOINTS / f"{name}.pt"))
    [frames] = extractor.embed([expected["audio"]])
    assert (extractor.n_layers, extractor.dim) == (3, 16)
    np.testing.assert_allclose(frames[:3], expected["layers"], atol=1e-4)
    scale = np.abs(expected["layers"]).mean()
    assert np.abs(frames[0] - frames[2]).mean() > 0.01 * scale, "swapped layers would show"


class Call:
    """An object that calls a function when it is unpickled."""

    def __init__(self, function, *values):
        self.call = (function, values)

    def __reduce__(self):
        return self.call


class Meter:
    """What fairseq keeps beside the weights."""


def _run(canary: Path) -> Any:
    return Call(os.system, f"touch {canary}")


def _evaluate(canary: Path) -> Any:
    return Call(eval, f"open({str(canary)!r}, 'w')")


def _execute(canary: Path) -> Any:
    return Call(exec, f"open({str(canary)!r}, 'w')")


def _start(canary: Path) -> Any:
    return Call(subprocess.Popen, ["touch", str(canary)])


def _touch(canary: Path) -> Any:
    return Call(Path.touch, canary)


def _import(canary: Path) -> Any:
    return Call(importlib.import_module, "antigravity")


def _load_script(canary: Path) -> Any:
    return Call(torch.jit.load, str(canary))


def _load_numpy(canary: Path) -> Any:
    return Call(np.memmap, str(canary), "uint8", "w+", 0, (1,))


@pytest.mark.payload
@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "payload", [_run, _evaluate, _execute, _start, _touch, _import, _load_script, _load_numpy]
)
def test_code_in_a_checkpoint_does_not_run(payload, zipped: bool, tmp_path: Path, monkeypatch):
    monkeypatch.delitem(sys.modules, "antigravity", raising=False)
    content = torch.load(CHECKPOINTS / "wav2vec2-cfg.pt", weights_only=False)
    path = tmp_path / "evil.pt"
    torch.save(
        {**content, "extra": payload(tmp_path / "canary")}, path, _use_new_zipfile_serialization=zipped
    )
    with contextlib.suppress(PluginError):  # what numpy names is read as nothing
        Fairseq(str(path))
    assert not (tmp_path / "canary").exists()
    assert "antigravity" not in sys.modules


def test_the_error_of_a_checkpoint_with_code_is_one_line_without_advice_to_run_it(tmp_path: Path):
    torch.save({"model": Call(print, 1)}, tmp_path / "evil.pt")
    with pytest.raises(PluginError, match="holds more than weights, and weights only are read") as caught:
        Fairseq(str(tmp_path / "evil.pt"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("zipped", [True, False])
def test_what_fairseq_keeps_beside_the_weights_is_read_as_nothing(zipped: bool, tmp_path: Path, monkeypatch):
    content = torch.load(CHECKPOINTS / "wav2vec2-cfg.pt", weights_only=False)
    for name in ("fairseq", "fairseq.meters"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setattr(sys.modules["fairseq.meters"], "Meter", Meter, raising=False)
    monkeypatch.setattr(Meter, "__module__", "fairseq.meters")
    meter = Meter()
    meter.values = [np.float64(0.5)]
    path = tmp_path / "metered.pt"
    torch.save({**content, "extra": meter}, path, _use_new_zipfile_serialization=zipped)
    expected = np.load(CHECKPOINTS / "wav2vec2-cfg.npz")
    [frames] = Fairseq(str(path)).embed([expected["audio"]])
    np.testing.assert_allclose(frames[:3], expected["layers"], atol=1e-4)


class Script(torch.nn.Module):
    """A module whose `__setstate__` saves a file."""

    def __init__(self, path: str):
        super().__init__()
        self.path = path
        self.content = torch.zeros(4)

    @torch.jit.export
    def __getstate__(self) -> tuple[str, bool]:
        return self.path, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]) -> None:
        self.path, self.training = state
        self.content = torch.from_file(self.path, True, 4)

    def forward(self, x):
        return x


@pytest.mark.payload
def test_torchscript_is_refused_before_it_is_loaded(tmp_path: Path):
    with warnings.catch_warnings(action="ignore"):
        torch.jit.script(Script(str(tmp_path / "canary"))).save(tmp_path / "evil.pt")
    (tmp_path / "canary").unlink(missing_ok=True)
    with pytest.raises(PluginError, match=r"evil\.pt: is TorchScript, which runs code; expected weights"):
        Fairseq(str(tmp_path / "evil.pt"))
    assert not (tmp_path / "canary").exists()


def test_an_archive_that_unpacks_to_more_than_its_size_is_refused(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", bytes(10**6))
    with pytest.raises(PluginError, match=r"bomb\.pt: unpacks to more than its size"):
        Fairseq(str(tmp_path / "bomb.pt"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("encoder_layers", 10**7),
        ("encoder_layers", None),
        ("encoder_embed_dim", 10**9),
        ("encoder_embed_dim", 65_536),
        ("encoder_attention_heads", 0),
        ("conv_pos", "many"),
        ("conv_feature_layers", "[(512, 10, 5)] * 1000000000"),
        ("conv_feature_layers", "[(512, 10, 0)]"),
        ("conv_feature_layers", "(" * 500),
        ("extractor_mode", "other"),
    ],
)
def test_settings_that_no_model_has_are_one_line(name: str, value: object, tmp_path: Path):
    content = torch.load(CHECKPOINTS / "wav2vec2-cfg.pt", weights_only=False)
    content["cfg"]["model"][name] = value
    torch.save(content, tmp_path / "odd.pt")
    with pytest.raises(PluginError, match=r"odd\.pt: not a Wav2Vec2 or HuBERT checkpoint") as caught:
        Fairseq(str(tmp_path / "odd.pt"))
    assert "\n" not in str(caught.value)


def _without(content: dict, name: str) -> dict:
    return {**content, "model": {key: value for key, value in content["model"].items() if key != name}}


def _with(content: dict, name: str) -> dict:
    return {**content, "model": {**content["model"], name: torch.ones(1)}}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda content: _without(content, "mask_emb"), "Missing key"),
        (lambda content: _with(content, "new.weight"), "KeyError: .*new.weight"),
        (lambda content: {"model": content["model"]}, "KeyError: 'args'"),
        (
            lambda content: {**content, "cfg": None, "args": argparse.Namespace(arch="roberta")},
            "Wav2Vec2",
        ),
        (lambda _: [1, 2], "Wav2Vec2"),
    ],
)
def test_the_error_of_another_checkpoint_is_one_line(spoil, message: str, tmp_path: Path):
    content = torch.load(CHECKPOINTS / "wav2vec2-cfg.pt", weights_only=False)
    torch.save(spoil(content), tmp_path / "spoilt.pt")
    with pytest.raises(PluginError, match=message) as caught:
        Fairseq(str(tmp_path / "spoilt.pt"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", pickle.dumps({"a": 1}, protocol=2)])
def test_the_error_of_a_file_without_a_checkpoint_names_it(content: bytes, tmp_path: Path):
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(PluginError, match=r"a\.pt: .*Wav2Vec2 or HuBERT"):
        Fairseq(str(tmp_path / "a.pt"))
