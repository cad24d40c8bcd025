"""Section 15: forward propagation through a dense network, for a batch, in small batches, and for one sample."""

import math

import numpy as np


def activation(name: str, z: np.ndarray) -> np.ndarray:
    """Apply one of the nine activations of section 11 to every entry of z. Given: leave it as it is."""
    return {
        "identity": lambda: z + 0,
        "step": lambda: (z >= 0).astype(z.dtype),
        "sigmoid": lambda: 1 / (1 + np.exp(-z)),
        "tanh": lambda: np.tanh(z),
        "relu": lambda: z * (z > 0),
        "leaky_relu": lambda: np.where(z > 0, z, z / 100),
        "elu": lambda: np.where(z > 0, z, np.exp(np.minimum(z, 0)) - 1),
        "softplus": lambda: np.log(1 + np.exp(z)),
        "gelu": lambda: z * (1 + np.vectorize(math.erf, otypes=[z.dtype])(z / math.sqrt(2))) / 2,
    }[name]()


def _activate(name: str, z: np.ndarray) -> np.ndarray:
    if name == "softmax":  # along the last axis, which holds the units of a layer in a batch and in a single vector
        e = np.exp(z - z.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)
    try:
        return activation(name, z)
    except KeyError:
        raise ValueError(f"activations names {name!r}, which there is not") from None


def dense(X: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return X W^T + b: the weighted sum of every unit for every sample."""
    if X.shape[1] != W.shape[1]:
        raise ValueError(f"the rows of X {X.shape} and of W {W.shape} differ in length")
    if b.shape != W.shape[:1]:
        raise ValueError(f"b has shape {b.shape}, but W has {len(W)} rows")
    return X @ W.T + b + 0.0  # b is stretched over the rows; 0.0 makes float64 of ints and leaves float32


def forward(X: np.ndarray, layers: list[tuple[np.ndarray, np.ndarray]], activations: list[str]) -> dict:
    """Pass a batch through the network and keep what every layer computed."""
    if len(activations) != len(layers):
        raise ValueError(f"activations has {len(activations)} names for {len(layers)} layers")
    z, a = [], [X + 0.0]  # a copy: the trace must not change with X
    for (W, b), name in zip(layers, activations, strict=True):
        z.append(dense(a[-1], W, b))
        a.append(_activate(name, z[-1]))
    return {"z": z, "a": a}


def predict(
    X: np.ndarray,
    layers: list[tuple[np.ndarray, np.ndarray]],
    activations: list[str],
    batch_size: int | None = None,
) -> np.ndarray:
    """Return the network's output for all samples, computed batch_size rows at a time."""
    size = max(len(X), 1) if batch_size is None else batch_size
    if size < 1:
        raise ValueError(f"batch_size is {batch_size}; it must be at least 1")
    starts = range(0, max(len(X), 1), size)  # without samples there is one empty batch: it has the right width
    # Only the outputs of a batch live on; its trace is gone before the next batch begins.
    return np.concatenate([forward(X[start : start + size], layers, activations)["a"][-1] for start in starts])


def forward_single(x: np.ndarray, layers: list[tuple[np.ndarray, np.ndarray]], activations: list[str]) -> np.ndarray:
    """Return the network's output for one sample, as f(W x + b) layer by layer."""
    for (W, b), name in zip(layers, activations, strict=True):
        x = _activate(name, W @ x + b + 0.0)
    return x
