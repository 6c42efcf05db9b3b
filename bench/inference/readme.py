"""README: the card of a model for people."""

from __future__ import annotations

from bench import display
from bench.inference.cards import ModelCard
from bench.learn.bundle import BundleCard


def text(card: ModelCard, bundle: BundleCard) -> str:
    """Return the card of a model in Markdown."""
    cell, data, error = bundle.cell, card.data, card.calibration_error
    classes = ", ".join(f"{name} {number}" for name, number in data.classes.items())
    synthetic = " (synthetic)" if data.synthetic else ""
    lines = [
        f"# {cell.task.name}: {display.extractor(cell.extractor.name, cell.view)} + {cell.head.name}",
        "",
        f"- data: {data.dataset} {data.version}{synthetic}, {data.n_clips} clips, {data.seconds:.0f} s, "
        f"{data.n_groups} groups of {data.group}",
        f"- classes: {classes}",
        f"- split of the run: {display.split(cell.split)}",
        *(f"- {display.metric(score)}: {display.score(score)}" for score in bundle.scores),
    ]
    if error:
        lines.append(f"- calibration error: {error.before:.3f} before, {error.after:.3f} after calibration")
    if card.calibrator is None:
        lines.append("- no probabilities: the head gives no scores")
    lines += ["", "The scores are of models of the folds; this model was fitted to all clips.", ""]
    return "\n".join(lines)
