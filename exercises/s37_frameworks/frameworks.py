"""Section 37: the same network in numpy and in PyTorch.

`layers` is a list of (W, b) with W (n_out, n_in) and b (n_out,), all of one dtype, float32 or float64. After every layer
but the last comes a ReLU; what the last gives are logits, and the loss is the mean cross-entropy of their softmax.
"""

import numpy as np
import torch
from torch import nn


def numpy_loss_grads(
    X: np.ndarray, y: np.ndarray, layers: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[float, list[tuple[np.ndarray, np.ndarray]]]:
    """Return the loss and its gradients with numpy alone; logits of 1000 and more must not overflow.

    Args:
        X: samples in rows, (N, D). Computed is in the dtype of the layers, whatever that of X.
        y: labels, (N,), int64.
        layers: the network.

    Returns:
        The loss as a float, and [(dW, db), ...] in the order, shapes and dtype of `layers`.

    Raises:
        ValueError: the widths do not chain (a W takes another number of values than the layer before gives, or a b does
            not fit its W); the text says layers.

    Source: sections 16 and 17.
    """
    raise NotImplementedError("section 37: write numpy_loss_grads")


def build_torch(layers: list[tuple[np.ndarray, np.ndarray]]) -> nn.Sequential:
    """Return nn.Sequential(Linear, ReLU, Linear, ..., Linear) with these weights, copied, in their dtype.

    The global random state and the default dtype of torch stay as they are.

    Raises:
        ValueError: the widths do not chain; the text says layers.
    """
    raise NotImplementedError("section 37: write build_torch")


def torch_loss_grads(
    X: np.ndarray, y: np.ndarray, layers: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[float, list[tuple[np.ndarray, np.ndarray]]]:
    """Return the same as numpy_loss_grads, float and numpy arrays, with the gradients taken by torch's autograd.

    Raises:
        ValueError: the widths do not chain; the text says layers.
    """
    raise NotImplementedError("section 37: write torch_loss_grads")


def to_state_dict(layers: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, torch.Tensor]:
    """Return the weights as nn.Sequential(Linear, ReLU, ...) names them: "0.weight", "0.bias", "2.weight", ...

    The tensors have the dtype of the arrays and share no memory with them.

    Raises:
        ValueError: the widths do not chain; the text says layers.
    """
    raise NotImplementedError("section 37: write to_state_dict")


def from_state_dict(sd: dict[str, torch.Tensor]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the layers of such a state dict, whatever the order of its keys, as arrays that share no memory with it.

    Raises:
        ValueError: a key is not "i.weight" or "i.bias" with an even number i, or one is missing (every even i up to the
            largest needs both); the text names every such key.
    """
    raise NotImplementedError("section 37: write from_state_dict")


def train_both(
    X: np.ndarray, y: np.ndarray, layers: list[tuple[np.ndarray, np.ndarray]], lr: float, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Train the network twice from the same weights, in numpy and in torch, and return the two curves of losses.

    A step is w = w - lr * gradient for all weights and biases, with all samples at once; write it yourself, without
    torch.optim. `layers` stays as it is.

    Returns:
        Two arrays of shape (steps,): the losses before each step, by numpy and by torch.

    Raises:
        ValueError: the widths do not chain; the text says layers.
    """
    raise NotImplementedError("section 37: write train_both")
