"""Search by words, phrases and meaning, held against SQLite, numpy and transformers themselves."""

import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import UsageError
from bench.retrieval import sentences
from bench.retrieval.card import IndexCard
from bench.retrieval.fusion import reciprocal_ranks
from bench.retrieval.index import Index
from bench.retrieval.records import Caption, Item
from bench.retrieval.snapshot import Snapshot
from bench.retrieval.texts import TextQuery, search_text
from bench.types import Embeddings, View

TEXTS = [
    "A dog barks in the rain.",
    "Heavy rain, and a crying child",
    "A child is crying; cars pass by",
    "The CARS' horns: loud, then silence",
    "seven",
    "7",
    "Le café est fermé",
    "state-of-the-art wind_noise",
    "she said not a word AND left",
    "rain rain rain",
]
"""Text of each file, whose id is the place from 1."""


class Letters:
    """A sentence encoder for tests: how often each letter is in a text."""

    name = "letters"

    def encode(self, texts: list[str]) -> Embeddings:
        letters = "abcdefghijklmnopqrstuvwxyz7"
        counts = np.array([[text.lower().count(letter) for letter in letters] for text in texts], np.float32)
        return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-9)


def empty_index(folder: Path) -> Index:
    return Index.create(folder, IndexCard(extractor="mfcc", identity="0", view=View(), dim=1))


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """Return an index of a file per text with two chunks; its text is about the second one."""
    index = empty_index(tmp_path_factory.mktemp("texts") / "index")
    names = [str(number) for number in range(len(TEXTS))]
    items = [Item("d", name, name, name, 0, 2, [(0, 1), (1, 2)], {}) for name in names]
    captions = [Caption(file, "caption", text, "m", 1.1, 2) for file, text in enumerate(TEXTS, 1)]
    with index.writing() as writer:
        writer.add(items, np.ones((2 * len(items), 1), np.float32))
        writer.add_captions(captions)
        assert list(sentences.encode_missing(writer, Letters())) == [len(TEXTS)]
    return index


@pytest.fixture(scope="module")
def snapshot(index: Index) -> Iterator[Snapshot]:
    with index.snapshot() as snapshot:
        yield snapshot


def files(snapshot: Snapshot, text: str, k: int = 10, **options: object) -> list[int]:
    return [hit.file for hit in search_text(snapshot, text, k, **options)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"crying child"', [2]),
        ('"child is crying"', [3]),
        ('"CARS horns loud"', [4]),
        ("“crying child”", [2]),
        ('"rain" "child"', [2]),
        ('"child crying rain"', []),
        ('"rain" crying', [2, 10, 1]),
        ("cafe ferme", [7]),
        ('"of the art"', [8]),
        ("barking", [1]),
    ],
)
def test_a_hit_has_every_phrase_and_rare_words_come_first(snapshot, text, expected):
    assert files(snapshot, text) == expected


@pytest.mark.parametrize("text", ["rain child", "a crying dog", "the 7 cars AND wind"])
def test_words_are_ranked_as_sqlite_ranks_them(snapshot: Snapshot, text: str):
    reference = sqlite3.connect(":memory:")
    reference.execute("CREATE VIRTUAL TABLE t USING fts5 (text, tokenize = 'porter unicode61')")
    reference.executemany("INSERT INTO t VALUES (?)", [(text,) for text in TEXTS])
    query = " OR ".join(f'"{word}"' for word in text.split())
    rows = reference.execute("SELECT rowid FROM t WHERE t MATCH ? ORDER BY rank, rowid", [query])
    assert files(snapshot, text) == [row for (row,) in rows]


@pytest.mark.parametrize(
    "text",
    [
        "NEAR(rain child)",
        "rain AND child",
        "NOT rain",
        "text : rain",
        "text:rain*",
        "^rain",
        "rain*",
        '"rain',
        'rain" OR',
        "rain) OR (child",
        "'; DROP TABLE captions; --",
        "rain\0child",
        "\udcff rain",
        "{text} : rain + child",
    ],
)
def test_nothing_in_a_text_is_an_operator(snapshot: Snapshot, text: str):
    words = set(re.findall(r"[a-z]+", text.lower()))
    assert set(files(snapshot, text)) == {
        file for file, own in enumerate(TEXTS, 1) if words & set(re.findall(r"[a-z]+", own.lower()))
    }


@settings(max_examples=30)
@given(st.text(max_size=20))
def test_any_text_is_a_query_or_has_no_word(snapshot: Snapshot, text: str):
    if any(map(str.isalnum, text)):
        assert len(files(snapshot, text)) <= 10
    else:
        with pytest.raises(UsageError, match="has no word"):
            files(snapshot, text)


def test_a_long_text_is_cut(snapshot: Snapshot):
    text = " ".join(f"w{number}" for number in range(10_000))
    assert files(snapshot, f"rain {text}", 1) == [10]
    assert len(TextQuery.parse(text).words) == 64


def test_a_hit_is_the_chunk_that_its_text_is_about(snapshot: Snapshot):
    [hit] = search_text(snapshot, "dog", 10)
    assert (hit.start, hit.end, hit.captions[0].text) == (1, 2, TEXTS[0])


@pytest.mark.parametrize("encoder", [None, Letters()])
def test_only_allowed_files_are_hits_and_k_is_filled(snapshot: Snapshot, encoder):
    allowed = np.array([2, 3, 10])
    assert set(files(snapshot, "rain child", allowed_files=allowed, encoder=encoder)) == {2, 3, 10}
    assert len(files(snapshot, "rain", 2, encoder=encoder)) == 2
    assert files(snapshot, "rain", allowed_files=np.array([4]), encoder=None) == []


def test_more_hits_than_recordings_may_be_asked_for(snapshot: Snapshot):
    assert search_text(snapshot, "rain", 10**20) == search_text(snapshot, "rain", 1000)


def test_an_index_without_texts_says_how_to_write_some(tmp_path: Path):
    with (
        empty_index(tmp_path / "index").snapshot() as snapshot,
        pytest.raises(UsageError, match=r"no texts to search; write some by `bench describe INDEX` "),
    ):
        search_text(snapshot, "rain", 10)


def test_meaning_ranks_by_the_best_inner_product(snapshot: Snapshot):
    encoder = Letters()
    scores = encoder.encode(TEXTS) @ encoder.encode(["a crying dog"])[0]
    ranking = sentences.ranking(snapshot, encoder, "a crying dog", 4)
    assert ranking.files.tolist() == (np.argsort(-scores, kind="stable")[:4] + 1).tolist()


def test_words_and_meaning_are_fused_by_reciprocal_ranks(snapshot: Snapshot):
    by_words = files(snapshot, "rain child")
    by_meaning = sentences.ranking(snapshot, Letters(), "rain child", 200).files.tolist()
    expected = {
        file: sum(1 / (61 + order.index(file)) for order in (by_words, by_meaning) if file in order)
        for file in by_meaning
    }
    hits = search_text(snapshot, "rain child", 10, encoder=Letters())
    assert [hit.file for hit in hits] == sorted(expected, key=lambda file: (-expected[file], file))
    assert [hit.score for hit in hits] == pytest.approx(sorted(expected.values(), reverse=True), rel=1e-6)


def test_no_ranking_fuses_to_nothing():
    assert [array.tolist() for array in reciprocal_ranks([])] == [[], []]


def test_a_sentence_encoder_is_a_plain_script(weights: Path):
    torch = pytest.importorskip("torch", reason="needs the extra 'neural'")
    pytest.importorskip("transformers", reason="needs the extra 'neural'")
    from transformers import AutoModel, AutoTokenizer

    minilm = weights / "all-MiniLM-L6-v2"
    texts = ["seven", *TEXTS[:3], "word " * 400]
    tokenizer = AutoTokenizer.from_pretrained(minilm)
    model = AutoModel.from_pretrained(minilm, dtype=torch.float32).eval()
    expected = []
    with torch.no_grad():
        for text in texts:
            inputs = tokenizer(text, truncation=True, max_length=256, return_tensors="pt")
            expected.append(model(**inputs).last_hidden_state[0].mean(dim=0))
    normed = torch.nn.functional.normalize(torch.stack(expected)).numpy()
    encoder = sentences.load(str(minilm))
    np.testing.assert_allclose(encoder.encode(texts), normed, atol=1e-5)
    assert np.argmax(normed @ encoder.encode(["a wet puppy"])[0]) == texts.index(TEXTS[0])


def tiny_encoder(folder: Path, *modules: str, **pooling: bool) -> Path:
    """Write a seeded BERT with a pooling."""
    torch = pytest.importorskip("torch", reason="needs the extra 'neural'")
    transformers = pytest.importorskip("transformers", reason="needs the extra 'neural'")

    torch.manual_seed(0)
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "dog"]))
    transformers.BertTokenizer.from_pretrained(folder).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=7, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    transformers.BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    (folder / "1_Pooling").mkdir()
    modes = {f"pooling_mode_{name}": value for name, value in pooling.items()}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 8, **modes}))
    types = [f"sentence_transformers.models.{module}" for module in ("Transformer", "Pooling", *modules)]
    listed = [{"type": kind, "path": "1_Pooling" * kind.endswith("Pooling")} for kind in types]
    (folder / "modules.json").write_text(json.dumps(listed))
    return folder


def test_an_encoder_is_remembered_by_its_files_wherever_they_are(index: Index, tmp_path: Path):
    shutil.copytree(index.path, tmp_path / "index")
    moved = shutil.copytree(tiny_encoder(tmp_path / "tiny", mean_tokens=True), tmp_path / "moved")
    copy = Index.open(tmp_path / "index")
    encoder = sentences.load(f"hf:{moved}")
    with copy.writing() as writer:
        assert sum(sentences.encode_missing(writer, encoder)) == len(TEXTS)
        writer.add_captions([Caption(1, "tags", "a dog", "m", 0, 2)])
        assert sum(sentences.encode_missing(writer, encoder)) == 1
        writer.connection.execute("DELETE FROM sentences WHERE encoder = 'letters'")
    with copy.snapshot() as snapshot:
        assert sentences.encoder_of(snapshot).name == encoder.name
        assert sentences.encoder_of(snapshot, "none") is None
        moved.rename(tmp_path / "away")
        with pytest.raises(
            UsageError, match=r"encoder of the index is not here \(.*name its folder by --sent"
        ):
            sentences.encoder_of(snapshot)
        assert sentences.encoder_of(snapshot, str(tmp_path / "tiny")).name == encoder.name
        assert files(snapshot, "a dog", 2, encoder=encoder)[0] == 1


def test_poolings_are_those_of_the_checkpoint(tmp_path: Path):
    names = ("cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens")
    folder = tiny_encoder(tmp_path / "tiny", "Normalize", **dict.fromkeys(names, True))
    import torch
    from transformers import AutoModel, AutoTokenizer

    inputs = AutoTokenizer.from_pretrained(folder)("a dog", return_tensors="pt")
    with torch.no_grad():
        tokens = AutoModel.from_pretrained(folder).eval()(**inputs).last_hidden_state[0]
    parts = (tokens[0], tokens.max(0).values, tokens.mean(0), tokens.sum(0) / len(tokens) ** 0.5)
    expected = torch.nn.functional.normalize(torch.cat(parts), dim=0).numpy()
    encoded = sentences.load(str(folder)).encode(["a dog", "dog a dog a dog a"])
    np.testing.assert_allclose(encoded[0], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("modules", "pooling", "message"),
    [
        (["Dense"], "mean_tokens", "has the module Dense, which has no counterpart"),
        ([], "lasttoken", "pools by lasttoken; expected one of cls_token"),
    ],
)
def test_an_encoder_that_would_give_other_vectors_is_refused(tmp_path, modules, pooling, message):
    folder = tiny_encoder(tmp_path / "tiny", *modules, **{pooling: True})
    with pytest.raises(UsageError, match=message):
        sentences.load(str(folder))


def test_another_encoder_than_that_of_the_index_is_refused(snapshot: Snapshot, tmp_path: Path):
    folder = tiny_encoder(tmp_path / "tiny", mean_tokens=True)
    with pytest.raises(UsageError, match=r"no vectors of this encoder .*bench describe INDEX --sentences"):
        sentences.encoder_of(snapshot, str(folder))
    with pytest.raises(UsageError, match="no such folder or file"):
        sentences.load(str(tmp_path / "nothing"))
