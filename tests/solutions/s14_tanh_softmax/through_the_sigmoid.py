"""Another correct solution: tanh from halves of the axis, softmax as the exponential of log_softmax, full Jacobians."""

import numpy as np


def _as_float(x):
    x = np.array(x)
    return x if x.dtype in (np.float32, np.float64) else x.astype(float)


def tanh(x):
    x = _as_float(x)
    out = np.empty(x.shape, x.dtype)
    small = np.abs(x) < 0.5
    # sinh by expm1 where x is small, 2 * sigmoid(2x) - 1 elsewhere; each formula sees only its own numbers
    rise, fall = np.expm1(x[small]), np.expm1(-x[small])
    out[small] = (rise - fall) / (rise + fall + 2)
    up = ~small & (x > 0)
    down = ~small & ~(x > 0)
    out[up] = 2 / (1 + np.exp(-2 * x[up])) - 1
    out[down] = 1 - 2 / (1 + np.exp(2 * x[down]))
    return out


def tanh_grad(t):
    return 1 - _as_float(t) ** 2


def _check(x, axis):
    try:
        highest = np.max(x, axis=axis, keepdims=True)
    except ValueError:
        raise ValueError("there is no such axis") from None
    if (highest == -np.inf).any():
        raise ValueError("all of x is -inf somewhere")
    return highest


def log_softmax(x, axis=-1):
    x = _as_float(x)
    shifted = x - _check(x, axis)
    return shifted - np.log(np.sum(np.exp(shifted), axis, keepdims=True))


def softmax(x, axis=-1, temperature=1.0):
    if temperature <= 0:
        raise ValueError("the temperature must be positive")
    return np.exp(log_softmax(_as_float(x) / temperature, axis))


def softmax_backward(p, upstream, axis=-1):
    p, upstream = np.moveaxis(p, axis, -1), np.moveaxis(upstream, axis, -1)
    eye = np.eye(p.shape[-1], dtype=p.dtype)
    jacobian = p[..., :, None] * eye - p[..., :, None] * p[..., None, :]
    return np.moveaxis(np.einsum("...ij,...i->...j", jacobian, upstream), -1, axis)
