"""Run the storms, all or those that are named, and print what was tried and what held."""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

FOLDER = Path(__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("[a-z]*.py") if path.stem != "common")


def main() -> None:
    """Print a Markdown table of the storms, and exit with 1 unless all cases held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=NAMES, help=", ".join(NAMES))
    parser.add_argument("--n", type=int, help="number of cases of each storm")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rows = []
    for name in options.names:
        call = [sys.executable, str(FOLDER / f"{name}.py"), "--seed", str(options.seed)]
        call += ["--n", str(options.n)] if options.n else []
        start = time.monotonic()
        done = subprocess.run(call, stdout=subprocess.PIPE, text=True)
        last = done.stdout.splitlines()[-1] if done.stdout else ""
        outcome = json.loads(last) if last.startswith("{") else {"tried": 0, "held": 0}
        seconds = round(time.monotonic() - start)
        rows.append({"storm": name, "tried": outcome["tried"], "held": outcome["held"], "s": seconds})
    table = pd.DataFrame(rows)
    sys.stdout.write(table.to_markdown(index=False) + "\n")
    sys.exit(int((table["tried"] == 0).any() or (table["tried"] != table["held"]).any()))


if __name__ == "__main__":
    main()
