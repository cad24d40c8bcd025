"""Section 11: stacks of linear layers, nine activations, a test for being affine, and a fit that a bend makes possible."""

import math
from collections.abc import Callable

import numpy as np


def erf(x: np.ndarray) -> np.ndarray:
    """Return the error function, entry by entry, always as float64. Given: leave it as it is."""
    values = [math.erf(value) for value in np.ravel(x)]
    return np.array(values, dtype=np.float64).reshape(np.shape(x))


def collapse_linear(layers: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the one layer that does the same as the whole stack."""
    W, b = (part + 0.0 for part in layers[0])  # new arrays; ints become float64
    for W_next, b_next in layers[1:]:
        if W_next.shape[1] != len(b):
            raise ValueError(f"layers do not chain: {len(b)} outputs meet weights of shape {W_next.shape}")
        W, b = W_next @ W, W_next @ b + b_next  # W_next (W x + b) + b_next, multiplied out
    return W, b


def activation(name: str, x: np.ndarray) -> np.ndarray:
    """Apply the activation of that name to every entry."""
    x = np.asarray(x) + 0.0  # a new array; float32 stays, ints and bools become float64
    match name:
        case "identity":
            return x
        case "step":
            return np.heaviside(x, 1.0)  # 1 at 0, and NaN at NaN, where a comparison would say False
        case "sigmoid":
            small = np.exp(-np.abs(x))  # never of a positive number, so nothing overflows
            return np.where(x >= 0, 1.0, small) / (1.0 + small)
        case "tanh":
            return np.tanh(x)
        case "relu":
            return np.maximum(x, 0.0)
        case "leaky_relu":
            return np.maximum(x, 0.01 * x)
        case "elu":
            return np.where(x > 0, x, np.expm1(np.minimum(x, 0.0)))  # both branches are computed for every x
        case "softplus":
            return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))
        case "gelu":
            return x * (0.5 + 0.5 * erf(x / math.sqrt(2))).astype(x.dtype)
    raise ValueError(f"name is {name!r}, and there is no activation of that name")


def is_affine(f: Callable[[np.ndarray], np.ndarray], D: int, seed: int, tol: float = 1e-6) -> bool:
    """Find out by random trials whether f keeps every mixture of two points."""
    rng = np.random.default_rng(seed)
    for scale in (0.1, 1.0, 10.0):  # a bend may be too small to be seen from afar, or too far away
        x, y = scale * rng.standard_normal((2, 64, D))
        alpha = rng.random((64, 1))
        of_mixture, fx, fy = f(alpha * x + (1 - alpha) * y), f(x), f(y)
        gap = np.abs(of_mixture - (alpha * fx + (1 - alpha) * fy)).max()
        size = max(np.abs(values).max() for values in (of_mixture, fx, fy))
        if not gap <= tol * size:  # not "gap > ...": NaN must end here too
            return False
    return True


def random_feature_fit(x: np.ndarray, y: np.ndarray, n_hidden: int, name: str, seed: int) -> dict:
    """Fit y with random hidden units and the best output weights for them."""
    rng = np.random.default_rng(seed)
    w = rng.normal(0.0, 3.0, n_hidden)
    b1 = -w * rng.uniform(x.min(), x.max(), n_hidden)  # w x + b1 changes its sign at the drawn place
    features = np.column_stack([activation(name, np.outer(x, w) + b1), np.ones(len(x))])
    best = np.linalg.lstsq(features, y, rcond=None)[0]  # the last number belongs to the ones: the output bias
    mse = np.mean((features @ best - y) ** 2)
    return {"layers": [(w[:, None], b1), (best[None, :-1], best[-1:])], "mse": float(mse)}
