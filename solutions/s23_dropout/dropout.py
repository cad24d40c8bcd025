"""Section 23: dropout, forwards and backwards, with the scaling in training or, as it was first done, at test time."""

import numpy as np


def _refuse_bad_input(p: float, values: np.ndarray, u: np.ndarray) -> None:
    if not 0 <= p < 1:
        raise ValueError(f"p is {p}; the probability to drop is 0 or more, and less than 1")
    if np.shape(u) != np.shape(values):
        raise ValueError(f"u has shape {np.shape(u)}; every number of shape {np.shape(values)} needs one of its own")


def _drop(values: np.ndarray, p: float, u: np.ndarray) -> np.ndarray:
    return values * (u >= p) / (1 - p)  # bools and a plain float leave float32 as it is; a mask of float64 would not


def dropout(x: np.ndarray, p: float, u: np.ndarray, training: bool) -> np.ndarray:
    """Drop where u < p and divide the survivors by 1 - p, in training; at test time return x."""
    _refuse_bad_input(p, x, u)
    if not training:
        return x * 1.0  # a new array, and floats even if x has whole numbers
    return _drop(x, p, u)


def dropout_backward(upstream: np.ndarray, p: float, u: np.ndarray, training: bool) -> np.ndarray:
    """Return dL/dx from upstream = dL/d dropout(x): each output is its input times a number, so that is the slope."""
    _refuse_bad_input(p, upstream, u)
    return _drop(upstream, p, u) if training else upstream * 1.0


def dropout_seeded(x: np.ndarray, p: float, seed: int) -> np.ndarray:
    """Return dropout in training with uniforms of its own."""
    u = np.random.default_rng(seed).random(np.shape(x))
    _refuse_bad_input(p, x, u)
    return _drop(x, p, u)


def classic_dropout(x: np.ndarray, p: float, u: np.ndarray, training: bool) -> np.ndarray:
    """Drop where u < p, without scaling, in training; at test time multiply everything by 1 - p."""
    _refuse_bad_input(p, x, u)
    return x * (u >= p) * 1.0 if training else x * (1 - p)


def count_subnetworks(n_units: int) -> int:
    """Return how many networks dropout chooses from: each unit is in or out."""
    return 2**n_units
