"""The fields of a run, each with the flags of `bench run`, the key of a suite and its help."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bench.request.option import option

PRECISIONS = ("fp32", "bf16", "auto")
NEAR_COPIES = ("auto", "on", "off")
RUNTIMES = ("auto", "torch", "openvino")

LARGEST_SEED = 2**32 - 1
"""Largest seed that numpy's generators take."""

N_PERMUTATIONS = 20
"""Number of permutations of the labels where an option asks for them without a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the user asks for; an empty list of names asks for everything that fits the data.

    Parameters
    ----------
    datasets : tuple[str, ...]
        Names, folders or tables.
    home : Path
        Folder for corpora that are made or downloaded, and for the cache.
    command : str
        Command line, for the record.
    task_target : str
        Label column to predict besides, as a task of its name.
    task_groups : tuple[str, ...]
        Columns that this task keeps apart, from strict to lenient; by default speaker, session, recording.
    train_sizes : tuple[float, ...]
        Shares of the training groups to learn from, in (0, 1].
    audio : tuple[str, ...]
        Folder of the audio, or ``NAME=FOLDER`` of each; by default that of the table or the download.
    allow_bad : float
        Maximum share of undecodable clips of a dataset, in [0, 1].
    reread : bool
        Read files again that have not changed since they were indexed.
    """

    datasets: tuple[str, ...] = option(
        ("demo",),
        "list",
        "Names, folders, CSV, Parquet or JSON Lines files.",
        "--datasets",
        suite="datasets.names",
        default="demo",
    )
    audio: tuple[str, ...] = option(
        (),
        "list",
        "Folder that relative paths of a table start from, or of your copy of a data set's files; or"
        " NAME=FOLDER of each.",
        "--audio",
        suite="datasets.audio",
        metavar="FOLDER",
    )
    allow_bad: float = option(
        0.05,
        "percent",
        "Maximum share of undecodable clips.",
        "--allow-bad",
        suite="datasets.allow-bad",
        metavar="N%",
        default="5%",
    )
    tasks: tuple[str, ...] = option(
        (), "list", "Names of tasks.  [default: those that fit the data]", "--tasks", suite="tasks.names"
    )
    task_target: str = option(
        "",
        "text",
        "Predict this label column.",
        "--task-target",
        "--label-column",
        suite="tasks.target",
        metavar="COLUMN",
    )
    task_groups: tuple[str, ...] = option(
        (),
        "list",
        "Columns that --task-target keeps apart, from strict to lenient."
        "  [default: speaker,session,recording]",
        "--task-group",
        "--group-column",
        suite="tasks.groups",
    )
    parent_pattern: str = option(
        "",
        "text",
        "Regular expression for files' names; its first or named group is the recording of a piece.",
        "--parent-pattern",
        suite="datasets.parent-pattern",
        metavar="REGEX",
    )
    near_copies: str = option(
        "auto",
        "choice",
        "Keep a clip and its copies by a codec, a gain or a cut in one group; auto: in small data sets.",
        "--near-copies",
        suite="datasets.near-copies",
        default="auto",
        choices=NEAR_COPIES,
    )
    split: str = option(
        "",
        "text",
        "fixed, cv:K, loso, holdout:F, FILE.csv, or random, which leaks.  [default: fixed, else cv:5]",
        "--split",
        suite="tasks.split",
    )
    permute_labels: int | bool = option(
        False,
        "draws",
        f"Fit and test on N permutations of the labels too, between and within groups: shows leaks and luck."
        f"  [{N_PERMUTATIONS} without a number]",
        "--permute-labels",
        suite="tasks.permute-labels",
        metavar="[N]",
        maximum=10_000,
    )
    repeats: int = option(
        1,
        "count",
        "Cross-validations, each by other folds of the groups: shows the luck of the training set.",
        "--repeats",
        suite="tasks.repeats",
        metavar="N",
        default="1",
        maximum=100,
    )
    train_sizes: tuple[float, ...] = option(
        (1.0,),
        "shares",
        "Shares of the training groups to learn from, such as 0.1,0.3,1.",
        "--train-sizes",
        suite="tasks.train-sizes",
        metavar="F,F",
        default="1",
    )
    extractors: tuple[str, ...] = option(
        (),
        "list",
        "NAME, hf:ID_OR_FOLDER, whisper-short:ID_OR_FOLDER, fairseq:FILE, hear:MODULE; "
        "with @layer=N|last|mean|all|best@pool={poolings}."
        "  [default: those that can run here]",
        "--extractors",
        suite="extractors.names",
    )
    preprocess: tuple[str, ...] = option(
        (),
        "list",
        "Steps for every clip: trim=DB, peak=DB, rms=DB, preemphasis=C, resample=QUALITY.",
        "--preprocess",
        suite="extractors.preprocess",
    )
    augment: tuple[str, ...] = option(
        (),
        "list",
        "Changes of copies of the training clips: stretch=LOW:HIGH, pitch=LOW:HIGH, noise=LOW:HIGH.",
        "--augment",
        suite="extractors.augment",
    )
    copies: int = option(
        1,
        "count",
        "Copies of every training clip, with --augment; at most 100.",
        "--copies",
        suite="extractors.copies",
        metavar="N",
        default="1",
        maximum=100,
    )
    normalise: str = option(
        "",
        "text",
        "Z-score the features per value of this label column, over all its clips and without labels.",
        "--normalise",
        suite="extractors.normalise",
        metavar="COLUMN",
    )
    device: str = option(
        "auto",
        "text",
        "Device of networks: auto, cpu or cuda.",
        "--device",
        suite="extractors.device",
        default="auto",
    )
    precision: str = option(
        "fp32",
        "choice",
        "Precision of networks; auto is bf16 where the device supports it.",
        "--precision",
        suite="extractors.precision",
        default="fp32",
        choices=PRECISIONS,
    )
    runtime: str = option(
        "auto",
        "choice",
        "Library that runs networks; auto is OpenVINO on a CPU where it is installed.",
        "--runtime",
        suite="extractors.runtime",
        default="auto",
        choices=RUNTIMES,
    )
    heads: tuple[str, ...] = option(
        (),
        "list",
        "Classifiers, also REDUCER+HEAD; dummy is always added.  [default: those offered]",
        "--heads",
        suite="heads.names",
    )
    tune: bool = option(
        False,
        "flag",
        "Also run heads that have a grid with parameters chosen in inner folds.",
        "--tune",
        suite="heads.tune",
    )
    select: bool = option(
        False,
        "flag",
        "Add the row that is chosen in inner folds of the training side: the honest score of the best row.",
        "--select",
        suite="heads.select",
    )
    seeds: tuple[int, ...] = option(
        (0,),
        "seeds",
        "Seeds of the heads, not of the splits.",
        "--seeds",
        suite="heads.seeds",
        metavar="0,1",
        default="0",
    )
    save_models: bool = option(
        False, "flag", "Save the fitted models in OUT/models.", "--save-models", suite="heads.save-models"
    )
    jobs: int = option(
        1,
        "count",
        "Number of worker processes.",
        "--jobs",
        suite="run.jobs",
        metavar="N",
        default="1",
        recorded=False,
    )
    executor: str = option(
        "local",
        "text",
        "local, dask (a cluster of --jobs workers here) or dask://HOST:PORT.",
        "--executor",
        suite="run.executor",
        metavar="NAME",
        default="local",
        recorded=False,
    )
    cell_timeout: float | None = option(
        None,
        "seconds",
        "Maximum time of a cell, or of a batch of clips beside its shard's 30 s, in s.",
        "--cell-timeout",
        suite="run.cell-timeout",
        metavar="S",
        recorded=False,
    )
    home: Path = field(default=Path(), metadata={"recorded": False})
    command: str = field(default="", metadata={"recorded": False})
    reread: bool = field(default=False, metadata={"recorded": False})

    @property
    def n_permutations(self) -> int:
        """Return the number of permutations of the labels; True stands for the default."""
        return N_PERMUTATIONS if self.permute_labels is True else int(self.permute_labels)


@dataclass(frozen=True, slots=True)
class Output:
    """Where the results of a run go, and what its exit code says."""

    out: Path = option(
        Path("bench-out"), "folder", "Folder of the results.", "--out", suite="run.out", default="bench-out"
    )
    strict: bool = option(
        False,
        "flag",
        "Exit with 1 if a cell is skipped, or if a split keeps weaker groups apart than the data name.",
        "--strict",
        suite="run.strict",
    )
    track: tuple[str, ...] = option(
        (),
        "list",
        "Send results to mlflow, tensorboard or wandb too; with :URI, :FOLDER, :PROJECT.",
        "--track",
        suite="run.track",
    )
