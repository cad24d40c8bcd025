"""Another correct solution of section 11: recursion, masks, quotients, lists."""

import math

import numpy as np


def erf(x: np.ndarray) -> np.ndarray:
    values = [math.erf(value) for value in np.ravel(x)]
    return np.array(values, dtype=np.float64).reshape(np.shape(x))


def collapse_linear(layers):
    *below, (W, b) = layers
    if W.dtype != np.float32:
        W, b = W.astype(np.float64), b.astype(np.float64)
    if not below:
        return W.copy(), b.copy()
    V, a = collapse_linear(below)
    if V.shape[0] != W.shape[1]:
        raise ValueError("layers must chain")
    return np.einsum("oh,hd->od", W, V), (W * a).sum(axis=1) + b


def _floats(x):
    x = np.array(x)
    return x if x.dtype == np.float32 else x.astype(np.float64)


def activation(name, x):
    y = _floats(x)
    positive, negative = y > 0, y < 0
    if name == "step":
        y[...] = np.where(np.isnan(y), y, ~negative)
    elif name == "sigmoid":
        y[...] = 0.5 + 0.5 * np.tanh(y / 2)
    elif name == "tanh":
        # tanh through exp of what is never positive
        small = np.exp(-2 * np.abs(y))
        y[...] = np.sign(y) * (1 - small) / (1 + small)
    elif name == "relu":
        y[negative] = 0
    elif name == "leaky_relu":
        y[negative] *= 0.01
    elif name == "elu":
        y[negative] = np.expm1(y[negative])
    elif name == "softplus":
        y[...] = np.log(1 + np.exp(-np.abs(y))) + np.where(positive, y, np.where(negative, 0, y))
    elif name == "gelu":
        y[...] = y * (1 + erf(y / 2**0.5)) / 2
    elif name != "identity":
        raise ValueError(f"no such name: {name}")
    return y


def _gap(f, x, y, alpha):
    values = [f(x), f(y), f(y + alpha * (x - y))]
    mixed = values[1] + alpha * (values[0] - values[1])
    return np.abs(values[2] - mixed), np.abs(np.array(values))


def is_affine(f, D, seed, tol=1e-6):
    rng = np.random.default_rng(seed)
    for scale in np.array([0.1, 1, 10]):
        x, y, alpha = rng.normal(0, scale, (128, D)), rng.normal(0, scale, (128, D)), rng.beta(2, 2, (128, 1))
        gap, size = _gap(f, x, y, alpha)
        if np.isnan(size).any() or np.any(gap > tol * size.max()):
            return False
    return True


def random_feature_fit(x, y, n_hidden, name, seed):
    rng = np.random.default_rng(seed)
    places = rng.uniform(np.amin(x), np.amax(x), size=n_hidden)
    weights = rng.standard_normal(n_hidden) * 3
    H = activation(name, weights * np.subtract.outer(x, places))
    solution, *_ = np.linalg.lstsq(np.c_[H, [1.0] * len(x)], y, rcond=None)
    out = H @ solution[:n_hidden] + solution[n_hidden]
    W1, b1 = weights.reshape(n_hidden, 1), -weights * places
    W2, b2 = solution[:n_hidden].reshape(1, n_hidden), solution[n_hidden:]
    return {"layers": [(W1, b1), (W2, b2)], "mse": np.square(out - y).mean()}
