"""Another correct solution: logsumexp by np.logaddexp, tanh as a ratio of expm1 of both signs under a mask."""

import numpy as np


def _f(x):
    x = np.asarray(x)
    return np.asarray(x, dtype=np.float32 if x.dtype == np.float32 else np.float64)


def tanh(x):
    x = _f(x)
    positive = x > 0
    e = np.expm1(np.where(positive, -2 * x, 2 * x))
    ratio = e / (2 + e)
    return np.where(positive, -ratio, ratio)


def tanh_grad(t):
    t = _f(t)
    return (1 + t) * (1 - t)


def _logsumexp(x, axis):
    if axis >= x.ndim or axis < -x.ndim:
        raise ValueError("axis is out of range")
    if np.all(x == -np.inf, axis=axis).any():
        raise ValueError("some slice of x has no finite entry")
    return np.expand_dims(np.logaddexp.reduce(x, axis=axis), axis)


def softmax(x, axis=-1, temperature=1.0):
    if temperature <= 0.0:
        raise ValueError(f"temperature must be positive, not {temperature}")
    x = _f(x) / temperature
    if axis >= x.ndim or axis < -x.ndim:
        raise ValueError("axis is out of range")
    top = np.max(x, axis=axis, keepdims=True)
    if (top == -np.inf).any():
        raise ValueError("some slice of x has no finite entry")
    e = np.exp(x - top)
    return e * (1 / np.sum(e, axis=axis, keepdims=True))


def log_softmax(x, axis=-1):
    x = _f(x)
    return x - _logsumexp(x, axis)


def softmax_backward(p, upstream, axis=-1):
    weighted = p * upstream
    return weighted - p * np.sum(weighted, axis=axis, keepdims=True)
