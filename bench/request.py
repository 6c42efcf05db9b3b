"""What a user asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PRECISIONS = ("fp32", "bf16", "auto")
RUNTIMES = ("auto", "torch", "openvino")


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asks for; an empty list of names asks for everything that fits the data.

    Parameters
    ----------
    home : Path
        The folder for corpora that are made or downloaded, and for the cache.
    allow_bad : float
        The share of a dataset's clips that may be undecodable, in [0, 1].
    command : str
        The command line, for run.json.
    task_target : str
        A label column to predict besides, as a task of its name.
    task_groups : Sequence[str]
        The columns that this task keeps apart, from strict to lenient; the recording if there are none.
    preprocess : Sequence[str]
        What `bench.preprocess` does to every clip, after what an extractor's own entry asks for.
    tune : bool
        Whether heads that declare a grid run with chosen parameters too.
    save_models : bool
        Whether fitted models are kept.
    augment : Sequence[str]
        What `bench.augment` does to copies of the training clips.
    copies : int
        Of each training clip, if they are augmented.
    permute_labels : bool
        Whether groups exchange their labels, so that what still scores above chance has leaked.
    train_sizes : Sequence[float]
        Shares of the training groups to learn from, in (0, 1].
    look_again : bool
        Whether files that seem unchanged since they were read are read again all the same.
    executor, jobs, cell_timeout : str, int, float | None
        As `executors.opened` takes them.
    device, precision, runtime : str
        As `devices.resolve` and `devices.runtime` take them.
    """

    datasets: Sequence[str]
    home: Path
    tasks: Sequence[str] = ()
    extractors: Sequence[str] = ()
    heads: Sequence[str] = ()
    split: str = ""
    seeds: Sequence[int] = (0,)
    allow_bad: float = 0.05
    command: str = ""
    task_target: str = ""
    task_groups: Sequence[str] = ()
    preprocess: Sequence[str] = ()
    augment: Sequence[str] = ()
    copies: int = 1
    device: str = "auto"
    tune: bool = False
    save_models: bool = False
    precision: str = "fp32"
    runtime: str = "auto"
    permute_labels: bool = False
    train_sizes: Sequence[float] = (1.0,)
    executor: str = "local"
    jobs: int = 1
    cell_timeout: float | None = None
    look_again: bool = False

    @property
    def augmented(self) -> str:
        """Return in words what is done to copies of the training clips; empty if there are none."""
        times = f"{self.copies} copies" if self.copies > 1 else "1 copy"
        return f"{times} of each: {', '.join(self.augment)}" if self.augment else ""
