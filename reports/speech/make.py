"""Make this leaderboard again, from real audio and trained weights that are not part of the project.

    python reports/speech/make.py AUDIO WEIGHTS OUT

AUDIO holds LibriSpeech/ (train-clean-100 and test-other), fsdd/ (spoken digits) and noise/ (with noise.csv,
whose columns are path and kind). WEIGHTS holds whisper-tiny.en/, ge2e/model.safetensors and
speech-embedding/. Tables, plugins and results go to the folder OUT; run the command again to continue. It
takes about an hour.
"""

import argparse
import os
import re
from pathlib import Path

import pandas as pd

from bench import cli

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "add-extractor.md"
EXTRACTORS = "mfcc,logmel,egemaps,ge2e,speech-embedding,whisper-tiny.en@layer=all"
HEADS = "svm,logreg,lda,knn,gbdt,mlp,gmm-clip"
N_TAKES = 5
"""Recordings of every digit by every speaker: 300 of the 3,000."""

ALL = ["--extractors", EXTRACTORS, "--heads", HEADS]
FRAMES = ["--extractors", EXTRACTORS, "--heads", "gmm,attention-pool"]
"""Heads that see frames take minutes on longer clips."""

RUNS = [
    ("digits", ["digits.csv", "--tasks", "phrase", *ALL]),
    ("digits", ["digits.csv", "--tasks", "phrase", *FRAMES]),
    ("voices", ["digits.csv", "--task-target", "speaker", "--task-group", "phrase", *ALL]),
    ("speaker", ["test-other", "--tasks", "speaker", *ALL]),
    ("gender", ["train-clean-100", "--tasks", "gender", *ALL]),
    ("sounds", ["sounds.csv", "--tasks", "noise-or-voice", *ALL]),
    ("noisy", ["noisy.toml", "--tasks", "noise", *ALL]),
]
"""Folder and options of every run."""

REGISTRY = """\
[ge2e]
about = "Speaker encoder of Resemblyzer, a vector per 1.6 s."
factory = "ge2e:Ge2e"
pool = "mean"
requires = ["torch", "librosa"]

[speech-embedding]
about = "Google's speech embedding, a vector per 0.76 s."
factory = "speech_embedding:SpeechEmbedding"
requires = ["openvino"]

["whisper-tiny.en"]
about = "Encoder of Whisper tiny.en; clips are padded with silence to 30 s, as in its training."
factory = "bench.extractors.whisper:Whisper"
params = {{ short = false, runtime = "auto" }}
weights = "{weights}/whisper-tiny.en"
requires = ["torch", "transformers"]
"""

NOISY = """\
kind = "mixture"
version = "1"
about = "LibriSpeech under nonspeech sounds"

[params]
speech = "train-clean-100"
noise = "noise/noise.csv"
noise_label = "kind"
snrs_db = [0, 10, 20]
segment = { seconds = 3.0 }
"""


def main() -> None:
    """Run every task, and publish the reports beside this file."""
    parser = argparse.ArgumentParser(description="Make this leaderboard again.")
    parser.add_argument("audio", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    audio, weights, out = options.audio.resolve(), options.weights.resolve(), options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    link(audio, weights, out)
    write_tables(out)
    write_plugins(weights, out)
    os.chdir(out)
    for folder, call in RUNS:
        cli.main(["run", "--datasets", *call, "--plain", "--out", folder], standalone_mode=False)
    folders = dict.fromkeys(folder for folder, _ in RUNS)
    cli.main(["report", *folders, "--publish", str(HERE)], standalone_mode=False)


def link(audio: Path, weights: Path, out: Path) -> None:
    """Link the audio and the weights into the working folder."""
    targets = {
        "train-clean-100": audio / "LibriSpeech" / "train-clean-100",
        "test-other": audio / "LibriSpeech" / "test-other",
        "SPEAKERS.TXT": audio / "LibriSpeech" / "SPEAKERS.TXT",
        "fsdd": audio / "fsdd",
        "noise": audio / "noise",
        "ge2e.safetensors": weights / "ge2e" / "model.safetensors",
        "speech-embedding": weights / "speech-embedding",
    }
    for name, target in targets.items():
        if not (out / name).exists():
            (out / name).symlink_to(target)


def write_tables(out: Path) -> None:
    """Write the tables of spoken digits, and of noises beside voices."""
    names = [path.stem.split("_") for path in sorted((out / "fsdd").glob("*.wav"))]
    digits = pd.DataFrame(names, columns=["phrase", "speaker", "take"])
    digits = digits[digits["take"].astype(int) < N_TAKES]
    digits.insert(0, "path", "fsdd/" + digits.agg("_".join, axis=1) + ".wav")
    digits.drop(columns="take").to_csv(out / "digits.csv", index=False)
    noises = sorted((out / "noise").glob("*.wav"))
    voices = sorted((out / "test-other").rglob("*.flac"))
    rows = [(path, "noise", path.stem) for path in noises]
    rows += [(path, "voice", path.stem.split("-")[0]) for path in voices]
    sounds = pd.DataFrame(rows, columns=["path", "noise_or_voice", "source"])
    sounds["path"] = [path.relative_to(out) for path in sounds["path"]]
    sounds.to_csv(out / "sounds.csv", index=False)


def write_plugins(weights: Path, out: Path) -> None:
    """Write the extractors of docs/add-extractor.md, and the entries that name them."""
    blocks = re.findall(r'```python title="(\w+\.py)"\n(.*?)```', PAGE.read_text(encoding="utf-8"), re.DOTALL)
    for name, code in blocks:
        (out / name).write_text(code, encoding="utf-8")
    (out / "registry").mkdir(exist_ok=True)
    entries = REGISTRY.format(weights=weights.as_posix())
    (out / "registry" / "extractors.toml").write_text(entries, encoding="utf-8")
    (out / "noisy.toml").write_text(NOISY, encoding="utf-8")


if __name__ == "__main__":
    main()
