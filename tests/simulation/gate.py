"""False alarms and power of the gate, simulated and on real reruns: the figures of docs/reports.md.

`python tests/simulation/gate.py alarms 1000` compares simulated reruns without a change, `power 200` losses
of one cell, and `real 100 DATA COLUMN` the heads of one run on a label column, fitted to embeddings whose
last digits differ: what another machine does to a network's embeddings, at the tolerance of `bench audit`.
"""

import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from bench import catalog, compute, runner
from bench.embed import pooling
from bench.gate import Limit, Verdict, compare
from bench.learn.folds import evaluate
from bench.learn.pipeline import PipelineSpec
from bench.learn.samples import Examples
from bench.request import Request
from bench.runner.reembedding import FULL_PRECISION
from bench.store.baseline import Side
from bench.types import Result, Score, SplitId, Status, TaskId, View

GROUPS, CLIPS, ACCURACY = 50, 8, 0.9


def show(line: str) -> None:
    """Write a line to stdout at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def side(name: str, tables: list[pd.DataFrame]) -> Side:
    """Return a run with a cell per table of predictions."""
    results = [
        Result(
            key=f"{name}{number}",
            dataset="d",
            task=TaskId("t"),
            extractor=f"e{number}",
            view=View(),
            head="h",
            seed=0,
            split=SplitId("cv:5", "speaker"),
            status=Status.OK,
            scores=(Score("accuracy", float((table["y_true"] == table["y_pred"]).mean())),),
            predictions=f"{name}{number}",
            split_digest="s",
        )
        for number, table in enumerate(tables)
    ]
    return Side(Path(name), results, dict(zip((r.key for r in results), tables, strict=True)).get)


def simulated(
    rng: np.random.Generator, hard: np.ndarray, n_cells: int, n_clips: int, loss: float = 0.0
) -> list[pd.DataFrame]:
    """Return predictions of equal systems whose errors are those of speakers; the first one loses some."""
    group = np.repeat(np.arange(len(hard)), n_clips)
    tables = []
    for cell in range(n_cells):
        correct = rng.random(len(group)) < hard[group] - (loss if cell == 0 else 0)
        columns = {"clip": np.arange(len(group)).astype(str), "group": group.astype(str)}
        tables.append(
            pd.DataFrame({**columns, "y_true": "a", "y_pred": np.where(correct, "a", "b"), "fold": "0"})
        )
    return tables


def speakers(rng: np.random.Generator, n_groups: int) -> np.ndarray:
    """Return how often the clips of every speaker are predicted correctly, about ACCURACY."""
    return np.clip(rng.normal(ACCURACY, 0.05, n_groups), 0.06, 1.0)


def alarms(n_runs: int) -> None:
    """Print the share of simulated reruns with a false alarm, at two limits and several numbers of cells."""
    for n_cells, limit in ((1, 0.0), (4, 0.0), (4, 0.02)):
        rng, counts = np.random.default_rng(0), Counter[Verdict]()
        for _ in range(n_runs):
            hard = speakers(rng, GROUPS)
            before, after = (side(name, simulated(rng, hard, n_cells, CLIPS)) for name in "ab")
            counts.update({judged.verdict for judged in compare(before, after, [Limit("accuracy", limit)])})
        show(f"{n_cells} cells, limit {limit}: {dict(counts)} of {n_runs}")


def power(n_runs: int) -> None:
    """Print the share of runs that find a loss in one cell, and the median visible loss."""
    for n_groups, n_clips, n_cells, loss, limit in (
        (100, 10, 1, 0.02, 0.0),
        (100, 10, 1, 0.02, 0.02),
        (200, 50, 1, 0.02, 0.0),
        (200, 50, 1, 0.02, 0.02),
        (100, 10, 30, 0.05, 0.02),
    ):
        rng, n_seen, visible = np.random.default_rng(0), 0, []
        for _ in range(n_runs):
            hard = speakers(rng, n_groups)
            before = side("a", simulated(rng, hard, n_cells, n_clips))
            after = side("b", simulated(rng, hard, n_cells, n_clips, loss))
            judged = {j.result.extractor: j for j in compare(before, after, [Limit("accuracy", limit)])}["e0"]
            n_seen += judged.verdict == Verdict.WORSE
            visible += [judged.differences[0].visible_loss]
        show(
            f"{n_groups} x {n_clips} clips, {n_cells} cells, limit {limit}: a loss of {loss} is found in "
            f"{n_seen / n_runs:.1%}; visible loss {np.median(visible):.4f}"
        )


def real(n_runs: int, data: str, target: str) -> None:
    """Print the verdicts on reruns whose embeddings differ by what `bench audit` tolerates."""
    request = Request(
        datasets=(data,),
        task_target=target,
        task_groups=("speaker",),
        extractors=("mfcc-13",),
        heads=("lda", "knn", "svm", "logreg"),
    )
    plan = runner.plan(request, catalog.load())
    [problem], cells = plan.problems.values(), list({cell.head.name: cell for cell in plan.cells}.values())
    [source] = plan.sources.values()
    embeddings = compute.cache().read(plan.digests["mfcc-13"], source.contents)
    X = pooling.select([embeddings[content].statistics for content in source.contents], cells[0].view)
    clips = source.dataset.table["clip"].to_numpy()
    group = problem.split.groups[problem.split.group]

    def predictions(seed: int) -> list[pd.DataFrame]:
        noise = np.random.default_rng(seed).normal(size=X.shape)
        scale = np.linalg.norm(X, axis=1, keepdims=True) / np.linalg.norm(noise, axis=1, keepdims=True)
        examples = Examples(
            X + seed * 0 + (FULL_PRECISION * scale * noise if seed else 0), problem.y, problem.split
        )
        tables = []
        for cell in cells:
            head = cell.head
            spec = PipelineSpec(lambda head=head: catalog.build(head, 0), head.unit, scale=head.scale)
            table = evaluate(examples, spec, time.perf_counter).predictions
            rows = table["row"].to_numpy()
            tables.append(table.assign(clip=clips[rows], group=group[rows]))
        return tables

    base, counts = side("a", predictions(0)), Counter[Verdict]()
    largest = 0.0
    for seed in range(1, n_runs + 1):
        judged = compare(base, side("b", predictions(seed)), [Limit("accuracy", 0.0)])
        counts.update({item.verdict for item in judged})
        for item in judged:
            largest = max(largest, abs(item.differences[0].after - item.differences[0].before))
    show(
        f"{n_runs} real reruns of {len(cells)} heads, {len(clips)} clips, {len(set(group))} groups, limit 0:"
    )
    show(f"runs with each verdict {dict(counts)}; largest change {largest:.4f}")


if __name__ == "__main__":
    name, number, *others = sys.argv[1:]
    {"alarms": alarms, "power": power, "real": real}[name](int(number), *others)
