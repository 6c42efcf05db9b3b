"""The extractor of any supported transformers checkpoint, chosen by the type of its model."""

from typing import Any

from transformers import AutoConfig

from bench.extractors.checkpoint import LOCAL, load_error
from bench.extractors.spectrogram import Ast, Clap
from bench.extractors.transformer import Transformer
from bench.extractors.whisper import Whisper
from bench.types import Extractor

EXTRACTORS: dict[str, Any] = {"whisper": Whisper, "audio-spectrogram-transformer": Ast, "clap": Clap}
"""Model type in config.json -> extractor; all other types get `Transformer`."""


def extractor(
    checkpoint: str, precision: str = "fp32", device: str = "cpu", runtime: str = "torch"
) -> Extractor:
    """Return the extractor of a checkpoint.

    Raises
    ------
    PluginError
        If the checkpoint cannot be loaded, or no extractor here supports its model.
    """
    try:
        config = AutoConfig.from_pretrained(checkpoint, **LOCAL)
    except (OSError, ValueError) as error:
        raise load_error(checkpoint, error) from error
    extractor_class = EXTRACTORS.get(config.model_type, Transformer)
    instance: Extractor = extractor_class(checkpoint, precision=precision, device=device, runtime=runtime)
    return instance
