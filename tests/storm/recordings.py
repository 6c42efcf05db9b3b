"""Damage recordings of every format at random places, and read them one by one and by the command line.

    python tests/storm/recordings.py --n 2000

The process may take 4 GB of memory. The reader returns samples or raises an error that names the file, within
10 s; a recording whose end is cut off is never read as a shorter one. A run over the files ends without a
traceback, and lists exactly the files that the reader refuses.
"""

import random
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import common
import numpy as np
import pandas as pd
import soundfile
from click.testing import CliRunner

from bench import cli
from bench.audio.files import samples
from bench.errors import ClipError
from bench.types import Audio

MEMORY = 4 << 30
SECONDS = 10
RATE = 16_000
FORMATS = {
    "WAV": ("wav", "PCM_16", "FLOAT", "ULAW", "IMA_ADPCM", "GSM610"),
    "WAVEX": ("wav", "PCM_24"),
    "RF64": ("rf64", "PCM_16"),
    "W64": ("w64", "PCM_16"),
    "AIFF": ("aiff", "PCM_16", "FLOAT"),
    "AU": ("au", "PCM_16", "ALAW"),
    "CAF": ("caf", "PCM_16"),
    "FLAC": ("flac", "PCM_16"),
    "OGG": ("ogg", "VORBIS", "OPUS"),
    "MP3": ("mp3", "MPEG_LAYER_III"),
}
N_PER_RUN = 100


def storm(folder: Path, n: int, chance: random.Random) -> Iterator[common.Case]:
    """Yield a case per damaged file, and one per run over `N_PER_RUN` of them."""
    originals = list(recordings(folder / "originals"))
    whole = {path: samples(path, RATE) for path in originals}
    for first in range(0, n, N_PER_RUN):
        batch = folder / f"batch{first}"
        refused = set()
        for number in range(first, min(first + N_PER_RUN, n)):
            original = chance.choice(originals)
            damage, content = common.damage(original.read_bytes(), chance)
            path = batch / "ab"[number % 2] / f"{number}{original.suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            fault, is_refused = read(path, whole[original] if damage == "cut" else None)
            refused |= {path.relative_to(folder).as_posix()} if is_refused else set()
            yield common.Case(f"{number} {damage} in {original.stem}", fault)
        yield common.Case(f"run over {batch.name}", run(batch, folder / f"out{first}", refused))


def recordings(folder: Path) -> Iterator[Path]:
    """Write a spoken digit in every format, and yield the paths."""
    folder.mkdir()
    values, rate = soundfile.read(common.DATA / "fsdd" / "3_theo_0.wav")
    for format_, (suffix, *subtypes) in FORMATS.items():
        for subtype in subtypes:
            path = folder / f"{format_}-{subtype}.{suffix}"
            soundfile.write(path, values, rate, format=format_, subtype=subtype)
            yield path


def read(path: Path, whole: Audio | None) -> tuple[str, bool]:
    """Return what is wrong with how a file is read, and whether it is refused; a cut one has `whole`."""
    start = time.monotonic()
    try:
        values = samples(path, RATE)
    except ClipError as error:
        return ("" if str(path) in str(error) else f"names no file: {error}"), True
    except BaseException as error:  # it is what is looked for
        return f"{type(error).__name__}: {error}", True
    if time.monotonic() - start > SECONDS:
        return f"took {time.monotonic() - start:.0f} s", False
    if whole is not None and not np.array_equal(values, whole):
        return f"{len(values)} of {len(whole)} samples, without a word", False
    return "", False


def run(batch: Path, out: Path, refused: set[str]) -> str:
    """Return what is wrong with a run over a folder of files."""
    table = pd.DataFrame(sorted(batch.rglob("*.*")), columns=["path"])
    table["kind"] = table["path"].map(lambda path: path.parent.name)
    table.to_csv(csv := batch.with_suffix(".csv"), index=False)
    call = ["run", "--datasets", str(csv), "--task-target", "kind", "--out", str(out)]
    done = CliRunner().invoke(cli.main, [*call, "--extractors", "mfcc-13", "--heads", "lda"])
    if done.exception and not isinstance(done.exception, SystemExit):
        return repr(done.exception)
    listed = set(pd.read_csv(out / "bad_clips.csv")["clip"]) if (out / "bad_clips.csv").is_file() else set()
    if listed != refused:
        return f"lists {len(listed - refused)} files that are read, and misses {len(refused - listed)}"
    return ""


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    common.main(storm, 2000)
