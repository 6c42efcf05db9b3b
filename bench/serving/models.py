"""Models: what a folder that `bench export` wrote offers to a server."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import msgspec

from bench.errors import ClipError
from bench.inference.answers import Failure
from bench.inference.model import Model
from bench.inference.session import Grid, Session
from bench.inference.writing import WrittenAnswer, fields
from bench.serving.answering import Service, without_folders
from bench.serving.question import Question
from bench.types import Clip


def service(session: Session) -> Service:
    """Return what a session offers; a request chooses its windows, and whether to transcribe."""
    transcriber = None if session.transcriber is None else without_folders(session.transcriber.name)

    def predict(path: Path, question: Question) -> Mapping[str, Any]:
        turn = replace(
            session,
            grid=Grid(question.window, question.hop) if question.window and question.hop else None,
            transcriber=session.transcriber if question.transcribe else None,
        )
        [answer] = turn.answers([Clip(id=str(path), path=path)])
        if isinstance(answer, Failure):
            raise ClipError(answer.error)
        names = {
            "model": without_folders(answer.model),
            "transcriber": transcriber if answer.transcript else None,
        }
        return fields(answer, question.top) | names

    return Service(predict=predict, card=card(session.model), schemas=schemas(), transcriber=transcriber)


def schemas() -> dict[str, Any]:
    """Return the JSON Schema of an answer and of its parts, by their names."""
    template = "#/components/schemas/{name}"
    return dict(msgspec.json.schema_components((WrittenAnswer,), ref_template=template)[1])


def card(model: Model) -> dict[str, Any]:
    """Return the facts of a model without folders of this machine, of JSON's types alone."""
    data, calibration = asdict(model.card.data), model.card.calibration
    return {
        "model": without_folders(model.name),
        "task": model.cell.task.name,
        "classes": list(model.labels),
        "measured": asdict(model.measured),
        "data": data | {"dataset": without_folders(data["dataset"])},
        "calibrated": calibration is not None,
        "calibration_error": {"before": calibration.before.ece, "after": calibration.after.ece}
        if calibration
        else None,
        "has_familiarity": model.card.has_familiarity,
        "sample_rate": model.extractor.sample_rate,
    }
