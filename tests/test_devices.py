"""Networks on a GPU, without one: torch's device `meta` stands for it, and refuses tensors of the CPU."""

import importlib.util
import sys
import weakref
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'neural'")
import transformers  # noqa: E402

from bench import catalog  # noqa: E402
from bench.extractors.hear import Hear  # noqa: E402
from bench.extractors.runtimes import prepare  # noqa: E402
from bench.extractors.transformer import HiddenStates  # noqa: E402
from bench.extractors.whisper import _EncoderStates  # noqa: E402
from bench.heads import architectures  # noqa: E402
from bench.heads.network import Network  # noqa: E402

VECTORS = ("Mlp", "Gender", "Speaker", "Cnn1d")
FRAMES = ("AttentionPool", "Cnn2d", "Vgg", "BcResNet")
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}


@pytest.mark.parametrize("name", [*VECTORS, "LayerWeights", *FRAMES])
def test_a_network_of_a_head_takes_no_tensor_from_another_device(name: str):
    options = {"n_layers": 4} if name == "LayerWeights" else {}
    module = getattr(architectures, name)(40, 3, **options).to("meta")
    shape = {"LayerWeights": (4, 4, 40)}.get(name, (4, 40) if name in VECTORS else (4, 30, 40))
    lengths = (torch.tensor([30, 20, 10, 1]).to("meta"),) if name in FRAMES else ()
    logits = module(torch.zeros(shape, device="meta"), *lengths)
    assert (logits.device.type, logits.shape) == ("meta", (4, 3))


def test_a_tensor_of_the_cpu_beside_one_of_the_device_is_noticed(monkeypatch):
    monkeypatch.setattr(architectures, "within", lambda _, n: torch.ones(4, n, dtype=torch.bool))
    with pytest.raises(RuntimeError, match="cpu"):
        test_a_network_of_a_head_takes_no_tensor_from_another_device("Cnn2d")


def test_an_encoder_takes_no_tensor_from_another_device():
    config = transformers.Wav2Vec2Config(**SIZES, conv_dim=(16,) * 7)
    waveform = HiddenStates(transformers.Wav2Vec2Model(config)).eval().to("meta")
    assert waveform(torch.zeros(2, 16000, device="meta")).device.type == "meta"
    sizes = {"d_model": 32, "encoder_ffn_dim": 64, "encoder_layers": 2, "decoder_layers": 1}
    heads = {"encoder_attention_heads": 4, "decoder_attention_heads": 4, "vocab_size": 60}
    tokens = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
    config = transformers.WhisperConfig(**sizes, **heads, **tokens)
    model = transformers.WhisperModel(config)
    spectra = _EncoderStates(model.encoder).eval().to("meta")
    assert spectra(torch.zeros(2, 80, 100, device="meta")).shape == (2, 3, 50, 32)


def test_a_batch_that_does_not_fit_leaves_no_tensor_behind():
    states: list[weakref.ref[torch.Tensor]] = []

    class Deep(torch.nn.Module):
        def forward(self, values: torch.Tensor) -> torch.Tensor:
            hidden = values + 1
            states.append(weakref.ref(hidden))
            raise torch.OutOfMemoryError("CUDA out of memory")

    run = prepare(Deep(), torch.zeros(1, 4), "torch", "fp32", "cpu")
    with pytest.raises(MemoryError, match="CUDA out of memory") as caught:
        run(torch.zeros(2, 4))
    assert caught.value.__cause__ is None
    assert [state() for state in states] == [None]


def test_a_head_on_the_cpu_touches_no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delattr(torch.cuda, "get_rng_state")
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((12, 8)).astype(np.float32), np.repeat(["a", "b"], 6)
    assert Network(epochs=1, device="cpu").fit(X, y).predict(X).shape == (12,)


def test_a_hear_module_gets_clips_on_the_device_of_its_model(monkeypatch):
    module = ModuleType("far_away")

    class Model(torch.nn.Linear):
        sample_rate, scene_embedding_size, timestamp_embedding_size = 16000, 1, 1

    def scenes(audio: torch.Tensor, model: Model) -> torch.Tensor:
        assert audio.device == model.weight.device
        return torch.zeros(len(audio), 1)

    module.load_model = lambda: Model(1, 1, device="meta")
    module.get_scene_embeddings = module.get_timestamp_embeddings = scenes
    monkeypatch.setitem(sys.modules, "far_away", module)
    assert len(Hear("far_away").embed([np.zeros(100, np.float32)] * 2)) == 2


def test_the_check_of_a_gpu_runs_on_the_cpu(tmp_path: Path):
    source = importlib.util.spec_from_file_location("gpu", Path(__file__).parent / "perf" / "gpu.py")
    gpu = importlib.util.module_from_spec(source)
    source.loader.exec_module(gpu)
    makers = gpu.write_checkpoints(tmp_path)
    assert len(makers) == len(gpu.WAVEFORMS) + 2
    figures = {
        **gpu.check_memory(makers["wav2vec2-group"], "cpu", tmp_path),
        **gpu.check_layers(makers["wavlm-layer"], "cpu", tmp_path),
        **gpu.check_head(catalog.load().heads["attention-pool"], "cpu"),
    }
    assert figures.keys() == {"frames", "halved", "cpu", "twice", "finite"}
    assert max(figures.values()) <= 1
