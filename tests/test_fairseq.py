"""Checkpoints of fairseq, compared with the output of fairseq itself (tests/fairseq/make.py)."""

import argparse
import pickle
from pathlib import Path

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


class Evil:
    """An object whose code runs when it is unpickled."""

    def __reduce__(self):
        return (print, ("the pickle's code ran",))


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_does_not_run(zipped: bool, tmp_path: Path, capfd):
    content = torch.load(CHECKPOINTS / "wav2vec2-cfg.pt", weights_only=False)
    path = tmp_path / "evil.pt"
    torch.save({**content, "extra": Evil()}, path, _use_new_zipfile_serialization=zipped)
    expected = np.load(CHECKPOINTS / "wav2vec2-cfg.npz")
    [frames] = Fairseq(str(path)).embed([expected["audio"]])
    np.testing.assert_allclose(frames[:3], expected["layers"], atol=1e-4)
    assert "code ran" not in capfd.readouterr().out


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
