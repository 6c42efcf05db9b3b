"""Networks of heads: vectors, layers or padded frames -> one logit per class.

Conventions: vectors have shape=(n_clips, dim), layers (n_clips, n_layers, dim), frames (n_clips, n_frames,
dim), and images, which are transposed frames, (n_clips, n_channels, dim, n_frames). `lengths` holds the
number of frames of every clip; the padding after them does not change the output in evaluation mode.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional


class Mlp(nn.Sequential):  # type: ignore[misc]  # torch counts as untyped
    """One hidden layer over a vector, with batch norm and dropout."""

    def __init__(self, dim: int, n_classes: int, hidden: int = 256, dropout: float = 0.3) -> None:
        super().__init__(
            nn.Linear(dim, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, n_classes),
        )


class Gender(nn.Sequential):  # type: ignore[misc]
    """Hidden layers of 13, 128 and 64 units over a vector, each followed by a ReLU and batch norm."""

    def __init__(self, dim: int, n_classes: int) -> None:
        layers: list[Any] = []
        for n_in, n_out in ((dim, 13), (13, 128), (128, 64)):
            layers += [nn.Linear(n_in, n_out), nn.ReLU(), nn.BatchNorm1d(n_out)]
        super().__init__(*layers, nn.Linear(64, n_classes))


class Speaker(nn.Sequential):  # type: ignore[misc]
    """Hidden layers of 64 units, with tanh, and 250 units, with dropout of 0.5; both with batch norm."""

    def __init__(self, dim: int, n_classes: int) -> None:
        linear = [nn.Linear(dim, 64), nn.Linear(64, 250), nn.Linear(250, n_classes)]
        for layer in linear:
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
        norms = nn.BatchNorm1d(64), nn.BatchNorm1d(250)
        super().__init__(linear[0], norms[0], nn.Tanh(), linear[1], norms[1], nn.Dropout(0.5), linear[2])


class Cnn1d(nn.Sequential):  # type: ignore[misc]
    """Convolutions of 32, 48 and 120 filters along a vector, then layers of 128 and 64 units; dim >= 8.

    References
    ----------
    Alkhawaldeh, "DGR: gender recognition of human speech using one-dimensional conventional neural network",
    Scientific Programming, 2019.
    """

    def __init__(self, dim: int, n_classes: int) -> None:
        layers: list[Any] = [nn.Unflatten(1, (1, dim))]
        for n_in, n_out in ((1, 32), (32, 48), (48, 120)):
            layers += [nn.Conv1d(n_in, n_out, 3), nn.ReLU()]
        layers += [nn.MaxPool1d(2), nn.Flatten(), nn.Linear(120 * ((dim - 6) // 2), 128), nn.ReLU()]
        super().__init__(*layers, nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, n_classes))


class LayerWeights(nn.Module):  # type: ignore[misc]
    """A weighted sum of layers with trained weights, then a projection and a linear classifier.

    References
    ----------
    Yang et al., "SUPERB: Speech processing universal performance benchmark", Interspeech 2021.
    """

    def __init__(self, dim: int, n_classes: int, n_layers: int, projection: int = 256) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(n_layers))
        self.classify = nn.Sequential(nn.Linear(dim, projection), nn.Linear(projection, n_classes))

    def forward(self, layers: Any) -> Any:
        return self.classify(torch.einsum("l,bld->bd", self.weights.softmax(0), layers))


class AttentionPool(nn.Module):  # type: ignore[misc]
    """A weighted mean of frames with weights by attention, then a linear classifier.

    References
    ----------
    Cai, Chen and Li, "Exploring the encoding layer and loss function in end-to-end speaker and language
    recognition system", Odyssey 2018.
    """

    def __init__(self, dim: int, n_classes: int, hidden: int = 128) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(dim, hidden), nn.Tanh(), nn.Linear(hidden, 1))
        self.classify = nn.Linear(dim, n_classes)

    def forward(self, frames: Any, lengths: Any) -> Any:
        scores = self.score(frames).squeeze(-1).masked_fill(~within(lengths, frames.shape[1]), -torch.inf)
        return self.classify(torch.einsum("bt,btd->bd", scores.softmax(1), frames))


class Cnn2d(nn.Module):  # type: ignore[misc]
    """Blocks of 3 x 3 convolutions, batch norm, ReLU and max pooling over an image, then the mean over time.

    Parameters
    ----------
    blocks : tuple[tuple[int, ...], ...]
        Number of filters of every convolution of a block; max pooling follows a block.
    """

    def __init__(
        self, dim: int, n_classes: int, blocks: tuple[tuple[int, ...], ...] = ((16,), (32,), (64,))
    ) -> None:
        super().__init__()
        self.multiple = 2 ** len(blocks)
        self.blocks = nn.ModuleList()
        n_channels = 1
        for sizes in blocks:
            self.blocks.append(nn.ModuleList())
            for size in sizes:
                layers = (
                    nn.Conv2d(n_channels, size, 3, padding=1, bias=False),
                    nn.BatchNorm2d(size),
                    nn.ReLU(),
                )
                self.blocks[-1].append(nn.Sequential(*layers))
                n_channels = size
        self.dropout = nn.Dropout(0.3)
        self.classify = nn.Linear(n_channels * -(-dim // self.multiple), n_classes)

    def forward(self, frames: Any, lengths: Any) -> Any:
        x = image(frames, self.multiple)
        for block in self.blocks:
            for convolution in block:
                x = convolution(x * within(lengths, x.shape[-1])[:, None, None])
            x, lengths = functional.max_pool2d(x, 2), (lengths // 2).clamp(min=1)
        return self.classify(self.dropout(mean_over_time(x, lengths).flatten(1)))


class Vgg(Cnn2d):
    """The convolutions of VGG-11 with batch norm, at a fraction of their width.

    References
    ----------
    Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", ICLR 2015.
    """

    def __init__(self, dim: int, n_classes: int, width: float = 0.25) -> None:
        widths = ((64,), (128,), (256, 256), (512, 512), (512, 512))
        super().__init__(dim, n_classes, tuple(tuple(int(n * width) for n in block) for block in widths))


class BcResNet(nn.Module):  # type: ignore[misc]
    """Broadcasted residual network (BC-ResNet) over an image.

    References
    ----------
    Kim et al., "Broadcasted residual learning for efficient keyword spotting", Interspeech 2021, table 1.
    """

    def __init__(self, dim: int, n_classes: int, scale: float = 1.0) -> None:
        super().__init__()
        base = int(8 * scale)
        widths = [2 * base, base, int(1.5 * base), 2 * base, int(2.5 * base)]
        first = nn.Conv2d(1, widths[0], 5, (2, 1), 2, bias=False)
        self.first = nn.Sequential(first, nn.BatchNorm2d(widths[0]), nn.ReLU())
        self.blocks = nn.ModuleList()
        for stage, (depth, stride) in enumerate(zip((2, 2, 4, 4), (1, 2, 2, 1), strict=True)):
            n_out = widths[stage + 1]
            self.blocks.append(_BroadcastedBlock(widths[stage], n_out, 2**stage, stride))
            self.blocks.extend(_BroadcastedBlock(n_out, n_out, 2**stage, 1) for _ in range(depth - 1))
        last = widths[-1]
        self.last = nn.Sequential(
            nn.Conv2d(last, last, 5, padding=(0, 2), groups=last, bias=False),
            nn.Conv2d(last, 4 * base, 1, bias=False),
            nn.BatchNorm2d(4 * base),
            nn.ReLU(),
        )
        self.classify = nn.Linear(4 * base, n_classes)

    def forward(self, frames: Any, lengths: Any) -> Any:
        x = image(frames, 40)
        mask = within(lengths, x.shape[-1])[:, None, None]
        x = self.first(x)
        for block in self.blocks:
            x = block(x, mask)
        return self.classify(mean_over_time(self.last(x * mask), lengths).mean(dim=2))


class _BroadcastedBlock(nn.Module):  # type: ignore[misc]
    """A convolution over frequency, plus a convolution over time of its mean over frequency."""

    def __init__(self, n_in: int, n_out: int, dilation: int, stride: int) -> None:
        super().__init__()
        self.widens = n_in != n_out
        widen = nn.Conv2d(n_in, n_out, 1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()
        self.over_frequency = nn.Sequential(
            *(widen if self.widens else ()),
            nn.Conv2d(n_out, n_out, (3, 1), (stride, 1), (1, 0), groups=n_out, bias=False),
            _SubSpectralNorm(n_out),
        )
        time = {"padding": (0, dilation), "dilation": (1, dilation), "groups": n_out, "bias": False}
        self.over_time = nn.Sequential(
            nn.Conv2d(n_out, n_out, (1, 3), **time),
            nn.BatchNorm2d(n_out),
            nn.SiLU(),
            nn.Conv2d(n_out, n_out, 1, bias=False),
            nn.Dropout2d(0.1),
        )

    def forward(self, x: Any, mask: Any) -> Any:
        bands = self.over_frequency(x)
        y = bands + self.over_time(bands.mean(dim=2, keepdim=True) * mask)
        return functional.relu(y if self.widens else y + x)


class _SubSpectralNorm(nn.Module):  # type: ignore[misc]
    """Batch norm of five parts of the spectrum, separately.

    References
    ----------
    Chang et al., "SubSpectral normalization for neural audio data processing", ICASSP 2021.
    """

    def __init__(self, n_channels: int, n_parts: int = 5) -> None:
        super().__init__()
        self.n_parts = n_parts
        self.norm = nn.BatchNorm2d(n_channels * n_parts)

    def forward(self, x: Any) -> Any:
        n_clips, n_channels, n_bands, n_frames = x.shape
        parts = x.reshape(n_clips, n_channels * self.n_parts, n_bands // self.n_parts, n_frames)
        return self.norm(parts).reshape(n_clips, n_channels, n_bands, n_frames)


class MhattKws(nn.Module):  # type: ignore[misc]
    """Convolutions over time, a bidirectional GRU, and multi-head attention with its last state as the query.

    References
    ----------
    Rybakov et al., "Streaming keyword spotting on mobile devices", Interspeech 2020.
    """

    def __init__(self, dim: int, n_classes: int, hidden: int = 128, n_heads: int = 4) -> None:
        super().__init__()
        sizes = ((1, 10), (10, 1))
        self.convolutions = nn.ModuleList(
            nn.Sequential(nn.Conv2d(n, m, (1, 5), padding=(0, 2)), nn.BatchNorm2d(m), nn.ReLU())
            for n, m in sizes
        )
        self.recurrent = nn.GRU(dim, hidden, num_layers=2, bidirectional=True, batch_first=True)
        self.query = nn.Linear(2 * hidden, 2 * hidden)
        self.attention = nn.MultiheadAttention(2 * hidden, n_heads, batch_first=True)
        layers = nn.Linear(2 * hidden, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, n_classes)
        self.classify = nn.Sequential(*layers)

    def forward(self, frames: Any, lengths: Any) -> Any:
        x = image(frames)
        inside = within(lengths, x.shape[-1])
        for convolution in self.convolutions:
            x = convolution(x * inside[:, None, None])
        packed = nn.utils.rnn.pack_padded_sequence(
            x.squeeze(1).transpose(1, 2), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        states, _ = nn.utils.rnn.pad_packed_sequence(
            self.recurrent(packed)[0], batch_first=True, total_length=frames.shape[1]
        )
        last = states[torch.arange(len(states), device=states.device), lengths - 1]
        query = self.query(last).unsqueeze(1)
        pooled, _ = self.attention(query, states, states, key_padding_mask=~inside, need_weights=False)
        return self.classify(pooled.squeeze(1))


def within(lengths: Any, n_frames: int) -> Any:
    """Return whether a frame is part of the clip, not padding, shape=(n_clips, n_frames)."""
    return torch.arange(n_frames, device=lengths.device) < lengths[:, None]


def image(frames: Any, multiple: int = 1) -> Any:
    """Return frames as an image of one channel.

    Zeros pad the bands to a multiple of `multiple`, and the frames to at least `multiple`.
    """
    x = frames.transpose(1, 2).unsqueeze(1)
    n_missing = max(0, multiple - x.shape[3])
    return functional.pad(x, (0, n_missing, 0, -x.shape[2] % multiple))


def mean_over_time(x: Any, lengths: Any) -> Any:
    """Return the mean of an image over the frames of the clips, shape=(n_clips, n_channels, n_bands)."""
    inside = within(lengths, x.shape[-1])[:, None, None]
    return (x * inside).sum(dim=-1) / lengths[:, None, None]
