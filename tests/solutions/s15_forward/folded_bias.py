"""Another correct solution of section 15: the bias as one more weight, generators, predict without forward."""

import math
from itertools import pairwise

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


def _softmax(z):
    out = np.empty_like(z)
    for n, row in enumerate(np.atleast_2d(z)):
        e = np.exp(row - max(row))
        np.atleast_2d(out)[n] = e / sum(e)
    return out


def _f(name):
    return _softmax if name == "softmax" else lambda z: activation(name, z)


def dense(X, W, b):
    if X.shape[1:] != W.shape[1:]:
        raise ValueError(f"X {X.shape} and W {W.shape} do not go together")
    if (len(W),) != b.shape:
        raise ValueError(f"b {b.shape} does not go with W {W.shape}")
    ones = np.ones((len(X), 1), X.dtype)
    Z = np.hstack([X, ones]) @ np.hstack([W, b[:, None]]).T
    return Z if Z.dtype == np.float32 else Z.astype(np.float64)


def _steps(X, layers, activations):
    A = X.copy() if X.dtype == np.float32 else X.astype(np.float64)
    for (W, b), name in zip(layers, activations, strict=True):
        Z = dense(A, W, b)
        A = _f(name)(Z)
        yield Z, A


def forward(X, layers, activations):
    known = ["identity", "step", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "softplus", "gelu", "softmax"]
    if len(activations) != len(layers) or not all(name in known for name in activations):
        raise ValueError("activations must be a list of known names, one for each layer")
    pairs = list(_steps(X, layers, activations))
    first = X.copy() if X.dtype == np.float32 else X.astype(np.float64)
    return {"z": [Z for Z, _ in pairs], "a": [first] + [A for _, A in pairs]}


def predict(X, layers, activations, batch_size=None):
    if batch_size is None:
        batch_size = 1 + len(X)
    if batch_size < 1:
        raise ValueError("batch_size should be 1 or more")
    ends = [*range(0, len(X), batch_size), len(X)]
    if len(X) == 0:
        ends = [0, 0]
    outputs = []
    for start, end in pairwise(ends):
        for _, A in _steps(X[start:end], layers, activations):
            last = A
        outputs.append(last)
    return np.concatenate(outputs, axis=0)


def forward_single(x, layers, activations):
    x = x.copy() if x.dtype == np.float32 else x.astype(np.float64)
    for (W, b), name in zip(layers, activations, strict=True):
        x = _f(name)(np.add(W.dot(x), b))
    return x
