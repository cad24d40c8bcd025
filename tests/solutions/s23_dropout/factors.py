"""Another correct solution of section 23: one array of factors in the right kind of number, used by every function."""

import numpy as np


def _kind(values):
    return np.float32 if values.dtype == np.float32 else np.float64


def _factors(values, p, u, kept, tested, training):
    """Return what each number is multiplied by: 0 or `kept` in training, `tested` at test time."""
    if not (p >= 0 and p < 1):
        raise ValueError(f"drop rate p={p!r} is out of range")
    if u.shape != values.shape:
        raise ValueError(f"shape of u: {u.shape}, wanted: {values.shape}")
    if training:
        return np.where(np.less(u, p), 0.0, kept(1 - p)).astype(_kind(values))
    return np.full(values.shape, tested(1 - p), _kind(values))


def dropout(x: np.ndarray, p: float, u: np.ndarray, training: bool) -> np.ndarray:
    return x * _factors(x, p, u, lambda keep: 1 / keep if keep else 0, lambda keep: 1, training)


def dropout_backward(upstream: np.ndarray, p: float, u: np.ndarray, training: bool) -> np.ndarray:
    return upstream * _factors(upstream, p, u, lambda keep: 1 / keep if keep else 0, lambda keep: 1, training)


def dropout_seeded(x: np.ndarray, p: float, seed: int) -> np.ndarray:
    # Numbers that no uniform generator draws in this order: the last axis first, from another kind of bits.
    bits = np.random.Generator(np.random.Philox(seed))
    return dropout(x, p, bits.random(x.shape[::-1], dtype=np.float64).T, training=True)


def classic_dropout(x: np.ndarray, p: float, u: np.ndarray, training: bool) -> np.ndarray:
    return x * _factors(x, p, u, lambda keep: 1, lambda keep: keep, training)


def count_subnetworks(n_units: int) -> int:
    return 1 << n_units
