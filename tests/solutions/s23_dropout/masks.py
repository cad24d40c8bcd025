"""Another correct solution of section 23: copies, and boolean masks that set to zero; one draw after the other."""

import math

import numpy as np


def _floats(values):
    return np.array(values, dtype=np.float32 if np.asarray(values).dtype == np.float32 else np.float64)


def _check(p, values=None, u=None):
    if p < 0 or p >= 1:
        raise ValueError("p must be in [0, 1)")
    if u is not None and values.shape != u.shape:
        raise ValueError("u must have the shape of the values")


def dropout(x: np.ndarray, p: float, u: np.ndarray, training: bool) -> np.ndarray:
    _check(p, x, u)
    y = _floats(x)
    if training:
        y[u < p] = 0
        y /= 1 - p
    return y


def dropout_backward(upstream: np.ndarray, p: float, u: np.ndarray, training: bool) -> np.ndarray:
    return dropout(upstream, p, u, training)


def dropout_seeded(x: np.ndarray, p: float, seed: int) -> np.ndarray:
    _check(p)
    generator = np.random.default_rng([seed, 23])
    y = _floats(x)
    for index in np.ndindex(y.shape):
        y[index] = 0 if generator.random() < p else y[index] / (1 - p)
    return y


def classic_dropout(x: np.ndarray, p: float, u: np.ndarray, training: bool) -> np.ndarray:
    _check(p, x, u)
    y = _floats(x)
    if training:
        y[u < p] = 0
    else:
        y *= 1 - p
    return y


def count_subnetworks(n_units: int) -> int:
    return sum(math.comb(n_units, kept) for kept in range(n_units + 1))
