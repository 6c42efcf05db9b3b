"""Search by text in an index of CLAP, held against transformers: a tiny seeded checkpoint."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'neural'")
transformers = pytest.importorskip("transformers", reason="needs the extra 'neural'")

MERGES = ("r a", "ra i", "rai n", "d o", "do g")
TOKENS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *"dograinĠ", *(pair.replace(" ", "") for pair in MERGES)]


@pytest.fixture
def clap(tmp_path: Path) -> Any:
    """Write a checkpoint of CLAP with random weights and its tokenizer to the folder `clap`."""
    folder = tmp_path / "clap"
    torch.manual_seed(0)
    sizes = {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.ClapConfig(
        audio_config={
            "depths": [1, 1, 1, 1],
            "num_attention_heads": [1, 2, 2, 4],
            "hidden_size": 128,
            "patch_embeds_hidden_size": 16,
            "num_hidden_layers": 4,
        },
        text_config={**sizes, "hidden_size": 32, "vocab_size": len(TOKENS)},
        projection_dim=24,
    )
    model = transformers.ClapModel(config).eval()
    model.save_pretrained(folder)
    with warnings.catch_warnings(action="ignore"):
        features = transformers.ClapFeatureExtractor(truncation="rand_trunc", padding="repeatpad")
    features.save_pretrained(folder)
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(TOKENS))}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *MERGES]))
    transformers.RobertaTokenizer.from_pretrained(folder).save_pretrained(folder)
    return model


def test_a_text_finds_the_sounds_that_clap_puts_near_it(clap, bench, take, tmp_path: Path):
    paths = [take("george", digit, 0) for digit in range(4)]
    pd.DataFrame({"path": list(map(str, paths))}).to_csv("clips.csv", index=False)
    built = bench(
        "index", "clips.csv", "--extractors", f"hf:{tmp_path / 'clap'}", "--runtime", "torch", "--to", "index"
    )
    assert built.exit_code == 0, built.output
    outcome = bench("search", "index", "--text", "rain dog", "--format", "json")
    assert outcome.exit_code == 0, outcome.output
    hits = json.loads(outcome.stdout)
    assert len(hits) == 4

    from bench.audio import read
    from bench.types import Clip

    folder = tmp_path / "clap"
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    processor = transformers.ClapFeatureExtractor.from_pretrained(folder)
    sounds = [read(Clip("", path), 48_000) for path in paths]
    with torch.no_grad():
        text = clap.get_text_features(**tokenizer("rain dog", return_tensors="pt"))
        audio = clap.get_audio_features(**processor(sounds, sampling_rate=48_000, return_tensors="pt"))
    text, audio = (getattr(each, "pooler_output", each).numpy() for each in (text, audio))
    cosines = (audio @ text.T)[:, 0] / np.linalg.norm(text) / np.linalg.norm(audio, axis=1)
    order = np.argsort(-cosines)
    assert [hit["path"] for hit in hits] == [str(paths[row]) for row in order]
    assert [hit["score"] for hit in hits] == pytest.approx(cosines[order].tolist(), abs=1e-5)

    words = bench("search", "index", "--text", "rain", "--sentences", "none")
    assert (words.exit_code, "no texts to search" in words.stderr) == (2, True)
    (folder / "tokenizer.json").unlink()
    bare = bench("search", "index", "--text", "rain")
    assert (bare.exit_code, "has no tokenizer.json" in bare.stderr) == (2, True)
