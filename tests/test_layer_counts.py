"""The number of layers is read from configurations and classes: planning builds no network."""

import json
import os
import pickle
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bench import catalog
from bench.catalog import devices, layer_counts, learners
from bench.embed import pooling
from bench.request import Request
from bench.types import Spec

ROOT = Path(__file__).parent.parent
FAIRSEQ = ROOT / "tests" / "fairseq"

PLAN = """
import json, sys, time
from bench import catalog, paths, runner
from bench.request import Request

options = {"datasets": ("digits.csv",), "tasks": ("speaker",), "heads": ("lda",), "home": paths.home()}
declared = catalog.load()
runner.plan(Request(extractors=("mfcc",), **options), declared)  # reads the audio
start = time.process_time()
plan = runner.plan(Request(extractors=tuple(sys.argv[1:]), **options), declared)
seconds = time.process_time() - start
counts = {}
for cell in plan.cells:
    counts[cell.extractor.name] = counts.get(cell.extractor.name, 0) + (cell.head.name == "lda")
loaded = [name for name in ("torch", "transformers", "mine") if name in sys.modules]
print(json.dumps([seconds, loaded, counts, sorted({result.obstacle.kind for result in plan.rejected})]))
"""

PLUGIN = """
import torch
import base

class Mine(base.Base):
    sample_rate, dim = 8000, 2
    n_layers: int = 5
"""


def configuration(name: str) -> dict[str, object]:
    """Return what a loader of a known checkpoint finds in its config.json."""
    if "whisper" in name:
        return {"model_type": "whisper", "encoder_layers": 4, "num_hidden_layers": 4}
    if "clap" in name:
        return {"model_type": "clap", "num_hidden_layers": 16}
    return {"model_type": "wav2vec2", "num_hidden_layers": 12}


def save(folder: Path, name: str) -> None:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(configuration(name)))
    (folder / "model.safetensors").write_text(name)  # equal weights are one cell


def test_a_plan_of_all_layers_of_every_known_checkpoint_loads_no_torch(digits: Path, tmp_path: Path):
    pytest.importorskip("transformers", reason="needs the extra 'neural'")
    entries = tomllib.loads((ROOT / "registry" / "extractors.toml").read_text(encoding="utf-8"))
    weights = {name: entry["weights"] for name, entry in entries.items() if "weights" in entry}
    for checkpoint in set(weights.values()):
        folder = tmp_path / "hub" / f"models--{checkpoint.replace('/', '--')}"
        save(folder / "snapshots" / ("0" * 40), checkpoint)
        (folder / "refs").mkdir()
        (folder / "refs" / "main").write_text("0" * 40)
    save(tmp_path / "clap", "clap")
    (tmp_path / "mine.py").write_text(PLUGIN)
    (tmp_path / "base.py").write_text("class Base: ...")
    others = {"hf:clap": 1, f"fairseq:{FAIRSEQ / 'hubert-cfg.pt'}": 3, "./mine.py:Mine": 5, "hear:json": 1}
    names = [f"{name}@layer=all" for name in (*weights, *others)]
    done = subprocess.run(
        [sys.executable, "-c", PLAN, *names],
        cwd=tmp_path,
        env={**os.environ, "HF_HUB_CACHE": str(tmp_path / "hub"), "BENCH_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, loaded, counts, reasons = json.loads(done.stdout.splitlines()[-1])
    expected = {name: 5 if "whisper" in name else 1 if "clap" in name else 13 for name in weights}
    others = {catalog.names.portable(name): number for name, number in others.items()}
    assert (loaded, reasons, counts) == ([], [], {**expected, **others})
    assert seconds < 1, seconds


@pytest.mark.parametrize("name", ["wav2vec2-args", "wav2vec2-cfg", "hubert-cfg", "hubert-large-cfg"])
def test_the_layers_of_fairseq_are_read_from_its_settings(name: str):
    assert layer_counts.of_checkpoint(FAIRSEQ / f"{name}.pt") == 3


def test_the_layers_of_a_file_of_an_older_torch_are_read(tmp_path: Path):
    torch = pytest.importorskip("torch", reason="needs the extra 'neural'")
    content = torch.load(FAIRSEQ / "wav2vec2-args.pt", weights_only=False)
    torch.save(content, tmp_path / "legacy.pt", _use_new_zipfile_serialization=False)
    assert layer_counts.of_checkpoint(tmp_path / "legacy.pt") == 3


class Canary:
    """An object that makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_no_code_of_a_checkpoint_runs_when_its_settings_are_read(tmp_path: Path):
    content = {"cfg": {"model": {"encoder_layers": 2}}, "other": Canary(tmp_path / "canary")}
    pickles = [pickle.dumps(part, protocol=2) for part in (1, 2, 3, content)]
    (tmp_path / "a.pt").write_bytes(b"".join(pickles))
    assert layer_counts.of_checkpoint(tmp_path / "a.pt") == 3
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("layer", [0, 1001, "many", None])
def test_a_file_without_a_sensible_number_of_layers_has_none(layer: object, tmp_path: Path):
    content = {"cfg": {"model": {"encoder_layers": layer}}}
    pickles = [pickle.dumps(part, protocol=2) for part in (1, 2, 3, content)]
    (tmp_path / "a.pt").write_bytes(b"".join(pickles))
    assert layer_counts.of_checkpoint(tmp_path / "a.pt") is None
    (tmp_path / "b.pt").write_bytes(b"nothing")
    assert layer_counts.of_checkpoint(tmp_path / "b.pt") is None


@pytest.mark.parametrize("has_driver", [True, False])
def test_the_precision_of_a_processor_is_the_one_that_torch_has(has_driver: bool, monkeypatch):
    torch = pytest.importorskip("torch", reason="needs the extra 'neural'")
    if torch.cuda.is_available():
        pytest.skip("auto is the GPU here")
    monkeypatch.setattr(devices, "_has_gpu_driver", lambda: has_driver)
    precision = "bf16" if torch.cpu._is_avx512_bf16_supported() else "fp32"
    assert devices.resolve("auto", "auto") == devices.resolve("cpu", "auto") == ("cpu", precision)
    assert devices.resolve("auto", "fp32") == ("cpu", "fp32")


def plugin(folder: Path, body: str) -> Spec:
    (folder / "mine.py").write_text(body)
    return catalog.resolve("extractor", f"{folder}/mine.py:Mine", {})


def test_a_class_that_sets_its_layers_in_its_constructor_is_built(tmp_path: Path):
    body = "class Mine:\n    def __init__(self):\n        self.n_layers = 7\n"
    assert layer_counts.n_layers(plugin(tmp_path, body)) == 7


def test_an_extractor_that_cannot_be_built_does_not_end_the_plan(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plugin(tmp_path, "class Mine:\n    def __init__(self):\n        raise ValueError('no')\n")
    request = Request(extractors=("./mine.py:Mine@layer=all", "mfcc"), home=tmp_path)
    points = learners.extractors(request, catalog.load(), pooling.parse)
    assert [(learner.spec.name, view.layer) for learner, view in points] == [
        ("./mine.py:Mine", 0),
        ("mfcc", "last"),
    ]
