"""Third-party packages, installed for real: those of `bench new`, and a hand-written one."""

import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench import scaffold
from bench.errors import UsageError

ROOT = str(Path(__file__).parent.parent)
PLUGINS = [
    pytest.param("extractor", "my-features", marks=pytest.mark.verb("new")),
    ("head", "my-head"),
    ("dataset", "my-clips"),
]


def install(site: Path, package: Path) -> None:
    """Install a package into a folder, without its dependencies."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    done = subprocess.run([*pip, "--target", str(site), str(package)], capture_output=True, text=True)
    if "hatchling" in done.stderr:
        pytest.skip("needs hatchling to build: pip install hatchling")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("kind", "name"), PLUGINS)
def test_a_package_is_installed_listed_checked_and_run_as_it_comes(
    bench, digits: Path, tmp_path: Path, monkeypatch, kind: str, name: str
):
    assert bench("new", kind, name).exit_code == 0
    site, module = tmp_path / "site", name.replace("-", "_")
    install(site, tmp_path / name)
    folder = tmp_path / "elsewhere"
    for speaker in ("a", "b"):
        for number in range(6):
            path = folder / "wavs" / speaker / f"{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            pitch = 0.05 * (1 + (speaker == "b")) + 0.005 * number
            soundfile.write(path, 0.5 * np.sin(np.arange(8000) * pitch), 8000)
    monkeypatch.chdir(folder)
    monkeypatch.setenv(module.upper(), str(folder / "wavs"))
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{ROOT}")
    call = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path / name / "tests"]
    tests = subprocess.run(call, capture_output=True, text=True)
    assert tests.returncode == 0, tests.stdout
    monkeypatch.syspath_prepend(str(site))
    assert f"{name}/{module}" in bench("list", f"{kind}s").stdout
    checked = bench("check", f"{name}/{module}")
    assert checked.exit_code == 0, checked.output
    axes = {"dataset": str(digits), "extractor": "mfcc-13", "head": "lda", kind: f"{name}/{module}"}
    call = ["run", "--tasks", "speaker"]
    for axis, value in axes.items():
        call += [f"--{axis}s", value]
    ran = bench(*call)
    assert ran.exit_code == 0, ran.output
    assert (f"{name}.{module}" if kind == "dataset" else f"{name}/{module}") in ran.stdout


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """Return the Python of a new environment that sees the packages of this one."""
    venv.create(tmp_path / "venv")
    [site] = (tmp_path / "venv").glob("lib/python*/site-packages")
    (site / "this.pth").write_text(
        "\n".join(path for path in sys.path if "site-packages" in path or path == ROOT)
    )
    return tmp_path / "venv" / "bin" / "python"


@pytest.mark.slow
def test_a_hand_written_package_is_installed_and_compared(
    fresh: Path, bench, real: Path, home: Path, tmp_path: Path
):
    folder = tmp_path / "elsewhere"
    folder.mkdir()

    def python(*words: object) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "BENCH_CACHE": str(home), "PYTHONPATH": ""}
        call = [str(fresh), "-m", *map(str, words)]
        return subprocess.run(call, cwd=folder, env=environment, capture_output=True, text=True)

    source = tmp_path / "crossings"
    shutil.copytree(Path(ROOT) / "tests" / "third_party", source)
    assert len((source / "crossings.py").read_text().splitlines()) == 8
    done = python("pip", "install", "--quiet", "--no-deps", "--no-build-isolation", source)
    if "hatchling" in done.stderr:
        pytest.skip("needs hatchling to build: pip install hatchling")
    assert done.returncode == 0, done.stderr
    checked = python("bench", "check", "crossings/rate")
    assert checked.returncode == 0, checked.stdout
    call = ["run", "--tasks", "gender", "--datasets", real / "LibriSpeech" / "train-clean-100"]
    call += ["--heads", "logreg", "--near-copies", "off", "--extractors"]
    ran = python("bench", *call, "mfcc,crossings/rate")
    assert ran.returncode == 0, ran.stderr
    rows = re.findall(r"^\| \S+ +\| (\S+) .*logreg.*?(0\.\d\d)", ran.stdout, re.MULTILINE)
    scores = {name: float(score) for name, score in rows}
    assert scores["mfcc"] > scores["crossings/rate"] > 0.5
    assert python("pip", "uninstall", "--yes", "crossings").returncode == 0
    assert "crossings/rate" not in python("bench", "list", "extractors").stdout
    gone = bench(*call, "crossings/rate")
    assert gone.exit_code == 2
    assert "unknown extractor 'crossings/rate'" in gone.stderr
    report = bench("report", folder / "bench-out")
    assert re.findall(r"^\| \S+ +\| (crossings/rate) ", report.stdout, re.MULTILINE)


@pytest.mark.parametrize("name", ["My-Features", "1a", "a b", "-a", "../a", "a_b"])
def test_an_invalid_name_is_refused(name: str, tmp_path: Path):
    with pytest.raises(UsageError, match=f"^{re.escape(name)}: .*distribution"):
        scaffold.create("extractor", name, tmp_path)


def test_nothing_is_overwritten(tmp_path: Path):
    scaffold.create("extractor", "mine", tmp_path)
    with pytest.raises(UsageError, match=r"mine: .*exists"):
        scaffold.create("head", "mine", tmp_path)
