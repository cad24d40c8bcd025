"""Section 12: sigmoid, its slope, its inverse, and what becomes of a slope along a chain of sigmoids."""

import numpy as np


def _as_float(x: np.ndarray) -> np.ndarray:
    """Floats keep their precision; ints and bools become float64."""
    return np.asarray(x) + 0.0


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-x)), element by element, for x of any size."""
    x = _as_float(x)
    small = np.exp(-np.abs(x))  # between 0 and 1 whatever x is, so nothing can overflow
    return np.where(x >= 0, 1.0, small) / (1.0 + small)  # for x < 0 the fraction was extended by exp(x)


def sigmoid_grad(a: np.ndarray) -> np.ndarray:
    """Return the slope of the sigmoid where its output is a."""
    return a * (1.0 - a)


def logit(p: np.ndarray) -> np.ndarray:
    """Return the x with sigmoid(x) = p; -inf for 0 and +inf for 1."""
    p = _as_float(p)
    if np.any((p < 0) | (p > 1)):
        raise ValueError("p must lie between 0 and 1")
    with np.errstate(divide="ignore"):  # log(0) = -inf is the answer wanted here, not an accident
        return np.log(p) - np.log1p(-p)


def saturated_fraction(x: np.ndarray, tol: float = 0.01) -> float:
    """Return the share of entries of x where the sigmoid's slope is below tol."""
    return float(np.mean(sigmoid_grad(sigmoid(x)) < tol))


def chain_slopes(x: float, depth: int, w: float = 1.0) -> np.ndarray:
    """Return |d a_k / dx| for k = 1 to depth, where a_k = sigmoid(w * a_(k-1)) and a_0 = x."""
    if depth < 1:
        raise ValueError(f"depth must be at least 1, not {depth}")

    slopes = np.empty(depth)
    a, slope = x, 1.0
    for k in range(depth):
        a = sigmoid(w * a)
        slope = slope * w * sigmoid_grad(a)  # chain rule: every layer multiplies by its own factor
        slopes[k] = abs(slope)
    return slopes
