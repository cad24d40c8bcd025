"""Section 14: tanh and softmax."""

import numpy as np


def tanh(x: np.ndarray) -> np.ndarray:
    """Return the hyperbolic tangent of every element as a new array."""
    x = _floats(x)
    # m = exp(-2|x|) - 1 lies in [-1, 0]: it cannot overflow, and expm1 keeps every digit where x is tiny.
    m = np.expm1(-2 * np.abs(x))
    return np.copysign(m / (m + 2), x)


def tanh_grad(t: np.ndarray) -> np.ndarray:
    """Return the slope of tanh at every element, computed from the output t = tanh(x)."""
    t = _floats(t)
    return (1 - t) * (1 + t)  # 1 - t**2, but 1 - t is exact where t is close to 1


def softmax(x: np.ndarray, axis: int = -1, temperature: float = 1.0) -> np.ndarray:
    """Return the softmax of x / temperature along one axis."""
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}; it must be greater than 0")
    e = np.exp(_below_the_maximum(_floats(x), axis) / temperature)
    return e / e.sum(axis=axis, keepdims=True)


def log_softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """Return the natural logarithm of softmax(x) along one axis, without ever leaving log space."""
    below = _below_the_maximum(_floats(x), axis)
    return below - np.log(np.exp(below).sum(axis=axis, keepdims=True))


def softmax_backward(p: np.ndarray, upstream: np.ndarray, axis: int = -1) -> np.ndarray:
    """Return dL/dx from p = softmax(x) and dL/dp.

    The Jacobian is diag(p) - p p^T; its product with upstream needs only one weighted mean for each slice.
    """
    return p * (upstream - (p * upstream).sum(axis=axis, keepdims=True))


def _floats(x: np.ndarray) -> np.ndarray:
    """Return x as floats: float32 stays what it is, integers and booleans become float64."""
    x = np.asarray(x)
    return x if x.dtype == np.float32 else x.astype(np.float64, copy=False)


def _below_the_maximum(x: np.ndarray, axis: int) -> np.ndarray:
    """Return x minus the maximum of its own slice: exp of it is at most 1, and 1 at least once."""
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"axis is {axis}, but x has {x.ndim} axes")
    highest = x.max(axis=axis, keepdims=True)
    if np.isneginf(highest).any():
        raise ValueError("x has a slice in which every entry is -inf")
    return x - highest
