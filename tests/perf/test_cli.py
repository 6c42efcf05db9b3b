"""What a user of the command line waits for."""

import os
import subprocess
import sys
from pathlib import Path


def test_200_entries_are_listed_at_once(benchmark, tmp_path: Path):
    (tmp_path / "registry").mkdir()
    entries = (
        f'[mine-{n}]\nabout = "Number {n}."\nfactory = "mine:E{n}"\nweights = "someone/number-{n}"\n'
        f'requires = ["torch", "transformers"]\n'
        for n in range(200)
    )
    (tmp_path / "registry" / "extractors.toml").write_text("".join(entries))
    call = [sys.executable, "-m", "bench", "list"]
    environment = {**os.environ, "HF_HUB_CACHE": str(tmp_path)}

    def listed() -> str:
        done = subprocess.run(call, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
        return done.stdout

    text = benchmark.pedantic(listed, rounds=5, warmup_rounds=1)
    assert text.count("mine-") >= 200
    assert benchmark.stats.stats.min < 0.5
