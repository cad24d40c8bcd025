"""Section 12: sigmoid, its slope, its inverse, and what becomes of a slope along a chain of sigmoids."""

import numpy as np


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Squash every number into the range from 0 to 1: 1 / (1 + exp(-x)).

    Args:
        x: any shape, also () and empty; any size, also infinite. float32, float64, ints or bools.

    Returns:
        A new array of the same shape. float32 gives float32, everything else float64. No overflow on
        the way, and twelve correct digits (float64) also where the result is as small as 1e-304.

    Source: section 12, "Sigmoid Function".
    """
    raise NotImplementedError("section 12: write sigmoid")


def sigmoid_grad(a: np.ndarray) -> np.ndarray:
    """Return the slope of the sigmoid, computed from its output.

    Args:
        a: outputs of the sigmoid, between 0 and 1, any shape, float32 or float64.

    Returns:
        d sigmoid(x) / dx at the x where sigmoid(x) = a. Same shape and dtype as `a`.

    Source: section 12, "Problems"; Rumelhart, Hinton and Williams 1986.
    """
    raise NotImplementedError("section 12: write sigmoid_grad")


def logit(p: np.ndarray) -> np.ndarray:
    """Undo the sigmoid: return the x for which sigmoid(x) = p.

    Args:
        p: numbers between 0 and 1, both included, any shape. float32, float64 or int64.

    Returns:
        A new array of the same shape; -inf where p is 0, +inf where p is 1, without a warning.
        float32 gives float32, everything else float64.

    Raises:
        ValueError: an entry of `p` is below 0 or above 1; the text names `p`.

    Source: section 12; Berkson 1944.
    """
    raise NotImplementedError("section 12: write logit")


def saturated_fraction(x: np.ndarray, tol: float = 0.01) -> float:
    """Return the share of entries at which the sigmoid has become almost flat.

    Args:
        x: inputs of the sigmoid, any shape, at least one entry.
        tol: an entry counts as saturated when the slope of the sigmoid there is less than `tol`.

    Returns:
        A number from 0.0 (no entry is saturated) to 1.0 (all are).

    Source: section 12, "Problems".
    """
    raise NotImplementedError("section 12: write saturated_fraction")


def chain_slopes(x: float, depth: int, w: float = 1.0) -> np.ndarray:
    """Follow the slope through a chain of sigmoid units, one unit per layer.

    The chain is a_0 = x, a_k = sigmoid(w * a_(k-1)): every layer has the same weight and no bias.

    Args:
        x: the number that enters the chain.
        depth: number of layers, at least 1.
        w: the weight of every layer; it may be negative.

    Returns:
        (depth,) float64: the absolute values |d a_k / dx| for k = 1, 2, ..., depth.

    Raises:
        ValueError: `depth` is less than 1; the text names it.

    Source: section 12, "Problems"; Hochreiter 1991.
    """
    raise NotImplementedError("section 12: write chain_slopes")
