"""Networks on a device beside the CPU: alone and in batches, twice, with little memory, and their speed.

`tests/perf/gpu.sh` installs what this script needs, and runs it. It prints a line per check, where a figure
above 1 is too large, and ends with 1 if a check fails; FOLDER/DEVICE.json holds the figures.
"""

import argparse
import json
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
import transformers

from bench import catalog
from bench.embed import pooling
from bench.embed.engine import embed
from bench.embed.extraction import Extraction
from bench.extractors import transformer
from bench.extractors.auto import extractor
from bench.extractors.whisper import Whisper
from bench.types import Audio, Clip, Spec, View

RATE = 16000
TOLERANCE = 1e-3
"""Largest difference in fp32, relative and absolute."""

WAVEFORMS = {
    "wav2vec2-group": ("Wav2Vec2", "group"),
    "wav2vec2-layer": ("Wav2Vec2", "layer"),
    "hubert-group": ("Hubert", "group"),
    "hubert-layer": ("Hubert", "layer"),
    "wavlm-group": ("WavLM", "group"),
    "wavlm-layer": ("WavLM", "layer"),
    "data2vec": ("Data2VecAudio", ""),
    "unispeech-sat": ("UniSpeechSat", "group"),
}
"""Kind -> start of the names of its classes in transformers, and the norm of its convolutions."""

SIZES = {"hidden_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 256}
N_CLIPS, N_FRAMES, N_BANDS, N_CLASSES = 48, 60, 40, 3
"""Sizes of the data for heads."""

Figures = Mapping[str, float]


def pack(folder: Path, whisper: Path) -> None:
    """Write a Whisper checkpoint with the same encoder, and the least decoder, which no extractor uses."""
    whole = transformers.WhisperModel.from_pretrained(whisper, dtype=torch.float16)
    tokens = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
    config = transformers.WhisperConfig(
        **{**whole.config.to_dict(), **tokens, "decoder_layers": 1, "vocab_size": 8}
    )
    small = transformers.WhisperModel(config).half()
    small.encoder.load_state_dict(whole.encoder.state_dict())
    small.save_pretrained(folder / "whisper")
    transformers.WhisperFeatureExtractor.from_pretrained(whisper).save_pretrained(folder / "whisper")


def write_checkpoints(folder: Path) -> Mapping[str, Callable[..., Any]]:
    """Write small seeded checkpoints of every kind; return kind -> maker of its extractor."""
    torch.manual_seed(0)
    makers: dict[str, Callable[..., Any]] = {}
    for kind, (name, norm) in WAVEFORMS.items():
        options = {"feat_extract_norm": norm, "do_stable_layer_norm": norm == "layer"} if norm else {}
        config = getattr(transformers, f"{name}Config")(**SIZES, **options, conv_dim=(64,) * 7)
        getattr(transformers, f"{name}Model")(config).save_pretrained(folder / kind)
        processor = transformers.Wav2Vec2FeatureExtractor(return_attention_mask=norm == "layer")
        processor.save_pretrained(folder / kind)
        makers[kind] = partial(extractor, str(folder / kind))
    transformers.ASTModel(transformers.ASTConfig(**SIZES)).save_pretrained(folder / "ast")
    with warnings.catch_warnings(action="ignore"):  # about empty mel filters
        transformers.ASTFeatureExtractor().save_pretrained(folder / "ast")
    sizes = {"depths": [1] * 4, "num_attention_heads": [1, 2, 2, 4], "num_hidden_layers": 4}
    audio_config = {**sizes, "hidden_size": 128, "patch_embeds_hidden_size": 16}
    config = transformers.ClapConfig(
        audio_config=audio_config, text_config={**SIZES, "vocab_size": 50}, projection_dim=24
    )
    transformers.ClapModel(config).save_pretrained(folder / "clap")
    with warnings.catch_warnings(action="ignore"):
        processor = transformers.ClapFeatureExtractor(truncation="rand_trunc", padding="repeatpad")
    processor.save_pretrained(folder / "clap")
    return {**makers, **{kind: partial(extractor, str(folder / kind)) for kind in ("ast", "clap")}}


def sounds(n_clips: int, seconds: Sequence[float]) -> list[Audio]:
    """Return seeded noise with a moving level and spectrum, as a stand-in for speech."""
    rng = np.random.default_rng(0)
    clips = []
    for number in range(n_clips):
        n_samples = int(RATE * seconds[number % len(seconds)])
        noise = np.cumsum(rng.standard_normal(n_samples)) * 0.02 + rng.standard_normal(n_samples) * 0.1
        level = 0.3 * (1.1 + np.sin(2 * np.pi * 3 * np.arange(n_samples) / RATE))
        clips.append(np.clip((noise - noise.mean()) * level, -1, 1).astype(np.float32))
    return clips


def recordings(folder: Path, n_clips: int, seconds: Sequence[float]) -> Mapping[str, Clip]:
    """Write sounds to files; return them as clips by names that stand for the digests of their content."""
    folder.mkdir(exist_ok=True)
    clips = {}
    for number, sound in enumerate(sounds(n_clips, seconds)):
        path = folder / f"{number}.wav"
        soundfile.write(path, sound, RATE)
        clips[f"{number:032x}"] = Clip(path.stem, path, 0.0, sound.size / RATE)
    return clips


def difference(frames: Any, expected: Any) -> float:
    """Return the largest difference, as a share of the tolerance: above 1 it is too large."""
    limits = TOLERANCE * (1 + np.abs(expected))
    return float(np.max(np.abs(frames - expected) / limits))


def check_extractor(make: Callable[..., Any], device: str) -> Figures:
    """Compare an extractor on a device with the CPU, with itself in other batches, and with bf16."""
    near, far = make(), make(device=device)
    clips = sounds(5, (0.4, 1.0, 1.0, 3.0, 5.0))
    together = far.embed(clips)
    expected = near.embed(clips)
    half = make(device=device, precision="bf16").embed(clips)
    norms = [(np.linalg.norm(a - b), np.linalg.norm(b)) for a, b in zip(half, expected, strict=True)]
    return {
        "cpu": max(map(difference, together, expected)),
        "alone": max(difference(far.embed([clip])[0], at) for clip, at in zip(clips, together, strict=True)),
        "twice": 0.0 if all(map(np.array_equal, far.embed(clips), together)) else 2.0,
        "bf16": max(part / whole for part, whole in norms) / 0.05,
    }


def data(unit: str) -> tuple[Any, np.ndarray]:
    """Return seeded samples of three classes for a head of some unit, and their labels."""
    rng = np.random.default_rng(0)
    y = np.arange(N_CLIPS) % N_CLASSES
    shape = {"layers": (4, N_BANDS), "sequence": (N_FRAMES, N_BANDS)}.get(unit, (N_BANDS,))
    means = rng.standard_normal((N_CLASSES, N_BANDS))
    X = (
        rng.standard_normal((N_CLIPS, *shape)) + means[y].reshape(N_CLIPS, *[1] * (len(shape) - 1), -1)
    ).astype(np.float32)
    return (
        [clip[: N_FRAMES - 7 * (n % 5)] for n, clip in enumerate(X)] if unit == "sequence" else X,
        np.array(list("abc"))[y],
    )


def check_head(spec: Spec, device: str) -> Figures:
    """Fit a head on the CPU and predict on a device; fit it twice there."""
    X, y = data(spec.unit)

    def fit(where: str) -> Any:
        return catalog.build(spec, 0, where).set_params(epochs=3).fit(X, y)

    near, far, again = fit("cpu"), fit(device), fit(device)
    moved = catalog.build(spec, 0, device)
    moved.restore(near.tensors(), near.classes_, near.sizes_)
    return {
        "cpu": difference(moved.predict_proba(X), near.predict_proba(X)),
        "twice": 0.0 if np.array_equal(far.predict_proba(X), again.predict_proba(X)) else 2.0,
        "finite": 0.0 if np.isfinite(far.predict_proba(X)).all() else 2.0,
    }


@contextmanager
def little_memory(device: str, n_bytes: int) -> Iterator[None]:
    """Give torch some memory more than it holds on a GPU; on the CPU, refuse batches of more than 2 clips."""
    if torch.device(device).type == "cuda":
        torch.cuda.empty_cache()
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + n_bytes) / total)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        return
    forward = transformer.HiddenStates.forward

    def refuse(self: Any, values: Any, mask: Any = None) -> Any:
        if len(values) > 2:
            raise torch.OutOfMemoryError("simulated")
        return forward(self, values, mask)

    transformer.HiddenStates.forward = refuse
    try:
        yield
    finally:
        transformer.HiddenStates.forward = forward


def check_memory(make: Callable[..., Any], device: str, folder: Path) -> Figures:
    """Embed a batch that does not fit into the memory."""
    far = make(device=device)
    far.batch_seconds = 240.0
    clips = sounds(16, (10.0,))
    spec = Spec("extractor", "little", "none:none", weights=str(folder))
    on_gpu = torch.device(device).type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    expected = Extraction(spec, far).run(clips)[0]
    peak = torch.cuda.max_memory_allocated() - torch.cuda.memory_allocated() if on_gpu else 0
    extraction = Extraction(spec, far)
    before = extraction.max_samples
    with little_memory(device, peak // 3):
        frames = extraction.run(clips)[0]
    return {
        "frames": max(map(difference, frames, expected)),
        "halved": 0.0 if extraction.max_samples < before else 2.0,
    }


def check_speed(folder: Path, device: str) -> Figures:
    """Return the speed of the engine, and its ratio to bare loops over clips and over batches."""
    on_gpu = torch.device(device).type == "cuda"
    torch.manual_seed(0)
    config = transformers.Wav2Vec2Config() if on_gpu else transformers.Wav2Vec2Config(**SIZES)
    model = transformers.Wav2Vec2Model(config).eval()
    model.save_pretrained(folder)
    processor = transformers.Wav2Vec2FeatureExtractor(return_attention_mask=False)
    processor.save_pretrained(folder)
    n_clips = 480 if on_gpu else 8
    clips = recordings(folder / "speed", n_clips, (5.0,))
    paths = [clip.path for clip in clips.values()]
    model.to(device)

    def loop(size: int) -> None:
        for start in range(0, n_clips, size):
            y = [soundfile.read(path, dtype="float32")[0] for path in paths[start : start + size]]
            values = processor(y, sampling_rate=RATE, return_tensors="pt").input_values.to(device)
            with torch.inference_mode():
                states = model(values, output_hidden_states=True).hidden_states
                [state.mean(dim=1).cpu().numpy() for state in states]

    def engine(precision: str) -> None:
        spec = Spec("extractor", "base", "none:none", weights=str(folder))
        list(embed(clips, spec, extractors[precision]))

    extractors = {name: extractor(str(folder), name, device) for name in ("fp32", "bf16")}
    sides = {"loop": partial(loop, 1), "batches": partial(loop, 48)}
    sides |= {precision: partial(engine, precision) for precision in extractors}
    seconds = {name: fastest(side) for name, side in sides.items()}
    return {
        **{f"{name} (s of audio per s)": n_clips * 5.0 / taken for name, taken in seconds.items()},
        "fp32 / loop": seconds["loop"] / seconds["fp32"],
        "fp32 / batches": seconds["batches"] / seconds["fp32"],
        "bf16 / loop": seconds["loop"] / seconds["bf16"],
    }


def fastest(side: Callable[[], object], rounds: int = 2) -> float:
    """Return the time of the fastest of some rounds, after one to warm up, in s."""
    side()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        side()
        times.append(time.perf_counter() - start)
    return min(times)


def check_layers(make: Callable[..., Any], device: str, folder: Path) -> Figures:
    """Compare the pooled layers of clips in files with those on the CPU, through the engine."""
    spec = Spec("extractor", "whole", "none:none", weights=str(folder))
    clips = recordings(folder / "layers", 6, (0.5, 2.0, 7.0))

    def vectors(where: str) -> Any:
        batches = list(embed(clips, spec, make(device=where), check_invariance=True))
        statistics = {content: e.statistics for batch in batches for content, e in batch.embeddings.items()}
        return pooling.every_layer([statistics[content] for content in clips], View(pool="mean+std"))

    return {"cpu": difference(vectors(device), vectors("cpu"))}


def checks(folder: Path, device: str, work: Path) -> Iterator[tuple[str, Callable[[], Figures]]]:
    """Yield the name of every check, and the check."""
    makers = dict(write_checkpoints(work))
    if (folder / "whisper").is_dir():
        for short in (False, True):
            makers["whisper-short" if short else "whisper"] = partial(
                Whisper, str(folder / "whisper"), short=short
            )
    for kind, make in makers.items():
        yield f"extractor {kind}", partial(check_extractor, make, device)
    yield "layers", partial(check_layers, makers.get("whisper-short", makers["wavlm-layer"]), device, work)
    yield "memory", partial(check_memory, makers["wav2vec2-group"], device, work)
    for name, spec in catalog.load().heads.items():
        if spec.factory == "bench.heads.network:Network":
            yield f"head {name}", partial(check_head, spec, device)
    yield "speed", partial(check_speed, work / "base", device)


def run(folder: Path, device: str) -> int:
    """Run every check, print and store its figures, and return the exit code."""
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    on_gpu = torch.device(device).type == "cuda"
    if on_gpu and not torch.cuda.is_available():
        print(f"torch {torch.__version__} sees no GPU; expected torch for CUDA and an NVIDIA GPU")
        return 2
    card = torch.cuda.get_device_name(device) if on_gpu else "CPU"
    print(f"{card}, torch {torch.__version__}, transformers {transformers.__version__}", flush=True)
    report: dict[str, Any] = {"card": card, "torch": torch.__version__, "checks": {}}
    failures = []
    with tempfile.TemporaryDirectory() as work:
        for name, check in checks(folder, device, Path(work)):
            start = time.perf_counter()
            try:
                figures = {figure: float(value) for figure, value in check().items()}
            except Exception as error:
                traceback.print_exc()
                figures = {f"{type(error).__name__}: {error}"[:200]: float("inf")}
            limit = sys.float_info.max if name == "speed" else 1
            if not all(value <= limit for value in figures.values()):
                failures.append(name)
            seconds = round(time.perf_counter() - start, 1)
            report["checks"][name] = {**figures, "seconds": seconds}
            texts = [f"{figure} {value:.3g}" for figure, value in figures.items()]
            print(
                f"{'FAIL' if name in failures else 'ok  '} {name}: {', '.join(texts)} ({seconds} s)",
                flush=True,
            )
            text = json.dumps(report, indent=2) + "\n"
            (folder / f"{torch.device(device).type}.json").write_text(text, encoding="utf-8")
    print(f"{len(report['checks'])} checks, {len(failures)} failed {failures}")
    return 1 if failures else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    packing, running = verbs.add_parser("pack"), verbs.add_parser("run")
    for verb in (packing, running):
        verb.add_argument("folder", type=Path)
    packing.add_argument("whisper", type=Path)
    running.add_argument("device", nargs="?", default="cuda")
    words = parser.parse_args()
    return pack(words.folder, words.whisper) or 0 if words.verb == "pack" else run(words.folder, words.device)


if __name__ == "__main__":
    sys.exit(main())
