"""Building an index and searching in it, on real spoken digits."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from click.testing import CliRunner

import bench
from bench import catalog, cli, compute, paths
from bench.audio import content, read, sha256
from bench.datasets.index import sources_of
from bench.datasets.segments import cut as segmented
from bench.errors import ClipError, UsageError
from bench.request import Indexing, Request, Search
from bench.retrieval import building, encoder, removal
from bench.retrieval.card import Chunking
from bench.retrieval.chunks import chunks_of
from bench.retrieval.index import Index
from bench.retrieval.records import Hit
from bench.retrieval.search import hits
from bench.types import Clip

SPEAKERS = ("george", "jackson", "lucas", "nicolas")


def no_progress(*_: object):
    return lambda *_: True


def clips_of(take, folder: Path, takes: tuple[int, ...] = (0, 1)) -> Path:
    rows = [
        {"path": str(take(speaker, digit, number)), "speaker": speaker, "digit": f"{digit}"}
        for speaker in SPEAKERS
        for digit in range(4)
        for number in takes
    ]
    path = folder / "clips.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def folder(take, tmp_path_factory) -> Path:
    """Return a folder with an index of 32 spoken digits, cut into pieces of 0.2 s."""
    folder = tmp_path_factory.mktemp("index")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_CACHE", str(folder / "cache"))
        request = Request(datasets=(str(clips_of(take, folder)),), extractors=("mfcc-13",), home=paths.home())
        indexing = Indexing(chunk="0.2:0.1", to=folder / "index")
        building.build(request, indexing, catalog.load(), compute.cache(), no_progress)
    return folder


@pytest.fixture
def copy(folder: Path, tmp_path: Path, monkeypatch) -> Index:
    """Return a copy of the index, with a cache of its own."""
    monkeypatch.setenv("BENCH_CACHE", str(folder / "cache"))
    shutil.copytree(folder / "index", tmp_path / "index")
    return Index.open(tmp_path / "index")


@pytest.fixture(scope="module")
def index(folder: Path) -> Index:
    return Index.open(folder / "index")


def search(index: Index, **fields: object) -> list[Hit]:
    return hits(index, Search(**fields), catalog.load())


def test_neighbours_are_those_of_numpy(index: Index):
    with index.snapshot() as snapshot:
        vectors, files = np.asarray(snapshot.vectors), snapshot.files_of(snapshot.ids.tolist())
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-6)
    for query in (0, 17, len(vectors) - 1):
        scores = np.where(files == files[query], -np.inf, vectors @ vectors[query])
        expected = np.argsort(-scores, kind="stable")[:5]
        neighbours = search(index, id=query, k=5, merge="none")
        assert [hit.id for hit in neighbours] == expected.tolist()
        assert [hit.score for hit in neighbours] == pytest.approx(scores[expected], abs=1e-6)


@pytest.mark.parametrize("merge", ["best", "mean"])
def test_clips_are_ranked_by_their_best_or_their_mean_chunk(index: Index, merge: str):
    with index.snapshot() as snapshot:
        vectors, files = np.asarray(snapshot.vectors), snapshot.files_of(snapshot.ids.tolist())
    scores = pd.Series(vectors @ vectors[40]).groupby(files).agg("max" if merge == "best" else "mean")
    expected = scores.drop(files[40]).sort_values(ascending=False)
    neighbours = search(index, id=40, k=6, merge=merge)
    assert [hit.file for hit in neighbours] == expected.index[:6].tolist()
    assert [hit.score for hit in neighbours] == pytest.approx(expected.to_numpy()[:6], abs=1e-6)


def test_vectors_are_standardised_pooled_embeddings(index: Index, folder: Path, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", str(folder / "cache"))
    of_index = encoder.encoder_of_index(index, Request(home=paths.home()), catalog.load())
    with index.snapshot() as snapshot:
        [first, *_] = snapshot.hits(range(len(snapshot.vectors)), np.zeros(len(snapshot.vectors)))
        stored = np.asarray(snapshot.vectors)
    clip = Clip(id="", path=Path(first.path), start=first.start, end=first.end)
    [vector] = of_index.vectors([clip])
    centre, scale = index.normalisation.centre, index.normalisation.scale
    expected = (vector - centre) / scale
    assert stored[0] == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)


def test_a_recording_of_the_index_is_its_own_nearest_clip(index: Index, take):
    path = take("lucas", 2, 1)
    nearest = search(index, audio=path, k=3)
    assert (nearest[0].path, nearest[0].score) == (str(path), pytest.approx(1, abs=1e-5))
    assert nearest[1].score < 0.99
    everything = search(index, audio=path, k=1000, merge="mean")
    assert len(everything) == 32


def test_a_recording_of_any_length_and_rate_is_a_query(index: Index, take, tmp_path: Path):
    joined = np.concatenate([read(Clip("", take("george", digit, 0)), 16_000) for digit in (0, 1, 2, 3)] * 5)
    soundfile.write(tmp_path / "long.flac", joined, 16_000)
    nearest = search(index, audio=tmp_path / "long.flac", k=4)
    assert {hit.labels["speaker"] for hit in nearest} == {"george"}


def test_a_filter_still_fills_the_hits(index: Index):
    neighbours = search(index, id=0, k=7, where="speaker == 'nicolas' and digit in ['1', '3']")
    assert len(neighbours) == 4
    assert {(hit.labels["speaker"], hit.labels["digit"]) for hit in neighbours} == {
        ("nicolas", "1"),
        ("nicolas", "3"),
    }
    assert search(index, id=0, where="digit == '9'") == []


def test_hits_differ_from_the_query_where_they_have_to(index: Index):
    with index.snapshot() as snapshot:
        [query] = snapshot.hits([0], [1])
    others = search(index, id=0, k=50, not_same=("speaker", "digit"))
    assert len(others) == 18
    assert not [hit for hit in others if hit.labels["speaker"] == query.labels["speaker"]]
    assert not [hit for hit in others if hit.labels["digit"] == query.labels["digit"]]
    assert len(search(index, id=0, k=50, not_same=("path",))) == 31


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "search: expected one of --id, --audio, --text and --evaluate"),
        ({"id": 1, "audio": Path("a.wav")}, "--id and --audio: expected one"),
        ({"id": 100_000}, r"--id 100000: is no chunk of .*; expected one of \d+ ids from 0 to"),
        ({"audio": Path("nowhere.wav")}, "--audio nowhere.wav: no such file"),
        ({"audio": Path(__file__), "not_same": ("speaker",)}, "--not-same speaker: needs --id"),
        (
            {"id": 1, "not_same": ("gender",)},
            "--not-same gender: is no column; expected dataset, digit, path",
        ),
        ({"id": 1, "where": "gender == 'f'"}, "gender"),
    ],
)
def test_a_search_that_cannot_be_is_refused_in_one_line(index: Index, fields: dict, message: str):
    with pytest.raises(UsageError, match=message):
        search(index, **fields)


def test_a_file_that_holds_no_audio_is_named(index: Index):
    with pytest.raises(ClipError, match=re.escape(__file__)):
        search(index, audio=Path(__file__))


def test_clips_that_are_there_are_not_added_twice(copy: Index, take, tmp_path: Path, monkeypatch):
    request = Request(datasets=(str(clips_of(take, tmp_path)),), home=paths.home())
    of_index = encoder.encoder_of_index(copy, request, catalog.load())
    n_files, n_chunks = removal.remove(copy, "digit == '2'")
    assert (n_files, n_chunks > 8) == (8, True)
    addition = building.add(copy, of_index, request, catalog.load(), compute.cache(), no_progress)
    assert (addition.n_files, addition.n_known, addition.n_chunks) == (8, 24, n_chunks)
    again = building.add(copy, of_index, request, catalog.load(), compute.cache(), no_progress)
    assert (again.n_files, again.n_known) == (0, 32)
    assert copy.verify().is_whole


def test_ids_of_removed_chunks_do_not_come_back(copy: Index, take, tmp_path: Path):
    with copy.snapshot() as snapshot:
        last = int(snapshot.ids[-1])
        [file] = snapshot.files_of([last])
        removed = set(snapshot.chunks_of([file]).tolist())
    assert removal.remove(copy, ids=[last]) == (1, len(removed))
    request = Request(datasets=(str(clips_of(take, tmp_path)),), home=paths.home())
    of_index = encoder.encoder_of_index(copy, request, catalog.load())
    building.add(copy, of_index, request, catalog.load(), compute.cache(), no_progress)
    with copy.snapshot() as snapshot:
        assert not removed & set(snapshot.ids.tolist())
        assert min(set(snapshot.ids.tolist()) - set(range(last + 1))) == last + 1
    with pytest.raises(UsageError, match=f"--id {last}: is no chunk"):
        removal.remove(copy, ids=[last])


def test_another_extractor_than_that_of_the_index_is_refused(copy: Index):
    card = json.loads((copy.path / "card.json").read_text())
    for name, change, message in (
        ("extractor", "mfcc", "is another one than the index was made with"),
        ("identity", "0" * 32, "is another one than the index was made with"),
        ("extractor", "./mine.py:Zcr", "may be anybody's; declare it"),
        ("extractor", "hf:nowhere", "expected|no folder|needs|not"),
    ):
        (copy.path / "card.json").write_text(json.dumps({**card, name: change}))
        with pytest.raises(UsageError, match=message):
            encoder.encoder_of_index(Index.open(copy.path), Request(home=paths.home()), catalog.load())


def test_several_extractors_or_layers_make_no_index(take, tmp_path: Path, bench):
    path = clips_of(take, tmp_path, (0,))
    for names in ("mfcc-13,mfcc", "mfcc-13@pool=mean,mfcc-13@pool=std"):
        refused = bench("index", path, "--extractors", names, "--to", "index")
        assert (refused.exit_code, len(refused.output.splitlines())) == (2, 1)
        assert "an index has the vectors of one extractor and layer" in refused.output
    assert "has no vector per clip" in bench("index", path, "--extractors", "mfcc@pool=none").output
    assert not (tmp_path / "index").exists()


@pytest.mark.verb("index")
def test_a_clip_that_cannot_be_read_is_listed_and_the_others_go_on(bench, take, tmp_path: Path):
    table = pd.read_csv(clips_of(take, tmp_path, (0,)))
    (tmp_path / "torn.wav").write_bytes(b"RIFF")
    table.loc[3, "path"] = str(tmp_path / "torn.wav")
    table.to_csv(tmp_path / "clips.csv", index=False)
    outcome = bench("index", "clips.csv", "--extractors", "mfcc-13", "--to", "index")
    assert outcome.exit_code == 0
    assert "added 15 clips, 15 chunks" in outcome.output
    assert "cannot be read: torn.wav" in outcome.output
    shown = bench("index", "stats", "index", "--json")
    assert json.loads(shown.stdout)["n_files"] == 15
    (tmp_path / "bad.csv").write_text(f"path\n{tmp_path / 'torn.wav'}\n")
    nothing = bench("index", "bad.csv", "--to", "other")
    assert (nothing.exit_code, "no clip can be read, such as torn.wav" in nothing.output) == (2, True)


@pytest.mark.verb("search")
def test_the_forms_of_hits_hold_the_same(folder: Path, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", str(folder / "cache"))
    monkeypatch.chdir(folder)

    def shown(*words: str) -> str:
        outcome = CliRunner().invoke(cli.main, ["search", "index", "--id", "3", "-k", "4", *words])
        assert outcome.exit_code == 0, outcome.output
        return outcome.stdout

    listed = json.loads(shown("--format", "json"))
    table = pd.read_csv(pd.io.common.StringIO(shown("--format", "csv")))
    assert table["id"].tolist() == [hit["id"] for hit in listed]
    assert table["score"].to_numpy() == pytest.approx([hit["score"] for hit in listed])
    assert table["speaker"].tolist() == [hit["labels"]["speaker"] for hit in listed]
    rows = shown().splitlines()[2:]
    assert [int(row.split()[0]) for row in rows] == table["id"].tolist()
    frame = bench.open_index(folder / "index").search(id=3, k=4)
    assert frame["id"].tolist() == table["id"].tolist()


def test_an_engine_finds_the_same_clips_and_follows_changes(bench, take, tmp_path: Path):
    path = clips_of(take, tmp_path)
    for engine in ("exact", "hnsw"):
        words = ("--extractors", "mfcc-13", "--chunk", "0.2:0.1", "--engine", engine, "--to", engine)
        assert bench("index", path, *words).exit_code == 0
    exact, graph = Index.open(tmp_path / "exact"), Index.open(tmp_path / "hnsw")
    for index in (exact, graph):
        removal.remove(index, "digit == '0' and speaker == 'lucas'")
    for fields in ({"id": 90}, {"id": 90, "where": "digit != '1'"}, {"id": 90, "not_same": ("speaker",)}):
        expected = [hit.id for hit in search(exact, k=40, merge="none", **fields)]
        assert [hit.id for hit in search(graph, k=40, merge="none", **fields)] == expected


def test_an_unknown_engine_is_refused_before_anything_is_embedded(bench, take, tmp_path: Path):
    refused = bench("index", clips_of(take, tmp_path), "--engine", "annoy", "--to", "index")
    assert (refused.exit_code, refused.output.startswith("Error: engine 'annoy' is unknown")) == (2, True)
    assert not (tmp_path / "cache" / "embeddings-v5").exists() or not any(
        (tmp_path / "cache" / "embeddings-v5").iterdir()
    )


def test_an_index_is_made_and_asked_in_a_program(take, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    table = pd.read_csv(clips_of(take, tmp_path, (0,)))
    index = bench.index(table, extractors="mfcc-13", to=tmp_path / "index")
    assert re.match(r"clips +16, ", str(index))
    frame = index.search(audio=str(take("george", 1, 0)), k=2, where="speaker != 'george'")
    assert frame.columns.tolist()[:6] == ["id", "clip", "path", "start", "end", "score"]
    assert "george" not in frame["speaker"].tolist()
    with pytest.raises(UsageError, match="unknown option top; expected audio, "):
        index.search(id=1, top=3)


def test_a_program_is_told_of_options_that_cannot_be(copy: Index, take, tmp_path: Path):
    opened = bench.open_index(copy.path)
    for options in ({"chunk": "10:5"}, {"extractors": ("mfcc",)}):
        with pytest.raises(UsageError, match=r"unknown option .* expected audio, parent_pattern"):
            opened.add(take("theo", 0, 0), **options)
    with pytest.raises(UsageError, match="-k 0: expected at least 1"):
        opened.search(id=3, k=0, audio=None)
    with pytest.raises(UsageError, match=r"--recall 2\.0: expected a share"):
        bench.index(take("theo", 0, 0), to=tmp_path / "new", recall=2)


@pytest.mark.parametrize("merge", ["best", "mean", "none"])
def test_more_hits_than_there_are_cost_no_memory(index: Index, merge: str):
    everything = search(index, id=3, k=10_000, merge=merge)
    assert search(index, id=3, k=10**20, merge=merge) == everything
    if merge != "none":
        assert len(everything) == 31  # all clips but that of the query


def test_an_empty_index_has_no_hits(copy: Index, take):
    removal.remove(copy, "seconds > 0")
    assert search(copy, audio=take("george", 1, 0)) == []
    with pytest.raises(UsageError, match=r"--id 0: is no chunk of .*, which is empty; add"):
        search(copy, id=0)
    assert copy.verify().is_whole


def test_chunks_have_one_length_and_the_last_ends_with_the_clip(tone, tmp_path: Path):
    tone("long.wav", seconds=1.1)
    tone("short.wav", seconds=0.3)
    (tmp_path / "clips.csv").write_text("path,speaker\nlong.wav,a\nshort.wav,\n")
    request = Request(datasets=(str(tmp_path / "clips.csv"),), home=tmp_path / "cache", near_copies="off")
    [source] = sources_of(request, catalog.load()).values()
    chunks = chunks_of(source, Chunking(seconds=0.5, hop=0.25))
    long, short = chunks.items
    starts = [0, 0.25, 0.5, 0.6]
    assert np.array(long.spans) == pytest.approx(np.transpose([starts, np.add(starts, 0.5)]))
    assert short.spans == [(0, pytest.approx(0.3))]
    assert (long.labels, short.labels) == ({"speaker": "a"}, {})
    lengths = [read(clip, 8000).size for clip in chunks.source.dataset.clips()]
    assert lengths == [4000, 4000, 4000, 4000, 2400]


def test_a_chunk_has_the_key_of_a_segment_of_a_card(tone, tmp_path: Path):
    tone("long.wav", seconds=1.0)
    (tmp_path / "clips.csv").write_text("path\nlong.wav\n")
    request = Request(datasets=(str(tmp_path / "clips.csv"),), home=tmp_path / "cache", near_copies="off")
    [source] = sources_of(request, catalog.load()).values()
    segments = segmented(source.dataset, 0.5, 0.25)
    expected = [content(clip, sha256) for clip in segments.clips()]
    assert chunks_of(source, Chunking(seconds=0.5, hop=0.25)).source.contents == expected


def test_a_damaged_index_is_told_with_exit_code_1(copy: Index, bench):
    vectors = np.fromfile(copy.path / "vectors.f32", "<f4")
    vectors[52 * 7 + 3] += 1
    vectors.tofile(copy.path / "vectors.f32")
    checked = bench("index", "verify", copy.path)
    assert (checked.exit_code, checked.stdout.splitlines()[1]) == (
        1,
        "1 vectors are not those that were added: ids 7",
    )
