"""Write small fairseq checkpoints and what fairseq itself makes of a clip: `tox -e fairseq`.

Needs fairseq-fixed. Each NAME.pt has a NAME.npz beside it: `audio`, shape=(n_samples,), and `layers`, the
input of the first transformer layer and the output of every layer, shape=(n_layers, n_frames, dim).
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from fairseq.data import Dictionary
from fairseq.models.hubert import HubertConfig, HubertModel
from fairseq.models.wav2vec import Wav2Vec2Config, Wav2Vec2Model
from fairseq.tasks.hubert_pretraining import HubertPretrainingConfig
from omegaconf import OmegaConf

HERE = Path(__file__).parent
SIZES = {
    "encoder_layers": 2,
    "encoder_embed_dim": 16,
    "encoder_ffn_embed_dim": 32,
    "encoder_attention_heads": 2,
    "conv_feature_layers": "[(8, 10, 5)] + [(8, 3, 2)] * 2 + [(8, 2, 2)]",
    "conv_pos": 8,
    "conv_pos_groups": 2,
    "final_dim": 8,
}
KINDS = {
    "wav2vec2-args": (Wav2Vec2Config, {"extractor_mode": "default", "layer_norm_first": False}),
    "wav2vec2-cfg": (
        Wav2Vec2Config,
        {"extractor_mode": "layer_norm", "layer_norm_first": True, "conv_bias": True},
    ),
    "hubert-cfg": (HubertConfig, {"extractor_mode": "default", "layer_norm_first": False}),
    "hubert-large-cfg": (HubertConfig, {"extractor_mode": "layer_norm", "layer_norm_first": True}),
}


def main() -> None:
    """Write every checkpoint and its features."""
    for name, (config_class, options) in KINDS.items():
        torch.manual_seed(0)
        rate = {"label_rate": 50.0} if config_class is HubertConfig else {}
        config = config_class(**SIZES, **options, **rate)
        if config_class is HubertConfig:
            dictionary = Dictionary()
            dictionary.add_symbol("0")
            model = HubertModel(
                config, HubertPretrainingConfig(label_rate=50.0, sample_rate=16000), [dictionary]
            )
        else:
            dictionary = None
            model = Wav2Vec2Model(config)
        model.eval()
        for parameter in model.parameters():  # norms and biases that are not all ones and zeros
            parameter.data += 0.05 * torch.randn_like(parameter)
        rng = np.random.default_rng(0)
        audio = (0.1 * rng.standard_normal(4000)).astype(np.float32)
        normalize = options["extractor_mode"] == "layer_norm"
        layers = features(model, audio, normalize)
        settings = OmegaConf.to_container(OmegaConf.structured(config), enum_to_str=True)
        settings["_name"] = "hubert" if config_class is HubertConfig else "wav2vec2"
        content = {"model": model.state_dict(), "extra_state": {"epoch": 1}, "last_optimizer_state": None}
        if name.endswith("args"):
            old = {k: v for k, v in settings.items() if k != "_name"}
            content |= {"args": argparse.Namespace(arch="wav2vec2", normalize=normalize, **old), "cfg": None}
        else:
            content |= {"args": None, "cfg": {"model": settings, "task": {"normalize": normalize}}}
        if dictionary:
            content["task_state"] = {"dictionaries": [dictionary]}
        torch.save(content, HERE / f"{name}.pt", _use_new_zipfile_serialization=not name.endswith("args"))
        np.savez_compressed(HERE / f"{name}.npz", audio=audio, layers=layers)


def features(model: torch.nn.Module, audio: np.ndarray, normalize: bool) -> np.ndarray:
    """Return the input of the first layer and every layer's output, by hooks on fairseq's own layers."""
    source = torch.from_numpy(audio)[None]
    if normalize:
        source = torch.nn.functional.layer_norm(source, source.shape)
    seen = []
    first = model.encoder.layers[0].register_forward_pre_hook(lambda _, values: seen.append(values[0]))
    rest = [
        layer.register_forward_hook(lambda _, __, made: seen.append(made[0]))
        for layer in model.encoder.layers
    ]
    with torch.no_grad():
        made = model(source, mask=False, features_only=True)
    for hook in (first, *rest):
        hook.remove()
    # fairseq pads to an even number of frames, which it masks, and takes the padding off again at the end.
    return torch.stack([state[: made["x"].shape[1], 0] for state in seen]).numpy()


if __name__ == "__main__":
    main()
