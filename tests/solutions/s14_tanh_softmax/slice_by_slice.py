"""Another correct solution: a Python loop over the slices, tanh by a clipped exponential and a series near zero."""

import numpy as np


def tanh(x):
    x = np.asarray(x)
    if x.dtype != np.float32:
        x = x.astype(np.float64)
    inside = np.clip(x, -30, 30)
    e = np.exp(2 * inside)
    wide = (e - 1) / (e + 1)
    near = np.clip(x, -0.02, 0.02)
    square = near * near
    series = near * (1 - square / 3 * (1 - square / 5 * (2 - 17 * square / 21)))
    return np.where(np.abs(x) < 0.01, series, wide)


def tanh_grad(t):
    t = np.asarray(t)
    if t.dtype != np.float32:
        t = t.astype(np.float64)
    return np.ones_like(t) - np.square(t)


def _each_slice(x, axis, function):
    x = np.asarray(x)
    if x.dtype != np.float32:
        x = x.astype(np.float64)
    if axis not in range(-x.ndim, x.ndim):
        raise ValueError(f"x has no axis {axis}")
    lines = np.moveaxis(x, axis, -1)
    flat = lines.reshape(-1, lines.shape[-1])
    out = np.empty_like(flat)
    for k in range(len(flat)):
        top = flat[k].max()
        if top == -np.inf:
            raise ValueError("x: only -inf in a slice")
        out[k] = function(flat[k] - top)
    return np.moveaxis(out.reshape(lines.shape), -1, axis)


def softmax(x, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError("temperature: must be above 0")

    def one(line):
        e = np.exp(line / temperature)
        return e / e.sum()

    return _each_slice(x, axis, one)


def log_softmax(x, axis=-1):
    return _each_slice(x, axis, lambda line: line - np.log(np.exp(line).sum()))


def softmax_backward(p, upstream, axis=-1):
    out = np.zeros_like(p)
    lines, incoming, target = (np.moveaxis(a, axis, 0) for a in (p, upstream, out))
    for i in range(len(lines)):
        for j in range(len(lines)):
            target[i] += incoming[j] * lines[j] * ((i == j) - lines[i])
    return out
