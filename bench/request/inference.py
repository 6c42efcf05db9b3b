"""The fields of a prediction, each with the flags of `bench predict` and its help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from bench.request.option import option

AnswerFormat = Literal["json", "jsonl", "csv", "table"]
"""Form of answers on the standard output."""

Explanation = Literal["saliency", "occlusion", "gradcam"]
"""How a prediction is explained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """What to say about recordings, and where to.

    Parameters
    ----------
    segments : str
        ``SECONDS:HOP`` of windows, in s; empty for whole recordings.
    top : int | None
        Number of classes whose probabilities are written; None for all.
    coverage : float
        Share of the recordings of unheard groups whose label is in the prediction set, in (0, 1).
    out : Path | None
        Folder of the files; None writes none.
    """

    segments: str = option(
        "",
        "text",
        "Predict windows of this length and hop, in s, such as 3:1, and join them to segments.",
        "--segments",
        metavar="S:HOP",
    )
    transcribe: str = option(
        "", "text", "Write what is said, by this Whisper checkpoint.", "--transcribe", metavar="NAME"
    )
    language: str = option(
        "auto", "text", "Language of the speech, such as en.", "--language", default="auto", metavar="CODE"
    )
    top: int | None = option(
        None, "count", "Write the N most probable classes.  [default: all]", "--top", metavar="N"
    )
    coverage: float = option(
        0.9,
        "share",
        "Share of new recordings whose label the prediction set holds.",
        "--coverage",
        default="0.9",
        metavar="F",
    )
    figures: bool = option(False, "flag", "Draw the spectrogram and the probabilities.", "--figures")
    explain: Explanation | None = option(
        None, "choice", "Draw what the prediction rests on.", "--explain", choices=get_args(Explanation)
    )
    format: AnswerFormat = option(
        "json",
        "choice",
        "Form of the answers on the standard output.",
        "--format",
        default="json",
        choices=get_args(AnswerFormat),
    )
    out: Path | None = option(None, "folder", "Folder for the answers and pictures.", "--out")
    resume: bool = option(False, "flag", "Go on with what --out lacks.", "--resume")
    jobs: int = option(1, "count", "Number of processes.", "--jobs", default="1", metavar="N")
    weights: str = option(
        "", "text", "Folder of the extractor's weights.  [default: where its name says]", "--weights"
    )
    device: str = option("auto", "text", "auto, cpu, cuda or cuda:N.", "--device", default="auto")
