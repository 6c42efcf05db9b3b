import hashlib
import json
import os
from pathlib import Path

import pytest

from bench import catalog, files
from bench.catalog import weights
from bench.errors import UnavailableError, UsageError
from bench.types import Spec


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "pytorch_model.bin", "README.md"):
        (folder / name).write_text("{}" if name == "config.json" else name)
    return folder


def test_a_folder_or_a_file_is_where_it_is(checkpoint: Path):
    assert weights.locate(str(checkpoint)) == checkpoint
    assert weights.locate(str(checkpoint / "pytorch_model.bin")) == checkpoint / "pytorch_model.bin"


def test_the_digest_is_that_of_what_is_loaded(checkpoint: Path):
    before = weights.digest(checkpoint)
    (checkpoint / "README.md").write_text("other")
    (checkpoint / "pytorch_model.bin").write_text("other")  # safetensors are loaded instead
    assert weights.digest(checkpoint) == before
    for name in ("config.json", "model.safetensors"):
        content = (checkpoint / name).read_text()
        (checkpoint / name).write_text("other")
        assert weights.digest(checkpoint) != before
        (checkpoint / name).write_text(content)
    (checkpoint / "preprocessor_config.json").write_text("{}")
    assert weights.digest(checkpoint) != before


def test_the_digest_of_a_plain_checkpoint_stays_as_it_was(checkpoint: Path):
    (checkpoint / "preprocessor_config.json").write_text("{}")
    names = ("config.json", "preprocessor_config.json", "model.safetensors")
    lines = (f"{name} {hashlib.sha256((checkpoint / name).read_bytes()).hexdigest()}\n" for name in names)
    assert weights.digest(checkpoint) == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_the_digest_covers_an_index_and_shards_of_any_folder_and_the_processors_file(checkpoint: Path):
    (checkpoint / "model.safetensors").unlink()
    shard, index = checkpoint / "parts" / "1.safetensors", checkpoint / "model.safetensors.index.json"
    shard.parent.mkdir()
    shard.write_text("shard")
    index.write_text(json.dumps({"weight_map": {"a": "parts/1.safetensors"}}))
    digests = [weights.digest(checkpoint)]
    shard.write_text("other")
    digests.append(weights.digest(checkpoint))
    index.write_text(json.dumps({"weight_map": {"b": "parts/1.safetensors"}}))
    digests.append(weights.digest(checkpoint))
    (checkpoint / "processor_config.json").write_text("{}")
    digests.append(weights.digest(checkpoint))
    assert len(set(digests)) == 4
    shard.unlink()
    with pytest.raises(UsageError, match=r"no checkpoint; expected .* with every shard"):
        weights.digest(checkpoint)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", b"null", "got None; expected a table"),
        ("config.json", b"17", "got 17; expected a table"),
        ("config.json", b"{", "no valid JSON"),
        ("config.json", b"\xff{}", "no valid JSON"),
        ("config.json", b"[" * 100_000, "no valid JSON"),
        ("config.json", b'{"initializer_range": NaN}', "no valid JSON"),
        ("config.json", b'{"num_hidden_layers": 10000000}', "is 10000000; expected an integer of 0 to 1000"),
        ("config.json", b'{"audio_config": {"hidden_size": 1e9}}', "audio_config.hidden_size is "),
        ("config.json", b'{"conv_dim": [512, 0]}', r"conv_dim\[1\] is 0; expected an integer of 1 to 65536"),
        ("config.json", b'{"transformers_weights": "../a.safetensors"}', "expected null"),
        ("config.json", b'{"attn_implementation": "someone/kernel"}', "expected one of eager, sdpa"),
        ("config.json", b'{"_attn_implementation": "someone/kernel"}', "expected one of eager, sdpa"),
        ("preprocessor_config.json", b'{"sampling_rate": 0}', "expected an integer of 1000 to 1000000"),
        ("preprocessor_config.json", b'{"sampling_rate": 1000000000}', "sampling_rate is 1000000000"),
        ("preprocessor_config.json", b'{"chunk_length": -1}', "expected a number of more than 0 to 600"),
        ("processor_config.json", b'{"feature_extractor": {"sampling_rate": 0}}', "sampling_rate is 0"),
        ("adapter_config.json", b"{}", "is not supported; expected the whole weights"),
    ],
)
def test_a_configuration_that_no_loader_should_see_is_one_line(
    name: str, content: bytes, message: str, checkpoint: Path
):
    (checkpoint / name).write_bytes(content)
    with pytest.raises(UsageError, match=rf"{name}: .*{message}") as caught:
        weights.locate(str(checkpoint))
    assert "\n" not in str(caught.value)


def test_weights_that_are_no_regular_file_are_refused_before_they_are_read(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.pt")
    with pytest.raises(UsageError, match=r"pipe\.pt: no regular file"):
        weights.locate(str(tmp_path / "pipe.pt"))


def test_the_weights_that_a_parameter_names_are_part_of_the_identity(tmp_path: Path):
    file = tmp_path / "hear.pt"
    params = {"module": "json", "weights": str(file)}
    spec = Spec(kind="extractor", name="mine", factory="bench.extractors.hear:Hear", params=params)
    identities = [catalog.identity(spec)]
    for content in ("one", "two"):
        file.write_text(content)
        identities.append(catalog.identity(spec))
    assert len({catalog.key(identity) for identity in identities}) == 3
    assert "weights" not in identities[0]


@pytest.mark.parametrize("name", ["gone.npz", ""], ids=["gone", "folder"])
def test_a_file_that_cannot_be_hashed_is_one_line(tmp_path: Path, name: str):
    with pytest.raises(UsageError, match=r"cannot be read \(.+\); allow it, or restore it$"):
        files.sha256(tmp_path / name)


@pytest.mark.parametrize("absent", ["config.json", "model.safetensors"])
def test_a_folder_without_a_checkpoint_says_what_is_expected(checkpoint: Path, absent: str):
    (checkpoint / absent).unlink()
    if absent == "model.safetensors":
        (checkpoint / "pytorch_model.bin").unlink()
    with pytest.raises(UsageError, match=r"mine: no checkpoint; expected config.json and \*.safetensors"):
        weights.digest(checkpoint)


@pytest.mark.parametrize("name", ["./nowhere", "/no/such/folder", "a/b/c", "model.pt", "two words"])
def test_what_is_neither_here_nor_an_id_is_refused(name: str):
    with pytest.raises(UsageError, match=f"weights {name}: no such folder or file"):
        weights.locate(name)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return an empty cache of the hub, which cannot be reached."""
    pytest.importorskip("huggingface_hub", reason="needs the extra 'neural'")
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_an_id_that_was_not_fetched_is_unavailable_at_once(hub: Path):
    with pytest.raises(UnavailableError, match="the weights openai/whisper-tiny are not here"):
        weights.locate("openai/whisper-tiny")
    assert weights.missing("openai/whisper-tiny")


def test_a_fetched_id_is_where_the_hub_keeps_it(hub: Path, checkpoint: Path):
    folder = hub / "models--me--mine"
    snapshot = folder / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("0" * 40)
    with pytest.raises(UnavailableError, match="the weights me/mine are incomplete"):
        weights.locate("me/mine")
    for file in checkpoint.iterdir():
        (snapshot / file.name).symlink_to(file)
    assert weights.digest(weights.locate("me/mine")) == weights.digest(checkpoint)


def test_without_a_network_a_fetch_says_so_in_one_line(hub: Path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UsageError, match=r"nobody/nothing: the hub .*") as caught:
        weights.fetch("nobody/nothing")
    assert "\n" not in str(caught.value)
