"""Another correct solution of section 13: every function as positive part plus something of the negative part."""

import numpy as np


def _positive(x):
    return np.clip(x * 1.0, 0, None)


def _negative(x):
    return np.clip(x * 1.0, None, 0)


def _slopes(x, upstream, left):
    if x.shape == upstream.shape:
        right = (x > 0).astype(x.dtype)
        return upstream * (right + (1 - right) * left)
    raise ValueError(f"shape of upstream: {upstream.shape}, wanted: {x.shape}")


def relu(x: np.ndarray) -> np.ndarray:
    return _positive(x)


def relu_backward(x: np.ndarray, upstream: np.ndarray) -> np.ndarray:
    return _slopes(x, upstream, 0)


def leaky_relu(x: np.ndarray, slope: float = 0.01) -> np.ndarray:
    return _positive(x) + slope * _negative(x)


def leaky_relu_backward(x: np.ndarray, upstream: np.ndarray, slope: float = 0.01) -> np.ndarray:
    return _slopes(x, upstream, slope)


def _check(alpha):
    if alpha < 0:
        raise ValueError("alpha < 0")


def elu(x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    _check(alpha)
    left = _negative(x)
    # exp(x) - 1 is 2 * exp(x / 2) * sinh(x / 2), which loses no digits near 0; far left sinh would overflow.
    half = np.maximum(left, -100) / 2
    return _positive(x) + alpha * np.where(left < -100, -1, 2 * np.exp(half) * np.sinh(half)).astype(left.dtype)


def elu_backward(x: np.ndarray, upstream: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    _check(alpha)
    return _slopes(x, upstream, alpha * np.exp(_negative(x)))


def activity(H: np.ndarray) -> dict:
    size = np.abs(H)
    dead = np.arange(H.shape[1])[size.max(axis=0) == 0]
    return {"sparsity": np.mean(np.sign(size) == 0), "dead": dead}
