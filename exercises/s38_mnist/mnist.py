"""Section 38: from the bytes of MNIST to a network that is trained, measured and saved.

Images are float32 tensors (N, 1, 28, 28), labels int64 tensors (N,). train_epoch, evaluate and the checkpoints work with
any network and any samples (N, ...), so that each of them can be tested on a small one.
"""

import numpy as np
import torch
from torch import nn


def read_idx(data: bytes) -> np.ndarray:
    """Return the array that an IDX file holds.

    An IDX file is two zero bytes, one byte for the type of the numbers (8: unsigned bytes), one for the number of axes,
    a size of four bytes for each axis, the most significant byte first, and then the numbers. It may be packed by gzip;
    it then begins with the bytes 1f 8b.

    Args:
        data: the whole file.

    Returns:
        A uint8 array with as many axes as the file says; a size may be 0.

    Raises:
        ValueError: it does not begin with two zero bytes, holds another type than 8, ends before or within its sizes
            (an empty file, too), is shorter or longer than they say, is a damaged gzip file, or is packed twice; the text
            says data.

    Source: section 38; the format is LeCun's.
    """
    raise NotImplementedError("section 38: write read_idx")


def normalise(images: np.ndarray) -> torch.Tensor:
    """Return (x/255 - 0.1307) / 0.3081 for every pixel x.

    Args:
        images: uint8, (N, H, W).

    Returns:
        A float32 tensor (N, 1, H, W); N may be 0.

    Raises:
        ValueError: images is not uint8, or does not have three axes; the text says images.

    Source: section 38, ToTensor and Normalize.
    """
    raise NotImplementedError("section 38: write normalise")


def batches(n: int, batch_size: int, shuffle: bool, seed: int, epoch: int) -> list[np.ndarray]:
    """Return the batches of one epoch as arrays of indices (section 20).

    Args:
        n: number of samples.
        batch_size: of every batch but the last, which takes what is left.
        shuffle: whether the samples come in a random order; 0, 1, 2, ... if not.
        seed: of the whole training, 0 or more.
        epoch: counted from 0. Each pair (seed, epoch) has an order of its own, always the same one, also (1, 2) and (2, 1).

    Returns:
        A list of int64 arrays in which every index from 0 to n - 1 occurs once. Global random state stays untouched.

    Raises:
        ValueError: n or batch_size is less than 1; the text names the argument.
    """
    raise NotImplementedError("section 38: write batches")


def build_model(seed: int) -> nn.Module:
    """Return the network with fresh weights, as torch's layers draw them.

    784 - 256 - 128 - 10: three nn.Linear, each hidden one followed by ReLU and an nn.Dropout of 0.2, logits at the end.

    Args:
        seed: the same seed gives the same weights, another one others. torch's global generator stays as it was.

    Returns:
        A module that takes (N, 1, 28, 28) and (N, 28, 28) and returns (N, 10). Its parameters are those of the three
        layers, 235,146 numbers.

    Source: section 38, class NeuralNetwork.
    """
    raise NotImplementedError("section 38: write build_model")


def make_optimizer(model: nn.Module) -> torch.optim.Optimizer:
    """Return Adam with learning rate 0.001 over all parameters of the model (section 26)."""
    raise NotImplementedError("section 38: write make_optimizer")


def train_epoch(
    model: nn.Module,
    X: torch.Tensor,
    y: torch.Tensor,
    optimizer: torch.optim.Optimizer,
    batch_size: int,
    seed: int,
    epoch: int,
) -> float:
    """Train for one epoch with cross-entropy, one step of the optimizer for each of the shuffled batches.

    The model trains in training mode, in whatever mode it comes, and stays in it. Order of the samples and dropout
    depend on seed and epoch alone: the same call on the same model gives the same weights, bit for bit. torch's global
    generator, from which nn.Dropout draws, is afterwards where it was before.

    Args:
        model: takes X[rows], returns logits (len(rows), classes).
        X: samples, (N, ...).
        y: labels, (N,), int64.
        optimizer: over the parameters of the model.
        batch_size: as in `batches`.
        seed: as in `batches`.
        epoch: as in `batches`.

    Returns:
        The mean of the losses of all N samples, each as it was when its batch was trained on; a float.

    Raises:
        ValueError: X and y differ in length; the text says y.
    """
    raise NotImplementedError("section 38: write train_epoch")


def evaluate(model: nn.Module, X: torch.Tensor, y: torch.Tensor, batch_size: int = 1000) -> dict:
    """Measure a network on samples, without dropout and without gradients.

    Args:
        model: takes X[rows], returns logits (len(rows), 10). It comes back in the mode, training or not, it was in.
        X: samples, (N, ...), N at least 1.
        y: labels, (N,), int64, 0 to 9.
        batch_size: how many samples at once; changes nothing but memory and time.

    Returns:
        "loss": mean cross-entropy over all samples, a float. "accuracy": share of samples whose largest logit is that of
        their label, a float from 0 to 1. "confusion": int64 array (10, 10); entry [i, j] counts the samples of digit i
        for which the network says j.

    Raises:
        ValueError: X and y differ in length; the text says y.
    """
    raise NotImplementedError("section 38: write evaluate")


def save_checkpoint(model: nn.Module, optimizer: torch.optim.Optimizer, epoch: int, history: list[dict]) -> bytes:
    """Return all that is needed to go on with a training, as the bytes of a safetensors file.

    Tensors: "model.NAME" for every NAME of model.state_dict(); "optimizer.I.SLOT" for every number I and SLOT (Adam has
    step, exp_avg and exp_avg_sq) in optimizer.state_dict()["state"]. Metadata: one entry, "training", whose text is the
    JSON of {"epoch": epoch, "history": history}.

    Args:
        model: whose weights.
        optimizer: whose state.
        epoch: how many epochs are done.
        history: rows of numbers, such as {"epoch": 1, "loss": 0.35}.
    """
    raise NotImplementedError("section 38: write save_checkpoint")


def load_checkpoint(data: bytes, model: nn.Module, optimizer: torch.optim.Optimizer) -> dict:
    """Put a checkpoint's weights into the model and its optimizer's state into the optimizer.

    Returns:
        "epoch": int, and "history": list of dicts, as they were saved.

    Raises:
        ValueError: data is no whole safetensors file, or lacks a tensor of the model, epoch or history; the text says
            data. Model and optimizer are then as they were before.
    """
    raise NotImplementedError("section 38: write load_checkpoint")


def run(
    train_images: bytes,
    train_labels: bytes,
    epochs: int = 10,
    seed: int = 0,
    checkpoint: bytes | None = None,
    validation: int = 0,
) -> dict:
    """Train the network of build_model, in batches of 64, from files to weights.

    Prints one line an epoch: `epoch 3/10: loss 0.0931`, and with validation `epoch 3/10: loss 0.0931, validation
    accuracy 0.9712`; both numbers with four digits behind the point.

    Args:
        train_images: an IDX file of three axes.
        train_labels: an IDX file of one axis.
        epochs: in all, those before the checkpoint included; where it has as many, nothing is trained.
        seed: of weights, shuffles and dropout. All global random states stay as they were.
        checkpoint: of an earlier run on the same data with the same seed, to go on from.
        validation: how many images, the last ones, are held out: not trained on, but measured after every epoch.

    Returns:
        "history": a list with one dict an epoch, {"epoch": counted from 1, "loss": what train_epoch returned} and, with
        validation, "validation_loss" and "validation_accuracy". "state_dict": the weights as float32 numpy arrays, by
        their names in model.state_dict(). "checkpoint": what save_checkpoint returns at the end.

    Raises:
        ValueError: there are not as many labels as images, or validation is negative or leaves no image to train on; the
            text says train_labels or validation.
    """
    raise NotImplementedError("section 38: write run")
