"""Another correct solution of section 12: boolean masks, the odds as a fraction, one list for the chain."""

import math

import numpy as np


def sigmoid(x: np.ndarray) -> np.ndarray:
    x = np.asarray(x)
    dtype = np.float32 if x.dtype == np.float32 else np.float64
    out = np.empty(x.shape, dtype)
    positive = x >= 0
    out[positive] = 1 / (1 + np.exp(-x[positive].astype(dtype)))
    lifted = np.exp(x[~positive].astype(dtype))
    out[~positive] = lifted / (1 + lifted)
    return out


def sigmoid_grad(a: np.ndarray) -> np.ndarray:
    return a - a**2


def logit(p: np.ndarray) -> np.ndarray:
    p = np.asarray(p)
    if p.size and (p.min() < 0 or p.max() > 1):
        raise ValueError(f"p has entries from {p.min()} to {p.max()}, but a probability is needed")
    if p.dtype.kind != "f":
        p = p.astype(float)
    with np.errstate(divide="ignore"):
        return np.log(p / (1 - p))


def saturated_fraction(x: np.ndarray, tol: float = 0.01) -> float:
    count = 0
    for value in np.ravel(x):
        decay = math.exp(-abs(float(value)))
        count += decay / (1 + decay) ** 2 < tol
    return count / np.size(x)


def chain_slopes(x: float, depth: int, w: float = 1.0) -> np.ndarray:
    if depth <= 0:
        raise ValueError("the depth of a chain is 1 or more")
    a, factors = np.array([x]), []
    for _ in range(depth):
        a = sigmoid(w * a)
        factors.append(abs(w) * a[0] * (1 - a[0]))
    return np.cumprod(factors)
