"""Another correct solution of section 12: one formula without branches, plain Python where it may be, recursion."""

import math

import numpy as np


def sigmoid(x: np.ndarray) -> np.ndarray:
    x = x * 1.0
    return np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))


def sigmoid_grad(a: np.ndarray) -> np.ndarray:
    return 0.25 - (a - 0.5) ** 2


def _logit_of(p):
    if p < 0 or p > 1:
        raise ValueError("p must be a probability")
    if p == 0:
        return -math.inf
    if p == 1:
        return math.inf
    return math.log(p) - math.log1p(-p)


def logit(p: np.ndarray) -> np.ndarray:
    values = [_logit_of(float(value)) for value in p.flat]
    return np.array(values, dtype=np.result_type(p.dtype, np.float32)).reshape(p.shape)


def saturated_fraction(x: np.ndarray, tol: float = 0.01) -> float:
    # The slope is below tol beyond the x where it equals tol: a(1 - a) = tol is a quadratic equation.
    if tol > 0.25:
        return 1.0
    edge = (1 - math.sqrt(1 - 4 * tol)) / 2
    return np.mean(np.abs(x) > -_logit_of(edge))


def chain_slopes(x: float, depth: int, w: float = 1.0) -> np.ndarray:
    if depth < 1:
        raise ValueError(f"a depth of {depth} is too small")
    z = w * x
    decay = math.exp(-abs(z))
    factor = abs(w) * decay / (1 + decay) ** 2
    if depth == 1:
        return np.array([factor])
    after = 1 / (1 + decay) if z >= 0 else decay / (1 + decay)
    return factor * np.concatenate([[1.0], chain_slopes(after, depth - 1, w)])
