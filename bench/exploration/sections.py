"""Sections: what an exploration says in words, tables and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bench import display
from bench.errors import listing
from bench.exploration import cluster_words, map_figure, normalisation
from bench.exploration.findings import Findings, SpaceFindings
from bench.report.document import EMPTY, Block, Cell, Grid, Notes, Paragraph, Section, cell, text
from bench.types import Score, SplitId

MOST_LABELS = 5
"""Number of the most frequent labels of a column that the overview names."""

MOST_CLUSTERS, MOST_SUSPECTS = 30, 20
"""Largest number of clusters, and of suspects, that are listed; tables in files have all."""


def sections(findings: Findings) -> tuple[Section, ...]:
    """Return everything that an exploration says."""
    return (
        _overview(findings),
        *_maps(findings),
        *_clusters(findings),
        *_outliers(findings),
        *_frames(findings),
        *_components(findings),
        *_duplicates(findings),
        *_suspects(findings),
        *_planting(findings),
    )


def number(value: float, digits: int = 2) -> Cell:
    """Return a number with its digits; an empty cell for nan."""
    return EMPTY if np.isnan(value) else cell(float(value), f"{value:.{digits}f}")


def _overview(findings: Findings) -> Section:
    """Return how many clips there are, and what their labels are."""
    collection = findings.collection
    hours = sum(collection.source.seconds[row] for row in collection.rows) / 3600
    duration = f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.1f} min"
    lines = [text(f"{len(collection.table)} clips, {duration}")]
    if collection.unreadable:
        reasons = [
            reason if reason.startswith(f"{clip}: ") else f"{clip} ({reason})"
            for clip, reason in collection.unreadable.items()
        ]
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
    unknown = f"; clips without one: {n_unknown}" if n_unknown else ""
    frequent = [f"{names[i]} {counts[i]}" for i in order[:MOST_LABELS]]
    return f"{len(names)} label{'s' if len(names) > 1 else ''}: {listing(frequent, len(names))}{unknown}"


def _maps(findings: Findings) -> Iterator[Section]:
    """Yield how far every map can be trusted."""
    maps = [(space, space.map) for space in findings.spaces if space.map]
    if not maps:
        return
    rows = tuple(
        (
            cell(space.space.name),
            cell(map_figure.TITLES[plane.method]),
            number(plane.faithfulness.trustworthiness, 3),
            cell(plane.faithfulness.shared, f"{plane.faithfulness.shared:.0%}"),
        )
        for space, plane in maps
    )
    trust = maps[0][1].faithfulness
    k = trust.n_nearest
    about = (
        "Trustworthiness is 1 if all neighbours on the map are neighbours in the space. Kept is the share "
        f"of the {k} nearest clips in the space that are among the {k} nearest on the map."
    )
    if len(trust.rows) < len(findings.collection.table):
        about += f" Neighbours of {len(trust.rows)} random clips are compared."
    parts: list[Block] = [
        Grid(("extractor", "map", "trustworthiness", f"{k} nearest kept"), rows),
        Paragraph(text(about)),
    ]
    shares = tuple(
        (
            cell(space.space.name),
            cell(name),
            *(number(share) for share in (agreement.in_space, agreement.on_map, agreement.chance)),
        )
        for space, _ in maps
        for name, agreement in space.agreements.items()
    )
    if shares:
        about = f"Share of the {k} nearest clips with a clip's own label."
        grid = Grid(("extractor", "label", "in the space", "on the map", "by chance"), shares)
        parts += [grid, Paragraph(text(about))]
    yield Section("Maps", 2, tuple(parts))


def _clusters(findings: Findings) -> Iterator[Section]:
    """Yield the clusters, their agreement with labels, and whether they are speakers or sessions."""
    clips = findings.collection.table["clip"].to_numpy()
    for space in findings.spaces:
        clusters = space.clusters
        if clusters is None:
            continue
        title = f"Clusters by {space.space.name}"
        sentence = Paragraph(text(cluster_words.verdict(clusters)))
        if not clusters.n_clusters:
            yield Section(title, 2, (sentence,))
            continue
        sizes = np.bincount(clusters.labels[clusters.labels >= 0])
        rows = tuple(
            (
                cell(number_),
                cell(int(size)),
                number(clusters.stability[number_]),
                cell(", ".join(str(clips[row]) for row in clusters.typical[number_] if row >= 0)),
            )
            for number_, size in list(enumerate(sizes))[:MOST_CLUSTERS]
        )
        grid = Grid(("cluster", "clips", "stability", "most typical clips"), rows)
        yield Section(title, 2, (sentence, grid, *_comparisons(space)))


def _comparisons(space: SpaceFindings) -> Iterator[Grid]:
    """Yield the agreement of clusters with labels, and their association with groups."""
    if space.comparisons is None:
        return
    scores = space.comparisons.scores
    if scores:
        names = [score.metric for score in next(iter(scores.values()))]
        rows = tuple((cell(name), *map(_score, values)) for name, values in scores.items())
        yield Grid(("label", *names), rows)
    associations = space.comparisons.associations
    if associations:
        yield Grid(
            ("group", "groups", "Cramer's V"),
            tuple(
                (
                    cell(name),
                    cell(association.n_groups),
                    EMPTY if association.cramers_v is None else number(association.cramers_v),
                )
                for name, association in associations.items()
            ),
        )


def _score(score: Score) -> Cell:
    """Return a score with its interval."""
    bounds = "" if score.low is None or score.high is None else f" [{score.low:.2f}, {score.high:.2f}]"
    return cell(score.value, f"{score.value:.2f}{bounds}")


def _outliers(findings: Findings) -> Iterator[Section]:
    """Yield the clips that are far from all others."""
    for space in findings.spaces:
        far = space.outliers
        if far is None:
            continue
        n_outliers = int(far.is_outlier.sum())
        about = (
            f"{n_outliers} of {len(far.q)} clips are outliers, at a false-discovery rate of {far.level:.0%}, "
            f"by the distance to neighbour {far.n_neighbours}. Distances of sound clips are assumed to fall "
            "off like an exponential distribution: trust the order further than the threshold."
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
            f"its mean, and {by_iqr:.1%} one that is more than 1.5 interquartile ranges outside its "
            "quartiles; outlying-values.csv has every coefficient."
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
        cell(frames.share, f"{100 * frames.share:g}%"),
        cell(space.space.vectors.shape[1]),
        cell(space.n_components),
        EMPTY if np.isnan(frames.mean) else cell(frames.mean, f"{frames.mean:.1f} of {frames.dim}"),
    )


def _duplicates(findings: Findings) -> Iterator[Section]:
    """Yield the copies, and what contradicts among them."""
    copies = findings.duplicates
    if copies is None:
        return
    n_same = int((copies.kind == "identical").sum())
    n_leaks = sum(group.is_leak for group in copies.groups)
    n_contradictions = sum(bool(group.contradictions) for group in copies.groups)
    lines = [
        f"recordings with copies: {len(copies.groups)}",
        f"clips with the samples of another: {n_same}; near copies: {len(copies.clip) - n_same}",
    ]
    if len(copies.clip) and copies.pair_distance is not None:
        lines.append(
            f"cosine distance of embeddings: up to {copies.distance.max():.2g} between copies, "
            f"{copies.pair_distance:.2g} between random clips (median)"
        )
    if not copies.is_near_searched:
        lines.append("near copies were not searched in so many clips; expected --near-copies on")
    if n_contradictions:
        lines.append(f"recordings whose clips have different labels: {n_contradictions}")
    if n_leaks:
        lines.append(f"recordings on both sides of the split, which is a leak: {n_leaks}")
    yield Section("Duplicates", 2, (Notes(tuple(map(text, lines))),))


def _suspects(findings: Findings) -> Iterator[Section]:
    """Yield the probable label errors of a run."""
    for suspects in findings.suspects:
        labels = suspects.clips
        n_suspects = int(labels.is_suspect.sum())
        split = display.split(SplitId(suspects.split, suspects.group, suspects.is_leaky))
        about = (
            f"{n_suspects} of {len(labels.name)} labels are probably wrong, by {suspects.head} on "
            f"{suspects.extractor}, folds {split}, which agrees with {suspects.accuracy:.0%} of the labels: "
            f"the more, the further to trust the list. Estimated number of wrong labels: "
            f"{suspects.n_errors:.0f}, also of those that cannot be named."
        )
        rows = tuple(
            (
                cell(labels.name[row]),
                cell(labels.label[row]),
                cell(labels.suggestion[row]),
                number(labels.quality[row], 3),
            )
            for row in range(min(n_suspects, MOST_SUSPECTS))
        )
        grid = Grid(("clip", "label", "suggestion", "quality"), rows)
        title = f"Suspects of {suspects.task} in {suspects.dataset}"
        yield Section(title, 2, (Paragraph(text(about)), *([grid] if rows else [])))


def _planting(findings: Findings) -> Iterator[Section]:
    """Yield how many planted label errors the search finds."""
    rows = [
        (
            cell(space.space.name),
            cell(column),
            cell(search.unit),
            cell(search.folds),
            cell(search.n_planted),
            cell(search.n_suspects),
            number(search.precision),
            number(search.recall),
            number(search.average_precision),
        )
        for space in findings.spaces
        if space.planting
        for column, searches in space.planting.searches.items()
        for search in searches
    ]
    if rows:
        headers = (
            "extractor",
            "label",
            "errors on a",
            "folds by",
            "planted",
            "suspects",
            "precision",
            "recall",
        )
        yield Section("Planted label errors", 2, (Grid((*headers, "average precision"), tuple(rows)),))
