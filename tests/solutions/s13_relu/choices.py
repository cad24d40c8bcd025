"""Another correct solution of section 13: np.where on x <= 0 throughout, the slope of elu from its value."""

import numpy as np


def relu(x: np.ndarray) -> np.ndarray:
    return np.where(x <= 0, 0.0, x)


def _match(x, upstream):
    if x.shape != upstream.shape:
        raise ValueError(f"upstream {upstream.shape} does not fit x {x.shape}")


def relu_backward(x: np.ndarray, upstream: np.ndarray) -> np.ndarray:
    _match(x, upstream)
    return upstream * (x > 0)


def leaky_relu(x: np.ndarray, slope: float = 0.01) -> np.ndarray:
    return np.where(x <= 0, x * slope, x)


def leaky_relu_backward(x: np.ndarray, upstream: np.ndarray, slope: float = 0.01) -> np.ndarray:
    _match(x, upstream)
    return np.where(x <= 0, upstream * slope, upstream)


def elu(x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    if alpha < 0:
        raise ValueError("a negative alpha is not allowed")
    with np.errstate(over="ignore"):
        left = np.expm1(np.where(x > 0, 0.0, x)) * alpha
    return np.where(x <= 0, left, x)


def elu_backward(x: np.ndarray, upstream: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    _match(x, upstream)
    return np.where(x <= 0, elu(np.minimum(x, 0), alpha) + alpha, 1.0).astype(upstream.dtype) * upstream


def activity(H: np.ndarray) -> dict:
    alive = np.any(H != 0, axis=0)
    return {"sparsity": 1 - np.count_nonzero(H) / H.size, "dead": np.where(~alive)[0]}
