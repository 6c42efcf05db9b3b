"""Tables for papers, with the LaTeX package booktabs."""

import pandas as pd

from bench import display
from bench.report import words
from bench.report.rows import Row, Table
from bench.report.sections import Content

SPECIAL = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
)
"""Character -> its escape in a caption."""


def write(content: Content) -> str:
    """Return a LaTeX table for every table with rows."""
    return "\n".join(_table(table) for table in content.tables if table.rows)


def _table(table: Table) -> str:
    """Return a table, with the rows that may be the best in bold."""
    frame = pd.DataFrame([_row(table, row) for row in table.lines])
    bold = ["font-weight: bold" if row.may_be_best else "" for row in table.lines]
    style = frame.style.hide(axis="index").format(escape="latex").format_index(escape="latex", axis="columns")
    style = style.apply(lambda column: bold, subset=[table.metric])
    caption = words.title(table).translate(SPECIAL)
    return str(style.to_latex(hrules=True, convert_css=True, caption=caption, position="ht"))


def _row(table: Table, row: Row) -> dict[str, str]:
    """Return a row as column -> text."""
    system = row.system
    further = {
        display.metric(column): words.number(row.score(column.metric, column.level))
        for column in table.further_scores
    }
    return {
        "extractor": "any" if row.is_baseline else "chosen" if row.is_selected else system.extractor,
        "view": "" if row.is_baseline or row.is_selected else display.features(system),
        "head": display.head(system),
        table.metric: words.number(table.ranking(row)),
        **further,
    }
