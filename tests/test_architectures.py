"""The networks of heads: sizes as published, and no effect of padding."""

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'neural'")

from bench.heads import architectures  # noqa: E402

SEQUENCES = ["AttentionPool", "Cnn2d", "Vgg", "BcResNet", "MhattKws"]


def n_params(module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("scale", "thousands"), [(1, 9.2), (1.5, 17.2), (2, 27.3), (3, 54.2), (6, 187.8), (8, 321.1)]
)
def test_bcresnet_has_the_papers_number_of_parameters(scale: float, thousands: float):
    assert round(n_params(architectures.BcResNet(40, 12, scale)) / 1000, 1) == thousands


def test_the_networks_of_the_studies_have_their_layers():
    # Keras counts the same: 13 * 13 + 13 and so on, with 4 numbers per unit of batch norm, 2 of them trained.
    assert n_params(architectures.Gender(13, 2)) == 182 + 26 + 1792 + 256 + 8256 + 128 + 130
    assert n_params(architectures.Speaker(47, 40)) == 3072 + 128 + 16250 + 500 + 10040
    assert n_params(architectures.Cnn1d(13, 2)) == 128 + 4656 + 17400 + 46208 + 8256 + 130


@pytest.mark.parametrize("name", SEQUENCES)
@pytest.mark.parametrize("dim", [26, 40, 80])
def test_padding_does_not_change_the_output(name: str, dim: int):
    torch.manual_seed(0)
    module = getattr(architectures, name)(dim, 3).eval()
    lengths = torch.tensor([70, 33, 1])
    frames = torch.randn(3, 70, dim) * (torch.arange(70) < lengths[:, None])[..., None]
    with torch.inference_mode():
        together = module(frames, lengths)
        for clip, n in enumerate(lengths.tolist()):
            alone = module(frames[clip : clip + 1, :n], lengths[clip : clip + 1])
            torch.testing.assert_close(together[clip : clip + 1], alone, atol=1e-5, rtol=1e-4)
    assert together.shape == (3, 3)
