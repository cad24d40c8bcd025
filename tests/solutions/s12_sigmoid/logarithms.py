"""Another correct solution of section 12: everything through logarithms, the chain in closed form of its trace."""

import numpy as np


def _log_sigmoid(x):
    return -np.logaddexp(0, -x)


def sigmoid(x: np.ndarray) -> np.ndarray:
    if np.asarray(x).dtype not in (np.float32, np.float64):
        x = np.asarray(x, dtype=np.float64)
    return np.exp(_log_sigmoid(x))


def sigmoid_grad(a: np.ndarray) -> np.ndarray:
    return np.multiply(a, np.subtract(1, a))


def logit(p: np.ndarray) -> np.ndarray:
    for value in np.ravel(p):
        if not 0 <= value <= 1:
            raise ValueError(f"p = {value} is no probability")
    p = p if p.dtype in (np.float32, np.float64) else p.astype(np.float64)
    old = np.seterr(divide="ignore")
    try:
        return np.log(p) - np.log(1 - p)
    finally:
        np.seterr(**old)


def saturated_fraction(x: np.ndarray, tol: float = 0.01) -> float:
    log_slope = _log_sigmoid(x) + _log_sigmoid(-x)
    return np.count_nonzero(log_slope < np.log(tol)) / x.size


def chain_slopes(x: float, depth: int, w: float = 1.0) -> np.ndarray:
    if depth < 1:
        raise ValueError("depth: at least one layer is needed")
    trace = [np.float64(x)]
    for _ in range(depth):
        trace.append(sigmoid(w * trace[-1]))
    inputs = w * np.array(trace[:-1])
    log_factors = np.log(abs(w)) + _log_sigmoid(inputs) + _log_sigmoid(-inputs)
    return np.exp(np.cumsum(log_factors))
