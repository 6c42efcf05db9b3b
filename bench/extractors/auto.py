"""Any checkpoint that one of the transformers here can take."""

from transformers import AutoConfig

from bench.errors import PluginError
from bench.extractors.transformer import Transformer
from bench.extractors.whisper import Whisper


def extractor(
    checkpoint: str, precision: str = "fp32", device: str = "cpu", runtime: str = "torch"
) -> Transformer | Whisper:
    """Return the extractor of a checkpoint: `Whisper` if it is one, else `Transformer`.

    Raises
    ------
    PluginError
        If the checkpoint cannot be loaded, or is no encoder of waveforms.
    """
    try:
        config = AutoConfig.from_pretrained(checkpoint, local_files_only=True)
    except (OSError, ValueError) as error:
        raise PluginError(f"{checkpoint}: cannot be loaded ({' '.join(str(error).split())[:300]})") from error
    made = Whisper if config.model_type == "whisper" else Transformer
    return made(checkpoint, precision=precision, device=device, runtime=runtime)
