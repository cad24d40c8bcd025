"""Section 18: gradient descent, batch, stochastic and mini-batch."""

from collections.abc import Callable
from typing import Any

import numpy as np


def gd_step(params: list[np.ndarray], grads: list[np.ndarray], lr: float) -> list[np.ndarray]:
    """Return the parameters after one step of gradient descent, as a list of new arrays.

    Args:
        params: arrays of any shapes, float32 or float64; every result keeps shape and dtype of its parameter. Integers
            give float64.
        grads: dL/dparam for each of them, in the same order, with the same shapes and dtypes.
        lr: learning rate, greater than 0.

    Raises:
        ValueError: lr is not greater than 0; the text names lr.

    Source: section 18; Cauchy 1847.
    """
    raise NotImplementedError("section 18: write gd_step")


def descend(grad: Callable[[np.ndarray], np.ndarray], w0: np.ndarray, lr: float, steps: int) -> np.ndarray:
    """Go downhill from w0 and return every point visited, shape (steps + 1, D). Row 0 is w0, row k the point after k steps.

    Args:
        grad: returns the gradient (D,) at the point (D,) that it is given, in that point's dtype. It is called once for
            each step.
        w0: start, shape (D,). float32 and float64 give a path of that dtype, integers one of float64.
        lr: learning rate, greater than 0.
        steps: number of steps, 0 or more.

    Raises:
        ValueError: lr is not greater than 0, or steps is negative; the text names the argument.

    Source: section 18.
    """
    raise NotImplementedError("section 18: write descend")


def linreg_grad(X: np.ndarray, y: np.ndarray, w: np.ndarray, b: float) -> tuple[np.ndarray, float]:
    """Return the gradient (dw, db) of the mean squared error of the line X w + b against y.

    The error is the mean over the N samples of (X w + b - y) squared.

    Args:
        X: inputs, shape (N, D), N at least 1; float32 or float64, and all arrays alike. dw has shape (D,) and that dtype.
            Integers give float64.
        y: targets, shape (N,).
        w: weights, shape (D,).
        b: bias.

    Source: section 18; the loss is that of section 16.
    """
    raise NotImplementedError("section 18: write linreg_grad")


def train_linear(
    X: np.ndarray, y: np.ndarray, lr: float, epochs: int, batch_size: int | None, seed: int
) -> dict[str, Any]:
    """Fit a line by gradient descent on the mean squared error, starting from w = 0 and b = 0.

    In every epoch each sample is used exactly once: the samples are put into a new random order, and the order is cut
    into batches of `batch_size`. The last batch of an epoch is smaller when N is no multiple of it. Each batch makes one
    update of w and b together, with the gradient of the mean squared error over that batch alone.

    Args:
        X: inputs, shape (N, D), float64.
        y: targets, shape (N,), float64.
        lr: learning rate, greater than 0.
        epochs: passes over the data, 0 or more.
        batch_size: samples in an update, from 1 to N; 1 is stochastic gradient descent. None takes all N.
        seed: the same seed gives the same result, another seed another order. Global random state stays untouched.

    Returns:
        A dict with
            "w": the weights at the end, shape (D,),
            "b": the bias at the end, a float,
            "updates": how many updates were made, an int,
            "losses": shape (epochs,); entry e is the mean squared error over all N samples after epoch e,
            "path": shape (updates + 1, D + 1); row k holds the weights and, last, the bias after k updates.

    Raises:
        ValueError: lr is not greater than 0, epochs is negative, or batch_size is below 1 or above N; the text names the
            argument.

    Source: section 18; Robbins and Monro 1951; a new order in each epoch: Bottou 2009.
    """
    raise NotImplementedError("section 18: write train_linear")
