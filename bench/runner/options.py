"""Options that contradict each other or this machine: refused, or warned of in one line."""

import math
import re
from collections.abc import Iterator

import joblib

from bench import splits
from bench.catalog import Registry
from bench.errors import UsageError
from bench.request import LARGEST_SEED, Request, doubled, options

DEVICE = re.compile(r"auto|(cpu|cuda|mps|xpu|hpu)(:\d+)?")

REPEATABLE = frozenset({"preprocess", "augment"})
"""Lists of steps, of which one may come twice."""


def check(request: Request) -> None:
    """Refuse options whose values nothing can use.

    Raises
    ------
    UsageError
        For the first such option.
    """
    for name, option in options(Request).items():
        values = getattr(request, name)
        if isinstance(values, tuple) and name not in REPEATABLE and (twice := doubled(values)):
            text = ",".join(map(str, values))
            raise UsageError(f"{option.flags[0]} {text}: names {twice} twice; give it once")
    if not DEVICE.fullmatch(request.device):
        raise UsageError(f"--device {request.device}: is no device; expected auto, cpu, cuda or cuda:N")
    timeout = request.cell_timeout
    if timeout is not None and not (math.isfinite(timeout) and timeout > 0):
        raise UsageError(f"--cell-timeout {timeout:g}: expected seconds above 0; leave it out for no limit")
    if not request.seeds:
        raise UsageError("--seeds: is empty; expected one whole number or more")
    if max(request.seeds) > LARGEST_SEED or min(request.seeds) < 0:
        raise UsageError(f"--seeds {max(request.seeds)}: expected whole numbers from 0 to {LARGEST_SEED}")
    if request.repeats > 1 and request.split and not splits.is_repeatable(request.split):
        raise UsageError(
            f"--repeats {request.repeats}: --split {request.split} has a single assignment of groups to "
            "folds; expected cv:K, holdout:F or random"
        )
    if request.copies > 1 and not request.augment:
        raise UsageError(f"--copies {request.copies}: needs --augment, which says how the copies differ")


def warnings(request: Request, declared: Registry) -> Iterator[str]:
    """Yield a line for every option that does nothing, or more than this machine can."""
    n_cores = joblib.cpu_count()
    if request.executor.startswith("dask:") and request.jobs > 1:
        yield f"--jobs {request.jobs}: does nothing, since {request.executor} has workers of its own"
    elif request.jobs > n_cores:
        yield f"--jobs {request.jobs}: more workers than the {n_cores} cores here; they wait for each other"
    heads = [declared.heads[name] for name in request.heads if name in declared.heads]
    if request.tune and request.heads and len(heads) == len(request.heads) and not any(h.grid for h in heads):
        yield f"--tune: does nothing, since none of the heads {', '.join(request.heads)} has a grid"
