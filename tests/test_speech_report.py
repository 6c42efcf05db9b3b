"""The command that makes reports/speech: it reads the pages, and what it names is there."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import catalog

MAKE = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent.parent / "reports" / "speech" / "make.py")))


def test_its_extractors_are_those_of_the_page(tmp_path: Path):
    MAKE.write_plugins(tmp_path / "weights", tmp_path)
    declared = catalog.load(tmp_path).extractors
    for name in MAKE.EXTRACTORS.split(","):
        module = declared[name.partition("@")[0]].factory.partition(":")[0]
        assert module.startswith("bench.") or (tmp_path / f"{module}.py").is_file()


@pytest.mark.real
def test_its_tables_hold_every_recording_once(real: Path, tmp_path: Path):
    MAKE.link(real, tmp_path / "weights", tmp_path)
    MAKE.write_tables(tmp_path)
    digits = (tmp_path / "digits.csv").read_text().splitlines()
    assert len(digits) == len(set(digits)) == 1 + 6 * 10 * MAKE.N_TAKES
    sounds = (tmp_path / "sounds.csv").read_text().splitlines()
    assert len(sounds) == len(set(sounds)) == 201
    assert all((tmp_path / line.partition(",")[0]).is_file() for line in [*digits[1:], *sounds[1:]])
