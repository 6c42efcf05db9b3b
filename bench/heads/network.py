"""Neural networks as heads, trained by skorch."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
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
from bench.heads.inner_split import inner_split
from bench.types import Labels, Samples

N_MASKS = 2
"""Number of masked stretches of time, and of masked bands, per clip."""


class Network(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no type hints
    """A network of `architectures`, trained with early stopping on held out groups.

    A fifth of the training groups is held out; if a class has a single group, none is, and training lasts for
    all epochs. All classes have the same weight, whatever their number of clips. The learning rate falls to
    zero along a cosine.

    Parameters
    ----------
    network : str
        Name of a class in `architectures`.
    options : Mapping[str, Any] | None
        Arguments of that class besides `dim`, `n_classes` and `n_layers`.
    optimizer : str
        Name of a class in `torch.optim`; ``SGD`` has Nesterov momentum of 0.9.
    lr : float
        Learning rate of the first epoch.
    batch_size : int
        Number of clips.
    epochs, patience : int
        Largest number of epochs, and number of epochs without a lower loss on the held out groups after which
        training stops.
    crop : int
        Number of frames of a training sequence: a longer one is cropped at a random position. Tested
        sequences are not cropped. 0 for no cropping.
    spec_augment : bool
        Whether random stretches of time and random bands of training sequences are masked.
    device : str
        A device of torch; ``auto`` for a GPU if there is one.
    random_state : int
        Seed of the weights, the order of clips, crops and masks.

    References
    ----------
    Park et al., "SpecAugment: A simple data augmentation method for automatic speech recognition",
    Interspeech 2019.
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
            Group of every clip, as in `inner_split`.
        """
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.sizes_ = {"dim": X[0].shape[-1], "n_classes": len(self.classes_)}
        if self.network == "LayerWeights":
            self.sizes_["n_layers"] = len(X[0])
        train, held_out = inner_split(codes, groups, self.random_state)
        training = _Clips(X, codes, train, self.crop, self.spec_augment)
        validation = _Clips(X, codes, held_out) if len(held_out) else None
        device = torch.device(self._device())
        # The order of random draws is part of the scores: first the weights, then order, crops and masks.
        with torch.random.fork_rng([] if device.type == "cpu" else [device]), _repeatable():
            torch.manual_seed(self.random_state)
            net = self._trainer(codes[train], validation)
            net.fit(training, None)
        self.history_ = net.history
        self.module_ = net.module_.eval()
        return self

    def _trainer(self, codes: npt.NDArray[np.intp], validation: "_Clips | None") -> NeuralNetClassifier:
        """Return an untrained network with its training options.

        Parameters
        ----------
        codes : np.ndarray, shape=(n_training_clips,)
            Classes of the training clips as integers from 0.
        """
        momentum = {"optimizer__momentum": 0.9, "optimizer__nesterov": True}
        return NeuralNetClassifier(
            self._module(),
            criterion=nn.CrossEntropyLoss,
            criterion__weight=_class_weights(codes, len(self.classes_)),
            optimizer=getattr(torch.optim, self.optimizer),
            lr=self.lr,
            max_epochs=self.epochs,
            batch_size=self.batch_size,
            iterator_train__shuffle=True,
            # Batch norm cannot be trained on a batch of one clip.
            iterator_train__drop_last=len(codes) % self.batch_size == 1 and len(codes) > 1,
            iterator_train__collate_fn=_identity,
            iterator_valid__collate_fn=_identity,
            train_split=predefined_split(validation) if validation else None,
            callbacks=self._callbacks(early_stopping=validation is not None),
            callbacks__valid_acc=None,
            device=self._device(),
            verbose=0,
            **(momentum if self.optimizer == "SGD" else {}),
        )

    def _callbacks(self, early_stopping: bool) -> list[tuple[str, Any]]:
        """Return the callbacks of skorch: the learning rate's schedule, and early stopping."""
        schedule = ("schedule", LRScheduler(policy="CosineAnnealingLR", T_max=self.epochs))
        if not early_stopping:
            return [schedule]
        return [
            schedule,
            ("stopping", EarlyStopping(patience=self.patience, load_best=True, sink=lambda _: None)),
        ]

    def predict_proba(self, X: Samples) -> Any:
        """Return the probabilities, shape=(n_clips, n_classes), columns as in `classes_`."""
        order = np.argsort([len(clip) for clip in X], kind="stable")
        clips = _Clips(X, np.zeros(len(X), dtype=np.int64), order)
        device = self._device()
        batches = []
        with torch.inference_mode(), _repeatable():
            for start in range(0, len(order), self.batch_size):
                inputs, _ = clips.__getitems__(range(start, min(start + self.batch_size, len(order))))
                logits = self.module_(*(tensor.to(device) for tensor in inputs.values()))
                batches.append(logits.softmax(dim=1).cpu().numpy())
        probabilities = np.empty((len(order), len(self.classes_)), dtype=np.float32)
        probabilities[order] = np.concatenate(batches)
        return probabilities

    def predict(self, X: Samples) -> Labels:
        """Return the most probable label of every clip."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])

    def tensors(self) -> Mapping[str, Any]:
        """Return the trained weights: name -> array."""
        return {name: tensor.cpu().numpy() for name, tensor in self.module_.state_dict().items()}

    def restore(self, tensors: Mapping[str, Any], classes: Labels, sizes: Mapping[str, int]) -> None:
        """Set the weights, classes and sizes of a trained network."""
        self.classes_, self.sizes_ = classes, dict(sizes)
        with torch.device("meta"):  # sizes from a file allocate nothing: the weights have to fit
            self.module_ = self._module()
        weights = {name: torch.tensor(values) for name, values in tensors.items()}
        self.module_.load_state_dict(weights, assign=True)
        self.module_.to(self._device()).eval()

    def _module(self) -> Any:
        """Return the network with initial weights.

        Raises
        ------
        ValueError
            If `architectures` has no such network.
        """
        architecture: Any = getattr(architectures, self.network, None)
        if getattr(architecture, "__module__", "") != architectures.__name__:
            raise ValueError(f"network is '{self.network}'; expected a class of {architectures.__name__}")
        return architecture(**self.sizes_, **(self.options or {}))

    def _device(self) -> str:
        if self.device != "auto":
            return self.device
        return "cuda" if torch.cuda.is_available() else "cpu"


class _Clips(torch.utils.data.Dataset):  # type: ignore[misc]  # torch counts as untyped
    """Rows of X with their classes, as a dataset of torch; sequences may be cropped and masked.

    Parameters
    ----------
    X : Samples
        As in `Network.fit`.
    codes : np.ndarray, shape=(n_clips,)
        Classes as integers from 0.
    rows : np.ndarray
        Rows of X that belong to this dataset.
    crop, spec_augment : int, bool
        As in `Network`.
    """

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

    def __getitems__(self, positions: Sequence[int]) -> tuple[Mapping[str, Any], Any]:
        """Return a batch: the network's input by argument, sequences padded with zeros, and the classes."""
        rows = self.rows[list(positions)]
        codes = torch.as_tensor(self.codes[rows])
        if isinstance(self.X, np.ndarray):
            name = "input" if self.X.ndim == 2 else "layers"
            return {name: torch.as_tensor(self.X[rows], dtype=torch.float32)}, codes
        clips = [self._sequence(row) for row in rows]
        lengths = torch.tensor([len(clip) for clip in clips])
        return {"frames": nn.utils.rnn.pad_sequence(clips, batch_first=True), "lengths": lengths}, codes

    def _sequence(self, row: int) -> Any:
        """Return the frames of a clip, cropped and masked if the dataset does so."""
        values = torch.as_tensor(self.X[row], dtype=torch.float32)
        if self.crop and len(values) > self.crop:
            start = int(torch.randint(len(values) - self.crop + 1, ()))
            values = values[start : start + self.crop]
        return _mask(values) if self.spec_augment else values


def _repeatable() -> AbstractContextManager[None]:
    """Return a context in which cuDNN repeats its results to the last bit, and does not round to TF32."""
    context: AbstractContextManager[None] = torch.backends.cudnn.flags(
        enabled=True, deterministic=True, allow_tf32=False
    )
    return context


def _class_weights(codes: npt.NDArray[np.intp], n_classes: int) -> Any:
    """Return weights that balance the classes, shape=(n_classes,)."""
    counts = np.bincount(codes, minlength=n_classes)
    return torch.tensor(len(codes) / (n_classes * np.maximum(counts, 1)), dtype=torch.float32)


def _identity(batch: Any) -> Any:
    """Return the batch: `_Clips` already collates it."""
    return batch


def _mask(frames: Any) -> Any:
    """Return frames with random bands and stretches of time set to zero, the mean of scaled features."""
    frames = frames.clone()
    for axis, max_size in ((0, len(frames) // 10), (1, frames.shape[1] // 8)):
        for _ in range(N_MASKS):
            size = int(torch.randint(max_size + 1, ()))
            start = int(torch.randint(frames.shape[axis] - size + 1, ()))
            frames.narrow(axis, start, size).zero_()
    return frames
