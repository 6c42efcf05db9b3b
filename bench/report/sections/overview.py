"""The top of a report: the runs, how to read the tables, and the best row of every table."""

from collections.abc import Sequence

from bench.report import words
from bench.report.document import EMPTY, Block, Cell, Grid, Paragraph, Section, cell, code, strong, text
from bench.report.rows import Table
from bench.store import RunRecord

TITLE = "Leaderboard"

LEGEND = text(
    "A score is over all tested clips, with its 95 % interval for new groups, and has as many "
    "decimals as the interval justifies. ",
    code("folds"),
    " is the range over the folds. ",
    code("rank"),
    " is the range of ranks that the paired differences allow; all ranks of a table hold together with 95 %. "
    "The best row is among the bold ones with 95 %. ",
    code(words.heading("extract_cpu_s")),
    " is the processor time of the embedding per second of audio, over all threads; ",
    code(words.heading("fit_s")),
    " and ",
    code(words.heading("predict_s")),
    " are elapsed times of all folds, in s, in one thread. They are of the machine that computed them.",
)


def section(runs: Sequence[RunRecord], tables: Sequence[Table]) -> Section:
    """Return the top of a report."""
    blocks: list[Block] = []
    for run in runs:
        if run.command:
            version = f" with audio-embedding-bench {run.env['bench']}."
            blocks.append(Paragraph(text("Made by ", code(run.command), version)))
        if not run.finished:
            message = " repeat the command to continue it."
            blocks.append(Paragraph(text(strong("The run was interrupted:"), message)))
    blocks.append(Paragraph(LEGEND))
    ranked = [table for table in tables if table.rows]
    if len(ranked) > 1:
        headers = ("task", "data set", "best row", "metric", "score", "majority class", "random labels")
        rows = tuple(_best(table) for table in ranked)
        blocks.append(Grid((*headers, "as good", "rows", "groups"), rows))
    return Section(TITLE, 1, tuple(blocks), media=frozenset({"markdown"}))


def _best(table: Table) -> tuple[Cell, ...]:
    """Return the summary of a table: its best row beside the baseline."""
    best = table.best or table.rows[0]
    baseline = next((row for row in table.rows if row.is_baseline), None)
    score = table.ranking(best)
    return (
        cell(table.task.name),
        cell(words.dataset(table)),
        cell(words.name(table, best)),
        cell(table.metric),
        cell(score.value, words.number(score)),
        words.score_cell(table.ranking(baseline) if baseline else None),
        cell(table.chance.stratified, f"{table.chance.stratified:.2f}") if table.chance else EMPTY,
        cell(sum(row.may_be_best for row in table.rows) - 1) if best.standing else EMPTY,
        cell(len(table.learners)),
        cell(best.first.n_groups),
    )
