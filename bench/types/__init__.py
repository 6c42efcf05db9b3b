"""The nouns of the project as frozen values, and the protocols of plugins.

Conventions: time is in s, sample rates in Hz. One word per concept: clip, dataset, extractor, frames,
embedding, head, task, split, fold, cell, result.
"""

from bench.costs import Cost, Usage
from bench.types.arrays import Audio, Embeddings, Frames, Labels, Samples, Statistics
from bench.types.components import (
    BASELINE,
    LAYERS,
    UNPOOLED,
    Checkpoint,
    Kind,
    Layer,
    Spec,
    Unit,
    View,
)
from bench.types.data import AUDIO_COLUMNS, Card, Clip, Dataset, Noise, Planned, Split, Task
from bench.types.protocols import Extractor, Head, Traits
from bench.types.results import (
    SCHEMA,
    SCORE_PREFIX,
    VOTES_PREFIX,
    Augmentation,
    Cell,
    Change,
    Level,
    Result,
    Score,
    SplitId,
    Status,
    Step,
    System,
    TaskId,
)

__all__ = [
    "AUDIO_COLUMNS",
    "BASELINE",
    "LAYERS",
    "SCHEMA",
    "SCORE_PREFIX",
    "UNPOOLED",
    "VOTES_PREFIX",
    "Audio",
    "Augmentation",
    "Card",
    "Cell",
    "Change",
    "Checkpoint",
    "Clip",
    "Cost",
    "Dataset",
    "Embeddings",
    "Extractor",
    "Frames",
    "Head",
    "Kind",
    "Labels",
    "Layer",
    "Level",
    "Noise",
    "Planned",
    "Result",
    "Samples",
    "Score",
    "Spec",
    "Split",
    "SplitId",
    "Statistics",
    "Status",
    "Step",
    "System",
    "Task",
    "TaskId",
    "Traits",
    "Unit",
    "Usage",
    "View",
]
