"""Section 13: ReLU, Leaky ReLU and ELU with their derivatives, and a search for dead units."""

import numpy as np


def _refuse_other_shapes(x: np.ndarray, upstream: np.ndarray) -> None:
    if np.shape(x) != np.shape(upstream):
        raise ValueError(f"upstream has shape {np.shape(upstream)}, but x has shape {np.shape(x)}")


def _refuse_negative(alpha: float) -> None:
    if alpha < 0:
        raise ValueError(f"alpha must be 0 or more, not {alpha}")


def relu(x: np.ndarray) -> np.ndarray:
    """Return max(0, x), element by element."""
    return np.maximum(x, 0.0)  # keeps NaN, and makes 0 of -inf where a product with a mask makes NaN


def relu_backward(x: np.ndarray, upstream: np.ndarray) -> np.ndarray:
    """Return dL/dx from upstream = dL/d relu(x); the derivative at 0 is 0."""
    _refuse_other_shapes(x, upstream)
    return np.where(x > 0, upstream, 0.0)


def leaky_relu(x: np.ndarray, slope: float = 0.01) -> np.ndarray:
    """Return x where it is positive and slope * x elsewhere."""
    return np.where(x > 0, x, slope * x)


def leaky_relu_backward(x: np.ndarray, upstream: np.ndarray, slope: float = 0.01) -> np.ndarray:
    """Return dL/dx from upstream = dL/d leaky_relu(x); the derivative at 0 is slope."""
    _refuse_other_shapes(x, upstream)
    return np.where(x > 0, upstream, slope * upstream)


def elu(x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    """Return x where it is positive and alpha * (exp(x) - 1) elsewhere."""
    _refuse_negative(alpha)
    # np.where computes both branches for every x: the minimum keeps large x out of the exponential.
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0)))


def elu_backward(x: np.ndarray, upstream: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    """Return dL/dx from upstream = dL/d elu(x); the derivative at 0 is alpha."""
    _refuse_other_shapes(x, upstream)
    _refuse_negative(alpha)
    return np.where(x > 0, upstream, upstream * alpha * np.exp(np.minimum(x, 0.0)))


def activity(H: np.ndarray) -> dict:
    """Return the share of zeros in H and the indices of the units that are 0 for every sample."""
    silent = H == 0
    return {"sparsity": float(silent.mean()), "dead": np.flatnonzero(silent.all(axis=0))}
