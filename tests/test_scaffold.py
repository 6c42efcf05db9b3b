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


def call_module(site: Path, folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a module in a process with the folder of installed packages on its path."""
    environment = {
        **os.environ,
        "PYTHONPATH": f"{site}{os.pathsep}{ROOT}",
        "BENCH_CACHE": str(folder / "cache"),
        **more,
    }
    call = [sys.executable, "-m", *words]
    return subprocess.run(call, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(("kind", "name"), PLUGINS)
def test_a_package_is_installed_listed_checked_and_run_as_it_comes(
    bench, digits: Path, tmp_path: Path, kind: str, name: str
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
    more = {module.upper(): str(folder / "wavs")}
    tests = call_module(
        site, folder, "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path / name / "tests"), **more
    )
    assert tests.returncode == 0, tests.stdout
    listed = call_module(site, folder, "bench", "list", f"{kind}s", **more)
    assert f"{name}/{module}" in listed.stdout
    checked = call_module(site, folder, "bench", "check", f"{name}/{module}", **more)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    axes = {"dataset": str(digits), "extractor": "mfcc-13", "head": "lda", kind: f"{name}/{module}"}
    call = ["run", "--tasks", "speaker"]
    for axis, value in axes.items():
        call += [f"--{axis}s", value]
    ran = call_module(site, folder, "bench", *call, **more)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (f"{name}.{module}" if kind == "dataset" else f"{name}/{module}") in ran.stdout


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """Return the Python of a new environment that sees the packages of this one."""
    venv.create(tmp_path / "venv", with_pip=True)
    [site] = (tmp_path / "venv").glob("lib/python*/site-packages")
    (site / "this.pth").write_text(
        "\n".join(path for path in sys.path if "site-packages" in path or path == ROOT)
    )
    return tmp_path / "venv" / "bin" / "python"


def test_a_hand_written_package_is_installed_and_compared(fresh: Path, real: Path, tmp_path: Path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()

    def python(*words: object) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "BENCH_CACHE": str(folder / "cache"), "PYTHONPATH": ""}
        call = [str(fresh), "-m", *map(str, words)]
        return subprocess.run(call, cwd=folder, env=environment, capture_output=True, text=True)

    source = tmp_path / "crossings"
    shutil.copytree(Path(ROOT) / "tests" / "third_party", source)
    assert len((source / "crossings.py").read_text().splitlines()) == 8
    assert "crossings/rate" not in python("bench", "list", "extractors").stdout
    done = python("pip", "install", "--quiet", "--no-deps", "--no-build-isolation", source)
    if "hatchling" in done.stderr:
        pytest.skip("needs hatchling to build: pip install hatchling")
    assert done.returncode == 0, done.stderr
    assert "crossings/rate" in python("bench", "list", "extractors").stdout
    checked = python("bench", "check", "crossings/rate")
    assert checked.returncode == 0, checked.stdout
    call = ["bench", "run", "--tasks", "gender", "--datasets", real / "LibriSpeech" / "train-clean-100"]
    call += ["--heads", "logreg", "--extractors"]
    ran = python(*call, "mfcc,crossings/rate")
    assert ran.returncode == 0, ran.stderr
    rows = re.findall(r"^\| \S+ +\| (\S+) .*logreg.*?(0\.\d\d)", ran.stdout, re.MULTILINE)
    scores = {name: float(score) for name, score in rows}
    assert scores["mfcc"] > scores["crossings/rate"] > 0.5
    assert python("pip", "uninstall", "--yes", "crossings").returncode == 0
    assert "crossings/rate" not in python("bench", "list", "extractors").stdout
    gone = python(*call, "crossings/rate")
    assert gone.returncode == 2
    assert "unknown extractor 'crossings/rate'" in gone.stderr
    assert re.findall(
        r"^\| \S+ +\| (crossings/rate) ", python("bench", "report", "bench-out").stdout, re.MULTILINE
    )


@pytest.mark.parametrize("name", ["My-Features", "1a", "a b", "-a", "../a", "a_b"])
def test_an_invalid_name_is_refused(name: str, tmp_path: Path):
    with pytest.raises(UsageError, match=f"^{re.escape(name)}: .*distribution"):
        scaffold.create("extractor", name, tmp_path)


def test_nothing_is_overwritten(tmp_path: Path):
    scaffold.create("extractor", "mine", tmp_path)
    with pytest.raises(UsageError, match=r"mine: .*exists"):
        scaffold.create("head", "mine", tmp_path)
