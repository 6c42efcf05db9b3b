"""The leaderboard of a table: what its numbers depend on, its rows, and the cells without a result."""

from bench import display
from bench.report import words
from bench.report.document import EMPTY, Block, Cell, Grid, Notes, Section, Text, cell, code, strong, text
from bench.report.rows import Row, Table
from bench.report.sections import ranking, unbounded
from bench.store import TableProtocol
from bench.types import Cost, Note, Result, Score

FEW_GROUPS = 20
"""Number of groups below which intervals are wide."""

FEW_GROUPS_PER_CLASS = 5

COSTS = Cost.names("shown")
"""Costs that a leaderboard shows: fields of `Cost`."""


def section(table: Table) -> Section:
    """Return a table's notes, rows, and failed and skipped cells."""
    blocks: list[Block] = [Notes(notes(table))]
    if table.rows:
        blocks.append(grid(table))
    if table.others:
        blocks.append(Notes(tuple(_missing(table))))
    return Section(words.title(table), 2, tuple(blocks), table=table.stem)


def notes(table: Table) -> tuple[Text, ...]:
    """Return what a reader has to know before believing a number."""
    source = table.source
    texts: list[Text] = []
    if source.synthetic:
        warning = ": these numbers show that the tool works and say nothing about real audio."
        texts.append(text(strong("Synthetic audio"), warning))
    data = f"Data: {source.n_clips} clips, version {source.version}, content "
    texts.append(text(data, code(source.content[:12]), "."))
    if source.n_same_audio:
        counts = f"{source.n_clips - source.n_same_audio} of {source.n_clips} clips are embedded"
        texts.append(text(f"{counts}: {display.fewer_clips(source.n_same_audio)}. All are scored."))
    if table.protocol:
        texts += _split(table.protocol)
        share = max((row.system.train_size for row in table.rows), default=1.0)
        if share < 1:
            texts.append(text(f"Heads are trained on {share:g} of the training groups of every class."))
        texts += [*_doubts(table.protocol), *ranking.notes(table)]
    texts += unbounded.notes(table)
    systems = dict.fromkeys((row.system.extractor, row.system.preprocess) for row in table.rows)
    texts += [text(f"Preprocessing of {name}: {display.steps(steps)}.") for name, steps in systems if steps]
    columns = dict.fromkeys(row.system.normalise for row in table.rows if row.system.normalise)
    texts += [text(words.normalised(column)) for column in columns]
    n_bad = max((row.first.n_bad for row in table.rows), default=0)
    if n_bad:
        texts.append(text(f"{n_bad} clips cannot be decoded and are left out; bad_clips.csv lists them."))
    threads = sorted({row.first.cost.threads for row in table.learners if row.first.cost.threads})
    if threads:
        texts.append(text(f"Threads of the embedding: {', '.join(map(str, threads))}."))
    n_earlier = sum(row.first.key in table.earlier for row in table.rows)
    if n_earlier:
        texts.append(text(f"{n_earlier} of {len(table.rows)} rows are of earlier runs in the same folder."))
    return (*texts, *map(_note, source.notes))


def _note(note: Note) -> Text:
    """Return a note with what stands between backticks as code."""
    parts = display.note(note).split("`")
    return text(*(code(part) if number % 2 else part for number, part in enumerate(parts) if part))


def _split(protocol: TableProtocol) -> list[Text]:
    """Return how clips are split and why no stricter split is possible."""
    split = display.split(protocol.split)
    folds = f"{protocol.n_folds} tested fold{'s' if protocol.n_folds > 1 else ''}"
    texts = [text(f"Split: {split} ({protocol.n_groups} groups), {folds}, {protocol.n_classes} classes.")]
    if protocol.apart:
        texts.append(text(f"Kept apart in every fold: {', '.join(protocol.apart)}."))
    if protocol.split.leaky:
        warning = ": for demonstration only; these numbers are higher than honest ones."
        texts.append(text(strong("Leaky split"), warning))
    if protocol.sampling_units and not protocol.split.leaky:
        texts.append(text(f"Drawn: {display.sampling(protocol.sampling_units)}."))
    if protocol.obstacles:
        reasons = "; ".join(map(display.obstacle, protocol.obstacles))
        texts.append(text(f"No stricter split was possible: {reasons}."))
    if protocol.n_unlabelled:
        texts.append(text(f"{protocol.n_unlabelled} clips without a label for this task are left out."))
    if protocol.n_near_copies:
        n_copies = protocol.n_near_copies
        texts.append(text(f"{n_copies} clips are near copies of others; the copies of a clip are one group."))
    if protocol.fewer_folds:
        group = protocol.split.group
        reason = display.reason(protocol.fewer_folds)
        texts.append(text(f"Fewer folds, to keep every {group} apart: {reason}."))
    texts += map(_note, protocol.remarks)
    if protocol.augmentation:
        copies = display.augmentation(protocol.augmentation)
        texts.append(text(f"Changed copies of the training clips, never tested: {copies}."))
    return texts


def _doubts(protocol: TableProtocol) -> list[Text]:
    """Return warnings about few groups."""
    texts = []
    if protocol.n_groups < FEW_GROUPS:
        group, n_groups = protocol.split.group, protocol.n_groups
        warning = f": {n_groups} of {group}; intervals are wide with fewer than {FEW_GROUPS}."
        texts.append(text(strong("Few groups"), warning))
    name, n_groups = protocol.fewest_groups
    if n_groups < FEW_GROUPS_PER_CLASS:
        texts.append(text(strong("Few groups of a class"), f": '{name}' has {n_groups}."))
    return texts


def grid(table: Table) -> Grid:
    """Return the rows of a table, in its order."""
    with_seeds = max(len(row.seeds) for row in table.rows) > 1
    further = table.further_scores
    headers = [
        *("rank", "extractor", "view", "head", table.metric),
        *(["expected"] if table.is_repeated else []),
        *(["seeds"] if with_seeds else []),
        "folds",
        *map(display.metric, further),
        *("clips", "groups"),
        *map(words.heading, COSTS),
    ]
    rows = tuple(_cells(table, row, further, with_seeds) for row in table.lines)
    return Grid(tuple(headers), rows, frozenset(map(words.heading, Cost.page_names())))


def _cells(table: Table, row: Row, further: list[Score], with_seeds: bool) -> tuple[Cell, ...]:
    score = table.ranking(row)
    return (
        cell(row.standing.low, words.ranks(row.standing)) if row.standing else EMPTY,
        *_names(row),
        ranking_cell(row, score),
        *([words.expected_cell(row)] if table.is_repeated else []),
        *([cell(row.spread, f"{len(row.seeds)}, ±{row.spread:.3f}")] if with_seeds else []),
        _folds(score),
        *(words.score_cell(row.score(column.metric, column.level)) for column in further),
        cell(row.first.n_test),
        cell(row.first.n_groups),
        *_costs(row),
    )


def _names(row: Row) -> tuple[Cell, Cell, Cell]:
    """Return the extractor, the view and the head; the baseline has only the last one."""
    if row.is_baseline:
        return cell("any"), EMPTY, cell(row.system.head, f"{row.system.head} (majority class)")
    if row.is_selected:
        return cell("chosen"), EMPTY, cell(row.system.head, f"{row.system.head} (in inner folds)")
    return cell(row.system.extractor), cell(display.features(row.system)), cell(display.head(row.system))


def ranking_cell(row: Row, score: Score) -> Cell:
    """Return the ranking score of a row: bold if it may be the best, with a mark if it is at chance."""
    value = words.value(score)
    rest = words.interval(score) + (", not above chance" if row.at_chance else "")
    return Cell(score.value, text(strong(value) if row.may_be_best else value, rest))


def _folds(score: Score) -> Cell:
    """Return the range over the folds, if there are several."""
    if len(score.folds) < 2:
        return EMPTY
    low, high = min(score.folds), max(score.folds)
    return cell(low, f"{low:.3f} to {high:.3f}")


def _costs(row: Row) -> list[Cell]:
    """Return the costs of a row; the baseline and a chosen row have none."""
    if row.is_baseline or row.is_selected:
        return [EMPTY] * len(COSTS)
    return [words.cost_cell(row.first.cost, name) for name in COSTS]


def _missing(table: Table) -> list[Text]:
    """Return a text per reason for which cells have no result."""
    reasons: dict[tuple[str, str], list[Result]] = {}
    for result in table.others:
        reasons.setdefault((str(result.status), display.cause(result)), []).append(result)
    systems = [row.system for row in table.rows] + [result.system for result in table.others]
    names = display.names(systems)
    texts = []
    for (status, reason), results in reasons.items():
        cells = "; ".join(dict.fromkeys(names[result.system] for result in results))
        if not table.rows and len(reasons) == 1:
            cells = f"all cells ({len(results)})"
        texts.append(text(strong(status), f": {cells}: {reason}"))
    return texts


def by_head(table: Table) -> Section | None:
    """Return a table's ranking scores by extractor and head; None for one extractor or one head."""
    rows = table.learners
    heads = list(dict.fromkeys(display.head(row.system) for row in rows))
    scores: dict[object, dict[str, Cell]] = {}
    titles: dict[object, str] = {}
    for row in rows:
        system = row.system
        source = (system.extractor, system.view, system.preprocess, system.normalise)
        titles[source] = display.source(row.system)
        scores.setdefault(source, {})[display.head(row.system)] = ranking_cell(row, table.ranking(row))
    if len(heads) < 2 or len(scores) < 2:
        return None
    lines = [
        (cell(titles[source]), *(cells.get(head, EMPTY) for head in heads))
        for source, cells in scores.items()
    ]
    return Section(
        f"{table.metric} by extractor and head: {words.title(table)}",
        3,
        (Grid(("extractor", *heads), tuple(lines)),),
        media=frozenset({"markdown"}),
        table=table.stem,
    )
