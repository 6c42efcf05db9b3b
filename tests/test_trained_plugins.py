"""Networks of one's own: weights that a class names are part of the key, wherever the class comes from."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import bench as package
from bench import audio, catalog
from bench.catalog import learners, plugin_files
from bench.embed import pooling
from bench.errors import PluginError, UsageError
from bench.request import Request
from bench.types import Audio, Clip, Spec

CODE = """
from pathlib import Path
import numpy as np

class Base:
    weights = "weights.npy"
    sample_rate, dim = 8000, 2

    def __init__(self):
        self.values = np.load(Path(__file__).with_name(self.weights))

    def embed(self, audio):
        return [np.full((1, 2), y.std(), np.float32) * self.values for y in audio]

class Mine(Base):
    pass
"""

ENTRY = """
[mine]
factory = "mine:Mine"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a class and its weights."""
    (tmp_path / "mine.py").write_text(CODE)
    np.save(tmp_path / "weights.npy", np.ones(2, np.float32))
    return tmp_path


def spec(folder: Path, name: str = "mine") -> Spec:
    return catalog.resolve("extractor", f"{folder}/{name}.py:Mine", {})


def names(lines: list[str]) -> list[str]:
    return [line.rpartition(" ")[0] for line in lines]


def test_weights_are_in_the_identity_and_nothing_is_built_for_that(folder: Path, monkeypatch):
    monkeypatch.setattr(plugin_files, "_ask", lambda _: pytest.fail("it is built"))
    first = plugin_files.identity(spec(folder))
    assert names(first["files"]) == ["weights.npy"]
    np.save(folder / "weights.npy", np.zeros(2, np.float32))
    assert plugin_files.identity(spec(folder)) != first


def test_weights_are_relative_to_the_file_of_the_class_that_names_them(folder: Path):
    (folder / "net" / "parts").mkdir(parents=True)
    (folder / "net" / "__init__.py").write_text("")
    (folder / "net" / "base.py").write_text(CODE.replace('"weights.npy"', '"parts"'))
    for name in ("parts/a.npy", "parts/.hidden"):
        (folder / "net" / name).write_bytes(b"1")
    (folder / "other.py").write_text(
        "from net.base import Base\nclass Mine(Base):\n    files = ('weights.npy',)\n"
    )
    assert names(plugin_files.identity(spec(folder, "other"))["files"]) == ["parts/a.npy", "weights.npy"]
    (folder / "again.py").write_text("from net.base import Mine\n")
    assert names(plugin_files.identity(spec(folder, "again"))["files"]) == ["parts/a.npy"]


def test_weights_that_are_computed_are_options_of_the_class(folder: Path):
    computed = CODE.replace('"weights.npy"', '"weights" + ".npy"')
    (folder / "mine.py").write_text(computed)
    assert names(plugin_files.identity(spec(folder))["files"]) == ["weights.npy"]


def test_absent_weights_are_one_line(folder: Path):
    (folder / "weights.npy").unlink()
    with pytest.raises(PluginError, match=r"mine.py:Mine': weights is weights.npy, which is no file and no"):
        plugin_files.identity(spec(folder))


def test_an_entry_and_an_entry_point_have_the_weights_of_their_class(
    folder: Path, site: Path, distribution: Callable, monkeypatch
):
    monkeypatch.chdir(folder)
    (folder / "registry").mkdir()
    (folder / "registry" / "extractors.toml").write_text(ENTRY)
    distribution("their-net", {"their_net": CODE}, {"bench.extractors": {"net": "their_net:Mine"}})
    np.save(site / "weights.npy", np.ones(2, np.float32))
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setattr("bench.catalog.plugin_files.is_installed", lambda path: path.is_relative_to(site))
    request = Request(extractors=("mine", "their-net/net", "./mine.py:Mine"), home=folder)
    points = learners.extractors(request, catalog.load(), pooling.parse)
    files = [learner.identity["files"] for learner, _ in points]
    assert files[0] == files[1] == files[2]
    assert names(files[0]) == ["weights.npy"]


def test_changed_weights_are_embedded_again_and_audit_names_them(bench, digits: Path, folder: Path):
    call = ["run", "--datasets", digits, "--tasks", "speaker", "--heads", "lda"]
    call += ["--extractors", "./mine.py:Mine"]
    assert bench(*call).exit_code == 0
    np.save(folder / "weights.npy", np.full(2, 3, np.float32))
    audited = bench("audit", "bench-out", "--trust", folder)
    assert (audited.exit_code, "mine.py:Mine: changed files" in audited.output) == (1, True)
    assert "cells: 2 computed, 0 reused" in bench(*call).stderr


def test_check_names_what_a_class_with_weights_opens_besides(bench, folder: Path):
    assert bench("check", "./mine.py:Mine").exit_code == 0
    np.save(folder / "table.npy", np.ones(2, np.float32))
    (folder / "more.py").write_text(CODE.replace("with_name(self.weights)", "with_name('table.npy')"))
    done = bench("check", "./more.py:Mine")
    assert (done.exit_code, "files = ['table.npy']" in " ".join(done.stdout.split())) == (1, True)


class Network:
    """What torch calls a module."""

    def __init__(self, value: float) -> None:
        self.value = np.full(2, value, np.float32)

    def state_dict(self) -> dict[str, np.ndarray]:
        return {"value": self.value}


class Session:
    """An object without a digest, such as a session of ONNX Runtime."""


def test_classes_and_objects_of_a_program_have_their_weights_in_the_key(digits: Path, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "program.py").write_text(CODE)
    np.save(tmp_path / "weights.npy", np.ones(2, np.float32))
    from program import Mine  # type: ignore[import-not-found]

    options = {"datasets": [digits], "tasks": ["speaker"], "heads": ["lda"]}
    counts = []
    network = Mine()
    network.net, network.session = Network(1.0), Session()
    for thing in (Mine, Mine, network):
        counts.append(package.run(extractors=[thing], **options).store.run().counters.clips_embedded)
    network.net = [{"first": Network(2.0)}]  # trained further
    counts.append(package.run(extractors=[network], **options).store.run().counters.clips_embedded)
    np.save(tmp_path / "weights.npy", np.zeros(2, np.float32))
    counts.append(package.run(extractors=[Mine], **options).store.run().counters.clips_embedded)
    assert counts == [48, 0, 48, 48, 48]
    (tmp_path / "weights.npy").unlink()
    with pytest.raises(UsageError, match=r"extractors: Mine: weights .*: no such file or folder"):
        package.run(extractors=[Mine], **options)


def plain_ge2e(weights: Path, y: Audio) -> np.ndarray:
    """Return GE2E's vectors of a clip as its authors describe them, window by window."""
    import librosa
    import torch
    from safetensors.torch import load_file

    tensors = load_file(weights / "ge2e" / "model.safetensors")
    lstm = torch.nn.LSTM(40, 256, 3)
    lstm.load_state_dict({name[5:]: value for name, value in tensors.items() if name.startswith("lstm")})
    level = 20 * np.log10(np.sqrt(np.mean(y**2)))
    y = y * 10 ** (max(0, -30 - level) / 20)
    mel = librosa.feature.melspectrogram(y=y, sr=16000, n_fft=400, hop_length=160, n_mels=40).astype(
        "float32"
    )
    vectors = []
    for start in range(0, mel.shape[1] - 159, 80):
        with torch.no_grad():
            output, _ = lstm(torch.tensor(mel[:, start : start + 160].T[:, None]))
        linear = tensors["linear.weight"] @ output[-1, 0] + tensors["linear.bias"]
        vector = np.maximum(linear.numpy(), 0)
        vectors.append(vector / np.linalg.norm(vector))
    return np.array(vectors)


def plain_speech_embedding(weights: Path, y: Audio) -> np.ndarray:
    """Return Google's speech embedding of a clip as openwakeword computes it, window by window."""
    import openvino

    core, hint = openvino.Core(), {"INFERENCE_PRECISION_HINT": "f32"}
    mel, network = (
        core.compile_model(str(weights / "speech-embedding" / f"{name}.onnx"), "CPU", hint)
        for name in ("melspectrogram", "embedding_model")
    )
    bands = np.squeeze(mel([(y * 32767)[None].astype(np.float32)])[0]) / 10 + 2
    starts = range(0, len(bands) - 75, 8)
    return np.array([np.squeeze(network([bands[None, i : i + 76, :, None]])[0]) for i in starts])


PLAIN = {"ge2e.py": plain_ge2e, "speech_embedding.py": plain_speech_embedding}


def test_the_networks_of_the_page_give_the_vectors_of_a_plain_script(
    bench, real: Path, weights: Path, networks: Path
):
    for module in ("torch", "openvino", "safetensors"):
        pytest.importorskip(module, reason="needs the extras 'neural' and 'openvino'")
    paths = sorted((real / "LibriSpeech" / "test-other").glob("*/*/*-0000.flac"))[:3]
    (networks / "clips.csv").write_text("\n".join(["path", *map(str, paths)]))
    classes = ["./ge2e.py:Ge2e", "./speech_embedding.py:SpeechEmbedding"]
    extractors = ",".join(f"{name}@pool=mean" for name in classes)
    done = bench("embed", "clips.csv", "--extractors", extractors, "--out", "embeddings.npz")
    assert done.exit_code == 0, done.output
    embeddings = np.load(networks / "embeddings.npz")
    for name, plain in zip(classes, PLAIN.values(), strict=True):
        for path, vector in zip(paths, embeddings[f"{name} mean"], strict=True):
            expected = plain(weights, audio.read(Clip("a", path), 16000)).mean(axis=0)
            np.testing.assert_allclose(vector, expected, rtol=1e-4, atol=1e-4)
        checked = bench("check", name)
        assert checked.exit_code == 0, checked.stdout
