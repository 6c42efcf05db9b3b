"""Networks as heads, trained by skorch."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from skorch import NeuralNetClassifier
from skorch.callbacks import EarlyStopping, LRScheduler
from skorch.helper import predefined_split
from torch import nn

from bench.heads import architectures
from bench.heads.parts import parts
from bench.types import Labels, Samples

MASKS = 2
"""Of time and of bands, per clip."""


class Network(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no type hints
    """A network of `architectures`, whose training stops when it gets no better on held out groups.

    A fifth of the groups of the training side is held out; where a class has one group only, none is, and
    all epochs are trained. Classes weigh the same, however many clips they have. The learning rate falls to
    zero along a cosine.

    Parameters
    ----------
    network : str
        The name of a class in `architectures`.
    options : Mapping[str, Any] | None
        What it takes besides `dim` and `n_classes`.
    optimizer : str
        As in `torch.optim`.
    epochs, patience : int
        The most epochs, and how many without a lower loss on the held out groups end them.
    crop : int
        Of a longer sequence, so many frames from a random place are trained on; it is tested whole.
    spec_augment : bool
        Whether parts of the time and of the bands of training sequences are masked (Park et al.,
        "SpecAugment", Interspeech 2019).
    device : str
        As torch calls it; ``auto`` for a GPU if there is one.
    random_state : int
        The seed of weights, order, crops and masks.
    """

    def __init__(
        self,
        network: str = "Mlp",
        options: Mapping[str, Any] | None = None,
        optimizer: str = "AdamW",
        lr: float = 0.001,
        batch_size: int = 16,
        epochs: int = 60,
        patience: int = 10,
        crop: int = 300,
        spec_augment: bool = False,
        device: str = "auto",
        random_state: int = 0,
    ) -> None:
        self.network = network
        self.options = options
        self.optimizer = optimizer
        self.lr = lr
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.crop = crop
        self.spec_augment = spec_augment
        self.device = device
        self.random_state = random_state

    def fit(self, X: Samples, y: Labels, groups: Labels | None = None) -> Self:
        """Train the network.

        Parameters
        ----------
        X : Samples
            shape=(n_clips, dim), (n_clips, n_layers, dim), or one array per clip, shape=(n_frames, dim).
        groups : Labels | None
            What may not stand both in what is trained on and in what says when to stop; by default, every
            clip is a group.
        """
        self.classes_, codes = np.unique(y, return_inverse=True)
        sizes = {"dim": X[0].shape[-1], "n_classes": len(self.classes_)}
        if self.network == "LayerWeights":
            sizes["n_layers"] = len(X[0])
        self.sizes_ = sizes
        learnt, held_out = parts(codes, groups, self.random_state)
        callbacks = [("schedule", LRScheduler(policy="CosineAnnealingLR", T_max=self.epochs))]
        if len(held_out):
            stopping = EarlyStopping(patience=self.patience, load_best=True, sink=lambda _: None)
            callbacks.append(("stopping", stopping))
        counts = np.bincount(codes[learnt], minlength=len(self.classes_))
        weights = len(learnt) / (len(self.classes_) * np.maximum(counts, 1))
        momentum = (
            {"optimizer__momentum": 0.9, "optimizer__nesterov": True} if self.optimizer == "SGD" else {}
        )
        with torch.random.fork_rng():
            torch.manual_seed(self.random_state)
            net = NeuralNetClassifier(
                self._module(),
                criterion=nn.CrossEntropyLoss,
                criterion__weight=torch.tensor(weights, dtype=torch.float32),
                optimizer=getattr(torch.optim, self.optimizer),
                lr=self.lr,
                max_epochs=self.epochs,
                batch_size=self.batch_size,
                iterator_train__shuffle=True,
                # Batch norm cannot learn from a batch of one.
                iterator_train__drop_last=len(learnt) % self.batch_size == 1 and len(learnt) > 1,
                iterator_train__collate_fn=_whole,
                iterator_valid__collate_fn=_whole,
                train_split=predefined_split(_Clips(X, codes, held_out)) if len(held_out) else None,
                callbacks=callbacks,
                callbacks__valid_acc=None,
                device=self._device(),
                verbose=0,
                **momentum,
            )
            net.fit(_Clips(X, codes, learnt, self.crop, self.spec_augment), None)
        self.history_ = net.history
        self.module_ = net.module_.eval()
        return self

    def predict_proba(self, X: Samples) -> Any:
        """Return the probabilities, shape=(n_clips, n_classes), columns as in `classes_`."""
        order = np.argsort([len(clip) for clip in X], kind="stable")
        clips = _Clips(X, np.zeros(len(X), dtype=np.int64), order)
        device = self._device()
        made = []
        with torch.inference_mode():
            for start in range(0, len(order), self.batch_size):
                inputs, _ = clips.__getitems__(range(start, min(start + self.batch_size, len(order))))
                logits = self.module_(*(each.to(device) for each in inputs.values()))
                made.append(logits.softmax(dim=1).cpu().numpy())
        probabilities = np.empty((len(order), len(self.classes_)), dtype=np.float32)
        probabilities[order] = np.concatenate(made)
        return probabilities

    def predict(self, X: Samples) -> Labels:
        """Return the most probable label of each clip."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])

    def tensors(self) -> Mapping[str, Any]:
        """Return the fitted weights: name -> array."""
        return {name: tensor.cpu().numpy() for name, tensor in self.module_.state_dict().items()}

    def restore(self, tensors: Mapping[str, Any], classes: Labels, sizes: Mapping[str, int]) -> None:
        """Take the weights, classes and sizes of a fitted network."""
        self.classes_, self.sizes_ = classes, dict(sizes)
        self.module_ = self._module().to(self._device()).eval()
        self.module_.load_state_dict({name: torch.tensor(values) for name, values in tensors.items()})

    def _module(self) -> Any:
        """Return the network with fresh weights."""
        return getattr(architectures, self.network)(**self.sizes_, **(self.options or {}))

    def _device(self) -> str:
        if self.device != "auto":
            return self.device
        return "cuda" if torch.cuda.is_available() else "cpu"


class _Clips(torch.utils.data.Dataset):  # type: ignore[misc]  # torch counts as untyped
    """Some rows of X with their classes; of a sequence to train on, a random part with random masks."""

    def __init__(
        self, X: Any, codes: Any, rows: npt.NDArray[np.intp], crop: int = 0, spec_augment: bool = False
    ) -> None:
        self.X = X
        self.codes = codes
        self.rows = rows
        self.crop = crop
        self.spec_augment = spec_augment

    def __len__(self) -> int:
        return len(self.rows)

    def __getitems__(self, numbers: Sequence[int]) -> tuple[Mapping[str, Any], Any]:
        """Return the network's input, sequences padded with zeros, and the classes."""
        rows = self.rows[list(numbers)]
        codes = torch.as_tensor(self.codes[rows])
        if isinstance(self.X, np.ndarray):
            name = "input" if self.X.ndim == 2 else "layers"
            return {name: torch.as_tensor(self.X[rows], dtype=torch.float32)}, codes
        clips = [self._sequence(row) for row in rows]
        lengths = torch.tensor([len(clip) for clip in clips])
        return {"frames": nn.utils.rnn.pad_sequence(clips, batch_first=True), "lengths": lengths}, codes

    def _sequence(self, row: int) -> Any:
        values = torch.as_tensor(self.X[row], dtype=torch.float32)
        if self.crop and len(values) > self.crop:
            start = int(torch.randint(len(values) - self.crop + 1, ()))
            values = values[start : start + self.crop]
        return _masked(values) if self.spec_augment else values


def _whole(batch: Any) -> Any:
    """Return a batch as it comes."""
    return batch


def _masked(frames: Any) -> Any:
    """Return frames of which random bands and stretches of time are zero, the mean of the features."""
    frames = frames.clone()
    for axis, most in ((0, len(frames) // 10), (1, frames.shape[1] // 8)):
        for _ in range(MASKS):
            size = int(torch.randint(most + 1, ()))
            start = int(torch.randint(frames.shape[axis] - size + 1, ()))
            frames.narrow(axis, start, size).zero_()
    return frames
