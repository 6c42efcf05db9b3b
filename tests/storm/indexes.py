"""Kill writers of an index at random moments, let two of them write at once, and read all the time.

    python tests/storm/indexes.py --n 70

Every clip is ten takes of a spoken digit, each a chunk with its MFCCs. After a kill, vectors and metadata
must agree: what the writer had reported is there, and the change that it was at is there as a whole or not at
all. Of seven cases, two are rounds of two writers, which must both get through, and of a reader, which never
waits.
"""

import multiprocessing
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import common
import numpy as np
import pandas as pd

from bench.retrieval.card import IndexCard
from bench.retrieval.index import Index
from bench.retrieval.records import Caption, Item
from bench.retrieval.writer import Writer
from bench.types import Embeddings, View

TAKES = 10

MOST_CLIPS = 5
"""Clips of one change."""

ROUND_SECONDS = 0.5
"""How long two writers write."""

READ_SECONDS = 0.25
"""Longest time of a reader, on a busy machine."""

SPAWN = multiprocessing.get_context("spawn")


def storm(folder: Path, n: int, chance: random.Random) -> Iterator[common.Case]:
    """Yield a case per kill, and one per round of two writers."""
    vectors = embeddings(folder)
    card = IndexCard(extractor="mfcc-13", identity="storm", view=View(), dim=vectors.shape[1])
    index = Index.create(folder / "index", card)
    for number in range(n):
        seed = chance.randrange(2**32)
        if number % 7 in {3, 6}:
            yield common.Case(f"{number} two writers", rivalry(index.path, vectors, seed))
        else:
            yield common.Case(
                f"{number} killed", after_kill(index.path, vectors, seed, chance.uniform(0, 0.3))
            )


def embeddings(folder: Path) -> Embeddings:
    """Return the unit vectors of takes, shape=(n_takes, dim), computed by `bench embed`."""
    common.digits(TAKES).to_csv(folder / "digits.csv", index=False)
    call = [
        sys.executable,
        "-m",
        "bench",
        "embed",
        "digits.csv",
        "--extractors",
        "mfcc-13",
        "--out",
        "e.parquet",
    ]
    subprocess.run(call, cwd=folder, check=True, stdout=sys.stderr, stderr=subprocess.DEVNULL)
    table = pd.read_parquet(folder / "e.parquet")
    vectors = np.stack(table["embedding"].to_list()).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def after_kill(path: Path, vectors: Embeddings, seed: int, seconds: float) -> str:
    """Kill a writer after some time of writing; return what does not agree."""
    with Index.open(path).snapshot() as snapshot:
        before = {file.clip for file in snapshot.files()}
    log = path.with_name("log.txt")
    log.write_text("")
    process = SPAWN.Process(target=write, args=(path, log, vectors, seed, 60))
    process.start()
    while not log.stat().st_size and process.is_alive():
        time.sleep(0.005)
    time.sleep(seconds)
    process.kill()
    process.join()
    if process.exitcode != -9:
        return f"the writer ended by itself, with {process.exitcode}"
    return fault(path, vectors) or lost(path, before, log.read_text().splitlines()[1:])


def rivalry(path: Path, vectors: Embeddings, seed: int) -> str:
    """Let two writers write at once, and read meanwhile; return what does not agree."""
    logs = [path.with_name(f"log{number}.txt") for number in range(2)]
    processes = []
    for number, log in enumerate(logs):
        log.write_text("")
        arguments = (path, log, vectors, seed + number, ROUND_SECONDS)
        processes.append(SPAWN.Process(target=write, args=arguments))
        processes[-1].start()
    longest, problem = 0.0, ""
    while any(process.is_alive() for process in processes):
        start = time.perf_counter()
        problem = problem or inconsistency(path, vectors)
        longest = max(longest, time.perf_counter() - start)
        time.sleep(0.01)
    if any(process.exitcode for process in processes):
        return f"the writers ended with {[process.exitcode for process in processes]}"
    if min(len(log.read_text().splitlines()) for log in logs) < 2:
        return "a writer did nothing"
    if longest > READ_SECONDS:
        return f"a reader took {longest:.2f} s"
    return problem or fault(path, vectors)


def write(path: Path, log: Path, vectors: Embeddings, seed: int, seconds: float) -> None:
    """Add, describe and remove clips for some time; note what is done."""
    chance = random.Random(seed)
    index = Index.open(path)
    with log.open("a", buffering=1) as file:
        file.write("begins\n")
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with index.writing() as writer, index.snapshot() as snapshot:
                files = {each.clip: each.id for each in snapshot.files()}
                file.write(change(writer, files, vectors, chance))


def change(writer: Writer, files: Mapping[str, int], vectors: Embeddings, chance: random.Random) -> str:
    """Change an index, and return what was done as a line."""
    absent = [clip for clip in map(str, range(len(vectors) // TAKES)) if clip not in files]
    kind = chance.choice(["add"] * bool(absent) + ["remove", "describe"] * bool(files))
    candidates = absent if kind == "add" else sorted(files)
    clips = chance.sample(candidates, k=chance.randint(1, min(MOST_CLIPS, len(candidates))))
    if kind == "add":
        writer.add([item(clip) for clip in clips], np.concatenate([takes(clip, vectors) for clip in clips]))
    elif kind == "remove":
        writer.remove([files[clip] for clip in clips])
    else:
        text = f"take {chance.random()}"
        writer.add_captions([Caption(files[clip], "caption", text, "storm", 0, 1) for clip in clips])
    return f"{kind} {' '.join(clips)}\n"


def item(clip: str) -> Item:
    """Return a clip of takes that follow each other."""
    return Item(
        dataset="storm",
        clip=clip,
        path=f"{clip}.wav",
        content=clip,
        start=0,
        seconds=TAKES,
        spans=[(take, take + 1) for take in range(TAKES)],
        labels={"digit": str(int(clip) % 10)},
    )


def takes(clip: str, vectors: Embeddings) -> Embeddings:
    """Return the vectors of a clip."""
    return vectors[int(clip) * TAKES : (int(clip) + 1) * TAKES]


def inconsistency(path: Path, vectors: Embeddings) -> str:
    """Return which clip of one state of an index lacks chunks, or has other vectors than its own."""
    with Index.open(path).snapshot() as snapshot:
        for file in snapshot.files():
            ids = snapshot.chunks_of([file.id])
            if not np.array_equal(snapshot.vectors[ids], takes(file.clip, vectors)):
                return f"clip {file.clip} has chunks {ids}, or other vectors"
    return ""


def fault(path: Path, vectors: Embeddings) -> str:
    """Return what is wrong with an index."""
    verification = Index.open(path).verify()
    if not verification.is_whole or verification.n_to_erase or verification.words != "whole":
        return str(verification)
    return inconsistency(path, vectors)


def lost(path: Path, clips: set[str], lines: Sequence[str]) -> str:
    """Return how the clips of an index differ from those that its writer said to have left.

    What the writer was at when it was killed may be there: clips of a single `add` or `remove`.
    """
    for line in lines:
        kind, *names = line.split()
        clips = clips | {*names} if kind == "add" else clips - {*names} if kind == "remove" else clips
    with Index.open(path).snapshot() as snapshot:
        actual = {file.clip for file in snapshot.files()}
    differences = [clips - actual, actual - clips]
    is_single = not all(differences) and max(map(len, differences)) <= MOST_CLIPS
    return "" if is_single else f"lacks {differences[0]}, has also {differences[1]}"


if __name__ == "__main__":
    common.main(storm, 70)
