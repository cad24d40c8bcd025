"""Section 18: gradient descent: its step, its path, and a line trained by batch, stochastic and mini-batch descent."""

from collections.abc import Callable
from typing import Any

import numpy as np


def gd_step(params: list[np.ndarray], grads: list[np.ndarray], lr: float) -> list[np.ndarray]:
    """Return the parameters after one step of gradient descent.

    Args:
        params: arrays of any shapes; float32, float64 or ints.
        grads: dL/dparam for each of them, in the same order, with the same shapes and dtypes.
        lr: learning rate, greater than 0.

    Returns:
        A list of new arrays in the order and the shapes of `params`. float32 gives float32, everything else float64.

    Raises:
        ValueError: `lr` is 0 or less; the text names it.

    Source: section 18, "w_new = w_old – learning_rate × gradient"; Cauchy 1847.
    """
    raise NotImplementedError("section 18: write gd_step")


def descend(grad: Callable[[np.ndarray], np.ndarray], w0: np.ndarray, lr: float, steps: int) -> np.ndarray:
    """Go downhill from w0 and return every point visited.

    Args:
        grad: returns the gradient (D,) at the point (D,) that it is given, in that point's dtype. It is called once for
            each step.
        w0: start, (D,); float32, float64 or ints.
        lr: learning rate, greater than 0.
        steps: number of steps, 0 or more.

    Returns:
        (steps + 1, D), a new array: row 0 is `w0`, row k the point after k steps. float32 gives float32, everything else
        float64.

    Raises:
        ValueError: `lr` is 0 or less, or `steps` is negative; the text names the argument.

    Source: section 18, "Gradient Descent Visualization".
    """
    raise NotImplementedError("section 18: write descend")


def linreg_grad(X: np.ndarray, y: np.ndarray, w: np.ndarray, b: float) -> tuple[np.ndarray, float]:
    """Return the gradient of the mean squared error of the line X w + b against y.

    The error is the mean over the N samples of (X w + b - y) squared.

    Args:
        X: inputs, (N, D), N at least 1. float32, float64 or ints, and all arrays alike.
        y: targets, (N,).
        w: weights, (D,).
        b: bias.

    Returns:
        (dw, db): dw is a new array (D,), float32 for float32 and float64 for everything else; db is a number.

    Source: section 18, "Move the weight opposite to the gradient"; section 16 for the loss.
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
        X: inputs, (N, D), float64.
        y: targets, (N,), float64.
        lr: learning rate, greater than 0.
        epochs: passes over the data, 0 or more.
        batch_size: samples in an update, from 1 to N; 1 is stochastic gradient descent. None takes all N.
        seed: the same seed gives the same result, another seed another order. Global random state stays untouched.

    Returns:
        "w": the weights at the end, (D,).
        "b": the bias at the end, a float.
        "updates": how many updates were made, an int.
        "losses": (epochs,); entry e is the mean squared error over all N samples after epoch e.
        "path": (updates + 1, D + 1); row k holds the weights and, last, the bias after k updates.

    Raises:
        ValueError: `lr` is 0 or less, `epochs` is negative, or `batch_size` is below 1 or above N; the text names the
            argument.

    Source: section 18, "Batch GD", "Stochastic GD" and "Mini-Batch GD"; Robbins and Monro 1951; Bottou 2009 for the new
    order in each epoch.
    """
    raise NotImplementedError("section 18: write train_linear")
