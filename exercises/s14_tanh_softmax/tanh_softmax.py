"""Section 14: tanh, softmax and log-softmax, and the gradients back through tanh and softmax."""

import numpy as np


def tanh(x: np.ndarray) -> np.ndarray:
    """Return the hyperbolic tangent, element by element, without numpy's or Python's own.

    Args:
        x: any shape, also () and empty; any size, also infinite. float32, float64, ints or bools.

    Returns:
        A new array of the same shape. float32 gives float32, everything else float64. No overflow on the way:
        tanh(800) is 1. Nine correct digits (float64) also near 0, where tanh(1e-9) is 1e-9.

    Source: section 14, "Tanh (Hyperbolic Tangent)".
    """
    raise NotImplementedError("section 14: write tanh")


def tanh_grad(t: np.ndarray) -> np.ndarray:
    """Return the slope of tanh, computed from its output.

    Args:
        t: outputs of tanh, between -1 and 1, any shape. float32, float64, ints or bools.

    Returns:
        d tanh(x) / dx at the x where tanh(x) = t: a new array of the same shape. float32 gives float32, everything
        else float64.

    Source: section 14, "Tanh (Hyperbolic Tangent)".
    """
    raise NotImplementedError("section 14: write tanh_grad")


def softmax(x: np.ndarray, axis: int = -1, temperature: float = 1.0) -> np.ndarray:
    """Return the softmax of x / temperature along one axis.

    Args:
        x: scores, one axis or more; finite numbers of any size, or -inf. float32, float64, ints or bools.
        axis: the axis along which the classes lie; negative numbers count from the end.
        temperature: greater than 0. Low sharpens, high flattens.

    Returns:
        A new array of the same shape: every slice along `axis` holds numbers from 0 to 1 with the sum 1, and exactly 0
        where `x` is -inf. No overflow on the way. float32 gives float32, everything else float64.

    Raises:
        ValueError: `temperature` is 0 or less, or `x` has no such `axis`, or every entry of a slice of `x` is -inf; the
            text names the argument.

    Source: section 14, "Softmax"; Bridle 1990; Hinton, Vinyals and Dean 2015 for the temperature.
    """
    raise NotImplementedError("section 14: write softmax")


def log_softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """Return the natural logarithm of softmax(x) along one axis.

    Args:
        x: scores, as for softmax.
        axis: the axis along which the classes lie.

    Returns:
        A new array of the same shape, right also where the probability itself is too small for a float:
        log_softmax([0, -800]) is [0, -800]. An entry -inf stays -inf, without a warning. float32 gives float32,
        everything else float64.

    Raises:
        ValueError: `x` has no such `axis`, or every entry of a slice of `x` is -inf; the text names the argument.

    Source: section 14, "Softmax"; Blanchard, Higham and Higham 2021.
    """
    raise NotImplementedError("section 14: write log_softmax")


def softmax_backward(p: np.ndarray, upstream: np.ndarray, axis: int = -1) -> np.ndarray:
    """Pass a gradient backwards through softmax at temperature 1, given its output.

    Args:
        p: output of softmax, one axis or more, float32 or float64.
        upstream: dL/dp, same shape and dtype as `p`.
        axis: the axis along which softmax was taken.

    Returns:
        dL/dx, where p = softmax(x), as a new array in the shape and dtype of `p`.

    Source: section 14, "Softmax".
    """
    raise NotImplementedError("section 14: write softmax_backward")
