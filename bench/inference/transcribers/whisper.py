"""Whisper by transformers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration, WhisperTokenizer
from transformers.modeling_outputs import BaseModelOutput

from bench.catalog import checkpoints
from bench.catalog.pretrained import load, load_network, quiet
from bench.catalog.weights import TEXT
from bench.errors import UsageError
from bench.inference.answers import Phrase
from bench.inference.transcribers.base import RATE, Decoding
from bench.types import Audio, Frames

TIMESTAMP_SECONDS = 0.02
"""Step of Whisper's timestamps, in s."""


class Whisper:
    """A checkpoint of Whisper in the format of `save_pretrained`, in fp32, greedy.

    Its text is that of `WhisperForConditionalGeneration.generate` with the language and the task
    ``transcribe``. One pass of the encoder serves the language, the probability of no speech and the text.

    Parameters
    ----------
    name : str
        Name in answers.
    folder : Path
        Where the checkpoint is.
    device : str
        A device of torch.
    digest : str
        SHA-256 of the weights.

    Raises
    ------
    UsageError
        If the folder lacks what a transcription needs.

    References
    ----------
    Radford et al., "Robust speech recognition via large-scale weak supervision", ICML 2023.
    """

    def __init__(self, name: str, folder: Path, device: str, digest: str) -> None:
        self.name = name
        self.digest = digest
        self._device = device
        self._model = _model(folder).to(device)
        self._features = load(WhisperFeatureExtractor, folder)
        self._tokenizer = load(WhisperTokenizer, folder)
        config = self._model.generation_config
        ids = getattr(config, "lang_to_id", None) or {}
        self._languages = {number: token.strip("<|>") for token, number in ids.items()}
        self._is_multilingual = bool(ids) and bool(getattr(config, "is_multilingual", True))
        self.languages = tuple(self._languages.values()) if self._is_multilingual else ("en",)
        self._no_timestamps = int(config.no_timestamps_token_id)

    def decode(
        self, audio: Audio, language: str | None, timestamps: bool, states: Frames | None = None
    ) -> Decoding:
        """Return the text of at most 30 s; see `base.Decoder`."""
        with torch.inference_mode(), quiet():
            hidden = self._encode(audio) if states is None else torch.from_numpy(states)[None]
            encoder_outputs = BaseModelOutput(last_hidden_state=hidden.to(self._device))
            no_speech, detection = self._first_token(encoder_outputs)
            language = language or detection
            options = {"language": language, "task": "transcribe"} if self._is_multilingual else {}
            output = self._model.generate(
                encoder_outputs=encoder_outputs,
                return_timestamps=timestamps,
                force_unique_generate_call=True,
                return_dict_in_generate=True,
                output_scores=True,
                do_sample=False,
                num_beams=1,
                **options,
            )
            scores = self._model.compute_transition_scores(
                output.sequences, output.scores, normalize_logits=True
            )
        tokens, n_samples = self._whole(output.sequences[0, -len(output.scores) :].tolist(), audio.size)
        return Decoding(
            phrases=tuple(self._phrases(tokens, audio.size / RATE)),
            n_samples=n_samples,
            language=language,
            no_speech=no_speech,
            log_probability=float(scores[0].double().mean()),
        )

    def _encode(self, audio: Audio) -> torch.Tensor:
        """Return the last hidden states of a clip padded to 30 s, shape=(1, n_frames, dim)."""
        features: Any = self._features(audio, sampling_rate=RATE, return_tensors="pt")
        hidden: torch.Tensor = self._model.model.encoder(
            features["input_features"].to(self._device)
        ).last_hidden_state
        return hidden

    def _first_token(self, encoder_outputs: Any) -> tuple[float, str]:
        """Return the probability that nobody speaks, and the most probable language.

        Both are read behind the token that starts a transcript, as in the paper.
        """
        start = torch.tensor([[self._model.generation_config.decoder_start_token_id]], device=self._device)
        output = self._model(encoder_outputs=encoder_outputs, decoder_input_ids=start, use_cache=False)
        probabilities = output.logits[0, -1].float().softmax(dim=-1)
        no_speech = float(probabilities[self._no_timestamps - 1])
        if not self._is_multilingual:
            return no_speech, "en"
        return no_speech, self._languages[
            max(self._languages, key=lambda number: float(probabilities[number]))
        ]

    def _whole(self, tokens: Sequence[int], n_samples: int) -> tuple[Sequence[int], int]:
        """Return the tokens of whole phrases, and the number of samples up to the end of the last one.

        Two timestamps in a row are the end of a phrase and the start of another one. Unless a single one ends
        the text, what follows the last two is not whole: it is decoded again, with what follows this chunk.
        """
        first = self._no_timestamps + 1
        is_time = [token >= first for token in tokens if token != self._model.generation_config.eos_token_id]
        pairs = [row for row in range(1, len(is_time)) if is_time[row - 1] and is_time[row]]
        if not pairs or is_time[-2:] == [False, True]:
            return tokens, n_samples
        end = round((tokens[pairs[-1] - 1] - first) * TIMESTAMP_SECONDS * RATE)
        if end < RATE:  # else chunks would start at nearly the same sample again and again
            return tokens, n_samples
        return tokens[: pairs[-1]], min(end, n_samples)

    def _phrases(self, tokens: Sequence[int], seconds: float) -> Iterator[Phrase]:
        """Yield the phrases between timestamps; without timestamps, one of the whole chunk."""
        first = self._no_timestamps + 1
        start = 0.0
        words: list[int] = []
        for token in tokens:
            if token < first:
                words.append(token)
                continue
            time = min((token - first) * TIMESTAMP_SECONDS, seconds)
            yield from self._phrase(words, start, time)
            start, words = time, []
        yield from self._phrase(words, start, seconds)

    def _phrase(self, words: Sequence[int], start: float, end: float) -> Iterator[Phrase]:
        """Yield the phrase of some tokens, unless they are no text."""
        text = self._tokenizer.decode(words, skip_special_tokens=True)
        if text.strip():
            yield Phrase(start=start, end=max(start, end), text=text)


def _model(folder: Path) -> Any:
    """Return the network of a checkpoint in fp32, of tensors alone."""
    if not all((folder / name).is_file() for name in TEXT):
        raise UsageError(
            f"{folder}: cannot write text; expected {' and '.join(TEXT)} beside the weights, as bench fetch "
            "gets them, and save_pretrained of the model and the tokenizer writes them"
        )
    model_type = checkpoints.configuration(folder).model_type
    if model_type != "whisper":
        raise UsageError(f"{folder}: the model type is {model_type}; expected whisper")
    model = load_network(WhisperForConditionalGeneration, folder, "a checkpoint with its decoder")
    if not hasattr(model.generation_config, "no_timestamps_token_id"):
        raise UsageError(
            f"{folder}/generation_config.json: lacks no_timestamps_token_id; expected that of Whisper"
        )
    return model
