"""Run the command line as ``python -m bench``."""

import sys
from pathlib import Path

# "python -m" puts the working folder first, where `datasets/` would hide the library of that name.
sys.path[:] = [entry for entry in sys.path if entry and Path(entry).absolute() != Path.cwd()]

from bench.cli import main  # noqa: E402  # after the import path is set

main()
