from pathlib import Path

import pytest

from bench.catalog import weights
from bench.errors import UnavailableError, UsageError


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
