"""Another correct solution of section 15: einsum, a buffer for the result, recursion, softmax through logaddexp."""

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


def _kind(*arrays):
    return np.float32 if all(array.dtype == np.float32 for array in arrays) else np.float64


def dense(X, W, b):
    (_, D), (units, inputs) = X.shape, W.shape
    if inputs != D:
        raise ValueError(f"X: {D} features, W: {inputs}")
    if np.shape(b) != (units,):
        raise ValueError(f"b: shape {np.shape(b)}, units: {units}")
    kind = _kind(X, W, b)
    return np.einsum("nd,kd->nk", X.astype(kind), W.astype(kind)) + b.astype(kind)[None, :]


def _apply(name, z):
    if name == "softmax":
        return np.exp(z - np.logaddexp.reduce(z, axis=-1, keepdims=True))
    return activation(name, z)


def _check(layers, activations):
    if len(layers) - len(activations):
        raise ValueError("activations: one name for each layer is wanted")
    for name in activations:
        try:
            _apply(name, np.zeros((1, 1)))
        except KeyError as unknown:
            raise ValueError(f"activations: {unknown} is unknown") from unknown


def _walk(a, layers, activations):
    if not layers:
        return [], [a]
    z = dense(a, *layers[0])
    later_z, later_a = _walk(_apply(activations[0], z), layers[1:], activations[1:])
    return [z, *later_z], [a, *later_a]


def forward(X, layers, activations):
    _check(layers, activations)
    z, a = _walk(X.astype(_kind(X)), layers, activations)
    return {"z": z, "a": a}


def predict(X, layers, activations, batch_size=None):
    size = len(X) + 1 if batch_size is None else batch_size
    if not size > 0:
        raise ValueError(f"batch_size={batch_size}")
    out = np.empty((len(X), layers[-1][0].shape[0]), _kind(X, *(part for layer in layers for part in layer)))
    for number in range(math.ceil(len(X) / size)):
        rows = slice(number * size, min(len(X), (number + 1) * size))
        out[rows] = forward(X[rows], layers, activations)["a"][-1]
    return out


def forward_single(x, layers, activations):
    kind = _kind(x, *(part for layer in layers for part in layer))
    x = x.astype(kind)
    for (W, b), name in zip(layers, activations, strict=True):
        z = np.array([np.dot(row, x) for row in W.astype(kind)], dtype=kind) + b.astype(kind)
        x = _apply(name, z)
    return x
