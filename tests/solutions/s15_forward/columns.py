"""Another correct solution of section 15: samples as columns inside, one loop for all four functions."""

import math

import numpy as np


def activation(name: str, z: np.ndarray) -> np.ndarray:
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


KNOWN = {"identity", "step", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "softplus", "gelu", "softmax"}


def _floats(x):
    return np.array(x, dtype=np.float32 if x.dtype == np.float32 else np.float64)


def dense(X, W, b):
    X, W, b = _floats(X), _floats(W), _floats(b)
    if X.shape[-1] != W.shape[-1]:
        raise ValueError(f"W has {W.shape[-1]} columns and X has {X.shape[-1]}")
    if b.ndim != 1 or b.size != W.shape[0]:
        raise ValueError(f"there are {W.shape[0]} units, but b is {b.shape}")
    columns = np.matmul(W, X.T) + b.reshape(-1, 1)
    return np.ascontiguousarray(columns.T)


def _softmax(z):
    shifted = z.T - np.max(z, axis=1)
    log_sum = np.log(np.sum(np.exp(shifted), axis=0))
    return np.exp(shifted - log_sum).T


def forward(X, layers, activations):
    if set(activations) - KNOWN or len(layers) != len(activations):
        raise ValueError(f"activations {activations} do not fit {len(layers)} layers")
    trace = {"a": [_floats(X)], "z": []}
    for number, (W, b) in enumerate(layers):
        z = dense(trace["a"][number], W, b)
        trace["z"].append(z)
        trace["a"].append(_softmax(z) if activations[number] == "softmax" else activation(activations[number], z))
    return trace


def predict(X, layers, activations, batch_size=None):
    if batch_size is not None and batch_size <= 0:
        raise ValueError("batch_size must be positive")
    out = forward(X[:0], layers, activations)["a"][-1]
    rest = X
    while len(rest):
        batch, rest = (rest, rest[:0]) if batch_size is None else (rest[:batch_size], rest[batch_size:])
        out = np.vstack([out, forward(batch, layers, activations)["a"][-1]])
    return out


def forward_single(x, layers, activations):
    return forward(x[np.newaxis], layers, activations)["a"][-1][0].copy()
