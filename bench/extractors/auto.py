"""Any checkpoint that one of the transformers here can take."""

from typing import Any

from transformers import AutoConfig

from bench.errors import PluginError
from bench.extractors.spectrogram import Ast, Clap
from bench.extractors.transformer import Transformer
from bench.extractors.whisper import Whisper
from bench.types import Extractor

KINDS = {"whisper": Whisper, "audio-spectrogram-transformer": Ast, "clap": Clap}
"""By the type of their models; `Transformer` for all others."""


def extractor(
    checkpoint: str, precision: str = "fp32", device: str = "cpu", runtime: str = "torch"
) -> Extractor:
    """Return the extractor of a checkpoint.

    Raises
    ------
    PluginError
        If the checkpoint cannot be loaded, or is none of these and no encoder of waveforms.
    """
    try:
        config = AutoConfig.from_pretrained(checkpoint, local_files_only=True)
    except (OSError, ValueError) as error:
        raise PluginError(f"{checkpoint}: cannot be loaded ({' '.join(str(error).split())[:300]})") from error
    made: Any = KINDS.get(config.model_type, Transformer)
    found: Extractor = made(checkpoint, precision=precision, device=device, runtime=runtime)
    return found
