"""Another correct solution of section 23: plain Python, number by number; the seeded one keeps with a biased choice."""

import numpy as np


def _each(values, p, u, training, factor_kept, factor_tested):
    if not 0.0 <= p < 1.0:
        raise ValueError("p is a probability below 1")
    if np.shape(values) != np.shape(u):
        raise ValueError("one u for every value")
    flat, draws = np.ravel(values).tolist(), np.ravel(u).tolist()
    if training:
        out = [0.0 if draw < p else value * factor_kept for value, draw in zip(flat, draws, strict=True)]
    else:
        out = [value * factor_tested for value in flat]
    kind = "float32" if np.asarray(values).dtype.name == "float32" else "float64"
    return np.array(out, dtype=kind).reshape(np.shape(values))


def dropout(x: np.ndarray, p: float, u: np.ndarray, training: bool) -> np.ndarray:
    return _each(x, p, u, training, 1 / (1 - p) if p != 1 else 0.0, 1)


def dropout_backward(upstream: np.ndarray, p: float, u: np.ndarray, training: bool) -> np.ndarray:
    return _each(upstream, p, u, training, 1 / (1 - p) if p != 1 else 0.0, 1)


def dropout_seeded(x: np.ndarray, p: float, seed: int) -> np.ndarray:
    if p < 0 or p >= 1:
        raise ValueError(f"p = {p}")
    keep = np.random.RandomState(seed).choice([True, False], size=x.shape, p=[1 - p, p])
    return np.where(keep, x / (1 - p), 0.0)


def classic_dropout(x: np.ndarray, p: float, u: np.ndarray, training: bool) -> np.ndarray:
    return _each(x, p, u, training, 1, 1 - p)


def count_subnetworks(n_units: int) -> int:
    count = 1
    for _ in range(n_units):
        count += count
    return count
