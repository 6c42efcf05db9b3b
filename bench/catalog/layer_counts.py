"""Number of layers of an extractor, from its checkpoint's configuration or its class: no network is built."""

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bench.catalog import attributes, checkpoints
from bench.catalog.build import build
from bench.errors import BenchError, PluginError, UnavailableError
from bench.types import Spec

BUILT_IN = "bench.extractors."
"""Start of the factories of loaders here: the number of layers follows from the checkpoint."""

ONE_LAYER = ("bench.extractors.spectrogram:Clap", "bench.extractors.classifier:Classifier")
"""Factories of networks that return their output alone."""

ONE_LAYER_TYPES = ("clap",)
"""The same by the type of their model, for checkpoints without an entry."""

FAIRSEQ_LAYERS = 12
"""Number of layers of a fairseq checkpoint that does not say it: that of the base models."""

LEGACY_PICKLES = 4
"""Number of pickles at the start of a file that torch before 1.6 wrote; the last one holds the content."""


def n_layers(spec: Spec) -> int:
    """Return the number of layers of an extractor, 1 if it has none or cannot be built.

    A plugin is built unless its class has a number as `n_layers`.
    """
    number: object = None
    if spec.factory.startswith(BUILT_IN):
        checkpoint = spec.params.get("checkpoint")
        if checkpoint is None or spec.factory in ONE_LAYER:
            return 1
        number = of_checkpoint(Path(str(checkpoint)))
    elif attribute := attributes.of_class(spec).get("n_layers"):
        number = attribute.value
    if isinstance(number, int):
        return number
    try:
        return getattr(build(spec), "n_layers", None) or 1
    except (PluginError, UnavailableError):  # its cells say why
        return 1


def of_checkpoint(path: Path) -> int | None:
    """Return the number of layers, with the input of the first one, of a folder or of a file of fairseq.

    None where its configuration does not say it.
    """
    if path.is_file():
        return _of_fairseq(path)
    try:
        config = checkpoints.configuration(path)
    except (BenchError, OSError):
        return None
    return 1 if config.model_type in ONE_LAYER_TYPES else config.n_layers


class _Inert:
    """A stand-in for whatever a pickle names: it keeps its state, and does nothing."""

    state: Any = None

    def __init__(self, *values: object) -> None: ...

    def __setstate__(self, state: object) -> None:
        self.state = state

    def __setitem__(self, key: object, value: object) -> None: ...

    def append(self, value: object) -> None: ...


class _Reader(pickle.Unpickler):  # every class that the pickle names is a stand-in
    """Reads numbers, texts, lists and tables; tensors and objects become stand-ins."""

    def find_class(self, module: str, name: str) -> Any:
        is_table = (module, name) == ("collections", "OrderedDict")
        return OrderedDict if is_table else type("Inert", (_Inert,), {})

    def persistent_load(self, pid: object) -> None:
        """Return None for the values of a tensor."""


def _of_fairseq(path: Path) -> int | None:
    """Return the number of layers in the settings `args` or `cfg` of a checkpoint of fairseq."""
    try:
        content = _content(path)
        cfg = content.get("cfg")
        model = content["args"] if cfg is None else cfg["model"]
        fields: Mapping[str, Any] = model.state if isinstance(model, _Inert) else model
        depth = fields.get("encoder_layers", FAIRSEQ_LAYERS)
        number: int = msgspec.convert(depth, Annotated[int, Meta(ge=1, le=1_000)]) + 1
    except Exception:  # a damaged pickle raises anything
        return None
    return number


def is_bare(path: Path) -> bool:
    """Return whether a file of `torch.save` holds tensors by their names, and no settings of fairseq."""
    try:
        content = _content(path)
    except Exception:  # a damaged pickle raises anything
        return False
    return isinstance(content, Mapping) and not {"args", "cfg"} & content.keys()


def _content(path: Path) -> Any:
    """Return the content of a file of `torch.save`, without its tensors."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            if archive.getinfo(name).file_size > path.stat().st_size:
                raise ValueError("unpacks to more than its size")
            with archive.open(name) as file:
                return _Reader(file).load()
    with path.open("rb") as file:
        return [_Reader(file).load() for _ in range(LEGACY_PICKLES)][-1]
