"""Section 18: gradient descent, batch, stochastic and mini-batch."""

from collections.abc import Callable
from typing import Any

import numpy as np


def gd_step(params: list[np.ndarray], grads: list[np.ndarray], lr: float) -> list[np.ndarray]:
    """Return the parameters after one step of gradient descent, as a list of new arrays."""
    _check_lr(lr)
    return [p - lr * g for p, g in zip(params, grads, strict=True)]


def descend(grad: Callable[[np.ndarray], np.ndarray], w0: np.ndarray, lr: float, steps: int) -> np.ndarray:
    """Go downhill from w0 and return every point visited, shape (steps + 1, D)."""
    _check_lr(lr)
    if steps < 0:
        raise ValueError(f"steps is {steps}; it cannot be negative")
    path = [w0 if w0.dtype == np.float32 else w0.astype(np.float64)]
    for _ in range(steps):
        path.append(path[-1] - lr * grad(path[-1]))  # a new array each time: w -= ... would change the rows before
    return np.stack(path)


def linreg_grad(X: np.ndarray, y: np.ndarray, w: np.ndarray, b: float) -> tuple[np.ndarray, float]:
    """Return the gradient (dw, db) of the mean squared error of the line X w + b against y."""
    residual = X @ w + b - y
    return X.T @ residual * (2 / len(y)), float(2 * residual.mean())


def train_linear(
    X: np.ndarray, y: np.ndarray, lr: float, epochs: int, batch_size: int | None, seed: int
) -> dict[str, Any]:
    """Fit a line by gradient descent on the mean squared error, starting from w = 0 and b = 0."""
    _check_lr(lr)
    n, d = X.shape
    size = n if batch_size is None else batch_size
    if epochs < 0:
        raise ValueError(f"epochs is {epochs}; it cannot be negative")
    if not 1 <= size <= n:
        raise ValueError(f"batch_size is {batch_size}; it must lie between 1 and {n}")

    rng = np.random.default_rng(seed)
    w, b = np.zeros(d), 0.0
    path, losses = [np.append(w, b)], []
    for _ in range(epochs):
        order = rng.permutation(n)
        for start in range(0, n, size):
            batch = order[start : start + size]  # at the end of the epoch fewer than `size` may be left
            dw, db = linreg_grad(X[batch], y[batch], w, b)
            w, b = gd_step([w, b], [dw, db], lr)
            path.append(np.append(w, b))
        losses.append(np.mean((X @ w + b - y) ** 2))
    return {"w": w, "b": float(b), "updates": len(path) - 1, "losses": np.array(losses), "path": np.stack(path)}


def _check_lr(lr: float) -> None:
    if not lr > 0:
        raise ValueError(f"lr is {lr}; it must be greater than 0")
