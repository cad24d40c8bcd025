"""Section 37: the same network in numpy and in PyTorch."""

import numpy as np
import torch
from torch import nn


def numpy_loss_grads(
    X: np.ndarray, y: np.ndarray, layers: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[float, list[tuple[np.ndarray, np.ndarray]]]:
    """Return loss and gradients, written out."""
    _check_chain(layers)
    A = np.asarray(X, dtype=layers[0][0].dtype)
    inputs = []  # of every layer; behind the first they are outputs of a ReLU
    for W, b in layers:
        inputs.append(A)
        Z = A @ W.T + b
        A = np.maximum(Z, 0)
    shifted = Z - Z.max(axis=1, keepdims=True)  # exp of at most 0 cannot overflow
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    rows = np.arange(len(y))
    loss = -log_p[rows, y].mean()

    delta = np.exp(log_p)
    delta[rows, y] -= 1
    delta /= len(y)
    grads = []
    for (W, _), A in zip(reversed(layers), reversed(inputs), strict=True):
        grads.append((delta.T @ A, delta.sum(axis=0)))
        delta = (delta @ W) * (A > 0)
    return float(loss), grads[::-1]


def build_torch(layers: list[tuple[np.ndarray, np.ndarray]]) -> nn.Sequential:
    """Return Linear, ReLU, Linear, ..., Linear with these weights."""
    _check_chain(layers)
    dtype = torch.from_numpy(layers[0][0]).dtype
    modules = []
    for W, _ in layers:
        # A plain nn.Linear draws start values from the global generator; these weights are about to be replaced.
        modules += [nn.utils.skip_init(nn.Linear, W.shape[1], W.shape[0], dtype=dtype), nn.ReLU()]
    net = nn.Sequential(*modules[:-1])
    net.load_state_dict(to_state_dict(layers))
    return net


def torch_loss_grads(
    X: np.ndarray, y: np.ndarray, layers: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[float, list[tuple[np.ndarray, np.ndarray]]]:
    """Return loss and gradients, by autograd."""
    net = build_torch(layers)
    loss = _backward(net, X, y)
    return loss, [(linear.weight.grad.numpy().copy(), linear.bias.grad.numpy().copy()) for linear in net[::2]]


def to_state_dict(layers: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, torch.Tensor]:
    """Return the weights under torch's names, copied."""
    _check_chain(layers)
    state = {}
    for i, (W, b) in enumerate(layers):
        state[f"{2 * i}.weight"] = torch.tensor(W)  # unlike from_numpy, a copy
        state[f"{2 * i}.bias"] = torch.tensor(b)
    return state


def from_state_dict(sd: dict[str, torch.Tensor]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the layers of a state dict, copied."""
    unexpected = [key for key in sd if not _is_key(key)]
    last = max((int(key.split(".")[0]) for key in sd if _is_key(key)), default=0)
    missing = [key for i in range(0, last + 1, 2) for key in (f"{i}.weight", f"{i}.bias") if key not in sd]
    if unexpected or missing:
        raise ValueError(f"sd has the unexpected keys {unexpected} and lacks {missing}")
    return [
        tuple(sd[f"{i}.{part}"].detach().numpy().copy() for part in ("weight", "bias")) for i in range(0, last + 1, 2)
    ]


def train_both(
    X: np.ndarray, y: np.ndarray, layers: list[tuple[np.ndarray, np.ndarray]], lr: float, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the losses before each step of gradient descent, by numpy and by torch."""
    net = build_torch(layers)
    losses = np.empty((2, steps))
    for t in range(steps):
        losses[0, t], grads = numpy_loss_grads(X, y, layers)
        layers = [(W - lr * dW, b - lr * db) for (W, b), (dW, db) in zip(layers, grads, strict=True)]

        losses[1, t] = _backward(net, X, y)
        with torch.no_grad():  # the update is no part of what is differentiated
            for p in net.parameters():
                p.sub_(lr * p.grad)
    return losses[0], losses[1]


def _backward(net: nn.Sequential, X: np.ndarray, y: np.ndarray) -> float:
    """Return the loss; the gradients are then in the `.grad` of the parameters."""
    net.zero_grad()  # backward adds to what is there
    logits = net(torch.tensor(X, dtype=net[0].weight.dtype))
    loss = nn.functional.cross_entropy(logits, torch.tensor(y))
    loss.backward()
    return loss.item()


def _check_chain(layers: list[tuple[np.ndarray, np.ndarray]]) -> None:
    for i, (W, b) in enumerate(layers):
        if b.shape != (W.shape[0],):
            raise ValueError(f"layers[{i}]: W is {W.shape}, but b is {b.shape}")
        if i > 0 and W.shape[1] != layers[i - 1][0].shape[0]:
            raise ValueError(
                f"layers[{i}] takes {W.shape[1]} values, layers[{i - 1}] gives {layers[i - 1][0].shape[0]}"
            )


def _is_key(key: str) -> bool:
    number, _, part = key.partition(".")
    return number.isdecimal() and int(number) % 2 == 0 and part in ("weight", "bias")
