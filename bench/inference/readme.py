"""README: the card of a model for people."""

from __future__ import annotations

from bench import display
from bench.inference.cards import ModelCard
from bench.learn.bundle import BundleCard


def text(card: ModelCard, bundle: BundleCard) -> str:
    """Return the card of a model in Markdown."""
    cell, data, calibration = bundle.cell, card.data, card.calibration
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
    if calibration:
        before, after = calibration.before, calibration.after
        lines.append(
            f"- calibration error on other groups: {before.ece:.3f} before, {after.ece:.3f} after, "
            f"{after.chance_ece:.3f} by chance"
        )
    else:
        lines.append("- no calibrated probabilities: the head gives no scores, or there are too few groups")
    lines += ["", "The scores are of models of the folds; this model was fitted to all clips.", ""]
    return "\n".join(lines)
