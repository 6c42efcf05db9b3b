"""Sections: what an exploration says in words, tables and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bench.errors import listing
from bench.explore import map_figure, normalisation
from bench.explore.analysis import Findings, SpaceFindings
from bench.report.document import EMPTY, Cell, Grid, Notes, Paragraph, Section, cell, text

MOST_LABELS = 5
"""Number of the most frequent labels of a column that the overview names."""


def sections(findings: Findings) -> tuple[Section, ...]:
    """Return everything that an exploration says."""
    return tuple(
        section
        for section in (
            _overview(findings),
            *_maps(findings),
            *_outliers(findings),
            *_frames(findings),
            *_components(findings),
        )
    )


def number(value: float, digits: int = 2) -> Cell:
    """Return a number with its digits; an empty cell for nan."""
    return EMPTY if np.isnan(value) else cell(float(value), f"{value:.{digits}f}")


def _overview(findings: Findings) -> Section:
    """Return how many clips there are, and what their labels are."""
    collection = findings.collection
    n_clips, hours = (
        len(collection.table),
        sum(collection.source.seconds[row] for row in collection.rows) / 3600,
    )
    lines = [text(f"{n_clips} clips, {hours:.2f} h")]
    if collection.unreadable:
        reasons = [f"{clip} ({reason})" for clip, reason in collection.unreadable.items()]
        lines.append(text(f"not readable: {listing(reasons[:MOST_LABELS], len(reasons))}"))
    lines += [text(f"{name} has {_counts(values)}") for name, values in findings.labels.items()]
    if not findings.labels:
        lines.append(text("no labels"))
    return Section(collection.source.dataset.name, 1, (Notes(tuple(lines)),))


def _counts(values: Sequence[str]) -> str:
    """Return the number of labels, and the most frequent ones with their numbers of clips."""
    names, counts = np.unique([value for value in values if value], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    n_unknown = sum(not value for value in values)
    unknown = f"; {n_unknown} clips without one" if n_unknown else ""
    frequent = [f"{names[i]} {counts[i]}" for i in order[:MOST_LABELS]]
    return f"{len(names)} labels: {listing(frequent, len(names))}{unknown}"


def _maps(findings: Findings) -> Iterator[Section]:
    """Yield how far every map can be trusted."""
    rows = []
    for space in findings.spaces:
        if space.map is None:
            continue
        trust = space.map.faithfulness
        shares: list[Cell] = []
        for agreement in space.agreements.values():
            shares += [number(agreement.in_space), number(agreement.on_map), number(agreement.chance)]
        rows.append(
            (
                cell(space.space.name),
                cell(map_figure.TITLES[space.map.method]),
                number(trust.trustworthiness, 3),
                cell(trust.shared, f"{trust.shared:.0%}"),
                *shares,
            )
        )
    if not rows:
        return
    trust = next(space.map.faithfulness for space in findings.spaces if space.map)
    k = trust.n_nearest
    agreements = [
        f"same {name} {where}"
        for name in findings.spaces[0].agreements
        for where in ("in space", "on map", "by chance")
    ]
    headers = ("extractor", "map", "trustworthiness", f"{k} nearest kept", *agreements)
    about = (
        "Trustworthiness is 1 if all neighbours on the map are neighbours in the space. Kept is the share "
        f"of the {k} nearest clips in the space that are among the {k} nearest on the map. Same is the share "
        f"of the {k} nearest clips with a clip's own label."
    )
    if len(trust.rows) < len(findings.collection.table):
        about += f" Neighbours of {len(trust.rows)} random clips are compared."
    yield Section("Maps", 2, (Grid(headers, tuple(rows)), Paragraph(text(about))))


def _outliers(findings: Findings) -> Iterator[Section]:
    """Yield the clips that are far from all others."""
    for space in findings.spaces:
        far = space.outliers
        if far is None:
            continue
        n_outliers = int(far.is_outlier.sum())
        about = (
            f"{n_outliers} of {len(far.q)} clips are outliers, at a false-discovery rate of {far.level:.0%}; "
            f"distance is that to the {far.n_neighbours}th nearest clip."
        )
        clips = findings.collection.table["clip"].to_numpy()
        rows = tuple(
            (
                cell(str(clips[row])),
                number(far.q[row], 3),
                number(far.distance[row], 1),
                number(far.isolation[row], 3),
            )
            for row in far.order[: max(5, min(n_outliers, 20))]
        )
        grid = Grid(("clip", "q", "distance", "isolation"), rows)
        yield Section(f"Outliers by {space.space.name}", 2, (Paragraph(text(about)), grid))


def _frames(findings: Findings) -> Iterator[Section]:
    """Yield the outlying values of frames, and the check of their normalisation."""
    counts = findings.frame_outliers
    if counts is not None:
        total = int(counts.n_frames.sum())
        by_z, by_iqr = counts.n_any_by_z / total, counts.n_any_by_iqr / total
        about = (
            f"{by_z:.1%} of {total} frames have a coefficient that is more than 3 standard deviations from "
            f"its mean, and {by_iqr:.1%} one that is more than 1.5 interquartile ranges outside its quartiles; "
            "outlying-values.csv has every coefficient."
        )
        yield Section("Outlying values of frames", 2, (Paragraph(text(about)),))
    check = findings.normalisation
    if check is not None:
        rows = tuple(
            (
                cell(name),
                number(check.before[name].largest_mean),
                number(check.before[name].largest_variance),
                number(check.after[name].largest_mean, 6),
                number(check.after[name].largest_variance, 6),
            )
            for name in check.before
        )
        headers = ("over the frames of", "mean before", "variance before", "mean after", "variance after")
        about = (
            f"Largest distance of a coefficient's mean from 0 and of its variance from 1, before and after "
            f"normalisation over {'every clip' if check.by == normalisation.CLIP else check.by}."
        )
        yield Section("Normalisation of frames", 2, (Grid(headers, rows), Paragraph(text(about))))


def _components(findings: Findings) -> Iterator[Section]:
    """Yield the numbers of principal components."""
    rows = [row for space in findings.spaces for row in _components_of(space)]
    if rows:
        headers = (
            "extractor",
            "share",
            "dimensions",
            "components of all clips",
            "mean components of a clip's frames",
        )
        yield Section("Principal components", 2, (Grid(headers, tuple(rows)),))


def _components_of(space: SpaceFindings) -> Iterator[tuple[Cell, ...]]:
    if space.n_components is None or space.frame_components is None:
        return
    frames = space.frame_components
    yield (
        cell(space.space.name),
        cell(frames.share, f"{frames.share:.0%}"),
        cell(space.space.vectors.shape[1]),
        cell(space.n_components),
        cell(frames.mean, f"{frames.mean:.1f} of {frames.dim}"),
    )
