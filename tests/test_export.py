"""Embeddings written for use elsewhere, layers swept in one pass, and what the cache says it keeps."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench import audio
from bench.catalog import devices
from bench.embed import export
from bench.errors import UsageError
from bench.extractors.mfcc import Mfcc
from bench.store import Store
from bench.types import Clip, Status, View


@pytest.mark.verb("embed")
def test_the_embeddings_are_those_of_the_extractor(bench, digits: Path, tmp_path: Path):
    done = bench(
        "embed", digits, "--extractors", "mfcc@pool=mean,mfcc-13@pool=max", "--out", "deep/e.parquet"
    )
    assert done.exit_code == 0
    assert "wrote deep/e.parquet: 96 rows" in done.stdout
    table = pd.read_parquet(tmp_path / "deep" / "e.parquet")
    assert list(table.columns) == ["clip", "extractor", "view", "embedding"]
    sizes = table.groupby(["extractor", "view"]).size()
    assert sizes.to_dict() == {("mfcc", "mean"): 48, ("mfcc-13", "max"): 48}
    paths = pd.read_csv(digits)["path"]
    [frames] = Mfcc().embed([audio.read(Clip("a", Path(paths[5])), 16000)])
    np.testing.assert_allclose(table["embedding"][5], frames.mean(axis=0), rtol=1e-4, atol=1e-4)
    assert table["clip"].tolist()[:48] == [Path(path).name for path in paths]
    pd.read_csv(digits, dtype=str)[::-1].to_csv(digits, index=False)
    again = bench("embed", digits, "--extractors", "mfcc@pool=std", "--out", "e.npz")
    assert again.exit_code == 0
    with np.load(tmp_path / "e.npz") as arrays:
        assert arrays["clip"].tolist() == [Path(path).name for path in paths[::-1]], "the order of the file"
        np.testing.assert_allclose(arrays["mfcc std"][-6], frames.std(axis=0), rtol=1e-3, atol=1e-3)


def test_frames_themselves_can_be_written(bench, digits: Path, tmp_path: Path):
    for name in ("f.parquet", "f.npz"):
        assert bench("embed", digits, "--extractors", "mfcc-13@pool=none", "--out", name).exit_code == 0
    table = pd.read_parquet(tmp_path / "f.parquet")
    path = pd.read_csv(digits)["path"][3]
    [frames] = Mfcc(13).embed([audio.read(Clip("a", Path(path)), 16000)])
    rows = table[table["clip"] == Path(path).name]
    assert rows["frame"].tolist() == list(range(len(frames)))
    np.testing.assert_allclose(np.stack(rows["embedding"]), frames, rtol=1e-5)
    with np.load(tmp_path / "f.npz") as arrays:
        rows = arrays["mfcc-13 frames clip"] == Path(path).name
        np.testing.assert_allclose(arrays["mfcc-13 frames"][rows], frames, rtol=1e-5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--extractors", "mfcc", "--out", "e.csv"], "expected a file that ends in .parquet or .npz"),
        (["--extractors", "mfc", "--out", "e.npz"], "unknown extractor 'mfc'"),
        (["--extractors", "mfcc@layer=7", "--out", "e.npz"], "there is no layer 7; expected @layer=0 to 0"),
    ],
)
def test_what_cannot_be_written_is_one_line(bench, digits: Path, words: list[str], message: str):
    done = bench("embed", digits, *words)
    assert done.exit_code == 2
    assert message in done.stderr


def test_a_new_format_is_a_function_and_an_entry(bench, digits: Path, tmp_path: Path, monkeypatch):
    def write(path: Path, clips: np.ndarray, exports: list[export.ExportRows]) -> None:
        path.write_text(" ".join(f"{rows.extractor} {rows.embeddings.shape}" for rows in exports))

    monkeypatch.setattr(export, "FORMATS", {**export.FORMATS, ".txt": write})
    assert bench("embed", digits, "--extractors", "mfcc-13@pool=max", "--out", "e.txt").exit_code == 0
    assert (tmp_path / "e.txt").read_text().startswith("mfcc-13 (48, ")


def test_the_docs_list_every_export_format():
    page = (Path(__file__).parent.parent / "docs" / "extractors.md").read_text(encoding="utf-8")
    assert [suffix for suffix in export.FORMATS if f"`{suffix}`" not in page] == []


@pytest.mark.usefixtures("tiny")
def test_a_checkpoint_that_is_nowhere_is_one_line(bench, digits: Path):
    done = bench("embed", digits, "--extractors", "hf:./none", "--out", "e.npz")
    assert done.exit_code == 2
    assert "./none: no such folder or file" in done.stderr


def test_an_undecodable_clip_is_named(bench, digits: Path, tmp_path: Path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    with digits.open("a") as file:
        file.write("broken.wav,theo,male,9\n")
    done = bench("embed", digits, "--extractors", "mfcc", "--out", "e.npz")
    assert done.exit_code == 2
    assert "1 clips cannot be decoded, such as broken.wav" in done.stderr


@pytest.mark.verb("cache")
def test_the_cache_says_what_it_keeps_and_throws_it_away(bench, digits: Path):
    bench("embed", digits, "--extractors", "mfcc,mfcc-13@pool=none", "--out", "e.npz")
    text = bench("cache", "info").stdout
    assert {line.split()[0] for line in text.splitlines()[2:4]} == {"mfcc", "mfcc-13"}
    assert text.count(" 48 ") == 2
    assert bench("cache", "prune", "--older-than", "1").stdout == ""
    assert bench("cache", "prune", "--extractors", "mfcc").stdout.startswith("removed mfcc: 48 clips")
    assert "mfcc-13" in bench("cache", "info").stdout
    assert bench("cache", "prune").stdout.startswith("removed mfcc-13: 48 clips")
    assert "mfcc" not in bench("cache", "info").stdout


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """Return a small checkpoint of Wav2Vec2 with three layers."""
    torch = pytest.importorskip("torch", reason="needs the extra 'neural'")
    import transformers

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 16, "num_hidden_layers": 2}
    convolutions = {"conv_dim": (8, 8), "conv_kernel": (10, 8), "conv_stride": (5, 64)}
    position = {"num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2}
    config = transformers.Wav2Vec2Config(**sizes, **convolutions, **position)
    transformers.Wav2Vec2Model(config).save_pretrained(tmp_path / "tiny")
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(tmp_path / "tiny")
    return tmp_path / "tiny"


@pytest.mark.no_cover
def test_a_sweep_over_layers_and_poolings_runs_the_network_once(
    bench, digits: Path, tiny: Path, tmp_path: Path
):
    extractors = ",".join(f"hf:tiny@layer=all@pool={pool}" for pool in ("mean", "max", "mean+std"))
    call = ["run", "--datasets", digits, "--tasks", "gender", "--heads", "svm", "--runtime", "torch"]
    done = bench(*call, "--extractors", extractors)
    assert done.exit_code == 0, done.stderr
    counters = json.loads((tmp_path / "bench-out" / "run.json").read_text())["counters"]
    assert counters["clips_embedded"] == 48
    assert counters["cells_computed"] == 2 * 3 * 3
    views = {r.view for r in Store(tmp_path / "bench-out").results().values()}
    assert {View(0, "mean"), View(2, "max"), View(1, "mean+std")} <= views
    again = bench(*call, "--extractors", "hf:tiny@layer=mean@pool=first,hf:tiny")
    assert again.exit_code == 0
    counters = json.loads((tmp_path / "bench-out" / "run.json").read_text())["counters"]
    assert counters["clips_embedded"] == 0, "another view never runs the network again"


def test_of_the_layers_a_frame_head_keeps_its_own(bench, digits: Path, tiny: Path, tmp_path: Path):
    call = ["run", "--datasets", digits, "--tasks", "speaker", "--heads", "logreg-frames"]
    call += ["--runtime", "torch", "--extractors"]

    def layers_on_disk() -> list[str]:
        return sorted(path.name for path in tmp_path.glob("cache/frames-*/*/*"))

    assert bench(*call, "hf:tiny@layer=1").exit_code == 0
    assert layers_on_disk() == ["1"]
    assert bench(*call, "hf:tiny@layer=1,hf:tiny@layer=mean").exit_code == 0
    assert layers_on_disk() == ["1", "mean"]
    done = bench(*call, "hf:tiny@layer=3,mfcc-13")
    assert done.exit_code == 1
    assert "extractor 'hf:tiny': there is no layer 3; expected @layer=0 to 2, last or mean" in done.stderr
    statuses = {(r.extractor, r.head): r.status for r in Store(tmp_path / "bench-out").results().values()}
    assert statuses["mfcc-13", "logreg-frames"] == Status.OK


@pytest.mark.no_cover
def test_what_runs_a_network_is_part_of_its_identity(bench, digits: Path, tiny: Path, tmp_path: Path):
    pytest.importorskip("openvino", reason="needs the extra 'openvino'")
    call = ["run", "--datasets", digits, "--tasks", "gender", "--heads", "dummy", "--extractors", "hf:tiny"]

    def env(*words: str) -> set[str]:
        assert bench(*call, *words, "--out", "-".join(("out", *words))).exit_code == 0
        return set().union(*(r.env for r in Store(tmp_path / "-".join(("out", *words))).results().values()))

    assert "openvino" in env("--device", "cpu")
    assert "openvino" not in env("--runtime", "torch")
    assert len(list(tmp_path.glob("cache/embeddings-*/*"))) == 2
    assert "openvino" in env("--runtime", "openvino", "--device", "cpu")
    assert len(list(tmp_path.glob("cache/embeddings-*/*"))) == 2


@pytest.mark.no_cover
def test_other_weights_and_another_precision_are_other_embeddings(
    bench, digits: Path, tiny: Path, tmp_path: Path
):
    call = ["run", "--datasets", digits, "--tasks", "gender", "--heads", "dummy"]
    call += ["--runtime", "torch", "--extractors"]

    def n_embedded(*words: str) -> int:
        assert bench(*call, *words).exit_code == 0
        return json.loads((tmp_path / "bench-out" / "run.json").read_text())["counters"]["clips_embedded"]

    assert n_embedded("hf:tiny") == 48
    shutil.copytree(tiny, tmp_path / "copy")
    assert n_embedded("hf:copy") == 0, "the same weights under another name"
    assert n_embedded("hf:tiny", "--precision", "bf16") == 48
    import safetensors.numpy

    weights = safetensors.numpy.load_file(tmp_path / "copy" / "model.safetensors")
    weights["encoder.layer_norm.bias"] = weights["encoder.layer_norm.bias"] + 1
    safetensors.numpy.save_file(weights, tmp_path / "copy" / "model.safetensors", {"format": "pt"})
    assert n_embedded("hf:copy") == 48, "other weights under the same name"


@pytest.mark.usefixtures("tiny")
def test_weights_that_are_not_here_skip_their_cells_with_the_command(
    bench, digits: Path, monkeypatch, tmp_path: Path
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    call = ["run", "--datasets", digits, "--tasks", "gender", "--heads", "dummy"]
    done = bench(*call, "--extractors", "whisper-tiny,mfcc-13")
    assert done.exit_code == 0
    text = "the weights openai/whisper-tiny are not here; run: bench fetch whisper-tiny"
    assert f"extractor 'whisper-tiny': {text}" in done.stderr
    assert bench(*call, "--extractors", "whisper-tiny", "--strict").exit_code == 1


def test_a_device_that_is_not_here_is_refused(bench, digits: Path, tiny: Path):
    done = bench("run", "--datasets", digits, "--extractors", "hf:tiny", "--device", "cuda:7")
    assert done.exit_code == 2
    assert "--device cuda:7: is not here; expected auto, cpu or cuda" in done.stderr


def test_openvino_is_taken_where_it_is(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    assert devices.runtime("auto", "cpu") == "openvino"
    assert devices.runtime("auto", "cuda:1") == "torch"
    assert devices.runtime("torch", "cpu") == "torch"
    with pytest.raises(UsageError, match="runs on the CPU, not on cuda; add --device cpu"):
        devices.runtime("openvino", "cuda")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert devices.runtime("auto", "cpu") == "torch"
    with pytest.raises(UsageError, match="pip install"):
        devices.runtime("openvino", "cpu")
