"""Libraries print nothing of their own on stderr, and fork no process, when a network is built."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.no_cover  # in a process of its own

CODE = """
import os, sys
forks = []
os.register_at_fork(before=lambda: forks.append(1))
import numpy as np
import transformers
from bench.extractors.whisper import Whisper

sizes = {"d_model": 16, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "vocab_size": 8}
heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_layers": 1, "decoder_layers": 1}
tokens = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"), 1)
config = transformers.WhisperConfig(**sizes, **heads, **tokens)
transformers.WhisperModel(config).save_pretrained("tiny")
transformers.WhisperFeatureExtractor().save_pretrained("tiny")
print("built here", file=sys.stderr)
frames = Whisper("tiny", runtime="openvino").embed([np.zeros(1600, np.float32)])
print(frames[0].shape, len(forks))
"""


def test_openvino_compiles_a_network_of_transformers_without_a_word_or_a_fork(tmp_path: Path):
    for module in ("transformers", "openvino"):
        pytest.importorskip(module, reason="needs the extras 'neural' and 'openvino'")
    done = subprocess.run([sys.executable, "-c", CODE], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "(2, 5, 16) 0\n", done.stderr
    assert done.stderr.partition("built here\n")[2] == ""
