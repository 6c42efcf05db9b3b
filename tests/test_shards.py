"""Shards: which clips are embedded, in which pieces; and the index of audio that is not read again."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import audio
from bench.audio import files
from bench.catalog import learners, load
from bench.datasets import index
from bench.embed import batches, engine, pooling, shards
from bench.embed.cache import Cache
from bench.embed.extraction import Extraction
from bench.runner import Request


def source(manifest: Path, home: Path, **more: object) -> index.Source:
    request = Request(datasets=(str(manifest),), home=home, **more)
    [audio_source] = index.sources_of(request, load()).values()
    return audio_source


def mfcc_source(manifest: Path, home: Path) -> tuple[index.Source, learners.Learner, Cache]:
    request = Request(datasets=(str(manifest),), home=home, extractors=("mfcc-13",))
    [(learner, _)] = learners.extractors(request, load(), pooling.parse)
    return source(manifest, home), learner, Cache(str(home))


@given(st.lists(st.floats(0, 1000), max_size=30))
def test_a_shard_is_no_longer_than_it_may_be_unless_it_is_one_clip(seconds: list[float]):
    names = [str(n) for n in range(len(seconds))]
    parts = list(shards._cut(names, seconds))
    assert [name for part in parts for name in part] == names
    lengths = [sum(seconds[int(name)] for name in part) for part in parts]
    assert all(
        length <= shards.SHARD_SECONDS * (1 + 1e-9) or len(part) == 1
        for length, part in zip(lengths, parts, strict=True)
    )
    assert all(parts)


def test_shards_hold_what_the_cache_lacks_the_longest_first(digits: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_CLIPS", 20)
    audio_source, learner, cache = mfcc_source(digits, tmp_path / "home")
    todo, n_cached = shards.shards(audio_source, learner.spec, learner.digest, cache)
    assert (len(todo), n_cached) == (3, 0)
    seconds = [audio.seconds(clip) for shard in todo for clip in shard.clips.values()]
    assert seconds == sorted(seconds, reverse=True)
    done = shards.embed_shard(todo[0])
    assert (done.n_clips, done.rest, done.bad) == (20, None, {})
    assert done.audio_s == pytest.approx(sum(seconds[:20]))
    left, n_cached = shards.shards(audio_source, learner.spec, learner.digest, cache)
    assert n_cached == 20
    assert {c for shard in left for c in shard.clips} == set(todo[1].clips) | set(todo[2].clips)


def test_a_shard_that_takes_long_is_handed_back_with_the_rest(digits: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(shards, "UNIT_SECONDS", 0.0)
    monkeypatch.setattr(engine, "STORE_SECONDS", 0.0)
    monkeypatch.setattr(batches, "BATCH_CLIPS", 10)
    audio_source, learner, cache = mfcc_source(digits, tmp_path / "home")
    [shard], _ = shards.shards(audio_source, learner.spec, learner.digest, cache)
    sizes = []
    while shard:
        done = shards.embed_shard(shard)
        sizes.append(done.n_clips)
        shard = done.rest
    assert sizes == [10, 10, 10, 10, 8]
    assert cache.contents(learner.digest) == set(audio_source.contents)


def test_the_batches_are_the_same_whether_or_not_a_shard_is_handed_back(digits, tmp_path, monkeypatch):
    audio_source, learner, cache = mfcc_source(digits, tmp_path / "home")
    [whole], _ = shards.shards(audio_source, learner.spec, learner.digest, cache)
    shards.embed_shard(whole)  # the first in a process also embeds a clip alone, to compare
    sizes = []
    call = Extraction._call
    monkeypatch.setattr(
        Extraction,
        "_call",
        lambda self, audios: sizes.append([audio.size for audio in audios]) or call(self, audios),
    )
    monkeypatch.setattr(batches, "BATCH_CLIPS", 7)
    shards.embed_shard(whole)
    at_once = sizes.copy()
    sizes.clear()
    monkeypatch.setattr(shards, "UNIT_SECONDS", 0.0)
    monkeypatch.setattr(engine, "STORE_SECONDS", 0.0)
    shard = whole
    while shard:
        shard = shards.embed_shard(shard).rest
    assert sizes == at_once


def test_unchanged_audio_is_not_read_again(digits: Path, tmp_path: Path, monkeypatch):
    first = source(digits, tmp_path / "home")

    def read(*_: object) -> str:
        raise AssertionError("was read")

    with monkeypatch.context() as patch:
        patch.setattr(audio, "sha256", read)
        again = source(digits, tmp_path / "home")
        with pytest.raises(AssertionError, match="was read"):
            source(digits, tmp_path / "home", reread=True)
    assert (again.contents, again.fingerprints) == (first.contents, first.fingerprints)
    np.testing.assert_array_equal(again.seconds, first.seconds)


def test_a_damaged_index_is_made_again(digits: Path, tmp_path: Path):
    first = source(digits, tmp_path / "home")
    [path] = (tmp_path / "home" / index.FORMAT).iterdir()
    data = path.read_bytes()
    for damaged in (
        b"",
        data[:40],
        data[: len(data) // 2],
        data.replace(first.contents[3].encode(), b"0" * 64),
    ):
        path.write_bytes(damaged)
        assert source(digits, tmp_path / "home").contents == first.contents
        assert path.read_bytes() == data


def test_a_changed_file_is_read_again_whatever_its_time_says(tone, tmp_path: Path):
    path = tone("a.wav", pitch=300)
    tone("b.wav", pitch=400)
    manifest = tmp_path / "tones.csv"
    manifest.write_text("path,kind\na.wav,x\nb.wav,y\n")
    before, stat = source(manifest, tmp_path / "home"), path.stat()
    time.sleep(0.02)  # the clock of a file system may be coarse
    tone("a.wav", pitch=500)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert path.stat().st_size == stat.st_size
    after = source(manifest, tmp_path / "home")
    assert after.contents[0] != before.contents[0]
    assert after.contents[1] == before.contents[1]


def test_a_missing_file_is_looked_for_again(tone, tmp_path: Path):
    tone("a.wav")
    manifest = tmp_path / "tones.csv"
    manifest.write_text("path,kind\na.wav,x\nb.wav,y\n")
    assert set(source(manifest, tmp_path / "home").unreadable) == {"b.wav"}
    tone("b.wav", pitch=400)
    assert not source(manifest, tmp_path / "home").unreadable


@pytest.fixture
def tones(tone, tmp_path: Path) -> Path:
    """Return a manifest of three tones."""
    for name, pitch in {"a.wav": 300, "b.wav": 400, "c.wav": 500}.items():
        tone(name, pitch=pitch)
    manifest = tmp_path / "tones.csv"
    manifest.write_text("path,kind\na.wav,x\nb.wav,y\nc.wav,y\n")
    return manifest


def test_a_file_that_is_replaced_after_planning_is_refused_and_poisons_no_cache(
    tone, tones: Path, tmp_path: Path
):
    path, original = tmp_path / "a.wav", (tmp_path / "a.wav").read_bytes()
    audio_source, learner, cache = mfcc_source(tones, tmp_path / "home")
    [shard], _ = shards.shards(audio_source, learner.spec, learner.digest, cache)
    status = path.stat()
    tone("new.wav", pitch=900).replace(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size
    report = shards.embed_shard(shard)
    planned = audio_source.contents[0]
    assert report.bad == {planned: f"{path}: changed after the run was planned; run the same command again"}
    assert cache.contents(learner.digest) == set(audio_source.contents[1:])
    path.write_bytes(original)
    again, learner, cache = mfcc_source(tones, tmp_path / "home")
    assert again.contents == audio_source.contents
    other = Cache(str(tmp_path / "other"))
    for store in (cache, other):
        [shard], _ = shards.shards(again, learner.spec, learner.digest, store)
        shards.embed_shard(shard)
    left, right = (store.read(learner.digest, [planned])[planned] for store in (cache, other))
    np.testing.assert_allclose(left.statistics, right.statistics, rtol=1e-5)


def test_a_file_that_is_replaced_while_it_is_decoded_is_refused(
    tone, tones: Path, tmp_path: Path, monkeypatch
):
    audio_source, learner, cache = mfcc_source(tones, tmp_path / "home")
    [shard], _ = shards.shards(audio_source, learner.spec, learner.digest, cache)
    late = tone("new.wav", pitch=900)
    samples = files.samples

    def slow(path: Path, *args: object, **options: object) -> object:
        result = samples(path, *args, **options)
        if path.name == "a.wav" and late.exists():
            late.replace(path)
        return result

    monkeypatch.setattr(files, "samples", slow)
    assert list(shards.embed_shard(shard).bad) == [audio_source.contents[0]]


def test_a_file_that_is_only_touched_after_planning_is_embedded(tones: Path, tmp_path: Path):
    audio_source, learner, cache = mfcc_source(tones, tmp_path / "home")
    [shard], _ = shards.shards(audio_source, learner.spec, learner.digest, cache)
    os.utime(tmp_path / "a.wav")
    assert not shards.embed_shard(shard).bad


def test_an_unchanged_file_is_not_hashed_again(tones: Path, tmp_path: Path, monkeypatch):
    audio_source, learner, cache = mfcc_source(tones, tmp_path / "home")
    [shard], _ = shards.shards(audio_source, learner.spec, learner.digest, cache)
    monkeypatch.setattr(files, "sha256", lambda path: pytest.fail("hashed"))
    assert shards.embed_shard(shard).n_clips == 3
